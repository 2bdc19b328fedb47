"""The chain rule over all paths: explains gradients, which ``backward`` computes.

Paths run over the named quantities, from the loss back to a parameter. Each edge has one partial, ∂target/∂source, even
where a formula uses its source several times; a path's product is the elementwise product of its partials, summed over
the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from api.engine.backward import backpropagate
from api.engine.graph import Graph, Node
from api.engine.kernels import Value, kernels


@dataclass(frozen=True, slots=True)
class Edge:
    """``source`` feeds ``target`` (node indices); ``uses`` are the (node, operand place) where it goes in."""

    source: int
    target: int
    uses: tuple[tuple[int, int], ...]


def operation_edges(graph: Graph) -> list[Edge]:
    """One edge for each pair of nodes of which one is an operand of the other."""
    edges: list[Edge] = []
    for node in graph.nodes:
        for operand in dict.fromkeys(node.operands):
            places = [place for place, one in enumerate(node.operands) if one == operand]
            edges.append(Edge(operand, node.index, tuple((node.index, place) for place in places)))
    return edges


def named_edges(graph: Graph) -> list[Edge]:
    """One edge for each pair of named quantities of which one stands in the other's formula."""
    named = {node.index for node in graph.named}
    uses: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for target, inside in assignments(graph):
        for node in inside:
            for place, operand in enumerate(node.operands):
                if operand in named:
                    uses.setdefault((operand, target), []).append((node.index, place))
    return [Edge(source, target, tuple(places)) for (source, target), places in uses.items()]


@lru_cache(maxsize=512)
def assignments(graph: Graph) -> list[tuple[int, list[Node]]]:
    """For each assigned quantity its own operations, in topological order; the last one is the quantity itself."""
    result: list[tuple[int, list[Node]]] = []
    inside: list[Node] = []
    named = {node.index for node in graph.named}
    for node in graph.nodes:
        if node.op is not None:
            inside.append(node)
        if node.index in named and node.op is not None:
            result.append((node.index, inside))
            inside = []
    return result


def named_partials(graph: Graph, values: Sequence[Value]) -> dict[tuple[int, int], Value]:
    """∂target/∂source for each edge of ``named_edges``, by (source, target); None where it is not elementwise.

    Within one formula the partials are added up over its uses of the source; one number per row wherever the formula
    has rows, for the loss too, whose partials are those of its rows, each with the 1/n of a mean.
    """
    use, named = kernels(graph), _named(graph)
    partials: dict[tuple[int, int], Value] = {}
    for target, inside in assignments(graph):
        gradients: dict[int, Value] = {target: use.constant(1.0)}
        for node in reversed(inside):
            tangled = _is_tangled(graph, target, node, gradients[node.index], values)
            for place, operand in enumerate(node.operands):
                share = None if tangled else use.pulled(graph, node, place, gradients[node.index], values)
                into = (operand, target)
                if operand in named:
                    partials[into] = _joined(graph, into, partials[into], share) if into in partials else share
                else:
                    gradients[operand] = share  # an operation inside of a formula stands there once
    return partials


@lru_cache(maxsize=512)
def _named(graph: Graph) -> frozenset[int]:
    return frozenset(node.index for node in graph.named)


def _is_tangled(graph: Graph, target: int, node: Node, upstream: Value, values: Sequence[Value]) -> bool:
    """Whether ``node`` adds up what is broadcast afterwards: each of the target's elements then has partials by each
    element added up, unless the target is a single number."""
    if graph.nodes[target].shape == () or node.op not in ("sum", "mean") or upstream is None:
        return False
    return np.ndim(upstream) > 0 and np.shape(upstream) != np.shape(values[node.index])


def _joined(graph: Graph, edge: tuple[int, int], left: Value, right: Value) -> Value:
    """The partial of an edge by two uses; None where they are of different shapes, unless by a single number."""
    source, target = (graph.nodes[index] for index in edge)
    if left is None or right is None or (target.shape != () and np.shape(left) != np.shape(right)):
        return None
    rows = target.batched or (target.index == graph.loss and graph.rows is not None)
    return kernels(graph).joined(source, left, right, rows)


def operation_partials(graph: Graph, values: Sequence[Value]) -> dict[tuple[int, int], Value]:
    """The same for each edge of ``operation_edges``."""
    use = kernels(graph)
    partials: dict[tuple[int, int], Value] = {}
    for edge in operation_edges(graph):
        for user, place in edge.uses:
            share = use.pulled(graph, graph.nodes[user], place, use.constant(1.0), values)
            into = (edge.source, edge.target)
            partials[into] = _joined(graph, into, partials[into], share) if into in partials else share
    return partials


