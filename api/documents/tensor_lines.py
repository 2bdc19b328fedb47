"""The equations of a step in a graph with tensors: the formulas with matrices put in.

A formula speaks of one example, so it is written out for the first rows of the batch; the gradient of a weight is
written with whole matrices, the batch's rows as theirs, or as a sum over the rows. Numbers are put in only where
working the line out gives its value: some of what is said in symbols, such as the vector-Jacobian product of an index,
is nothing to be worked out on paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from api.documents.graph import contribution, edge_partials, plan
from api.documents.lines import PATHS, ROWS, Line, reduced, slope, total, without_count
from api.documents.working import settled, worked_out
from api.engine import terms
from api.engine.explain import elementwise, named_formula, named_partial, product, rows_indexed, rows_of, upstream_of
from api.engine.graph import Graph, Node
from api.engine.notation import WHOLE
from api.engine.paths import Edge, assignments
from api.engine.terms import Apply, Matrix, Name, Number, Term, apply, number
from api.training.session import Session

_WRITTEN = 96
"""Numbers up to which another row is written out."""


def tensor_lines(session: Session) -> list[Line]:
    """Values, partials and gradients, as far as they are computed."""
    return [*_values(session), *_partials(session), *_gradients(session)]


# putting numbers in


def _put(session: Session, tree: Term, row: int | None) -> Term:
    """``tree`` with the numbers of one row, or of all of them at once."""
    return settled(_filled(session, tree, row))


def _filled(session: Session, tree: Term, row: int | None) -> Term:
    graph, values, computed = session.definition.graph, session.values or [], session.computed
    if isinstance(tree, Name):
        if tree.name in graph.index:
            node = graph.nodes[graph.index[tree.name]]
            return number(_of(node, values[node.index], row))
        return Number(float(len(session.batch_rows))) if tree.name == rows_of(graph).name else tree
    if not isinstance(tree, Apply):
        return tree
    if tree.operation == "partial" and computed is not None:
        below = tree.arguments[1]
        node = graph.nodes[graph.index[below.name]] if isinstance(below, Name) else graph.nodes[graph.loss]
        return number(_of(node, computed.of.get(node.index, 0.0), row))
    return Apply(
        tree.operation, tuple(_filled(session, one, row) for one in tree.arguments), tree.exponent, tree.static
    )


def _of(node: Node, value: Any, row: int | None) -> Any:
    return value[row] if node.batched and row is not None and np.ndim(value) else value


def _written(tree: Term) -> int:
    """How many numbers stand in it."""
    if isinstance(tree, Apply):
        return sum(map(_written, tree.arguments))
    return min(tree.value.size, WHOLE) if isinstance(tree, Matrix) else isinstance(tree, Number)


def _right(tree: Term, value: Any) -> bool:
    """Whether working it out gives the value, or the one number of which the value is full."""
    with np.errstate(all="ignore"):
        found = worked_out(tree)
    if found is None or (found.ndim and found.shape != np.shape(value)):
        return False
    return bool(np.allclose(found, value, rtol=1e-9, atol=1e-12, equal_nan=True))


def _rows(session: Session, formula: Term, value: Any, batched: bool) -> tuple[list[Term] | None, int]:
    """The formula with numbers for the first rows, and how many rows there are; None if that were not right."""
    if value is None or session.values is None:
        return None, 1
    count = len(session.batch_rows) if batched else 1
    rows: list[Term] = []
    for row in range(min(count, ROWS)):
        rows.append(_put(session, formula, row if batched else None))
        if not _right(rows[-1], value[row] if batched else value):
            return None, count
        if sum(map(_written, rows)) + _written(rows[-1]) > _WRITTEN:
            break
    return rows, count


# values


def _values(session: Session) -> list[Line]:
    graph, lines = session.definition.graph, []
    for node in graph.named:
        formula = graph.formulas.get(node.id)
        if node.op is None or formula is None:
            continue
        value = None if session.values is None else session.values[node.index]
        about, left = f"values.{node.id}", Name(node.id)
        if node.index == graph.loss and graph.rows is not None:
            numbers = _loss(session, formula, value)
            lines.append(Line(about, left, named_formula(graph, node) or formula, numbers, value))
        else:
            rows, count = _rows(session, formula, value, node.batched)
            lines.append(Line(about, left, formula, rows, value, count=count, listed=node.batched))
    return lines


def _loss(session: Session, formula: Term, value: Any) -> list[Term] | None:
    """The mean over the rows: of what each comes to, or where that is little, of how it does."""
    graph, values = session.definition.graph, session.values
    if values is None or graph.rows is None:
        return None
    shares, count = _rows(session, formula, values[graph.rows], batched=True)
    if shares is None or len(shares) < count:
        shares = [Number(float(one)) for one in np.asarray(values[graph.rows])[: ROWS + 1]]
        if len(shares) > ROWS:
            shares = [Number(float(np.sum(values[graph.rows])))]
            return [apply("divide", shares[0], float(count)) if graph.reduction == "mean" else shares[0]]
    written = reduced(shares, graph.reduction == "mean")
    return [written] if _right(written, value) else None


# partials


def _partials(session: Session) -> list[Line]:
    """Those that are one number for each element; of others the gradients' products tell."""
    partials = edge_partials(session, "named")
    if partials is None:
        return []
    graph, lines = session.definition.graph, []
    counts = dict(_averaged(graph))
    for edge in plan(graph, "named").edges:
        source, target = graph.nodes[edge.source], graph.nodes[edge.target]
        formula, value = named_partial(graph, source, target), partials[edge.source, edge.target]
        if formula is None or value is None:
            continue
        formula = without_count(graph, formula) if len(session.batch_rows) == 1 else formula
        batched = target.batched or (target.index == graph.loss and graph.rows is not None)
        known = terms.substitute(formula, counts.get(target.index, {}))
        rows, count = _rows(session, known, value, batched)
        about, left = f"partials.{target.id}/{source.id}", slope(target.id, source.id)
        lines.append(Line(about, left, formula, rows, value, count=count, listed=batched))
    return lines


