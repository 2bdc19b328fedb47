"""Which of a session's gradients are checked against differences, and the check itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from api.engine.effort import effort
from api.engine.elements import Element, parameter_of, shape_of
from api.engine.errors import LimitExceeded
from api.engine.gradcheck import STEP, Checked, Point, check
from api.engine.graph import Graph
from api.engine.kinks import kinked
from api.training.limits import Limits
from api.training.session import Session

MOST = 1_000
"""Elements that are checked at once."""


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """The present batch's gradients checked: for each parameter asked about its elements, of ``counts`` many."""

    point: Point
    step: float
    counts: dict[str, int]
    checked: dict[str, list[Checked]]


def most_elements(session: Session, limits: Limits) -> int:
    """How many elements a check of this session looks at; raises ``LimitExceeded`` where one is too much."""
    graph, rows = session.definition.graph, len(session.batch_rows)
    kinks = sum(250 + math.prod(node.shape) * (rows if node.batched else 1) // 10 for node in kinked(graph))
    each = 2 * effort(graph, rows) + kinks
    if each > limits.analysis_operations:
        most = limits.analysis_operations
        raise LimitExceeded(f"one difference of this batch takes {each:,} operations; at most {most:,} are done", most)
    return min(MOST, limits.analysis_operations // each)


def gradcheck(session: Session, *, most: int, step: float = STEP, parameter: str | None = None) -> GradientCheck:
    """The gradients of the present batch, in whatever phase, of one parameter or all; ``most`` elements at most.

    Where there are more, each parameter has its share of them, evenly spaced from its first to its last element.
    Raises ``InvalidInput`` for an unknown ``parameter``.
    """
    graph = session.definition.graph
    names = graph.parameters if parameter is None else (parameter_of(graph, parameter, "query parameter parameter"),)
    counts = {name: math.prod(shape_of(graph, name)) for name in names}
    elements = {name: _spaced(graph, name, share) for name, share in _shares(counts, most).items()}
    point = Point.at(graph, session.parameters, session.inputs)
    return GradientCheck(
        point, step, counts, {name: check(point, chosen, step=step) for name, chosen in elements.items()}
    )


def _shares(counts: dict[str, int], most: int) -> dict[str, int]:
    """``most`` dealt out: small parameters are looked at in whole, the others have the same number each."""
    shares = dict.fromkeys(counts, 0)
    left = most
    for place, name in enumerate(sorted(counts, key=lambda one: counts[one])):
        shares[name] = min(counts[name], left // (len(counts) - place))
        left -= shares[name]
    return shares


def _spaced(graph: Graph, name: str, count: int) -> list[Element]:
    shape = shape_of(graph, name)
    size = math.prod(shape)
    places = np.linspace(0, size - 1, count).round().astype(int) if count > 1 else range(count)
    return [Element(name, tuple(int(part) for part in np.unravel_index(int(place), shape))) for place in places]
