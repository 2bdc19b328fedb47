"""The chain rule over all paths: explains gradients, never computes them.

Paths run over the named quantities, from the loss back to a parameter. Each edge has one partial, ∂target/∂source, even
where a formula uses its source several times; a path's product is the elementwise product of its partials, summed over
the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.engine.graph import Graph, Node
from api.engine.kernels import Kernels, Value, kernels


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
    use = kernels(graph)
    named = {node.index for node in graph.named}
    partials: dict[tuple[int, int], Value] = {}
    for target, inside in assignments(graph):
        gradients: dict[int, Value] = {target: use.constant(1.0)}
        for node in reversed(inside):
            for place, operand in enumerate(node.operands):
                share = use.pulled(graph, node, place, gradients[node.index], values)
                into = (operand, target)
                if operand in named:
                    partials[into] = _sum(use, partials[into], share) if into in partials else share
                else:
                    gradients[operand] = _sum(use, gradients[operand], share) if operand in gradients else share
    return partials


def operation_partials(graph: Graph, values: Sequence[Value]) -> dict[tuple[int, int], Value]:
    """The same for each edge of ``operation_edges``."""
    use = kernels(graph)
    partials: dict[tuple[int, int], Value] = {}
    for edge in operation_edges(graph):
        for user, place in edge.uses:
            share = use.pulled(graph, graph.nodes[user], place, use.constant(1.0), values)
            into = (edge.source, edge.target)
            partials[into] = _sum(use, partials[into], share) if into in partials else share
    return partials


def _sum(use: Kernels, left: Value, right: Value) -> Value:
    return None if left is None or right is None else use.added(left, right)


def path_counts(edges: Sequence[Edge], goal: int) -> dict[int, int]:
    """The number of paths to ``goal`` from each node that has one, exact however large."""
    counts: dict[int, int] = {goal: 1}
    for edge in sorted(edges, key=lambda one: -one.target):
        if edge.target in counts:
            counts[edge.source] = counts.get(edge.source, 0) + counts[edge.target]
    return counts


def paths_from(edges: Sequence[Edge], goal: int, start: int) -> list[tuple[int, ...]]:
    """All paths from ``goal`` back to ``start`` as node indices, in the order of the edges."""
    into: dict[int, list[int]] = {}
    leads = {start}
    for edge in sorted(edges, key=lambda one: one.target):
        if edge.source in leads:
            leads.add(edge.target)
            into.setdefault(edge.target, []).append(edge.source)
    found: list[tuple[int, ...]] = []
    waiting: list[tuple[int, ...]] = [(goal,)] if goal in leads else []
    while waiting:
        path = waiting.pop()
        if path[-1] == start:
            found.append(path)
        else:
            waiting.extend((*path, source) for source in reversed(into[path[-1]]))
    return found


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