def path_counts(edges: Sequence[Edge], goal: int) -> dict[int, int]:
    """The number of paths to ``goal`` from each node that has one, exact however large."""
    counts: dict[int, int] = {goal: 1}
    for edge in sorted(edges, key=lambda one: -one.target):
        if edge.target in counts:
            counts[edge.source] = counts.get(edge.source, 0) + counts[edge.target]
    return counts


@dataclass(frozen=True, eq=False)
class Ways:
    """All paths from ``goal`` back to ``start``: ``into`` has for each node on one the sources that lead on, ``counts``
    the exact number of paths from each node back to ``start``."""

    goal: int
    start: int
    into: Mapping[int, Sequence[int]]
    counts: Mapping[int, int]

    @staticmethod
    def of(edges: Sequence[Edge], goal: int, start: int) -> Ways:
        """The paths over these edges, which are taken in their own order."""
        counts: dict[int, int] = {start: 1}
        into: dict[int, list[int]] = {}
        for edge in sorted(edges, key=lambda one: one.target):
            if edge.source in counts and start < edge.target <= goal:
                counts[edge.target] = counts.get(edge.target, 0) + counts[edge.source]
                into.setdefault(edge.target, []).append(edge.source)
        return Ways(goal, start, into, counts)

    @property
    def count(self) -> int:
        """How many there are."""
        return self.counts.get(self.goal, 0)

    def listed(self, first: int = 0) -> Iterator[tuple[int, ...]]:
        """The paths as node indices, from number ``first`` (of 0, 1, …) on; those before cost nothing."""
        if first >= self.count:
            return
        path, places = [self.goal], list[int]()
        while True:
            while path[-1] != self.start:
                place = 0
                while first >= self.counts[self.into[path[-1]][place]]:
                    first -= self.counts[self.into[path[-1]][place]]
                    place += 1
                places.append(place)
                path.append(self.into[path[-1]][place])
            yield tuple(path)
            while places and places[-1] + 1 == len(self.into[path[-2]]):
                places.pop()
                path.pop()
            if not places:
                return
            places[-1] += 1
            path[-1] = self.into[path[-2]][places[-1]]


def paths_from(edges: Sequence[Edge], goal: int, start: int) -> list[tuple[int, ...]]:
    """All paths from ``goal`` back to ``start`` as node indices, in the order of the edges."""
    return list(Ways.of(edges, goal, start).listed())


def ones(value: Value) -> Value:
    """1 for each number of ``value``."""
    if isinstance(value, list):
        return [1.0] * len(value)
    return 1.0 if isinstance(value, float) else np.ones(np.shape(value))


def total_derivative(graph: Graph, values: Sequence[Value], goal: int, start: int) -> Value:
    """The derivative of ``goal``, added up over its elements and rows, by ``start``: the sum over all paths."""
    found = backpropagate(graph, values, {goal: ones(values[goal])}).of.get(start)
    rows = len(np.atleast_1d(values[start])) if graph.nodes[start].batched else 0
    return kernels(graph).zero(graph.nodes[start], rows) if found is None else found


def carried(
    graph: Graph, values: Sequence[Value], path: Sequence[int], inside: Mapping[int, Sequence[Node]] | None = None
) -> Value:
    """One path's share of ``total_derivative``, by the vector-Jacobian product of each edge in turn.

    ``inside`` has each assigned quantity's own operations, as ``assignments`` gives them; without it every operation is
    a step of its own.
    """
    gradient = ones(values[path[0]])
    for target, source in pairwise(path):
        own = (graph.nodes[target],) if inside is None else inside[target]
        gradient = _through(graph, values, own, (target, source), gradient)
    return gradient


def _through(
    graph: Graph, values: Sequence[Value], own: Sequence[Node], edge: tuple[int, int], gradient: Value
) -> Value:
    """``gradient`` of an edge's target carried to its source by the target's ``own`` operations."""
    use, (target, source) = kernels(graph), edge
    hidden = {node.index for node in own}
    gradients: dict[int, Value] = {target: gradient}
    for node in reversed(own):
        for place, operand in enumerate(node.operands if node.index in gradients else ()):
            if operand == source or operand in hidden:
                share = use.contribution(graph, node, place, gradients[node.index], values)
                gradients[operand] = use.added(gradients[operand], share) if operand in gradients else share
    return gradients[source]


def product(graph: Graph, path: Sequence[int], partials: Sequence[Value]) -> Value:
    """A path's product: element by element from the loss to the path's end, added up wherever a node is smaller than
    what it feeds; None where that is not a product of elements."""
    use = kernels(graph)
    result: Value = use.constant(1.0)
    for target, source, factor in zip(path, path[1:], partials, strict=False):
        result = None if factor is None else use.scaled(graph.nodes[target], result, factor)
        if result is None:
            return None
        result = use.collected(result, graph.nodes[source])
    return result
