"""The forward pass that records: every node's value, for looking at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.engine.graph import Graph
from api.engine.kernels import Value, kernels


def forward(graph: Graph, parameters: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[Value]:
    """The value of every node, in the order of ``graph.nodes``.

    ``parameters`` gives each parameter's value, ``inputs`` each placeholder's with the batch's rows as first axis.
    """
    use = kernels(graph)
    values: list[Value] = []
    for node in graph.nodes:
        if node.op is not None:
            values.append(use.evaluate(graph, node, values))
        elif node.constant is not None:
            values.append(use.constant(node.constant))
        else:
            values.append(use.given(inputs[node.id] if node.batched else parameters[node.id]))
    return values
