"""The compiled loops that training runs on: which batches they are fed, and what their numbers then mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, NamedTuple

import numpy as np

from api.engine.array_compiler import array_trainer
from api.engine.compiler import Trainer, columns, rounded, trainer
from api.engine.flat import Flat
from api.training.definition import Definition
from api.training.snapshot import Position, Progress, Snapshot, Value

_WORTH = 100
"""Equal epochs for which it is worth compiling their numbers into the loop."""


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


def _watched(definition: Definition) -> bool:
    """Whether the learning rate depends on the losses on the way."""
    return definition.scheduled and definition.schedule["kind"] == "plateau"


def _trainer(definition: Definition, rows: int, round: int = 1, always: tuple[float, ...] | None = None) -> Trainer:
    return trainer(definition.graph, rows, definition.rule, round, definition.scheduled, always)


def _feed(definition: Definition, position: Position, left: int) -> tuple[Trainer, Iterable[Any], int]:
    """The next batches of one size, up to the end of the epoch or over several epochs that repeat: (the loop to feed
    them to, batches, how many)."""
    count, size = definition.row_count, definition.batch_size
    watched = _watched(definition)
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
        if epochs >= _WORTH and rounded(definition.graph, size, per_epoch, definition.scheduled) == per_epoch:
            always = _always(definition)
            return _trainer(definition, size, per_epoch, always), repeat((), epochs), epochs * per_epoch
        loop = _trainer(definition, size, per_epoch)
        whole = _packed(definition, loop, position, size, per_epoch)
        return loop, chain.from_iterable(repeat(whole, epochs)), epochs * per_epoch
    loop = _trainer(definition, size)
    return loop, _packed(definition, loop, position, size, here), here


@lru_cache(maxsize=8)
def _always(definition: Definition) -> tuple[float, ...]:
    """The numbers of all rows that train, one row after the other."""
    assert definition.data is not None  # only called with rows to feed
    nodes = definition.graph.nodes
    wanted = [definition.data.columns.index(nodes[index].id) for index in columns(definition.graph)]
    return tuple(definition.data.rows[np.ix_(list(definition.order(1)), wanted)].ravel().tolist())


def _packed(definition: Definition, loop: Trainer, position: Position, size: int, batches: int) -> list[Any]:
    """The next ``batches`` batches of ``size`` rows in the form that the compiled loop takes."""
    epoch = position.epoch if definition.document["shuffle"] else 1  # else every epoch's batches are those of the first
    return _rows(definition, loop, epoch, position.offset, size, batches)


@lru_cache(maxsize=8)
def _rows(definition: Definition, loop: Trainer, epoch: int, offset: int, size: int, batches: int) -> list[Any]:
    data = definition.data
    assert data is not None  # only called with rows to feed
    rows = list(definition.order(epoch)[offset : offset + size * batches])
    wanted = [data.columns.index(name) for name in loop.columns]
    numbers = data.rows[np.ix_(rows, wanted)]
    if loop.unrolled:
        return [tuple(flat) for flat in numbers.reshape(batches // loop.round, -1).tolist()]
    nested: list[Any] = numbers.reshape(batches, size, len(wanted)).tolist()
    return nested


def _with_arrays(definition: Definition, start: Snapshot, count: int) -> Trained:
    """The same for a graph with tensors: every batch is a tuple of arrays."""
    graph, rule = definition.graph, definition.rule
    flat = Flat(
        rule, [graph.nodes[graph.index[name]].shape for name in definition.names], everything(definition, start)
    )
    losses: list[float] = []
    position, progress, fields = start.position, start.progress, dict[str, Any](definition.fields)
    bound, shuffled = lru_cache(_bound), definition.document["shuffle"]
    with np.errstate(all="ignore"):
        while len(losses) < count:
            done = len(losses)
            rows, many = _coming(definition, position, count - done)
            train, columns = bound(definition, flat, rows)
            if definition.scheduled:
                fields["learning_rate"] = _rates(definition, position, progress, many)
            epoch = position.epoch if shuffled else 1  # else every epoch's batches are those of the first
            train(_batches(definition, columns, epoch, position.offset, rows, many), losses.append, **fields)
            if _watched(definition):
                progress = _moved(definition, position, progress, losses, done, many)[1]
            position = position.after_all(rows, many, definition.row_count)
    if not _watched(definition):
        progress = _moved(definition, start.position, progress, losses, 0, len(losses))[1]
    return Trained(_snapshot(definition, position, flat.values(), progress), losses, flat.sound)


def _bound(definition: Definition, flat: Flat, rows: int) -> tuple[Callable[..., None], tuple[str, ...]]:
    """The loop for batches of ``rows`` rows that trains ``flat``, and the placeholders that it is fed."""
    loop = array_trainer(definition.graph, rows, definition.rule, flat.groups, definition.scheduled)
    return loop.bind(flat.vectors, flat.numbers), loop.columns


def _coming(definition: Definition, position: Position, left: int) -> tuple[int, int]:
    """The rows of the next batch, and how many such batches come one after the other in this epoch."""
    if not definition.row_count:
        return 0, 1 if _watched(definition) else left
    rows = min(definition.batch_size, definition.row_count - position.offset)
    return rows, min(left, (definition.row_count - position.offset) // rows)


@lru_cache(maxsize=8)
def _batches(
    definition: Definition, columns: tuple[str, ...], epoch: int, offset: int, rows: int, many: int
) -> list[tuple[Any, ...]]:
    """``many`` batches of ``rows`` rows, each with an array for each of ``columns``."""
    whole = definition.inputs(definition.order(epoch)[offset : offset + rows * many])
    arrays = [whole[name] for name in columns]
    return [tuple(array[at * rows : (at + 1) * rows] for array in arrays) for at in range(many)]


def _moved(
    definition: Definition, position: Position, progress: Progress, losses: list[float], done: int, many: int
) -> tuple[Position, Progress]:
    """Position and progress after the ``many`` losses from ``done`` on."""
    end, per_epoch = done + many, max(1, math.ceil(definition.row_count / definition.batch_size))
    while done < end:
        whole = (end - done) // per_epoch if position.offset == 0 and position.batch == 1 else 0
        if whole > 1 and progress.first_epoch_loss is not None and not _watched(definition):
            skipped = (whole - 1) * per_epoch  # of epochs only the first and the last count
            position = Position(position.step + skipped, position.epoch + whole - 1, 1, 0)
            done += skipped
        left = math.ceil((definition.row_count - position.offset) / definition.batch_size)
        here = min(max(1, left), end - done)
        batch = position.batch + here - 1
        position = position.after_all(definition.batch_size, here, definition.row_count)
        progress = progress.after(definition, losses[done : done + here], batch, position.batch == 1)
        done += here
    return position, progress
