"""A check of the gradients on the wire."""

from __future__ import annotations

from typing import Any, Literal

from api.documents.schemas import Document, NonFinite
from api.engine.gradcheck import TOLERANCE, VERDICTS, Checked
from api.engine.kinks import Kink
from api.training.gradcheck import GradientCheck, gradcheck
from api.training.session import Session

Verdict = Literal["agrees", "kink", "inexact", "undefined", "differs"]
RULES = {
    "h": "h = step*max(1, |w|)",
    "numeric": "(L(w + h) - L(w - h))/(2*h)",
    "relative_error": "|analytic - numeric|/max(|analytic|, |numeric|, rounding/(tolerance*h))",
    "agrees": "relative_error <= tolerance",
    "kink": "does not agree, and a kink or pole lies between w - h and w + h",
    "inexact": "does not agree, but 2*h gives another numeric derivative: try another step",
    "undefined": "a number is not finite, so there is nothing to compare",
    "differs": "none of these: the gradient is wrong",
}


class KinkDocument(Document):
    """A kink or pole that w − h and w + h lie on different sides of."""

    node: str
    operation: str
    row: int | None
    """The 0-based row of the data; null for a node without rows."""
    index: list[int]
    """The element of a tensor, of one example."""
    sides: list[float | NonFinite]
    """The number whose sign decides, such as relu's argument, at w − h, at w and at w + h."""


class ElementCheck(Document):
    """One number among the parameters: its gradient by the chain rule and by a central difference."""

    element: str
    value: float | NonFinite
    h: float | NonFinite
    loss_minus: float | NonFinite
    loss_plus: float | NonFinite
    analytic: float | NonFinite
    numeric: float | NonFinite | None
    """Null where w + h and w − h are the same float64 number."""
    relative_error: float | NonFinite | None
    verdict: Verdict
    kinks: list[KinkDocument]
    kink_count: int
    """How many kinks there are in all; at most ten are listed."""


class ParameterCheck(Document):
    """A parameter's checked elements; error and verdict are those of the worst."""

    count: int
    checked: int
    relative_error: float | NonFinite | None
    verdict: Verdict | None
    elements: list[ElementCheck]


class GradientCheckDocument(Document):
    """Gradients by the chain rule beside central differences, for the present batch."""

    batch_rows: list[int]
    loss: float | NonFinite
    step: float
    tolerance: float
    rounding: float | NonFinite
    """What rounding may do to the loss at most: 2⁻⁵² · Σ |∂L/∂v · v| over all operations v."""
    rules: dict[str, str]
    """What the numbers and the verdicts mean."""
    parameter_count: int
    checked: int
    """Elements checked; where they are fewer, each parameter's are evenly spaced."""
    relative_error: float | NonFinite | None
    verdict: Verdict | None
    verdicts: dict[Verdict, int]
    parameters: dict[str, ParameterCheck]


def gradient_check(session: Session, most: int, step: float, parameter: str | None) -> dict[str, Any]:
    """The check of one parameter or all, of ``most`` elements at most."""
    found = gradcheck(session, most=most, step=step, parameter=parameter)
    every = [checked for elements in found.checked.values() for checked in elements]
    return {
        "batch_rows": list(session.batch_rows),
        "loss": found.point.loss,
        "step": step,
        "tolerance": TOLERANCE,
        "rounding": found.point.rounding,
        "rules": RULES,
        "parameter_count": session.definition.parameter_count,
        "checked": len(every),
        "relative_error": _worst_error(every),
        "verdict": _worst(every),
        "verdicts": {verdict: sum(one.verdict == verdict for one in every) for verdict in VERDICTS},
        "parameters": {name: _parameter(session, found, name) for name in found.checked},
    }


def _parameter(session: Session, found: GradientCheck, name: str) -> dict[str, Any]:
    elements = found.checked[name]
    return {
        "count": found.counts[name],
        "checked": len(elements),
        "relative_error": _worst_error(elements),
        "verdict": _worst(elements),
        "elements": [_element(session, one) for one in elements],
    }


def _worst_error(elements: list[Checked]) -> float | None:
    return max((one.relative_error for one in elements if one.relative_error is not None), default=None)


def _worst(elements: list[Checked]) -> str | None:
    return max((one.verdict for one in elements), key=VERDICTS.index, default=None)


def _element(session: Session, one: Checked) -> dict[str, Any]:
    numbers = ("value", "h", "loss_minus", "loss_plus", "analytic", "numeric", "relative_error", "verdict")
    kinks = [_kink(session, kink) for kink in one.kinks]
    about = {name: getattr(one, name) for name in numbers}
    return {"element": one.element.label, **about, "kinks": kinks, "kink_count": one.kink_count}


def _kink(session: Session, kink: Kink) -> dict[str, Any]:
    node = session.definition.graph.nodes[kink.node]
    return {
        "node": node.id,
        "operation": node.op,
        "row": None if kink.row is None else session.batch_rows[kink.row],
        "index": list(kink.index),
        "sides": list(kink.sides),
    }
