"""Many steps at once, by compiled code: bit for bit what stepping gives."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np

from api.engine.compiler import Trainer, cost, trainer
from api.engine.errors import InvalidInput
from api.training.definition import Definition
from api.training.session import Phase, Position, Progress, Session, Snapshot, Value, finite

STRETCH_STEPS = 4096
"""Steps in one stretch at most, so that any state inside is replayed quickly."""
_ENDLESS = 2**62
_CHUNK_OPERATIONS = 100_000
"""Operations that are run before the clock is looked at: some ten milliseconds."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a run: ``losses`` has one for each finished step, ``seconds`` is the time they took.

    ``stopped_by`` is None where the run may go on, else ``completed``, ``until`` or ``diverged``; in that last case
    ``end`` is the start of the step whose loss or gradient is not finite.
    """

    start: Snapshot
    end: Snapshot
    losses: list[float]
    seconds: float
    stopped_by: str | None


@dataclass(frozen=True, slots=True)
class Goal:
    """Where a run ends: at an absolute ``step`` or ``epoch`` (its first batch), or earlier as ``until`` says."""

    step: int | None = None
    epoch: int | None = None
    until: Mapping[str, float] | None = None

    @staticmethod
    def of(position: Position, body: Mapping[str, Any]) -> Goal:
        """The goal of ``{"steps": n}`` or ``{"epochs": n}``, optionally with ``until``, from ``position`` on."""
        steps, epochs = body.get("steps"), body.get("epochs")
        if (steps is None) == (epochs is None):
            raise InvalidInput("a run needs either steps or epochs", "/steps" if steps is not None else "")
        return Goal(
            None if steps is None else position.step + steps,
            None if epochs is None else position.epoch + epochs,
            {name: value for name, value in (body.get("until") or {}).items() if value is not None} or None,
        )

    def reached(self, position: Position) -> str | None:
        """``completed`` or ``until`` once ``position`` is there."""
        if self.step is not None and position.step >= self.step:
            return "completed"
        if self.epoch is not None and position.epoch >= self.epoch:
            return "completed"
        until = self.until or {}
        if position.step >= until.get("step", math.inf) or position.epoch >= until.get("epoch", math.inf):
            return "until"
        return None


def advance(
    definition: Definition,
    snapshot: Snapshot,
    *,
    steps: int | None = None,
    goal: Goal | None = None,
    seconds: float = 0.25,
    most: int = STRETCH_STEPS,
) -> Stretch:
    """Whole steps from ``snapshot`` on: just ``steps``, or towards ``goal`` for about ``seconds``, ``most`` at most."""
    if goal is None:
        goal, seconds, most = Goal(snapshot.position.step + (steps or 0)), math.inf, _ENDLESS
    started = time.perf_counter()
    at, losses = snapshot, list[float]()
    stopped = goal.reached(at.position)
    most = _whole_epochs(definition, at.position, most)
    chunk = max(1, _CHUNK_OPERATIONS // cost(definition.graph, definition.batch_size))
    while stopped is None and len(losses) < most and time.perf_counter() - started < seconds:
        count = min(chunk, most - len(losses), _steps_to(definition, goal, at.position))
        at, more, stopped = _checked(definition, at, count, goal)
        losses = losses + more if losses else more
        stopped = stopped or goal.reached(at.position)
    return Stretch(snapshot, at, losses, time.perf_counter() - started, stopped)


def _whole_epochs(definition: Definition, position: Position, most: int) -> int:
    """``most`` without a begun epoch at the end: whole ones repeat in one loop."""
    per_epoch = max(1, math.ceil(definition.row_count / definition.batch_size))
    return most - most % per_epoch if position.batch == 1 and most > per_epoch else most


def _steps_to(definition: Definition, goal: Goal, position: Position) -> int:
    """Steps from ``position`` to the nearest of the goal's ends, at least 1."""
    until = goal.until or {}
    ends = [end - position.step for end in (goal.step, until.get("step")) if end is not None]
    left_here = max(1, math.ceil((definition.row_count - position.offset) / definition.batch_size))
    per_epoch = max(1, math.ceil(definition.row_count / definition.batch_size))
    epochs = [end - position.epoch for end in (goal.epoch, until.get("epoch")) if end is not None]
    ends += [left_here + (count - 1) * per_epoch for count in epochs]
    return max(1, int(min(ends)))


