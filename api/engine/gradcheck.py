"""Gradients by the chain rule against central differences, one element at a time.

The numeric derivative of element w is (L(w + h) − L(w − h)) / 2h with h = step · max(1, |w|). By default step is the
cube root of the unit roundoff, where the error that grows with h and the one that shrinks with it are about equal
(W. H. Press et al., Numerical Recipes, 5.7).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.engine.backward import Gradients, backpropagate, of_parameters
from api.engine.elements import Element, Value
from api.engine.forward import forward
from api.engine.graph import Graph, Node
from api.engine.kernels import Value as Recorded
from api.engine.kinks import Kink, crossed, kinked

ROUNDOFF = float(np.finfo(np.float64).eps)
STEP = ROUNDOFF ** (1 / 3)
TOLERANCE = 1e-6
VERDICTS = ("agrees", "kink", "inexact", "undefined", "differs")
"""From good to bad."""
_KINKS_LISTED = 10


@dataclass(frozen=True, slots=True)
class Checked:
    """One element: its value w, the two losses, both derivatives and what follows.

    ``relative_error`` is |analytic − numeric| / max(|analytic|, |numeric|, rounding/(tolerance·h)); the last keeps
    errors that rounding explains below the tolerance. ``numeric`` is None where w ± h is no other number than w.
    ``kinks`` are the first few of ``kink_count`` that lie between w − h and w + h.
    """

    element: Element
    value: float
    h: float
    loss_minus: float
    loss_plus: float
    analytic: float
    numeric: float | None
    relative_error: float | None
    verdict: str
    kinks: tuple[Kink, ...]
    kink_count: int


@dataclass(frozen=True, slots=True)
class Point:
    """Where the derivatives are taken: parameters, what is fed, every value and every gradient.

    ``rounding`` bounds what rounding does to the loss: the unit roundoff times Σ |∂L/∂v · v| over all operations v.
    """

    graph: Graph
    parameters: Mapping[str, Value]
    inputs: Mapping[str, Any]
    values: Sequence[Recorded]
    gradients: Gradients
    rounding: float

    @staticmethod
    def at(graph: Graph, parameters: Mapping[str, Value], inputs: Mapping[str, Any]) -> Point:
        """Forward and backward."""
        values = forward(graph, parameters, inputs)
        gradients = backpropagate(graph, values)
        return Point(graph, parameters, inputs, values, gradients, ROUNDOFF * _carried(graph, values, gradients))

    @property
    def loss(self) -> float:
        """The loss there."""
        return float(self.values[self.graph.loss])

    @property
    def parameter_gradients(self) -> dict[str, Any]:
        """Of every parameter; 0 where the loss does not depend on it."""
        return of_parameters(self.graph, self.gradients.of)

    def gradient(self, element: Element) -> float:
        """The loss's derivative by one element; 0 where the loss does not depend on it."""
        found = self.gradients.of.get(self.graph.index[element.parameter])
        return 0.0 if found is None else float(np.asarray(found)[element.index])


def _carried(graph: Graph, values: Sequence[Recorded], gradients: Gradients) -> float:
    total = 0.0
    with np.errstate(all="ignore"):
        for node in graph.active:
            if node.index in gradients.of:
                products = np.abs(np.multiply(gradients.of[node.index], values[node.index]))
                total += float(np.sum(products, where=np.isfinite(products)))
    return total


def check(
    point: Point, elements: Sequence[Element], *, step: float = STEP, tolerance: float = TOLERANCE
) -> list[Checked]:
    """Each of ``elements`` checked."""
    nodes = kinked(point.graph)
    return [_checked(point, element, nodes, step, tolerance) for element in elements]


def _checked(point: Point, element: Element, nodes: Sequence[Node], step: float, tolerance: float) -> Checked:
    value = element.of(point.parameters)
    h = step * max(1.0, abs(value))
    before, after = (_values(point, element, value + side * h) for side in (-1, 1))
    minus, plus = float(before[point.graph.loss]), float(after[point.graph.loss])
    width, analytic = (value + h) - (value - h), point.gradient(element)
    numeric = (plus - minus) / width if width else None
    found = list(crossed(point.graph, nodes, (before, point.values, after))) if nodes else []
    error, verdict = _judged(analytic, numeric, point.rounding / h, tolerance)
    if verdict == "differs":
        verdict = "kink" if found else verdict
    if verdict == "differs" and numeric is not None and _is_inexact(point, element, value, h, analytic, numeric):
        verdict = "inexact"
    kinks = tuple(found[:_KINKS_LISTED])
    return Checked(element, value, h, minus, plus, analytic, numeric, error, verdict, kinks, len(found))


def _values(point: Point, element: Element, to: float) -> list[Recorded]:
    return forward(point.graph, element.moved(point.parameters, to), point.inputs)


def _judged(analytic: float, numeric: float | None, noise: float, tolerance: float) -> tuple[float | None, str]:
    """The relative error and the verdict that it alone gives; ``noise`` is what rounding may do to ``numeric``."""
    if numeric is None:
        return None, "inexact"
    if not (math.isfinite(analytic) and math.isfinite(numeric) and math.isfinite(noise)):
        return None, "undefined"
    scale = max(abs(analytic), abs(numeric), noise / tolerance)
    error = abs(analytic - numeric) / scale if scale else 0.0
    return error, "agrees" if error <= tolerance else "differs"


def _is_inexact(point: Point, element: Element, value: float, h: float, analytic: float, numeric: float) -> bool:
    """Whether the quotient itself is not sure enough to judge by: with 2h it is another one by as much."""
    wide = [float(_values(point, element, value + side * 2 * h)[point.graph.loss]) for side in (-1, 1)]
    other = (wide[1] - wide[0]) / ((value + 2 * h) - (value - 2 * h))
    return not abs(analytic - numeric) > abs(other - numeric)
