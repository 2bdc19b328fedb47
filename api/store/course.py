"""How a session has moved: its state at some steps of the current line, from the first to the last."""

from __future__ import annotations

from collections.abc import Iterator

from api.store import statements
from api.store.database import Transaction
from api.store.history import EVERYTHING
from api.store.reading import definition_of, forwarded, row_at, slice_start, snapshot_of
from api.store.records import Place, Row, Slice
from api.training.definition import Definition
from api.training.session import Session

REPLAYED = 5_000_000
"""Primitive operations that are done again inside runs, where not every step has been kept."""


def course(transaction: Transaction, place: Place, points: int) -> list[Session]:
    """The session at about ``points`` steps of its line, in order, each in phase ``ready``; without the present one.

    Inside runs too long to be done again only the steps that were kept are among them.
    """
    now = place.row
    values = {"key": now.session_key, "revision": now.revision, "after": -1, "limit": EVERYTHING}
    width = len(Row._fields)
    rows = [Row(*found[:width]) for found in transaction.rows(statements.contributions, values)]
    first = row_at(transaction, now.session_key, 0)
    assert first is not None, "a session's first row is never deleted"
    found: dict[int, Session] = {}
    if first.action != "create" or first.update_at is None:
        found[first.step] = Session(*snapshot_of(place.base, first))
    wanted = _wanted(min([first.step, *found]) if found else 0, now.step, points)
    budget = REPLAYED
    for row in rows:
        definition = definition_of(place.base, row)
        for part in _slices(transaction, row):
            steps = [
                step for step in wanted if part.first_step <= step < min(row.step, part.first_step + part.step_count)
            ]
            inside, budget = _inside(definition, part, steps, budget)
            found |= inside
        if row.step in wanted:
            full = row_at(transaction, row.session_key, row.revision)
            assert full is not None, "the line consists of rows"
            found[row.step] = Session(*snapshot_of(place.base, full))
    found.pop(now.step, None)
    return [found[step] for step in sorted(found)]


def _wanted(first: int, last: int, points: int) -> list[int]:
    """About so many steps, evenly spread, both ends among them."""
    count = max(2, points)
    return sorted({first + (last - first) * place // (count - 1) for place in range(count)})


def _slices(transaction: Transaction, row: Row) -> Iterator[Slice]:
    if row.action == "update":
        return
    values = {"key": row.session_key, "revision": row.origin, "since": 0, "before": row.step}
    for found in transaction.rows(statements.find_slices, values):
        yield Slice(*found)


def _inside(definition: Definition, part: Slice, steps: list[int], budget: int) -> tuple[dict[int, Session], int]:
    """The states at these steps of a slice, as far as the budget goes, else at its beginning; and what is left."""
    found: dict[int, Session] = {}
    snapshot = slice_start(definition, part)
    work = len(definition.graph.nodes) * max(1, min(definition.batch_size, definition.row_count))
    for step in steps:
        cost = (step - snapshot.position.step) * work
        if cost > budget:
            break
        budget -= cost
        snapshot = forwarded(definition, snapshot, step)
        found[step] = Session(definition, snapshot)
    if steps and not found:
        found[part.first_step] = Session(definition, snapshot)
    return found, budget