def _averaged(graph: Graph) -> Iterable[tuple[int, Mapping[str, Term]]]:
    """By target: m, how many numbers its formula takes the mean of, if that is always as many."""
    for target, inside in assignments(graph):
        sizes = set()
        for node in inside:
            if node.op == "mean":
                whole = graph.nodes[node.operands[0]].shape
                sizes.add(int(np.prod(whole)) // max(1, int(np.prod(node.shape))))
        if len(sizes) == 1 and "m" not in graph.index:
            yield target, {"m": Number(float(sizes.pop()))}


# gradients


def _gradients(session: Session) -> list[Line]:
    """Each gradient as the vector-Jacobian products of all that the parameter feeds."""
    graph, lines = session.definition.graph, []
    if session.computed is None or session.values is None:
        return []
    loss = graph.nodes[graph.loss].id
    for name, value in (session.gradients or {}).items():
        about, left = f"gradients.{name}", slope(loss, name)
        edges = [edge for edge in plan(graph, "named").edges if edge.source == graph.index[name]]
        if not edges:
            lines.append(Line(about, left, Number(0.0), [Number(0.0)], value))
            continue
        shares = _carried(graph, edges[:PATHS], name)
        if len(edges) > PATHS:
            lines.append(Line(about, left, total([*shares, Name("…")]), None, value))
            continue
        written = [_with_numbers(session, *one) for one in zip(shares, edges, strict=True)]
        # of several, one that cannot be worked out stands there as the numbers that it contributes
        known = [share or number(contribution(session, edge)) for share, edge in zip(written, edges, strict=True)]
        said = len(known) > 1 or written[0] is not None
        rows = [total(known)] if said and _right(total(known), value) else None
        lines.append(Line(about, left, total(shares), rows, value))
    return lines


def _carried(graph: Graph, edges: Sequence[Edge], name: str) -> list[Term]:
    """The vector-Jacobian products of all that a parameter feeds."""
    loss, source = graph.nodes[graph.loss].id, graph.nodes[graph.index[name]]
    shares: list[Term] = []
    for edge in edges:
        target = graph.nodes[edge.target]
        formula = graph.formulas[target.id]
        carried = None if formula is None else product(formula, name, upstream_of(graph, target))
        if carried is not None and target.batched and not source.batched and elementwise(formula or carried, name):
            carried = apply("sum_rows", rows_indexed(graph, carried, "i"))
        shares.append(carried or slope(loss, name))
    return shares


def _with_numbers(session: Session, share: Term, edge: Edge) -> Term | None:
    """One product with whole matrices, or as a sum over the rows, whichever gives what the edge contributes."""
    value = contribution(session, edge)
    over_rows = isinstance(share, Apply) and share.operation == "sum_rows"
    whole = _put(session, share, None)
    if not over_rows and _right(whole, value):
        return whole
    inner = share.arguments[0] if isinstance(share, Apply) and over_rows else share
    count = len(session.batch_rows)
    rows = [_put(session, inner, row) for row in range(count if count <= _WRITTEN else 0)]
    if not rows or sum(map(_written, rows)) > _WRITTEN:
        return None
    return total(rows) if _right(total(rows), value) else None
