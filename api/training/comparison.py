"""Sessions that differ in what is to be compared, trained from the same start on the same rows in the same order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from api.engine.effort import compiled_effort, effort
from api.engine.errors import FieldError, InvalidInput, LimitExceeded
from api.engine.forward import forward
from api.training.definition import Definition
from api.training.fork import fork
from api.training.limits import Limits
from api.training.run import STRETCH_STEPS, Goal, advance
from api.training.session import Session
from api.training.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Lap:
    """A piece of a run: the mean loss of each epoch that ended in it, the loss of held-out rows after each, and why it
    stopped, None if it may go on."""

    end: Snapshot
    epochs: list[float]
    validation: list[float]
    steps: int
    stopped_by: str | None


def variants_of(base: Session, asked: Sequence[Mapping[str, Any]], limits: Limits) -> list[Session]:
    """A fork of ``base`` for each of ``{"changes": …}``; raises ``InvalidInput`` below ``/variants``."""
    found = []
    for place, variant in enumerate(asked):
        try:
            session = fork(base, variant.get("changes", {}), limits=limits)
        except InvalidInput as error:
            error.errors = tuple(FieldError(f"/variants/{place}{one.pointer}", one.detail) for one in error.errors)
            raise
        snapshot = session.snapshot
        if snapshot.position.batch == 1:  # of other rows than those before the fork
            snapshot = replace(snapshot, progress=replace(snapshot.progress, epoch_loss_sum=0.0))
        found.append(Session(session.definition, snapshot))
    return found


def drawn_anew(base: Session, variant: Session) -> list[str]:
    """The variant's parameters that do not start where the base's do: it has none of that name and shape, or the
    changes say otherwise."""
    own = base.parameters
    return [
        name
        for name, value in variant.parameters.items()
        if name not in own or not _same(value, own[name])
    ]  # fmt: skip


def _same(left: Any, right: Any) -> bool:
    left, right = (value.tolist() if hasattr(value, "tolist") else value for value in (left, right))
    return bool(left == right)


def steps_of(session: Session, epochs: int) -> int:
    """Steps to the ``epochs``-th epoch boundary from here."""
    left = session.batches_per_epoch - session.position.batch + 1
    definition = session.definition
    return left + (epochs - 1) * max(1, math.ceil(definition.row_count / definition.batch_size))


def work_of(sessions: Sequence[Session], epochs: int, limits: Limits) -> int:
    """Roughly how many operations the whole comparison takes; raises ``LimitExceeded`` for more steps than one run
    may do."""
    steps = [steps_of(session, epochs) for session in sessions]
    if sum(steps) > limits.run_steps:
        most = limits.run_steps
        raise LimitExceeded(f"one comparison does at most {most:,} steps, not {sum(steps):,}", most, "/epochs")
    return sum(_work(session.definition, count, epochs) for session, count in zip(sessions, steps, strict=True))


def _work(definition: Definition, steps: int, epochs: int) -> int:
    graph, held_out = definition.graph, len(definition.split.validation) + len(definition.split.test)
    looks = epochs * effort(graph, held_out) if held_out else 0
    return looks + steps * compiled_effort(graph, min(definition.batch_size, definition.row_count))


def lap(definition: Definition, start: Snapshot, goal: Goal, seconds: float) -> Lap:
    """Train from ``start`` towards ``goal`` for about so many seconds."""
    stretch = advance(definition, start, goal=goal, seconds=seconds, most=STRETCH_STEPS)
    losses = epoch_losses(definition, start, stretch.losses)
    ends = (end.metrics.validation_loss for end in stretch.epochs)
    validation = [loss for loss in ends if loss is not None]
    return Lap(stretch.end, losses, validation, len(stretch.losses), stretch.stopped_by)


def epoch_losses(definition: Definition, start: Snapshot, losses: Sequence[float]) -> list[float]:
    """The mean of the batches' losses for each epoch that ends within these steps; one that had begun before counts
    with all its batches."""
    found: list[float] = []
    position, total = start.position, start.progress.epoch_loss_sum
    for loss in losses:
        total += loss
        batch, size = position.batch, min(definition.batch_size, definition.row_count - position.offset)
        position = position.after(size, definition.row_count)
        if position.batch == 1:
            found.append(total / batch)
            total = 0.0
    return found


def loss_of_all(definition: Definition, snapshot: Snapshot) -> float:
    """The loss of all rows that train, with the parameters as they are there."""
    graph = definition.graph
    values = forward(graph, snapshot.parameters, definition.inputs(definition.split.train))
    return float(values[graph.loss])
