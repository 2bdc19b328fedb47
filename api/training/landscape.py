"""The loss as a function of one or two numbers among the parameters, all others as they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from api.engine.effort import effort
from api.engine.elements import Element
from api.engine.errors import LimitExceeded
from api.engine.forward import forward
from api.engine.gradcheck import Point
from api.training.limits import Limits
from api.training.session import Session
from api.training.snapshot import Value

Which = Literal["batch", "all"]
Loss = Callable[[Mapping[str, Value]], float]
POINTS = {1: 101, 2: 31}
"""Points along each axis, for one axis and for two, unless said otherwise."""
FEWEST = 5
_MARGIN = 0.1
_FARTHEST = 10.0
_HUGE = 8e307  # the distance of two of these is still a number


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction: the element that changes, and where it begins and ends, None for what shows point and path."""

    element: Element
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Walked:
    """Where training has been: all parameters at the start of a step."""

    step: int
    parameters: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Landscape:
    """``loss`` has a number for each value of the first axis, or, with a second, for each of its values such a list.

    ``slopes`` are the derivatives at the present point, ``path`` the losses at each of the places walked.
    """

    rows: tuple[int, ...]
    axes: tuple[Axis, ...]
    values: tuple[list[float], ...]
    at: tuple[float, ...]
    current: float
    slopes: tuple[float, ...]
    loss: list[Any]
    path: list[tuple[Walked, float]]


def rows_of(session: Session, which: Which) -> tuple[int, ...]:
    """The rows whose loss is looked at: the present batch's or all that train."""
    return session.batch_rows if which == "batch" else tuple(session.definition.split.train)


def points_of(session: Session, which: Which, axes: int, points: int | None, limits: Limits) -> int:
    """Points along each axis: those asked for, else as many as there is time for. Raises ``LimitExceeded``."""
    each = effort(session.definition.graph, len(rows_of(session, which)))
    most = min(limits.landscape_points, limits.analysis_operations // each)
    along = most if axes == 1 else math.isqrt(most)
    if (points or min(FEWEST, POINTS[axes])) > along:
        what = f"at most {along:,} points along each axis" if along else "no landscape"
        raise LimitExceeded(f"query parameter points: of this session {what} can be worked out", along)
    return points or min(POINTS[axes], along)


def landscape(
    session: Session, axes: Sequence[Axis], points: int, which: Which, walked: Sequence[Walked] = ()
) -> Landscape:
    """The loss of the chosen rows over ``axes``, one or two, with ``points`` along each."""
    definition, rows = session.definition, rows_of(session, which)
    graph, inputs = definition.graph, definition.inputs(rows)
    here = Point.at(graph, session.parameters, inputs)

    def loss(parameters: Mapping[str, Value]) -> float:
        return float(forward(graph, parameters, inputs)[graph.loss])

    filled = tuple(_ranged(axis, here, loss, walked) for axis in axes)
    values = tuple(np.linspace(axis.low or 0.0, axis.high or 0.0, points).tolist() for axis in filled)
    first = filled[0].element

    def line(parameters: Mapping[str, Value]) -> list[float]:
        return [loss(first.moved(parameters, value)) for value in values[0]]

    if len(filled) == 1:
        losses: list[Any] = line(session.parameters)
    else:
        losses = [line(filled[1].element.moved(session.parameters, value)) for value in values[1]]
    path = [(place, loss(place.parameters)) for place in walked]
    at = tuple(axis.element.of(session.parameters) for axis in filled)
    slopes = tuple(here.gradient(axis.element) for axis in filled)
    return Landscape(rows, filled, values, at, here.loss, slopes, losses, path)


def _ranged(axis: Axis, here: Point, loss: Loss, walked: Sequence[Walked]) -> Axis:
    """The axis with both ends: around the present point, the path, and the lowest point of the parabola seen here."""
    at = axis.element.of(here.parameters)
    at = at if math.isfinite(at) else 0.0
    size = max(1.0, abs(at))
    shown = [at - size / 2, at + size / 2, *(axis.element.of(place.parameters) for place in walked)]
    bottom = _bottom(axis.element, here, loss)
    if bottom is not None and abs(bottom - at) <= _FARTHEST * size:
        shown.append(bottom)
    shown = [place for place in shown if math.isfinite(place)] or [-1.0, 1.0]
    low, high = max(min(shown), -_HUGE), min(max(shown), _HUGE)
    margin = _MARGIN * (high - low)
    low = max(low - margin, -_HUGE) if axis.low is None else axis.low
    high = min(high + margin, _HUGE) if axis.high is None else axis.high
    if low >= high:  # the one end that was given lies beyond the other
        width = 2 * max(1.0, abs(low if axis.high is None else high))
        low, high = (low, low + width) if axis.high is None else (high - width, high)
    return Axis(axis.element, low, high)


def _bottom(element: Element, here: Point, loss: Loss) -> float | None:
    """Where the parabola through the loss at the point and a little on both sides of it has its lowest point."""
    at = element.of(here.parameters)
    h = 1e-3 * max(1.0, abs(at))
    before, after = (loss(element.moved(here.parameters, at + side * h)) for side in (-1, 1))
    curvature = ((after - here.loss) - (here.loss - before)) / (h * h)
    if not (math.isfinite(curvature) and curvature > 0 and math.isfinite(here.gradient(element))):
        return None
    return at - here.gradient(element) / curvature
