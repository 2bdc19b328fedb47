"""Reverse-mode differentiation: the chain rule from the loss back to everything it depends on.

Gradients are collected in a dict, never on the nodes, so that running it twice gives the same twice. Every
contribution, ∂L/∂node · ∂node/∂operand, is kept: the gradient of a quantity is the sum over its uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from api.engine.graph import Graph
from api.engine.kernels import Value, kernels


class Gradients(NamedTuple):
    """∂L/∂node by node index, and the contribution to it of each (node, operand place) that uses it."""

    of: dict[int, Value]
    contributions: dict[tuple[int, int], Value]


def backpropagate(graph: Graph, values: Sequence[Value]) -> Gradients:
    """Gradients of the loss for all that it depends on; ``values`` are those of ``forward``."""
    use = kernels(graph)
    gradients: dict[int, Value] = {graph.loss: use.constant(1.0)}
    contributions: dict[tuple[int, int], Value] = {}
    for node in reversed(graph.active):
        for place, operand in enumerate(node.operands):
            share = use.contribution(graph, node, place, gradients[node.index], values)
            contributions[node.index, place] = share
            gradients[operand] = use.added(gradients[operand], share) if operand in gradients else share
    return Gradients(gradients, contributions)
