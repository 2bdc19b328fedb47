"""The equations of a step in a graph of numbers, before they are written in one script or another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.documents.graph import edge_partials, plan
from api.documents.working import settled
from api.engine import terms
from api.engine.explain import named_formula, named_partial, rows_indexed, rows_of, with_numbers
from api.engine.graph import Graph, Node
from api.engine.kernels import Value
from api.engine.terms import Apply, Name, Number, Term, apply
from api.training.session import Session

ROWS = 6
"""Rows up to which each is written out; of more, the first three."""
PATHS = 6
"""Quantities up to which a gradient is written as the sum over those that its parameter feeds."""


@dataclass(frozen=True, slots=True)
class Line:
    """An equation: ``left`` = ``right``, and the right side with numbers, once or for the first of ``count`` rows."""

    about: str
    left: Term
    right: Term
    rows: Sequence[Term] | None
    value: Value | None
    assigned: bool = False
    count: int = 1
    listed: bool = False
    """Whether it is written as a list of rows, even of one."""


def shown(count: int) -> int:
    """How many of so many rows are written out."""
    return count if count <= ROWS else 3


def number_lines(session: Session) -> list[Line]:
    """Values, partials and gradients, as far as they are computed."""
    return [*_values(session), *_partials(session), *_gradients(session)]


def _numbers(session: Session, formula: Term, row: int) -> dict[str, float]:
    """The numbers of a formula's names in one row, and the number of rows."""
    graph, values = session.definition.graph, session.values or []
    known: dict[str, float] = {rows_of(graph).name: float(max(1, len(session.batch_rows)))}
    for name in terms.names(formula):
        if name in graph.index:
            value = values[graph.index[name]]
            known[name] = value[row] if isinstance(value, list) else value
    return known


def _per_row(session: Session, formula: Term, count: int) -> list[Term] | None:
    if session.values is None:
        return None
    return [settled(with_numbers(formula, _numbers(session, formula, row))) for row in range(shown(count))]


def _line(session: Session, about: str, left: Term, formula: Term, value: Value | None) -> Line:
    """A line with numbers put in for each row, if its value has rows."""
    listed = isinstance(value, list)
    count = len(value) if isinstance(value, list) else 1
    return Line(about, left, formula, _per_row(session, formula, count), value, count=count, listed=listed)


def _values(session: Session) -> list[Line]:
    graph, lines = session.definition.graph, []
    for node in graph.named:
        formula = graph.formulas.get(node.id)
        if node.op is None or formula is None:
            continue
        value = None if session.values is None else session.values[node.index]
        if node.index == graph.loss and graph.rows is not None:
            lines.append(_loss_line(session, node, formula, value))
        else:
            lines.append(_line(session, f"values.{node.id}", Name(node.id), formula, value))
    return lines


def _loss_line(session: Session, node: Node, formula: Term, value: Value | None) -> Line:
    """L = the mean over the rows, written out for a few rows: (… + … + …) / n."""
    graph, count = session.definition.graph, len(session.batch_rows)
    symbolic = named_formula(graph, node) or formula
    if count == 1:
        return _line(session, f"values.{node.id}", Name(node.id), formula, value)
    symbolic = Apply(f"{graph.reduction}_rows", (rows_indexed(graph, formula, "i"),))
    rows = None
    if session.values is not None and graph.rows is not None:
        each = session.values[graph.rows]
        assert isinstance(each, list)  # the loss has rows
        mean = graph.reduction == "mean"
        if count <= ROWS:
            shares = [with_numbers(formula, _numbers(session, formula, row)) for row in range(count)]
            rows = [reduced(shares, mean)]
        else:
            total = sum(each, -0.0)
            rows = [apply("divide", total, float(count)) if mean else Number(total)]
    return Line(f"values.{node.id}", Name(node.id), symbolic, rows, value)


def reduced(shares: list[Term], mean: bool) -> Term:
    """The mean of the rows' losses, or their sum."""
    sum_of = total(shares)
    if not mean or len(shares) == 1:
        return sum_of
    return Apply("multiply", (Apply("divide", (Number(1.0), Number(float(len(shares))))), sum_of))


def total(shares: Sequence[Term]) -> Term:
    """Their sum, from left to right, as written."""
    result = shares[0]
    for share in shares[1:]:
        result = apply("add", result, share)
    return result


def _partials(session: Session) -> list[Line]:
    partials = edge_partials(session, "named")
    if partials is None:
        return []
    graph, lines = session.definition.graph, []
    for edge in plan(graph, "named").edges:
        source, target = graph.nodes[edge.source], graph.nodes[edge.target]
        formula = named_partial(graph, source, target)
        if formula is None:
            continue
        if len(session.batch_rows) == 1:
            formula = without_count(graph, formula)
        about = f"partials.{target.id}/{source.id}"
        lines.append(_line(session, about, slope(target.id, source.id), formula, partials[edge.source, edge.target]))
    return lines


def without_count(graph: Graph, formula: Term) -> Term:
    """Nobody divides by one row."""
    if not isinstance(formula, Apply):
        return formula
    last = formula.arguments[-1]
    divided = formula.operation == "divide" and isinstance(last, Name) and last.name == rows_of(graph).name
    return formula.arguments[0] if divided else formula


def slope(above: str, below: str) -> Term:
    """∂above/∂below."""
    return Apply("partial", (Name(above), Name(below)))


def _gradients(session: Session) -> list[Line]:
    """Each gradient as the sum over its paths, or where those are many, over the quantities it feeds."""
    partials = edge_partials(session, "named")
    if partials is None or session.computed is None:
        return []
    graph, lines = session.definition.graph, []
    loss = graph.nodes[graph.loss].id
    for name, value in (session.gradients or {}).items():
        edges = [edge for edge in plan(graph, "named").edges if edge.source == graph.index[name]]
        if not edges:
            lines.append(Line(f"gradients.{name}", slope(loss, name), Number(0.0), [Number(0.0)], value))
            continue
        symbols, shares = list[Term](), list[Term]()
        for edge in edges[:PATHS]:
            target = graph.nodes[edge.target]
            local = partials[edge.source, edge.target]
            outer = 1.0 if target.index == graph.loss else session.computed.of.get(target.index, 0.0)
            symbols.append(_product_symbol(graph, loss, target, name, isinstance(local, list) and len(local) > 1))
            shares += _products(outer, local, target.index == graph.loss)
        whole = len(edges) <= PATHS and len(shares) <= 2 * ROWS
        symbols += [Name("…")] * (len(edges) > PATHS)
        rows = [total(shares)] if whole else [Number(float(value))]
        lines.append(Line(f"gradients.{name}", slope(loss, name), total(symbols), rows, value))
    return lines


def _product_symbol(graph: Graph, loss: str, target: Node, name: str, many: bool) -> Term:
    row = "i" if many else ""
    if target.index == graph.loss:
        inner = named_partial(graph, graph.nodes[graph.index[name]], target)
        single = rows_indexed(graph, inner, row) if inner is not None else slope(loss, name)
    else:
        above = Name(target.id, row) if target.batched else Name(target.id)
        left = Apply("partial", (Name(loss), above))
        single = Apply("multiply", (left, Apply("partial", (above, Name(name)))))
    return Apply("sum_rows", (single,)) if many else single


def _products(outer: Value, local: Value, direct: bool) -> list[Term]:
    count = len(local) if isinstance(local, list) else 1
    outers = outer if isinstance(outer, list) else [outer] * count
    locals_ = local if isinstance(local, list) else [local] * count
    if direct:
        return [Number(one) for one in locals_]
    return [apply("multiply", left, right) for left, right in zip(outers, locals_, strict=True)]
