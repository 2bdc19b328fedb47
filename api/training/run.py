"""Many steps at once, by compiled code: bit for bit what stepping gives."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, repeat
from typing import Any

import numpy as np

from api.engine.array_compiler import array_trainer
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
    end, losses = train(definition, start, count)
    below = (goal.until or {}).get("loss_below")
    if below is not None:
        met = next((place for place, loss in enumerate(losses) if loss < below), None)
        if met is not None and met + 1 < count:
            end, losses = train(definition, start, met + 1)
    stopped = "until" if below is not None and losses[-1] < below else None
    # a sum may overflow where no loss does: then every step is looked at in vain, which is slow but right
    if math.isfinite(sum(losses)) and all(map(finite, end.parameters.values())):
        return end, losses, stopped
    return _until_not_finite(definition, start, losses, stopped)


def _until_not_finite(
    definition: Definition, start: Snapshot, losses: list[float], stopped: str | None
) -> tuple[Snapshot, list[float], str | None]:
    """Something in these steps was not finite: halve the way to it, then step, and see what.

    A parameter that is not finite once stays so, whatever gradient comes after.
    """
    sound = 0
    suspect = next((place for place, loss in enumerate(losses) if not math.isfinite(loss)), len(losses))
    while suspect - sound > 1:
        middle = (sound + suspect) // 2
        if all(map(finite, train(definition, start, middle)[0].parameters.values())):
            sound = middle
        else:
            suspect = middle
    snapshot, kept = train(definition, start, sound)
    session = Session(definition, snapshot)
    for _ in range(len(losses) - sound):
        session = session.forward().backward()
        if session.diverged:
            return session.snapshot, kept, "diverged"
        kept.append(session.loss or 0.0)
        session = session.update()
    return session.snapshot, kept, stopped


def train(definition: Definition, start: Snapshot, count: int) -> tuple[Snapshot, list[float]]:
    """``count`` steps without looking at them: the state after and each step's loss."""
    if not definition.graph.scalar:
        return _with_arrays(definition, start, count)
    losses: list[float] = []
    values = [float(start.parameters[name]) for name in definition.names]
    position, progress, shuffled = start.position, start.progress, definition.document["shuffle"]
    while len(losses) < count:
        done = len(losses)
        loop, batches, many = _feed(definition, position, count - done, shuffled)
        keep = losses.append if loop.round == 1 else losses.extend
        values = list(loop.train(*values, batches, keep, **definition.fields))
        position, progress = _moved(definition, position, progress, losses, done, many)
    parameters = dict(zip(definition.names, values, strict=True))
    return Snapshot(position, parameters, start.slots, progress), losses


def _with_arrays(definition: Definition, start: Snapshot, count: int) -> tuple[Snapshot, list[float]]:
    """The same for a graph with tensors: every batch is a tuple of arrays."""
    losses: list[float] = []
    values = [start.parameters[name] for name in definition.names]
    position, progress = start.position, start.progress
    repeated = not definition.document["shuffle"]
    with np.errstate(all="ignore"):
        while len(losses) < count:
            done, size = len(losses), min(definition.batch_size, max(definition.row_count - position.offset, 0))
            loop = array_trainer(definition.graph, size, definition.optimizer["kind"], definition.optimizer["dialect"])
            many = max(1, min(count - done, (definition.row_count - position.offset) // max(size, 1)))
            rows = definition.order(position.epoch)[position.offset : position.offset + size * many]
            batches = [_arrays(definition, loop, rows[at * size : (at + 1) * size], repeated) for at in range(many)]
            values = list(loop.train(*values, batches, losses.append, **definition.fields))
            position, progress = _moved(definition, position, progress, losses, done, many)
    parameters = {name: _kept(value) for name, value in zip(definition.names, values, strict=True)}
    return Snapshot(position, parameters, start.slots, progress), losses


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
    return trainer(definition.graph, rows, definition.optimizer["kind"], definition.optimizer["dialect"], round)


def _feed(definition: Definition, position: Position, left: int, shuffled: bool) -> tuple[Trainer, Iterable[Any], int]:
    """The next batches of one size, up to the end of the epoch or over several epochs that repeat: (the loop to feed
    them to, batches, how many)."""
    count, size = definition.row_count, definition.batch_size
    if not count:
        return _trainer(definition, 0), repeat((), left), left
    if count - position.offset < size:
        rows = count - position.offset
        loop = _trainer(definition, rows)
        return loop, _packed(definition, loop, position, rows, 1), 1
    here = min(left, (count - position.offset) // size)
    per_epoch = count // size
    epochs = left // per_epoch if not shuffled and count % size == 0 and position.offset == 0 else 0
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
        progress = progress.after(loss, batch, position.batch == 1)
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
    before, _ = train(session.definition, stretch.start, len(stretch.losses) - 1)
    return Session.restore(session.definition, stretch.end, phase, (session.definition, before))
