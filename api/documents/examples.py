"""Each example's own gradient on the wire."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from api.documents.schemas import Document, NonFinite, Tensor
from api.documents.tensors import LONG, tensor
from api.engine.gradcheck import Point
from api.training.examples import Reduction, added, examples, reduction
from api.training.session import Session
from api.training.snapshot import Value

NUMBERS = 100_000
"""Numbers that one page holds at most, but for a single example of more."""


class ReductionDocument(Document):
    """How the examples' losses become the batch's: L = weight · Σ Lᵢ, and so with the gradients."""

    kind: Literal["mean", "sum"]
    rows: int
    weight: float
    outputs: int
    """Outputs that each example's own loss is a mean over."""
    divisor: int
    """What each output's term is divided by in all."""
    statement: str


class ExampleDocument(Document):
    """One row of the batch by itself."""

    row: int
    """0-based, in the data."""
    loss: float | NonFinite
    gradient: dict[str, Tensor]
    """∂Lᵢ/∂w of the example's own loss Lᵢ."""
    contribution: dict[str, Tensor]
    """What it adds to the batch's gradient: weight · ∂Lᵢ/∂w."""


class PerExample(Document):
    """Each example's own gradient, and how the batch reduces them."""

    batch_rows: list[int]
    loss: float | NonFinite
    reduction: ReductionDocument | None
    """Null where the loss depends on no row of data."""
    gradient: dict[str, Tensor]
    """The batch's, as the state has it."""
    examples: list[ExampleDocument]
    sum: dict[str, Tensor] | None
    """The contributions added up in the order listed; null if they are not all on this page."""
    difference: float | NonFinite | None
    """The largest difference between an element of `sum` and of `gradient`: rounding, by another order of adding."""
    next: str | None
    """The address of the examples that follow."""


class Part(NamedTuple):
    """Which examples: those after place ``after`` of the batch, at most ``limit``."""

    after: int
    limit: int
    full: bool


def page_size(session: Session, part: Part) -> int:
    """How many examples a page holds: ``limit`` of them, fewer where their gradients are long."""
    longest = math.inf if part.full else LONG
    shapes = session.definition.shapes.values()
    numbers = sum(math.prod(shape) if math.prod(shape) <= longest else 8 for shape in shapes)
    left = max(0, len(session.batch_rows) - part.after - 1)
    return min(left, part.limit, max(1, NUMBERS // max(1, 2 * numbers)))


def per_example(session: Session, part: Part, base: str) -> dict[str, Any]:
    """A page of examples; ``base`` is the session's own path."""
    found, count = reduction(session), page_size(session, part)
    longest = math.inf if part.full else LONG
    graph = session.definition.graph
    batch = Point.at(graph, session.parameters, session.inputs)
    gradient = batch.parameter_gradients
    listed = list(examples(session, part.after + 1, count))
    whole = bool(listed) and len(listed) == len(session.batch_rows)
    total = added(graph, [one.contribution for one in listed]) if whole else None
    more = found is not None and part.after + 1 + count < len(session.batch_rows)
    arrays = "&arrays=full" if part.full else ""
    return {
        "batch_rows": list(session.batch_rows),
        "loss": batch.loss,
        "reduction": None if found is None else _reduction(found),
        "gradient": _tensors(gradient, longest),
        "examples": [
            {
                "row": one.row,
                "loss": one.loss,
                "gradient": _tensors(one.gradient, longest),
                "contribution": _tensors(one.contribution, longest),
            }
            for one in listed
        ],
        "sum": None if total is None else _tensors(total, longest),
        "difference": None if total is None else _difference(total, gradient),
        "next": f"{base}/per-example?after={part.after + count}&limit={part.limit}{arrays}" if more else None,
    }


def _tensors(values: Mapping[str, Value], longest: float) -> dict[str, Any]:
    return {name: tensor(value, longest) for name, value in values.items()}


def _difference(left: Mapping[str, Value], right: Mapping[str, Value]) -> float:
    with np.errstate(all="ignore"):
        return max((float(np.max(np.abs(np.subtract(left[name], right[name])))) for name in left), default=0.0)


def _reduction(found: Reduction) -> dict[str, Any]:
    divides = found.kind == "mean"
    return {
        "kind": found.kind,
        "rows": found.rows,
        "weight": found.weight,
        "outputs": found.outputs,
        "divisor": found.rows * found.outputs if divides else 1,
        "statement": _statement(found),
    }


def _statement(found: Reduction) -> str:
    if found.rows == 1:
        text = "The batch is one row, so L and ∂L/∂w are its own."
    elif found.kind == "sum":
        text = f"L = Σ Lᵢ and ∂L/∂w = Σ ∂Lᵢ/∂w over {found.rows} rows."
    else:
        text = f"L = 1/{found.rows}·Σ Lᵢ and ∂L/∂w = 1/{found.rows}·Σ ∂Lᵢ/∂w over {found.rows} rows."
    if found.outputs > 1:
        counts = f"so each output's term counts 1/{found.rows * found.outputs}"
        text += f" Each Lᵢ is a mean over {found.outputs} outputs, {counts}."
    return text
