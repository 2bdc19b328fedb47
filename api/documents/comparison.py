"""Variants of a session trained side by side, on the wire: what may be asked, and what is answered."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from api.documents.bodies import Body, ChangesBody, Count, CreateBody
from api.documents.schemas import Document, NonFinite, Tensor
from api.documents.tensors import tensor
from api.training.snapshot import Snapshot


class VariantBody(Body):
    """What differs from the base, as in a fork; an object of the same kind changes only the fields it names."""

    label: str | None = None
    """What the run is called; by default `variant 1`, `variant 2`, …"""
    changes: ChangesBody | None = None


class CompareBody(Body):
    """A session described, its variants, and for how long all are trained."""

    base: CreateBody | None = None
    """As for create; by default the article's own session."""
    variants: list[VariantBody]
    epochs: Count | None = None
    """By default 20."""


class ComparedRun(Document):
    """One run: from the same start as all others, on the same rows in the same order."""

    label: str
    loss: list[float | NonFinite]
    """The mean of its batches' losses for each epoch."""
    final_loss: float | NonFinite | None
    """The last of them; null if no epoch was finished."""
    data_loss: float | NonFinite
    """The loss of all rows that train with the final parameters."""
    validation_loss: list[float | NonFinite] | None
    """That of the rows held out, after each epoch; null where there are none."""
    parameters: dict[str, Tensor]
    """The final ones."""
    drawn: list[str]
    """Parameters that did not start where the base's did."""
    steps_done: int
    stopped_by: Literal["completed", "diverged", "budget", "disconnected"]


class Comparison(Document):
    """The base's run, and one for each variant in the order asked."""

    epochs: int
    base: ComparedRun
    runs: list[ComparedRun]


class Raced(NamedTuple):
    """How one run went."""

    label: str
    epochs: list[float]
    end: Snapshot
    data_loss: float
    validation: list[float] | None
    drawn: list[str]
    steps: int
    stopped_by: str


def comparison(epochs: int, raced: list[Raced], longest: float) -> dict[str, Any]:
    """The runs, the base's first; arrays of more than ``longest`` elements as summaries."""
    base, *others = [_run(one, longest) for one in raced]
    return {"epochs": epochs, "base": base, "runs": others}


def _run(one: Raced, longest: float) -> dict[str, Any]:
    return {
        "label": one.label,
        "loss": one.epochs,
        "final_loss": one.epochs[-1] if one.epochs else None,
        "data_loss": one.data_loss,
        "validation_loss": one.validation,
        "parameters": {name: tensor(value, longest) for name, value in one.end.parameters.items()},
        "drawn": one.drawn,
        "steps_done": one.steps,
        "stopped_by": one.stopped_by,
    }
