"""Where a session stands at the start of a step, and nothing that could be computed from that."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.engine.schedules import Plateau
from api.training.definition import Definition

Value = float | NDArray[np.float64]


def value_of(given: Any) -> Value:
    """A parameter's value from a number or a nested list."""
    return np.asarray(given, dtype=np.float64) if isinstance(given, list) else float(given)


def listed(value: Value) -> Any:
    """The number or nested list that ``value_of`` makes a value from."""
    return value.tolist() if isinstance(value, np.ndarray) else value


def finite(value: Value) -> bool:
    """Whether every number in it is finite."""
    return math.isfinite(value) if isinstance(value, float) else bool(np.isfinite(value).all())


@dataclass(frozen=True, slots=True)
class Position:
    """``step`` counts finished updates from 0, ``epoch`` and ``batch`` count from 1, ``offset`` is the number of this
    epoch's rows already fed before the present batch."""

    step: int = 0
    epoch: int = 1
    batch: int = 1
    offset: int = 0

    def after(self, rows: int, row_count: int) -> Position:
        """The position after an update on ``rows`` rows; without data every step is an epoch of its own."""
        if self.offset + rows >= row_count:
            return Position(self.step + 1, self.epoch + 1, 1, 0)
        return Position(self.step + 1, self.epoch, self.batch + 1, self.offset + rows)

    def after_all(self, rows: int, many: int, row_count: int) -> Position:
        """The position after ``many`` updates on ``rows`` rows each, all of one epoch where there is data."""
        if not row_count:
            return Position(self.step + many, self.epoch + many, 1, 0)
        before = Position(self.step + many - 1, self.epoch, self.batch + many - 1, self.offset + rows * (many - 1))
        return before.after(rows, row_count)


class Metrics(NamedTuple):
    """What the rows held out say of a model; None for a part that has no rows, or an accuracy without classes."""

    validation_loss: float | None = None
    validation_accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What is needed of the past: the mean losses of the first and the last finished epoch and the running sum, what a
    schedule remembers that looks at losses, and the metrics at the end of the last epoch, if rows are held out."""

    first_epoch_loss: float | None = None
    last_epoch_loss: float | None = None
    epoch_loss_sum: float = 0.0
    plateau: Plateau | None = None
    metrics: Metrics | None = None

    def after(self, definition: Definition, losses: Iterable[float], batch: int, epoch_ends: bool) -> Progress:
        """The progress after these losses of one epoch, the last of them that of its batch number ``batch``; at the
        epoch's end still without metrics."""
        total = self.epoch_loss_sum
        for loss in losses:
            total += loss
        if not epoch_ends:  # not dataclasses.replace, which takes three times as long
            return Progress(self.first_epoch_loss, self.last_epoch_loss, total, self.plateau, self.metrics)
        mean = total / batch
        first = mean if self.first_epoch_loss is None else self.first_epoch_loss
        return Progress(first, mean, 0.0, definition.watched(self.plateau, mean))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What cannot be recomputed: a session at the start of a step, its batch not yet fed forward."""

    position: Position
    parameters: Mapping[str, Value]
    slots: Mapping[str, Mapping[str, Value]]
    progress: Progress


class EpochEnd(NamedTuple):
    """What is told of a finished epoch: the step that ended it, the mean loss of its batches, and the metrics of the
    parameters that it left."""

    step: int
    loss: float
    metrics: Metrics

    @staticmethod
    def of(snapshot: Snapshot) -> EpochEnd | None:
        """The end of the epoch that ``snapshot`` comes right after; None in the midst of one, or at the beginning."""
        position, progress = snapshot.position, snapshot.progress
        if position.batch != 1 or progress.last_epoch_loss is None:
            return None
        return EpochEnd(position.step - 1, progress.last_epoch_loss, progress.metrics or Metrics())


def slots_of(definition: Definition, kept: Mapping[str, Mapping[str, Value]]) -> dict[str, dict[str, Value]]:
    """The slots that the optimiser needs: a parameter goes on with those of ``kept`` if it has all of them there in its
    shape, else with new ones."""
    shapes = {slot: definition.slot_shapes(slot) for slot in definition.slot_names}
    goes_on = [
        name
        for name in definition.names
        if all(name in kept.get(slot, {}) and np.shape(kept[slot][name]) == shapes[slot][name] for slot in shapes)
    ]
    return {
        slot: {
            name: kept[slot][name] if name in goes_on else value_of(np.full(shape, definition.rule.born(slot)).tolist())
            for name, shape in each.items()
        }
        for slot, each in shapes.items()
    }
