"""The paths between two quantities on the wire: the chain rule written out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Annotated, Any, Literal

from pydantic import Field

from api.documents.graph import about_edge
from api.documents.schemas import Document, Tensor
from api.documents.tensors import SHORT, tensor
from api.engine.errors import InvalidInput
from api.engine.forward import forward
from api.engine.graph import Graph
from api.engine.kernels import Value, kernels
from api.engine.paths import (
    Edge,
    Ways,
    assignments,
    carried,
    named_edges,
    named_partials,
    operation_edges,
    operation_partials,
    product,
    total_derivative,
)
from api.engine.wording import near_miss, shown
from api.training.session import Session

NUMBERS = 10_000
"""Numbers that one page holds at most, but for a single path of more."""


class Factor(Document):
    """One edge of a path: ∂target/∂source."""

    target: str
    source: str
    latex: str
    formula: str
    value: Tensor | None
    """One number for each row and element; null where the local Jacobian is not elementwise, and `formula` is then its
    vector-Jacobian product."""


class PathDocument(Document):
    """One way back, with the partial of each edge."""

    nodes: list[str]
    factors: list[Factor]
    product: Tensor
    """The factors' product, added up over the rows wherever a node has none; where a factor is null, what the
    vector-Jacobian products give."""


class Paths(Document):
    """The chain rule between two quantities: `sum` is the sum of all paths' products."""

    from_: Annotated[str, Field(alias="from")]
    to: str
    detail: Literal["named", "ops"]
    path_count: int
    """Exact, however large."""
    sum: Tensor
    """The derivative of `from`, added up over its elements and rows, by `to`."""
    paths: list[PathDocument]
    next: str | None
    """The address of the paths that follow."""


@dataclass(frozen=True, slots=True)
class Route:
    """Which paths: from node ``goal`` back to node ``start``, over named quantities or (``ops``) operations."""

    goal: int
    start: int
    detail: str


def route_of(graph: Graph, goal: str | None, start: str, detail: str | None) -> Route:
    """The route between two nodes by their ids; without a detail, named where both are. Raises ``InvalidInput`` for an
    unknown node."""
    named = {node.id for node in graph.named}
    goal = graph.nodes[graph.loss].id if goal is None else goal
    known = named if detail == "named" else graph.index
    for about, id in (("from", goal), ("to", start)):
        if id not in known:
            hint = near_miss(id, sorted(known) if detail == "ops" else sorted(named))
            hint = "; it is a primitive operation: ask with detail=ops" if id in graph.index else hint
            hint = hint or "; there are " + ", ".join(node.id[:40] for node in graph.named[:8])
            raise InvalidInput(f"query parameter {about}: there is no node {shown(id)}{hint}")
    return Route(graph.index[goal], graph.index[start], detail or ("named" if {goal, start} <= named else "ops"))


def paths(session: Session, route: Route, after: int, limit: int, base: str) -> dict[str, Any]:
    """A page of paths, from number ``after`` + 1 of 0, 1, … on; ``base`` is the session's own path.

    Raises ``InvalidInput`` where it is the route's end that depends on its beginning.
    """
    graph, named = session.definition.graph, route.detail == "named"
    edges = named_edges(graph) if named else operation_edges(graph)
    ways = Ways.of(edges, route.goal, route.start)
    goal, start = graph.nodes[route.goal].id, graph.nodes[route.start].id
    if not ways.count and Ways.of(edges, route.start, route.goal).count:
        turned = f"{start[:40]} depends on {goal[:40]}, not the other way round"
        raise InvalidInput(f"{turned}: ask for from={start[:40]}&to={goal[:40]}")
    values = forward(graph, session.parameters, session.inputs)
    partials = named_partials(graph, values) if named else operation_partials(graph, values)
    writer = _Writer(graph, values, {(edge.source, edge.target): edge for edge in edges}, partials, named)
    listed: list[dict[str, Any]] = []
    numbers = 0
    for path in islice(ways.listed(after + 1), limit):
        numbers += sum(min(SHORT, writer.size(source, target)) for target, source in pairwise(path)) + 1
        if listed and numbers > NUMBERS:
            break
        listed.append(writer.path(path))
    last = after + len(listed)
    address = f"{base}/paths?from={goal}&to={start}&detail={route.detail}&after={last}&limit={limit}"
    return {
        "from": goal,
        "to": start,
        "detail": route.detail,
        "path_count": ways.count,
        "sum": tensor(total_derivative(graph, values, route.goal, route.start)),
        "paths": listed,
        "next": address if last + 1 < ways.count else None,
    }


class _Writer:
    """Paths as documents; what is said of an edge is worked out once."""

    def __init__(
        self,
        graph: Graph,
        values: Sequence[Value],
        edges: dict[tuple[int, int], Edge],
        partials: dict[tuple[int, int], Value],
        named: bool,
    ) -> None:
        self.graph = graph
        self.values = values
        self.edges = edges
        self.partials = partials
        self.named = named
        self.inside = dict(assignments(graph)) if named else None
        self.factors: dict[tuple[int, int], dict[str, Any]] = {}

    def size(self, source: int, target: int) -> int:
        """How many numbers an edge's partial is."""
        value = self.partials[source, target]
        return 1 if value is None else kernels(self.graph).size(value)

    def path(self, path: Sequence[int]) -> dict[str, Any]:
        """One path."""
        found = self._product(path)
        return {
            "nodes": [self.graph.nodes[index].id for index in path],
            "factors": [self._factor(source, target) for target, source in pairwise(path)],
            "product": tensor(found),
        }

    def _product(self, path: Sequence[int]) -> Value:
        if self.graph.scalar and len(path) > 1:
            factors = [self.partials[source, target] for target, source in pairwise(path)]
            return product(self.graph, path, factors)
        return carried(self.graph, self.values, path, self.inside)

    def _factor(self, source: int, target: int) -> dict[str, Any]:
        key = (source, target)
        if key not in self.factors:
            about = about_edge(self.graph, self.edges[key], self.named)
            self.factors[key] = {
                "target": about["target"],
                "source": about["source"],
                "latex": about["latex"],
                "formula": about["formula"],
                "value": tensor(self.partials[key], SHORT),
            }
        return self.factors[key]
