"""The training log on the wire."""

from __future__ import annotations

from typing import Any, Protocol

from api.training.snapshot import EpochEnd, Metrics, Snapshot


class Row(Protocol):
    """One finished step as the store knows it."""

    @property
    def step(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def gradient_norm(self) -> float | None: ...
    @property
    def seconds(self) -> float: ...
    @property
    def revision(self) -> int: ...
    @property
    def epoch_end(self) -> EpochEnd | None: ...


def history_item(row: Row) -> dict[str, Any]:
    """One finished step; ``revision`` is the action it was part of. What is said of an epoch stands at its last step,
    and is null elsewhere."""
    names = ("step", "epoch", "batch", "loss", "learning_rate", "gradient_norm", "seconds", "revision")
    return {name: getattr(row, name) for name in names} | _measured(row.epoch_end)


def last_epoch(snapshot: Snapshot) -> dict[str, Any] | None:
    """The last finished epoch: its mean loss, and what the rows held out said at its end; None before the first."""
    progress = snapshot.progress
    if progress.last_epoch_loss is None:
        return None
    end = EpochEnd(snapshot.position.step, progress.last_epoch_loss, progress.metrics or Metrics())
    return {"epoch": snapshot.position.epoch - 1} | _measured(end)


def progress(snapshot: Snapshot, loss: float | None) -> dict[str, Any]:
    """Where a run is: ``loss`` is that of its last step; with the last epoch's metrics where rows are held out."""
    position, metrics = snapshot.position, snapshot.progress.metrics
    where = {"step": position.step, "epoch": position.epoch, "loss": loss}
    return where if metrics is None else where | metrics._asdict()


def _measured(end: EpochEnd | None) -> dict[str, Any]:
    metrics = Metrics() if end is None else end.metrics
    return {"epoch_loss": None if end is None else end.loss} | metrics._asdict()
