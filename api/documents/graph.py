"""The computation graph and the chain rule as documents."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

from api.documents.tensors import tensor
from api.engine import paths
from api.engine.explain import named_formula, named_partial, operation_formula, operation_partial
from api.engine.graph import Graph, Node
from api.engine.kernels import Value, kernels
from api.engine.latex import LATEX
from api.engine.notation import TEXT
from api.engine.paths import Edge
from api.engine.terms import Apply, Name, Term
from api.training.session import Session

Document = dict[str, Any]
Partials = dict[tuple[int, int], Value]
"""∂target/∂source by (source, target)."""
LISTED = 1_000
"""Numbers up to which the paths of a chain rule are listed."""


class Plan:
    """What a graph's document says at every step alike: made once, then filled with numbers."""

    def __init__(self, graph: Graph, detail: str) -> None:
        named = detail == "named"
        self.detail = detail
        self.nodes = graph.named if named else graph.nodes
        self.edges = paths.named_edges(graph) if named else paths.operation_edges(graph)
        self.about_nodes = [_about_node(graph, node, named) for node in self.nodes]
        self.about_edges = [about_edge(graph, edge, named) for edge in self.edges]


@lru_cache(maxsize=512)
def plan(graph: Graph, detail: str) -> Plan:
    """The plan of ``graph`` in this detail."""
    return Plan(graph, detail)


def _about_node(graph: Graph, node: Node, named: bool) -> Document:
    if named:
        formula = named_formula(graph, node) if node.id in graph.formulas else None
        text = graph.texts.get(node.id) if formula is None else TEXT.write(formula)
    else:
        formula = operation_formula(graph, node)
        text = None if formula is None else TEXT.write(formula)
    return {
        "id": node.id,
        "role": node.role.value,
        "op": None if named else node.op,
        "formula": text,
        "latex": LATEX.write(Name(node.id)),
    }


def about_edge(graph: Graph, edge: Edge, named: bool) -> Document:
    source, target = graph.nodes[edge.source], graph.nodes[edge.target]
    formula: Term | None = named_partial(graph, source, target) if named else operation_partial(graph, source, target)
    symbol = Apply("partial", (Name(target.id), Name(source.id)))
    return {
        "source": source.id,
        "target": target.id,
        "latex": LATEX.write(symbol),
        "formula": TEXT.write(symbol) if formula is None else TEXT.write(formula),
    }


def graph_document(session: Session, detail: str, longest: float, partials: Partials | None) -> Document:
    """The graph with the numbers computed so far; arrays over ``longest`` elements as summaries, ``partials`` as
    ``edge_partials`` gives them in the same detail."""
    graph = session.definition.graph
    made = plan(graph, detail)
    values = session.values
    gradients = session.computed.of if session.computed else None
    given: dict[str, Value] = {**session.inputs, **session.parameters}
    nodes = []
    for node, about in zip(made.nodes, made.about_nodes, strict=True):
        value = values[node.index] if values is not None else given.get(node.id, node.constant if not node.op else None)
        gradient = None if gradients is None else gradients.get(node.index, _zero(node, session))
        shape = [len(session.batch_rows)] * node.batched + list(node.shape)
        nodes.append({**about, "shape": shape, "value": tensor(value, longest), "gradient": tensor(gradient, longest)})
    edges = []
    for edge, about in zip(made.edges, made.about_edges, strict=True):
        value = None if partials is None else partials[edge.source, edge.target]
        edges.append({
            "source": about["source"],
            "target": about["target"],
            "partial": {"latex": about["latex"], "formula": about["formula"], "value": tensor(value, longest)},
            "contribution": tensor(contribution(session, edge), longest),
        })  # fmt: skip
    return {"detail": detail, "nodes": nodes, "edges": edges}


def _zero(node: Node, session: Session) -> Value:
    return kernels(session.definition.graph).zero(node, len(session.batch_rows))


def edge_partials(session: Session, detail: str) -> Partials | None:
    """∂target/∂source for every edge, by (source, target); None before backward."""
    if session.computed is None or session.values is None:
        return None
    graph, values = session.definition.graph, session.values
    return paths.named_partials(graph, values) if detail == "named" else paths.operation_partials(graph, values)


def contribution(session: Session, edge: Edge) -> Value | None:
    """What the edge adds to its source's gradient; 0 where its target does not reach the loss."""
    if session.computed is None:
        return None
    shares = [session.computed.contributions[use] for use in edge.uses if use in session.computed.contributions]
    if not shares:
        return _zero(session.definition.graph.nodes[edge.source], session)
    result = shares[0]
    for share in shares[1:]:
        result = kernels(session.definition.graph).added(result, share)
    return result


def chain_rule(session: Session, partials: Partials | None) -> Document | None:
    """Each parameter's gradient as the sum over all paths from the loss back to it; None before backward.

    ``partials`` are those between named quantities.
    """
    if partials is None:
        return None
    graph = session.definition.graph
    routes, counts = _routes(graph)
    listed = _listed(graph, routes, partials)
    document: Document = {}
    for name, gradient in (session.gradients or {}).items():
        found = routes.get(name, ()) if listed else ()
        document[name] = {
            "gradient": tensor(gradient),
            "path_count": counts[name],
            "paths": [_path(graph, path, partials) for path in found],
        }
    return document


@lru_cache(maxsize=512)
def _routes(graph: Graph) -> tuple[dict[str, list[tuple[int, ...]]], dict[str, int]]:
    """The paths to each parameter, none where there are too many to list, and their exact numbers."""
    edges = plan(graph, "named").edges
    number = paths.path_counts(edges, graph.loss)
    counts = {name: number.get(graph.index[name], 0) for name in graph.parameters}
    if sum(counts.values()) > LISTED:
        return {}, counts
    return {name: paths.paths_from(edges, graph.loss, graph.index[name]) for name in graph.parameters}, counts


def _listed(graph: Graph, routes: dict[str, list[tuple[int, ...]]], partials: Partials) -> bool:
    total = 0
    for found in routes.values():
        for path in found:
            total += sum(kernels(graph).size(partials[source, target]) for target, source in pairwise(path))
            if total > LISTED:
                return False
    return True


def _path(graph: Graph, path: tuple[int, ...], partials: Partials) -> Document:
    factors = [partials[source, target] for target, source in pairwise(path)]
    return {
        "nodes": [graph.nodes[index].id for index in path],
        "partials": [tensor(factor) for factor in factors],
        "product": tensor(paths.product(graph, path, factors)),
    }
