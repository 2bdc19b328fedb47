"""Curvature and stability on the wire."""

from __future__ import annotations

from typing import Any

from api.documents.schemas import Document, NonFinite
from api.engine.elements import every
from api.engine.stability import FORMULAS, kind_of
from api.training.limits import Limits
from api.training.session import Session
from api.training.stability import Curvature, stability

LABELS = 200
"""Parameters up to which each element is named."""


class CurvatureDocument(Document):
    """The second derivatives of the loss of some rows, at the present parameters."""

    rows: int
    loss: float | NonFinite
    eigenvalues: list[float] | None
    """Of the Hessian, the largest first; null for many parameters."""
    largest_eigenvalue: float | None
    largest_learning_rate: float | None
    """Above it, steps on these rows lead away along the most curved direction: `formula` with λmax."""
    reason: str | None
    """Why something is null."""


class EpochDocument(Document):
    """An epoch's batches in the listed order, one linear step after the other."""

    batches: int
    spectral_radius: float | NonFinite | None
    """Of the whole epoch's map at the present learning rate: above 1 the distance to a minimum grows."""
    largest_learning_rate: float | None
    reason: str | None


class FirstNonFinite(Document):
    """The first step that cannot be taken at the present settings; `step` is null where none was met."""

    step: int | None
    epoch: int | None
    batch: int | None
    quantity: str | None
    """The loss, or the parameter whose gradient it is."""
    searched_steps: int


class StabilityDocument(Document):
    """Up to which learning rate training settles, by the curvature at the present parameters."""

    parameters: list[str] | None
    """The elements in the order of the Hessian's rows."""
    parameter_count: int
    learning_rate: float | NonFinite
    """The rate in force."""
    applies: bool
    """Whether the bounds hold for the optimiser: those of gradient descent, momentum and Nesterov's method do."""
    reason: str | None
    """Why not."""
    formula: str | None
    """The bound in LaTeX, without weight decay; μ is momentum, τ dampening."""
    constant: bool | None
    """Whether the curvature is the same elsewhere, so that the bounds hold everywhere; null where unknown."""
    full: CurvatureDocument
    """Of all rows that train."""
    batch: CurvatureDocument
    """Of the present batch."""
    epoch: EpochDocument
    first_non_finite: FirstNonFinite


def stability_document(session: Session, limits: Limits, steps: int) -> dict[str, Any]:
    """Curvature, bounds of the learning rate, and the first step of at most ``steps`` that is not finite."""
    found, definition = stability(session, limits=limits, steps=steps), session.definition
    optimizer, first = definition.optimizer, found.first
    labels = [element.label for element in every(definition.graph)] if definition.parameter_count <= LABELS else None
    return {
        "parameters": labels,
        "parameter_count": definition.parameter_count,
        "learning_rate": session.learning_rate,
        "applies": found.reason is None,
        "reason": found.reason,
        "formula": FORMULAS[kind_of(optimizer), optimizer["dialect"]] if found.reason is None else None,
        "constant": found.constant,
        "full": _curvature(found.full),
        "batch": _curvature(found.batch),
        "epoch": {
            "batches": found.epoch.batches,
            "spectral_radius": found.epoch.radius,
            "largest_learning_rate": found.epoch.largest_rate,
            "reason": found.epoch.reason,
        },
        "first_non_finite": {
            "step": first.step,
            "epoch": first.epoch,
            "batch": first.batch,
            "quantity": first.quantity,
            "searched_steps": first.searched,
        },
    }


def _curvature(found: Curvature) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "loss": found.loss,
        "eigenvalues": found.eigenvalues,
        "largest_eigenvalue": found.largest,
        "largest_learning_rate": found.largest_rate,
        "reason": found.reason,
    }
