"""The training log on the wire."""

from __future__ import annotations

from typing import Any, Protocol


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


def history_item(row: Row) -> dict[str, Any]:
    """One finished step; ``revision`` is the action it was part of."""
    names = ("step", "epoch", "batch", "loss", "learning_rate", "gradient_norm", "seconds", "revision")
    return {name: getattr(row, name) for name in names}
