"""Reverse-mode differentiation: the chain rule from the loss back to everything it depends on.

Gradients are collected in a dict, never on the nodes, so that running it twice gives the same twice. Every
contribution, ∂L/∂node · ∂node/∂operand, is kept: the gradient of a quantity is the sum over its uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from api.engine.graph import Graph
from api.engine.kernels import Value, kernels


class Gradients(NamedTuple):
    """∂L/∂node by node index, and the contribution to it of each (node, operand place) that uses it."""

    of: dict[int, Value]
    contributions: dict[tuple[int, int], Value]


def backpropagate(graph: Graph, values: Sequence[Value], start: Mapping[int, Value] | None = None) -> Gradients:
    """Gradients of the loss for all that it depends on; ``values`` are those of ``forward``.

    With ``start``, of whatever else: the gradients to begin with, by node index.
    """
    use = kernels(graph)
    gradients: dict[int, Value] = {graph.loss: use.constant(1.0)} if start is None else dict(start)
    contributions: dict[tuple[int, int], Value] = {}
    for node in reversed(graph.active if start is None else graph.nodes):
        for place, operand in enumerate(node.operands if node.index in gradients else ()):
            share = use.contribution(graph, node, place, gradients[node.index], values)
            contributions[node.index, place] = share
            gradients[operand] = use.added(gradients[operand], share) if operand in gradients else share
    return Gradients(gradients, contributions)


def of_parameters(graph: Graph, of: Mapping[int, Value]) -> dict[str, Value]:
    """The gradient of each parameter by name; 0 where nothing that was asked about depends on it."""
    nodes = [graph.nodes[graph.index[name]] for name in graph.parameters]
    return {node.id: of[node.index] if node.index in of else kernels(graph).zero(node, 0) for node in nodes}
