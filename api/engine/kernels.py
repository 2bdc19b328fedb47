"""Each graph has one kernel set: Python's floats where every quantity is a number, NumPy's arrays otherwise.

The choice is the graph's own and never the batch's, so stepping, replaying and bulk runs use the same kernels in the
same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from api.engine import arrays, scalars
from api.engine.graph import Graph, Node

Value = Any
"""A float or a list of floats (``scalars``), or an array (``arrays``)."""


class Kernels(Protocol):
    """What ``scalars`` and ``arrays`` both provide."""

    def constant(self, value: float) -> Value: ...
    def given(self, value: Any) -> Value: ...
    def zero(self, node: Node, rows: int) -> Value: ...
    def evaluate(self, graph: Graph, node: Node, values: Sequence[Any]) -> Value: ...
    def contribution(self, graph: Graph, node: Node, place: int, gradient: Any, values: Sequence[Any]) -> Value: ...
    def pulled(self, graph: Graph, node: Node, place: int, upstream: Any, values: Sequence[Any]) -> Value: ...
    def joined(self, node: Node, left: Any, right: Any, rows: bool) -> Value: ...
    def added(self, left: Any, right: Any) -> Value: ...
    def scaled(self, node: Node, value: Any, factor: Any) -> Value: ...
    def collected(self, value: Any, node: Node) -> Value: ...
    def size(self, value: Any) -> int: ...


def kernels(graph: Graph) -> Kernels:
    """The kernel set of ``graph``."""
    return scalars if graph.scalar else arrays
