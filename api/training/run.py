"""Many steps at once, by compiled code: bit for bit what stepping gives."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from api.engine.compiler import cost
from api.engine.errors import InvalidInput
from api.training.definition import Definition
from api.training.early_stopping import FIELDS as EARLY_STOPPING
from api.training.early_stopping import EarlyStopping
from api.training.evaluation import evaluated
from api.training.loops import everything, train
from api.training.session import Phase, Session
from api.training.snapshot import EpochEnd, Position, Snapshot, finite

STRETCH_STEPS = 16_384
"""Steps in one stretch at most, so that any state inside is replayed quickly."""
_ENDLESS = 2**62
_CHUNK_OPERATIONS = 100_000
"""Operations that are run before the clock is looked at: some ten milliseconds."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a run: ``losses`` has one for each finished step, ``seconds`` is the time they took.

    ``stopped_by`` is None where the run may go on, else ``completed``, ``until``, ``early_stopping`` or ``diverged``;
    in that last case ``end`` is the start of the step whose loss or gradient is not finite. ``goal`` is what the next
    stretch is to be given: the goal with what its early stopping has counted. ``epochs`` has the end of each epoch
    that was finished, if rows are held out.
    """

    start: Snapshot
    end: Snapshot
    losses: list[float]
    seconds: float
    stopped_by: str | None
    goal: Goal
    epochs: Sequence[EpochEnd] = ()


@dataclass(frozen=True, slots=True)
class Goal:
    """Where a run ends: at an absolute ``step`` or ``epoch`` (its first batch), or earlier as ``until`` says or as
    ``early`` does, which counts epochs from stretch to stretch."""

    step: int | None = None
    epoch: int | None = None
    until: Mapping[str, float] | None = None
    early: EarlyStopping | None = None

    @staticmethod
    def of(position: Position, body: Mapping[str, Any]) -> Goal:
        """The goal of ``{"steps": n}`` or ``{"epochs": n}``, optionally with ``until``, from ``position`` on."""
        steps, epochs = body.get("steps"), body.get("epochs")
        if (steps is None) == (epochs is None):
            raise InvalidInput("a run needs either steps or epochs", "/steps" if steps is not None else "")
        until = {name: value for name, value in (body.get("until") or {}).items() if value is not None}
        return Goal(
            None if steps is None else position.step + steps,
            None if epochs is None else position.epoch + epochs,
            {name: value for name, value in until.items() if name not in EARLY_STOPPING} or None,
            EarlyStopping.of(until),
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
        return "early_stopping" if self.early is not None and self.early.over else None

    def after(self, end: Snapshot) -> Goal:
        """The goal after one more epoch, at whose end the session is."""
        return self if self.early is None else replace(self, early=self.early.after(end))


def advance(
    definition: Definition,
    snapshot: Snapshot,
    *,
    steps: int | None = None,
    goal: Goal | None = None,
    seconds: float = 0.25,
    most: int = STRETCH_STEPS,
) -> Stretch:
    """Whole steps from ``snapshot`` on: just ``steps``, or towards ``goal`` for about ``seconds``, ``most`` at most.

    Where rows are held out, each epoch's end is looked at; if only the steps are asked for, then the last one.
    """
    each = goal is not None
    if goal is None:
        goal, seconds, most = Goal(snapshot.position.step + (steps or 0)), math.inf, _ENDLESS
    started = time.perf_counter()
    at, losses, epochs = snapshot, list[float](), list[EpochEnd]()
    stopped = goal.reached(at.position)
    most = _whole_epochs(definition, at.position, most)
    chunk = max(1, _CHUNK_OPERATIONS // cost(definition.graph, definition.batch_size))
    while stopped is None and len(losses) < most and time.perf_counter() - started < seconds:
        count = min(chunk, most - len(losses), _steps_to(definition, goal, at.position))
        count = _steps_to_look(definition, at.position, count, each)
        at, more, stopped = _checked(definition, at, count, goal)
        losses = losses + more if losses else more
        if more and at.position.batch == 1 and definition.split.held_out:
            at = evaluated(definition, at)
            goal = goal.after(at)
            epochs += filter(None, [EpochEnd.of(at)])
        stopped = stopped or goal.reached(at.position)
    return Stretch(snapshot, at, losses, time.perf_counter() - started, stopped, goal, epochs)


def _steps_to_look(definition: Definition, position: Position, count: int, each: bool) -> int:
    """Of the next ``count`` steps those up to the first end of an epoch that is looked at: ``each``, or the last."""
    if not definition.split.held_out:
        return count
    to_end = math.ceil((definition.row_count - position.offset) / definition.batch_size)
    if each or count < to_end:
        return min(count, to_end)
    per_epoch = math.ceil(definition.row_count / definition.batch_size)
    return to_end + (count - to_end) // per_epoch * per_epoch


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
    if sound and math.isfinite(sum(losses)) and all(map(finite, everything(definition, end))):
        return end, losses, stopped
    return _until_not_finite(definition, start, losses, stopped)


def _until_not_finite(
    definition: Definition, start: Snapshot, losses: list[float], stopped: str | None
) -> tuple[Snapshot, list[float], str | None]:
    """Something in these steps was not finite: halve the way to it, then step, and see what.

    What ``train`` calls unsound after some steps it also does after more.
    """
    first = 0
    suspect = next((place for place, loss in enumerate(losses) if not math.isfinite(loss)), len(losses))
    while suspect - first > 1:
        middle = (first + suspect) // 2
        end, _, sound = train(definition, start, middle)
        if sound and all(map(finite, everything(definition, end))):
            first = middle
        else:
            suspect = middle
    snapshot, kept, _ = train(definition, start, first)
    session = Session(definition, snapshot)
    for _ in range(len(losses) - first):
        session = session.forward().backward()
        if session.diverged:
            return session.snapshot, kept, "diverged"
        kept.append(session.loss or 0.0)
        session = session.update()
    return session.snapshot, kept, stopped


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
