"""Stopping a run once the held-out rows see no progress any more.

The rule is that of ``keras.callbacks.EarlyStopping``: an epoch whose metric is not better than the best so far by more
than ``min_delta`` is waited out, and after ``patience`` of them in a row the run stops. But a metric that is not a
number is never the best.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from api.engine.errors import InvalidInput
from api.engine.wording import near_miss, shown
from api.training.classes import classes_of
from api.training.definition import Definition
from api.training.snapshot import Snapshot

SIGNS = {"validation_loss": 1.0, "validation_accuracy": -1.0}
"""What can be watched; a loss is better if it is smaller, an accuracy if it is larger."""
FIELDS = ("patience", "min_delta", "monitor")


@dataclass(frozen=True, slots=True)
class Best:
    """The epoch with the best metric, and the ``step`` that the session was at after it: to rewind to."""

    step: int
    epoch: int
    value: float


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    """The rule's numbers, and what it has counted in this run: ``epochs`` watched, ``wait`` of them without progress
    since the best."""

    patience: int
    min_delta: float = 0.0
    monitor: str = "validation_loss"
    best: Best | None = None
    epochs: int = 0
    wait: int = 0

    @staticmethod
    def of(until: Mapping[str, Any]) -> EarlyStopping | None:
        """The rule that ``until`` asks for; None without patience. Raises ``InvalidInput`` below ``/until``."""
        given = {name: until[name] for name in FIELDS if until.get(name) is not None}
        if given and "patience" not in given:
            raise InvalidInput(f"{next(iter(given))} goes with patience, the epochs to wait", "/until/patience")
        monitor = given.get("monitor", "validation_loss")
        if monitor not in SIGNS:
            hint = near_miss(str(monitor), SIGNS) or "; there are " + ", ".join(SIGNS)
            raise InvalidInput(f"there is no {shown(monitor)} to monitor{hint}", "/until/monitor")
        return EarlyStopping(**given) if given else None

    def check(self, definition: Definition) -> None:
        """Raises ``InvalidInput`` if a model of this definition has no such metric."""
        if not definition.split.validation:
            raise InvalidInput(
                'patience needs validation rows: create or fork the session with a split, such as {"validation": 0.2}',
                "/until/patience",
            )
        if self.monitor == "validation_accuracy" and classes_of(definition) is None:
            raise InvalidInput("there is no accuracy, since this model's outputs name no classes", "/until/monitor")

    def after(self, snapshot: Snapshot) -> EarlyStopping:
        """The rule after one more epoch, at whose end the session is."""
        value = getattr(snapshot.progress.metrics, self.monitor, None)
        if value is None:
            return self
        counted = replace(self, epochs=self.epochs + 1, wait=self.wait + 1)
        sign = SIGNS[self.monitor]
        if math.isnan(value) or (self.best and not sign * value + self.min_delta < sign * self.best.value):
            return counted
        position = snapshot.position
        return replace(counted, best=Best(position.step, position.epoch - 1, value), wait=0)

    @property
    def over(self) -> bool:
        """Whether the run stops here; never after its first epoch."""
        return 0 < self.wait >= self.patience and self.epochs > 1

    @property
    def told(self) -> dict[str, Any] | None:
        """The best epoch, as a run's answer names it."""
        best = self.best
        return None if best is None else {"step": best.step, "epoch": best.epoch, self.monitor: best.value}
