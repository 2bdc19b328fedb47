"""The compiled loops that training runs on: which batches they are fed, and what their numbers then mean."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, NamedTuple

import numpy as np

from api.engine.array_compiler import array_trainer
from api.engine.compiler import Trainer, trainer
from api.training.definition import Definition
from api.training.session import Position, Progress, Snapshot, Value


class Trained(NamedTuple):
    """The state after many steps, the loss of each, and False if a gradient may have been not finite without a trace
    in either."""

    end: Snapshot
    losses: list[float]
    sound: bool


def train(definition: Definition, start: Snapshot, count: int) -> Trained:
    """``count`` steps without looking at them."""
    if not definition.graph.scalar:
        return _with_arrays(definition, start, count)
    losses: list[float] = []
    values: Sequence[float] = list(map(float, everything(definition, start)))
    size, position, progress, sound = len(values), start.position, start.progress, True
    scheduled, fields = definition.scheduled, dict[str, Any](definition.fields)
    while len(losses) < count:
        done = len(losses)
        loop, batches, many = _feed(definition, position, count - done)
        if scheduled:
            fields["learning_rate"] = _rates(definition, position, progress, many)
        values = loop.train(*values, batches, losses.append if loop.round == 1 else losses.extend, **fields)
        if len(values) > size:
            *values, spoilt = values
            sound = sound and math.isfinite(spoilt)
        position, progress = _moved(definition, position, progress, losses, done, many)
    return Trained(_snapshot(definition, position, values, progress), losses, sound)


def _snapshot(definition: Definition, position: Position, values: Sequence[Any], progress: Progress) -> Snapshot:
    names, many = definition.names, len(definition.names)
    slots = {
        slot: dict(zip(names, values[place * many : (place + 1) * many], strict=True))
        for place, slot in enumerate(definition.slot_names, start=1)
    }
    return Snapshot(position, dict(zip(names, values[:many], strict=True)), slots, progress)


def _rates(definition: Definition, position: Position, progress: Progress, count: int) -> list[float]:
    """The learning rate of each of the next ``count`` steps, which begin an epoch or end in it."""
    step, epoch = position.step, position.epoch
    if definition.schedule["every"] == "update":
        return [definition.rate(step + place, epoch, None) for place in range(count)]
    per_epoch = max(1, math.ceil(definition.row_count / definition.batch_size))
    rates = (definition.rate(step, epoch + later, progress.plateau) for later in range(math.ceil(count / per_epoch)))
    return [rate for rate in rates for _ in range(per_epoch)][:count]


def everything(definition: Definition, snapshot: Snapshot) -> list[Value]:
    """The value of every parameter, then slot by slot every parameter's, as the compiled loops take and give them."""
    kept = (snapshot.parameters, *(snapshot.slots[slot] for slot in definition.slot_names))
    return [values[name] for values in kept for name in definition.names]