def _checked(
    definition: Definition, start: Snapshot, count: int, goal: Goal
) -> tuple[Snapshot, list[float], str | None]:
    """``count`` steps, or as many as there are before one is not finite or ``loss_below`` is met."""
    end, losses, sound = train(definition, start, count)
    below = (goal.until or {}).get("loss_below")
    if below is not None:
        met = next((place for place, loss in enumerate(losses) if loss < below), None)
        if met is not None and met + 1 < count:
            end, losses, sound = train(definition, start, met + 1)
    stopped = "until" if below is not None and losses[-1] < below else None
    # a sum may overflow where no loss does: then every step is looked at in vain, which is slow but right
    if sound and math.isfinite(sum(losses)) and all(map(finite, _everything(end))):
        return end, losses, stopped
    return _until_not_finite(definition, start, len(losses), stopped)


def _until_not_finite(
    definition: Definition, start: Snapshot, count: int, stopped: str | None
) -> tuple[Snapshot, list[float], str | None]:
    """Something in ``count`` steps was not finite: step, and see what."""
    session, losses = Session(definition, start), list[float]()
    for _ in range(count):
        session = session.forward().backward()
        if session.diverged:
            return session.snapshot, losses, "diverged"
        losses.append(session.loss or 0.0)
        session = session.update()
    return session.snapshot, losses, stopped


def train(definition: Definition, start: Snapshot, count: int) -> tuple[Snapshot, list[float], bool]:
    """``count`` steps without looking at them: the state after, each step's loss, and False if a gradient may have
    been not finite without a trace in either."""
    if not definition.graph.scalar:
        return _stepped(definition, start, count)
    losses: list[float] = []
    values = _numbers(definition, start)
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
    return _snapshot(definition, position, values, progress), losses, sound


def _numbers(definition: Definition, snapshot: Snapshot) -> Sequence[float]:
    """Parameters and slots in the order in which the compiled loop takes and gives them."""
    names = definition.names
    numbers = [float(snapshot.parameters[name]) for name in names]
    for slot in definition.slot_names:
        numbers += [float(snapshot.slots[slot][name]) for name in names]
    return numbers


def _snapshot(definition: Definition, position: Position, values: Sequence[float], progress: Progress) -> Snapshot:
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


def _stepped(definition: Definition, start: Snapshot, count: int) -> tuple[Snapshot, list[float], bool]:
    """The same for a graph with tensors, by the kernels that stepping uses."""
    session, losses = Session(definition, start), list[float]()
    for _ in range(count):
        session = session.forward().backward()
        losses.append(session.loss or 0.0)
        if session.diverged:
            return session.snapshot, losses, False
        session = session.update()
    return session.snapshot, losses, True


def _everything(snapshot: Snapshot) -> Iterator[Value]:
    """The value of every parameter and slot."""
    return chain(snapshot.parameters.values(), *(values.values() for values in snapshot.slots.values()))


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


def begin(definition: Definition) -> tuple[Session, list[Stretch]]:
    """The session where the definition's ``start`` says, and the stretches on the way there.

    Raises ``InvalidInput`` if training diverges before.
    """
    session = Session.start(definition)
    goal, phase = Goal(definition.document["start"]["step"]), Phase(definition.document["start"]["phase"])
    stretches: list[Stretch] = []
    while session.position.step < (goal.step or 0):
        stretch = advance(definition, session.snapshot, goal=goal, seconds=math.inf)
        if stretch.stopped_by == "diverged":
            step = stretch.end.position.step
            raise InvalidInput(f"training diverges at step {step}, before the start that is asked for", "/start/step")
        stretches.append(stretch)
        session = Session(definition, stretch.end)
    return arrived(session, stretches[-1] if stretches else None, phase), stretches


def arrived(session: Session, stretch: Stretch | None, phase: Phase = Phase.READY) -> Session:
    """``session`` at the end of ``stretch`` and in ``phase``, with its last update computed again."""
    if stretch is None or not stretch.losses:
        return Session.restore(session.definition, session.snapshot, phase, None)
    before = train(session.definition, stretch.start, len(stretch.losses) - 1)[0]
    return Session.restore(session.definition, stretch.end, phase, (session.definition, before))
