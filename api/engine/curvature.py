"""The curvature of a loss: the matrix of its second derivatives by all numbers among the parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.engine.backward import backpropagate, of_parameters
from api.engine.elements import packed, unpacked
from api.engine.forward import forward
from api.engine.gradcheck import STEP
from api.engine.graph import Graph

Array = NDArray[np.float64]
ITERATIONS = 80
_SETTLED = 1e-9


def gradient_of(graph: Graph, inputs: Mapping[str, Any]) -> Callable[[Array], Array]:
    """The gradient on these inputs as a function from all parameters, in one vector, to a vector of the same length."""

    def gradient(vector: Array) -> Array:
        values = forward(graph, unpacked(graph, vector), inputs)
        return packed(graph, of_parameters(graph, backpropagate(graph, values).of))

    return gradient


def hessian(gradient: Callable[[Array], Array], at: Array) -> Array:
    """The symmetric matrix ∂²L/∂wᵢ∂wⱼ, shape (n, n), by central differences of the gradient.

    For a quadratic loss it is exact but for rounding, otherwise to some nine digits.
    """
    columns = []
    for place, value in enumerate(at):
        h = STEP * max(1.0, abs(float(value)))
        before, after = at.copy(), at.copy()
        before[place], after[place] = value - h, value + h
        with np.errstate(all="ignore"):
            columns.append((gradient(after) - gradient(before)) / (after[place] - before[place]))
    matrix = np.array(columns).reshape(at.size, at.size)
    return np.asarray((matrix + matrix.T) / 2)


def largest_eigenvalue(gradient: Callable[[Array], Array], at: Array) -> float | None:
    """The largest second derivative along any direction, from products H·v alone, for many parameters.

    C. Lanczos's iteration with every vector kept orthogonal to all before, at most ``ITERATIONS`` of them; None if
    that is not enough or a number is not finite.
    """
    vector = np.cos(np.arange(1.0, at.size + 1))  # no direction of note is orthogonal to it
    vectors = [vector / np.linalg.norm(vector)]
    h = STEP * max(1.0, float(np.abs(at).max()))
    diagonal, beside, top = list[float](), list[float](), np.inf
    for _ in range(min(ITERATIONS, at.size)):
        with np.errstate(all="ignore"):
            product = (gradient(at + h * vectors[-1]) - gradient(at - h * vectors[-1])) / (2 * h)
        if not np.isfinite(product).all():
            return None
        diagonal.append(float(product @ vectors[-1]))
        before, top = top, _largest_tridiagonal(diagonal, beside)
        for _twice in range(2):
            product = product - np.array(vectors).T @ (np.array(vectors) @ product)
        length = float(np.linalg.norm(product))
        if length <= _SETTLED * abs(top) or abs(top - before) <= _SETTLED * abs(top) or len(diagonal) == at.size:
            return top
        beside.append(length)
        vectors.append(product / length)
    return None


def _largest_tridiagonal(diagonal: list[float], beside: list[float]) -> float:
    matrix = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    return float(np.linalg.eigvalsh(matrix)[-1])


def eigenvalues(matrix: Array) -> list[float] | None:
    """Those of a symmetric matrix, the largest first; None if a number in it is not finite."""
    if not np.isfinite(matrix).all():
        return None
    values: list[float] = np.linalg.eigvalsh(matrix)[::-1].tolist()
    return values
