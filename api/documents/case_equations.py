"""The equations that a case's quantities should have followed, by quantity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from api.documents.equations import equations
from api.grading.cases import Case
from api.training.session import Session
from api.training.snapshot import Position, Progress, Snapshot
from api.training.split import Split

Document = dict[str, Any]
LARGEST = 60
"""Nodes up to which equations are written out."""


@dataclass(frozen=True, slots=True)
class _Worked:
    """A session that is kept nowhere, as the builder of equations wants it."""

    session: Session
    id: None = None
    read_id: None = None
    read_only: bool = True
    revision: None = None
    undoable: bool = False
    parent: None = None
    run: None = None
    running: bool = False
    pinned: bool = False


def session_of(case: Case) -> Session:
    """A case as a session at its beginning, each step's batch next after the one before."""
    definition = case.definition
    if definition.data is not None:
        rows = np.array([row for batch in case.rows for row in batch], dtype=np.float64)
        data = replace(definition.data, rows=rows, given=rows, split=Split(range(len(rows))))
        document = {**definition.document, "batch_size": len(case.rows[0]), "shuffle": False}
        definition = replace(definition, data=data, document=document)
    start = Snapshot(Position(case.step, case.step + 1), case.parameters, case.slots, Progress())
    return Session(definition, start)


def case_equations(case: Case, steps: int) -> list[dict[str, list[Document]]]:
    """For each step the items of ``equations`` in MathML by quantity; an update has one for each line of its rule."""
    if len(case.definition.graph.named) > LARGEST:
        return [{} for _ in range(steps)]
    session, found = session_of(case), []
    for _ in range(steps):
        there = session.forward().backward()
        session = there.update()
        found.append(_by_quantity([*_items(there), *_items(session)]))
    return found


def _items(session: Session) -> list[Document]:
    return equations(_Worked(session), "mathml")


def _by_quantity(items: Sequence[Document]) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = {}
    for item in items:
        if item["about"].startswith("updated.") or item["about"] not in found:
            found.setdefault(item["about"], []).append(item)
    return found
