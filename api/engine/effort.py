"""How much work it is to look at a graph: rough figures that decide what is done at once, elsewhere, or not at all."""

from __future__ import annotations

import math
from functools import lru_cache

from api.engine.compiler import cost
from api.engine.graph import Graph

OPERATIONS_PER_SECOND = 8_000_000
"""On the machine that these figures were taken on; no promise."""
_NODE, _ARRAY_NODE = 10, 36
_NUMBERS_AT_ONCE = 80
_PRODUCTS_AT_ONCE = 1_000
_WITH_GRADIENTS = 5


@lru_cache(maxsize=1024)
def effort(graph: Graph, rows: int) -> int:
    """One recorded forward pass over ``rows`` rows, in operations: the time of one number by the scalar kernels."""
    if graph.scalar:
        return sum(_NODE + (rows if node.batched else 1) for node in graph.nodes)
    total = 0
    for node in graph.nodes:
        numbers = math.prod(node.shape) * (rows if node.batched else 1)
        total += _ARRAY_NODE + numbers // _NUMBERS_AT_ONCE
        if node.op == "matmul":
            inner = graph.nodes[node.operands[0]].shape[-1]
            total += numbers * inner // _PRODUCTS_AT_ONCE
    return total


def gradient_effort(graph: Graph, rows: int) -> int:
    """The same with the backward pass after it."""
    return _WITH_GRADIENTS * effort(graph, rows)


def compiled_effort(graph: Graph, rows: int) -> int:
    """One step of compiled training, in the same operations."""
    return cost(graph, rows) // 2 + 2 if graph.scalar else int(0.7 * gradient_effort(graph, rows))
