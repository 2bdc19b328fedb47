"""Reverse-mode differentiation: the chain rule from the loss back to everything it depends on.

Gradients are collected in a dict, never on the nodes, so that running it twice gives the same twice. Every
contribution, ∂L/∂node · ∂node/∂operand, is kept: the gradient of a quantity is the sum over its uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from api.engine.forward import Value, as_rows, total
from api.engine.graph import Graph, Node
from api.engine.ops import PARTIALS


class Gradients(NamedTuple):
    """∂L/∂node by node index, and the contribution to it of each (node, operand place) that uses it."""

    of: dict[int, Value]
    contributions: dict[tuple[int, int], Value]


def backpropagate(graph: Graph, values: Sequence[Value]) -> Gradients:
    """Gradients of the loss for all that it depends on; ``values`` are those of ``forward``."""
    gradients: dict[int, Value] = {graph.loss: 1.0}
    contributions: dict[tuple[int, int], Value] = {}
    for node in reversed(graph.active):
        for place, operand in enumerate(node.operands):
            share = contribution(node, place, gradients[node.index], values, graph.nodes[operand].batched)
            contributions[node.index, place] = share
            gradients[operand] = added(gradients[operand], share) if operand in gradients else share
    return Gradients(gradients, contributions)


def contribution(node: Node, place: int, gradient: Value, values: Sequence[Value], batched: bool) -> Value:
    """∂L/∂node · ∂node/∂operand, summed over the rows where the operand has none (broadcasting undone)."""
    factor = partial(node, place, values)
    if isinstance(factor, float):
        return float(gradient) * factor  # type: ignore[arg-type]  # a node without rows has a gradient without
    products = [g * d for g, d in zip(as_rows(gradient, len(factor)), factor, strict=True)]
    return products if batched else total(products)


def partial(node: Node, place: int, values: Sequence[Value]) -> Value:
    """∂node/∂operand at ``place``, one number per row where there are rows."""
    operands = [values[operand] for operand in node.operands]
    if node.op in ("mean_rows", "sum_rows"):
        count = len(as_rows(operands[0], 1))
        return [1.0 / count if node.op == "mean_rows" else 1.0] * count
    kernel = PARTIALS[str(node.op)][place]
    static = 0.0 if node.constant is None else node.constant
    result = values[node.index]
    if not isinstance(result, list):
        first, second = (*operands, 0.0)[:2]
        return kernel(first, second, result, static)  # type: ignore[arg-type]  # no operand has rows here
    columns = [as_rows(operand, len(result)) for operand in (*operands, 0.0)[:2]]
    return [kernel(a, b, y, static) for a, b, y in zip(*columns, result, strict=True)]


def added(left: Value, right: Value) -> Value:
    """The sum of two gradients of the same node."""
    if isinstance(left, list) and isinstance(right, list):
        return [a + b for a, b in zip(left, right, strict=True)]
    return left + right  # type: ignore[operator]  # both have rows or neither has
