"""The past of the current line: its finished steps in pages, and its losses for a chart."""

from __future__ import annotations

from collections.abc import Iterator

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
    steps: list[NDArray[np.int64]] = []
    losses: list[NDArray[np.float64]] = []
    for row, _, _ in _contributions(transaction, now, -1, EVERYTHING):
        if row.action == "update":
            steps.append(np.array([row.step - 1], dtype=np.int64))
            losses.append(np.array([row.loss], dtype=np.float64))
        for found in _slices(transaction, row, -1):
            count = min(found.step_count, row.step - found.first_step)
            steps.append(np.arange(found.first_step, found.first_step + count))
            losses.append(np.array(codec.decode_losses(found.losses)[:count]))
    if not steps:
        return []
    all_steps, all_losses = np.concatenate(steps), np.concatenate(losses)
    chosen = _chosen(all_losses, points)
    return list(zip(all_steps[chosen].tolist(), all_losses[chosen].tolist(), strict=True))


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


def _chosen(losses: NDArray[np.float64], points: int) -> NDArray[np.int64]:
    count = len(losses)
    if count <= max(points, 2):
        return np.arange(count)
    buckets = max((points - 2) // 2, 0)
    edges = np.linspace(1, count - 1, buckets + 1).astype(np.int64) if buckets else np.zeros(1, dtype=np.int64)
    kept = {0, count - 1}
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = losses[start:end]
        kept.add(start + int(np.argmin(np.nan_to_num(part, nan=np.inf))))
        kept.add(start + int(np.argmax(np.nan_to_num(part, nan=-np.inf))))
    return np.array(sorted(kept), dtype=np.int64)
