"""The past of the current line: its finished steps in pages, and its losses for a chart."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from api.store import codec, statements
from api.store.database import Transaction
from api.store.reading import definition_of, forwarded, slice_start
from api.store.records import HistoryRow, Row, Slice
from api.training.definition import Definition
from api.training.session import Phase, Session

EVERYTHING = 2**53
"""More steps than there can be."""


def page(transaction: Transaction, base: Definition, now: Row, after: int, limit: int) -> tuple[list[HistoryRow], bool]:
    """Up to ``limit`` finished steps later than ``after``, and whether there are more."""
    after, limit = max(-1, min(after, EVERYTHING)), min(limit, EVERYTHING)
    items: list[HistoryRow] = []
    for row, epoch, batch in _contributions(transaction, now, after, limit + 1):
        if row.action == "update":
            items.append(_single(row, epoch, batch))
        else:
            items += _inside(transaction, base, row, after, limit + 1 - len(items))
        if len(items) > limit:
            return items[:limit], True
    return items, False


def thinned(transaction: Transaction, now: Row, points: int) -> list[tuple[int, float]]:
    """At most ``points`` losses of the line by step: the first, the last, and of the rest the extremes."""
    steps, losses = array("q"), array("d")
    at = {"key": now.session_key, "revision": now.revision}
    for action, origin, step, loss in transaction.rows(statements.losses, at | {"after": -1, "limit": EVERYTHING}):
        if action == "update":
            steps.append(step - 1)
            losses.append(loss)
            continue
        inside = {"key": now.session_key, "revision": origin, "since": 0, "before": step}
        for first, part in transaction.rows(statements.find_slice_losses, inside):
            losses.extend(codec.decode_losses(part)[: step - first])
            steps.extend(range(first, first + len(losses) - len(steps)))
    chosen = _chosen(np.array(losses), points)
    return [(steps[place], losses[place]) for place in chosen]


def _contributions(transaction: Transaction, now: Row, after: int, limit: int) -> Iterator[tuple[Row, int, int]]:
    values = {"key": now.session_key, "revision": now.revision, "after": after, "limit": limit}
    width = len(Row._fields)
    for found in transaction.rows(statements.contributions, values):
        yield Row(*found[:width]), found[width], found[width + 1]


def _slices(transaction: Transaction, row: Row, after: int) -> Iterator[Slice]:
    if row.action == "update":
        return
    values = {"key": row.session_key, "revision": row.origin, "since": after + 1, "before": row.step}
    for found in transaction.rows(statements.find_slices, values):
        yield Slice(*found)


def _single(row: Row, epoch: int, batch: int) -> HistoryRow:
    assert row.loss is not None, "an update's row has its step's loss"
    assert row.learning_rate is not None, "an update's row has its step's learning rate"
    step = (row.step - 1, epoch, batch)
    return HistoryRow(*step, row.loss, row.learning_rate, row.gradient_norm, row.seconds, row.revision)


def _inside(transaction: Transaction, base: Definition, row: Row, after: int, limit: int) -> Iterator[HistoryRow]:
    definition = definition_of(base, row)
    for found in _slices(transaction, row, after):
        losses = codec.decode_losses(found.losses)
        first = max(after + 1, found.first_step)
        snapshot = slice_start(definition, found)
        for step in range(first, min(row.step, found.first_step + found.step_count)):
            if limit <= 0:
                return
            limit -= 1
            snapshot = forwarded(definition, snapshot, step)
            session = Session.restore(definition, snapshot, Phase.BACKWARD, None)
            yield HistoryRow(
                step=step,
                epoch=snapshot.position.epoch,
                batch=snapshot.position.batch,
                loss=losses[step - found.first_step],
                learning_rate=session.learning_rate,
                gradient_norm=session.gradient_norm,
                seconds=found.seconds / found.step_count,
                revision=row.revision,
            )


def _chosen(losses: NDArray[np.float64], points: int) -> list[int]:
    """The places of the first, the last, and of each of equal parts between the least and the greatest."""
    count = len(losses)
    if count <= max(points, 2):
        return list(range(count))
    parts = (points - 2) // 2
    kept = {0, count - 1}
    edges = np.linspace(1, count - 1, parts + 1).astype(np.int64).tolist() if parts > 0 else []
    for start, end in pairwise(edges):
        part = losses[start:end]
        kept.add(start + int(np.argmin(np.nan_to_num(part, nan=np.inf))))
        kept.add(start + int(np.argmax(np.nan_to_num(part, nan=-np.inf))))
    return sorted(kept)
