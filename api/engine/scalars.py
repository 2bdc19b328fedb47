"""The kernels of a graph in which every quantity is a number: Python's floats, row by row.

A value is a float, or for a batched node a list of floats, one per row. Rows are worked out one after the other and
summed from left to right, as the compiled code does, so that both agree bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

from api.engine.graph import Graph, Node
from api.engine.ops import FORWARD, PARTIALS

Number = float | list[float]
_REDUCTIONS = ("mean_rows", "sum_rows")


def constant(value: float) -> Number:
    """A constant as this kernel set holds it."""
    return value


def given(value: Any) -> Number:
    """A parameter (a float) or a placeholder (a float for each row) as this kernel set holds it."""
    return value if isinstance(value, float) else list(map(float, value))


def zero(node: Node, rows: int) -> Number:
    """The gradient of what the loss does not depend on."""
    return [0.0] * rows if node.batched else 0.0


def evaluate(graph: Graph, node: Node, values: Sequence[Any]) -> Number:
    """The value of one operation, from those before it."""
    del graph
    operands = [values[operand] for operand in node.operands]
    if node.op in _REDUCTIONS:
        rows = _rows(operands[0], 1)
        return total(rows) / len(rows) if node.op == "mean_rows" else total(rows)
    kernel = FORWARD[str(node.op)]
    static = 0.0 if node.constant is None else node.constant
    if not node.batched:
        first, second = (*operands, 0.0)[:2]
        return kernel(first, second, 0.0, static)
    columns = [operand if isinstance(operand, list) else repeat(operand) for operand in operands]
    if len(columns) == 1:
        return [kernel(a, 0.0, 0.0, static) for a in columns[0]]
    return [kernel(a, b, 0.0, static) for a, b in zip(*columns, strict=False)]


def contribution(graph: Graph, node: Node, place: int, gradient: Any, values: Sequence[Any]) -> Number:
    """∂L/∂node · ∂node/∂operand, summed over the rows where the operand has none (broadcasting undone)."""
    factor = partial(graph, node, place, values)
    if isinstance(factor, float):
        return float(gradient) * factor
    products = [g * d for g, d in zip(_rows(gradient, len(factor)), factor, strict=True)]
    return products if graph.nodes[node.operands[place]].batched else total(products)


def partial(graph: Graph, node: Node, place: int, values: Sequence[Any]) -> Number:
    """∂node/∂operand at ``place``, one number per row where there are rows."""
    del graph
    operands = [values[operand] for operand in node.operands]
    if node.op in _REDUCTIONS:
        count = len(_rows(operands[0], 1))
        return [1.0 / count if node.op == "mean_rows" else 1.0] * count
    kernel = PARTIALS[str(node.op)][place]
    static = 0.0 if node.constant is None else node.constant
    result = values[node.index]
    if not isinstance(result, list):
        first, second = (*operands, 0.0)[:2]
        return kernel(first, second, result, static)
    columns = [_rows(operand, len(result)) for operand in (*operands, 0.0)[:2]]
    return [kernel(a, b, y, static) for a, b, y in zip(*columns, result, strict=True)]


def pulled(graph: Graph, node: Node, place: int, upstream: Any, values: Sequence[Any]) -> Number:
    """``upstream`` · ∂node/∂operand, row by row and not yet added up."""
    return times(upstream, partial(graph, node, place, values))


def joined(node: Node, left: Any, right: Any, rows: bool) -> Number:
    """The sum of two partials by ``node``."""
    del node, rows
    return added(left, right)


def added(left: Any, right: Any) -> Number:
    """The sum of two gradients of the same node."""
    if isinstance(left, list):
        return [a + b for a, b in zip(left, right, strict=True)]
    return float(left + right)


def scaled(node: Node, value: Any, factor: Any) -> Number:
    """``value``, of ``node``, times a partial of it."""
    del node
    return times(value, factor)


def times(left: Any, right: Any) -> Number:
    """The product row by row; a value without rows counts for each."""
    if isinstance(left, list) or isinstance(right, list):
        count = len(left) if isinstance(left, list) else len(right)
        return [a * b for a, b in zip(_rows(left, count), _rows(right, count), strict=True)]
    return float(left * right)


def collected(value: Any, node: Node) -> Number:
    """What ``pulled`` gave, added up over the rows for a ``node`` that has none."""
    return total(value) if isinstance(value, list) and not node.batched else value


def size(value: Any) -> int:
    """How many numbers it holds."""
    return len(value) if isinstance(value, list) else 1


def total(rows: Iterable[float]) -> float:
    """The sum from left to right; it starts at −0.0, which added to any float changes nothing."""
    result = -0.0
    for value in rows:
        result += value
    return result


def _rows(value: Number, count: int) -> list[float]:
    return value if isinstance(value, list) else [value] * count