def _with_arrays(definition: Definition, start: Snapshot, count: int) -> Trained:
    """The same for a graph with tensors: every batch is a tuple of arrays."""
    losses: list[float] = []
    values: Sequence[Any] = everything(definition, start)
    size, position, progress, sound = len(values), start.position, start.progress, True
    fields, repeated = dict[str, Any](definition.fields), not definition.document["shuffle"]
    with np.errstate(all="ignore"):
        while len(losses) < count:
            done, rows = len(losses), min(definition.batch_size, max(definition.row_count - position.offset, 0))
            loop = array_trainer(definition.graph, rows, definition.rule, definition.scheduled)
            many = max(1, min(count - done, (definition.row_count - position.offset) // max(rows, 1)))
            order = definition.order(position.epoch)[position.offset : position.offset + rows * many]
            batches = [_arrays(definition, loop, order[at * rows : (at + 1) * rows], repeated) for at in range(many)]
            if definition.scheduled:
                fields["learning_rate"] = _rates(definition, position, progress, many)
            values = loop.train(*values, batches, losses.append, **fields)
            if len(values) > size:
                *values, spoilt = values
                sound = sound and math.isfinite(spoilt)
            position, progress = _moved(definition, position, progress, losses, done, many)
    return Trained(_snapshot(definition, position, list(map(_kept, values)), progress), losses, sound)


def _arrays(definition: Definition, loop: Trainer, rows: Sequence[int], repeated: bool) -> tuple[Any, ...]:
    """One batch for ``loop``; kept for the next epoch where the same batches come again."""
    fed = _batch(definition, tuple(rows)) if repeated else definition.inputs(rows)
    return tuple(fed[name] for name in loop.columns)


@lru_cache(maxsize=512)
def _batch(definition: Definition, rows: tuple[int, ...]) -> dict[str, Any]:
    return definition.inputs(rows)


def _kept(value: Any) -> Value:
    """A parameter as a session holds it: a float, or an array of its own."""
    return float(value) if np.ndim(value) == 0 else np.ascontiguousarray(value, dtype=np.float64)


def _trainer(definition: Definition, rows: int, round: int = 1) -> Trainer:
    return trainer(definition.graph, rows, definition.rule, round, definition.scheduled)


def _feed(definition: Definition, position: Position, left: int) -> tuple[Trainer, Iterable[Any], int]:
    """The next batches of one size, up to the end of the epoch or over several epochs that repeat: (the loop to feed
    them to, batches, how many)."""
    count, size = definition.row_count, definition.batch_size
    watched = definition.scheduled and definition.schedule["kind"] == "plateau"
    if not count:
        many = 1 if watched else left
        return _trainer(definition, 0), repeat((), many), many
    if count - position.offset < size:
        rows = count - position.offset
        loop = _trainer(definition, rows)
        return loop, _packed(definition, loop, position, rows, 1), 1
    here = min(left, (count - position.offset) // size)
    per_epoch = count // size
    repeats = not definition.document["shuffle"] and count % size == 0 and position.offset == 0 and not watched
    epochs = left // per_epoch if repeats else 0
    if epochs > 1:
        loop = _trainer(definition, size, per_epoch)
        whole = _packed(definition, loop, position, size, per_epoch)
        return loop, chain.from_iterable(repeat(whole, epochs)), epochs * per_epoch
    loop = _trainer(definition, size)
    return loop, _packed(definition, loop, position, size, here), here


def _packed(definition: Definition, loop: Trainer, position: Position, size: int, batches: int) -> list[Any]:
    """The next ``batches`` batches of ``size`` rows in the form that the compiled loop takes."""
    data = definition.data
    assert data is not None  # only called with rows to feed
    rows = list(definition.order(position.epoch)[position.offset : position.offset + size * batches])
    columns = [data.columns.index(name) for name in loop.columns]
    numbers = data.rows[np.ix_(rows, columns)]
    if loop.unrolled:
        return [tuple(flat) for flat in numbers.reshape(batches // loop.round, -1).tolist()]
    nested: list[Any] = numbers.reshape(batches, size, len(columns)).tolist()
    return nested


def _moved(
    definition: Definition, position: Position, progress: Progress, losses: list[float], done: int, many: int
) -> tuple[Position, Progress]:
    """Position and progress after the losses from ``done`` on; of repeated epochs only the first and last count."""
    count, size = definition.row_count, definition.batch_size
    per_epoch = max(1, math.ceil(count / size))
    if many > 2 * per_epoch and position.offset == 0 and position.batch == 1:
        skipped = many // per_epoch - 2
        head = losses[done : done + per_epoch]
        position, progress = _moved(definition, position, progress, head, 0, per_epoch)
        position = Position(position.step + skipped * per_epoch, position.epoch + skipped, 1, 0)
        done, many = done + (skipped + 1) * per_epoch, many - (skipped + 1) * per_epoch
    for loss in losses[done : done + many]:
        batch = position.batch
        position = position.after(min(size, count - position.offset), count)
        progress = progress.after(definition, loss, batch, position.batch == 1)
    return position, progress
