"""The past of the current line: its finished steps in pages, and its losses for a chart."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from api.engine.effort import compiled_effort
from api.store import codec, statements
from api.store.database import Transaction
from api.store.reading import definition_of, forwarded, slice_start, start_of
from api.store.records import HistoryRow, Row, Slice
from api.training.definition import Definition
from api.training.session import Phase, Session
from api.training.snapshot import EpochEnd, Metrics, Snapshot

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
    for action, origin, step, loss, _ in transaction.rows(statements.losses, at | {"after": -1, "limit": EVERYTHING}):
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


def validation_losses(transaction: Transaction, now: Row, points: int) -> list[tuple[int, float]]:
    """At most ``points`` losses of the validation rows by the step that ended their epoch, chosen as by ``thinned``."""
    ends = [(end.step, end.metrics.validation_loss) for end in _epochs(transaction, now)]
    found = [(step, loss) for step, loss in ends if loss is not None]
    return [found[place] for place in _chosen(np.array([loss for _, loss in found]), points)]


def _epochs(transaction: Transaction, now: Row) -> list[EpochEnd]:
    """What was told of the line's finished epochs."""
    found: list[EpochEnd] = []
    at = {"key": now.session_key, "revision": now.revision}
    for action, origin, step, _, end in transaction.rows(statements.losses, at | {"after": -1, "limit": EVERYTHING}):
        if action == "update":
            found += codec.decode_epochs(end)
            continue
        inside = {"key": now.session_key, "revision": origin, "since": 0, "before": step}
        for (raw,) in transaction.rows(statements.find_slice_epochs, inside):
            found += [one for one in codec.decode_epochs(raw) if one.step < step]
    return found


def walked(transaction: Transaction, base: Definition, now: Row, points: int, operations: int) -> list[Snapshot]:
    """The starts of at most ``points`` of the line's finished steps, evenly spaced, first to last.

    Inside runs, steps are computed again while that takes at most so many operations, then slices' first steps stand
    for those near them.
    """
    rows = [row for row, _, _ in _contributions(transaction, now, -1, EVERYTHING)]
    found: dict[int, Snapshot] = {}
    first = _first_step(transaction, rows[0]) if rows else now.step
    wanted = np.linspace(first, now.step - 1, min(points, now.step - first)).round().astype(np.int64).tolist()
    for row in rows:
        here = [step for step in wanted if first <= step < row.step]
        first = row.step
        if here and row.action == "update":
            found[here[0]] = start_of(transaction, base, row)
        elif here:
            operations = _replayed(transaction, definition_of(base, row), row, here, operations, found)
    return list(found.values())


def _first_step(transaction: Transaction, row: Row) -> int:
    return row.step - 1 if row.action == "update" else next(_slices(transaction, row, -1)).first_step


def _replayed(
    transaction: Transaction,
    definition: Definition,
    run: Row,
    wanted: list[int],
    operations: int,
    found: dict[int, Snapshot],
) -> int:
    """Put the starts of a run's steps into ``found``; how many operations are left after that."""
    each = compiled_effort(definition.graph, min(definition.batch_size, definition.row_count))
    for part in _slices(transaction, run, wanted[0] - 1):
        end = part.first_step + part.step_count
        here = [step for step in wanted if part.first_step <= step < end]
        if not here:
            continue
        snapshot = slice_start(definition, part)
        if operations < each * (here[-1] - part.first_step):
            here = [part.first_step]
        operations -= each * (here[-1] - part.first_step)
        for step in here:
            found[step] = snapshot = forwarded(definition, snapshot, step)
    return operations


def _contributions(transaction: Transaction, now: Row, after: int, limit: int) -> Iterator[tuple[Row, int, int]]:
    values = {"key": now.session_key, "revision": now.revision, "after": after, "limit": limit}
    width = len(Row._fields)
    for found in transaction.rows(statements.contributions, values):
        yield Row.of(found[:width]), found[width], found[width + 1]


def _slices(transaction: Transaction, row: Row, after: int) -> Iterator[Slice]:
    if row.action == "update":
        return
    values = {"key": row.session_key, "revision": row.origin, "since": after + 1, "before": row.step}
    for found in transaction.rows(statements.find_slices, values):
        yield Slice.of(found)


def _single(row: Row, epoch: int, batch: int) -> HistoryRow:
    assert row.loss is not None, "an update's row has its step's loss"
    assert row.learning_rate is not None, "an update's row has its step's learning rate"
    end = next(iter(codec.decode_epochs(row.epoch_end)), None)
    step = (row.step - 1, epoch, batch)
    return HistoryRow(*step, row.loss, row.learning_rate, row.gradient_norm, row.seconds, row.revision, end)


def _inside(transaction: Transaction, base: Definition, row: Row, after: int, limit: int) -> Iterator[HistoryRow]:
    definition = definition_of(base, row)
    for found in _slices(transaction, row, after):
        losses, ends = codec.decode_losses(found.losses), codec.decode_epochs(found.epochs)
        known = {end.step: end for end in ends}
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
                epoch_end=known.get(step) or _epoch_end(session),
            )


def _epoch_end(session: Session) -> EpochEnd | None:
    """What is told of the epoch if the step that ``session`` is in is its last, but for held-out rows."""
    definition, position, loss = session.definition, session.position, session.loss
    if loss is None or position.after(len(session.batch_rows), definition.row_count).batch != 1:
        return None
    mean = session.snapshot.progress.after(definition, (loss,), position.batch, True).last_epoch_loss
    return None if mean is None else EpochEnd(position.step, mean, Metrics())


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
