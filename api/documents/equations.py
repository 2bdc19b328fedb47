"""Every formula of a step: with symbols, with the numbers put in, and its value.

``about`` names the quantity as an answer to ``check`` would: ``values.yhat``, ``partials.L/yhat``, ``gradients.w1``,
``updated.w1``. ``symbolic`` is the whole equation; ``substituted`` its right-hand side with numbers, a list with one
item per row where there are several rows; in MathML it starts with its = sign (≈ where digits were dropped).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.documents.graph import edge_partials, plan
from api.documents.state import Stored
from api.documents.tensors import tensor
from api.documents.updates import explained
from api.engine import terms
from api.engine.explain import (
    elementwise,
    named_formula,
    named_partial,
    product,
    rows_indexed,
    upstream_of,
    with_numbers,
)
from api.engine.graph import Graph, Node
from api.engine.kernels import Value
from api.engine.latex import LATEX
from api.engine.mathml import MATHML, markup
from api.engine.notation import TEXT, Script, exact, rounded
from api.engine.paths import Edge
from api.engine.terms import Apply, Name, Number, Term, apply
from api.training.session import Session

Document = dict[str, Any]
SCRIPTS: dict[str, Script] = {"text": TEXT, "latex": LATEX, "mathml": MATHML}
_ROWS = 6
"""Rows up to which each is written out; of more, the first three."""
_WRITTEN = 3
"""Rows up to which MathML puts the numbers into the formula for each; of more, for the first two."""
_PATHS = 6
_SMALL = 36
"""Numbers up to which a tensor is written out in MathML."""
_COMMA = '<mo separator="true">,</mo>'


@dataclass(frozen=True, slots=True)
class Line:
    """An equation before it is written: ``left`` = ``right``, and the right side for each row with numbers."""

    about: str
    left: Term
    right: Term
    rows: Sequence[Term] | None
    value: Value | None
    assigned: bool = False


def equations(stored: Stored, format: str = "latex") -> list[Document]:
    """The equations of the session's present step in one script."""
    session = stored.session
    lines = [*_values(session), *_partials(session), *_gradients(session), *_updated(session)]
    return [_mathml(line) if format == "mathml" else _plain(line, SCRIPTS[format]) for line in lines]


def _plain(line: Line, script: Script) -> Document:
    substituted = None
    if line.rows is not None:
        written = [script.write(row) for row in line.rows[: _shown(line.rows)]]
        more = ["…"] if len(line.rows) > len(written) else []
        substituted = f"[{', '.join(written + more)}]" if isinstance(line.value, list) else written[0]
    return {
        "about": line.about,
        "symbolic": script.equation(script.write(line.left), script.write(line.right), line.assigned),
        "substituted": substituted,
        "value": tensor(line.value),
    }


def _shown(rows: Sequence[Term] | Sequence[float]) -> int:
    return len(rows) if len(rows) <= _ROWS else 3


def _mathml(line: Line) -> Document:
    symbolic = markup(MATHML.equation(MATHML.write(line.left), MATHML.write(line.right), line.assigned))
    substituted = value = None
    if line.rows is None and line.value is not None:
        value = markup(_tensor_markup(line.value))
    if line.rows is not None and line.value is not None:
        values = line.value if isinstance(line.value, list) else [line.value]
        plain = all(isinstance(row, Number) for row in line.rows)  # then these are the values: nothing to be put in
        written = _shown(line.rows) if plain or len(line.rows) <= _WRITTEN else _WRITTEN - 1
        substituted = markup(_listed([MATHML.write(row) for row in line.rows[:written]], len(line.rows), "="))
        shown = _shown(values)
        numbers = [MATHML.write(Number(one)) for one in values[:shown]]
        same = all(rounded(one) == exact(one) for one in values[:shown])
        value = markup(_listed(numbers, len(values), "=" if same else "≈"))
    return {"about": line.about, "symbolic": symbolic, "substituted": substituted, "value": value}


def _tensor_markup(value: Any) -> str:
    """A small tensor as a matrix, one line for each row; of a larger one its shape."""
    array = np.asarray(value, dtype=np.float64)
    same = all(rounded(one) == exact(one) for one in array.ravel().tolist()[:_SMALL])
    relation = f"<mo>{'=' if same else '≈'}</mo>"
    if array.size > _SMALL or array.ndim > 2:
        return f"<mtext>of shape {' × '.join(map(str, array.shape))}</mtext>"
    if array.size == 1:
        return relation + MATHML.write(Number(float(array.ravel()[0])))
    rows = np.atleast_2d(array).tolist()
    cells = ("".join(f"<mtd>{MATHML.write(Number(one))}</mtd>" for one in row) for row in rows)
    return (
        f"{relation}<mrow><mo>[</mo><mtable>{''.join(f'<mtr>{row}</mtr>' for row in cells)}</mtable><mo>]</mo></mrow>"
    )


def _listed(items: list[str], count: int, relation: str) -> str:
    """One item as it is, several as a list in square brackets, with dots where ``count`` is more."""
    if count == 1:
        return f"<mo>{relation}</mo>{items[0]}"
    rows = [f"<mrow>{item}</mrow>" for item in items] + (["<mo>…</mo>"] if count > len(items) else [])
    return f"<mo>{relation}</mo><mo>[</mo>{_COMMA.join(rows)}<mo>]</mo>"


def _numbers(session: Session, formula: Term, row: int) -> dict[str, float]:
    """The numbers of a formula's names in one row; n is the number of rows."""
    graph, values = session.definition.graph, session.values or []
    known: dict[str, float] = {"n": float(max(1, len(session.batch_rows)))}
    for name in terms.names(formula):
        if name in graph.index:
            value = values[graph.index[name]]
            known[name] = value[row] if isinstance(value, list) else value
    return known


def _per_row(session: Session, formula: Term, count: int) -> list[Term] | None:
    if session.values is None:
        return None
    wanted = count if count <= _ROWS else 3
    rows = [with_numbers(formula, _numbers(session, formula, row)) for row in range(wanted)]
    return rows + rows[:1] * (count - wanted)


def _values(session: Session) -> list[Line]:
    graph, lines = session.definition.graph, []
    for node in graph.named:
        formula = graph.formulas.get(node.id)
        if node.op is None or formula is None:
            continue
        value = None if session.values is None else session.values[node.index]
        count = len(session.batch_rows) if node.batched else 1
        if not graph.scalar:
            lines.append(Line(f"values.{node.id}", Name(node.id), named_formula(graph, node) or formula, None, value))
        elif node.index == graph.loss and graph.rows is not None:
            lines.append(_loss_line(session, node, formula, value))
        else:
            lines.append(Line(f"values.{node.id}", Name(node.id), formula, _per_row(session, formula, count), value))
    return lines


def _loss_line(session: Session, node: Node, formula: Term, value: Value | None) -> Line:
    """L = the mean over the rows, written out for a few rows: (… + … + …) / n."""
    graph, count = session.definition.graph, len(session.batch_rows)
    symbolic = named_formula(graph, node) or formula
    if count == 1:
        return Line(f"values.{node.id}", Name(node.id), formula, _per_row(session, formula, 1), value)
    symbolic = Apply(f"{graph.reduction}_rows", (rows_indexed(graph, formula, "i"),))
    rows = None
    if session.values is not None and graph.rows is not None:
        each = session.values[graph.rows]
        assert isinstance(each, list)  # the loss has rows
        if count <= _ROWS:
            shares = [with_numbers(formula, _numbers(session, formula, row)) for row in range(count)]
            rows = [_mean(shares, count if graph.reduction == "mean" else 1)]
        else:
            total = sum(each, -0.0)
            rows = [apply("divide", total, float(count)) if graph.reduction == "mean" else Number(total)]
    return Line(f"values.{node.id}", Name(node.id), symbolic, rows, value)


def _mean(shares: list[Term], count: int) -> Term:
    total = shares[0]
    for share in shares[1:]:
        total = apply("add", total, share)
    return Apply("multiply", (Apply("divide", (Number(1.0), Number(float(count)))), total)) if count > 1 else total


def _partials(session: Session) -> list[Line]:
    partials = edge_partials(session, "named")
    if partials is None:
        return []
    graph, lines = session.definition.graph, []
    for edge in plan(graph, "named").edges:
        source, target = graph.nodes[edge.source], graph.nodes[edge.target]
        value = partials[edge.source, edge.target]
        formula = named_partial(graph, source, target)
        if formula is None:
            continue
        symbol = _partial(target.id, source.id)
        if not graph.scalar:
            if value is not None:  # else the gradients' products say it
                lines.append(Line(f"partials.{target.id}/{source.id}", symbol, formula, None, value))
            continue
        count = len(value) if isinstance(value, list) else 1
        if len(session.batch_rows) == 1 and isinstance(formula, Apply):
            formula = _without_n(formula)
        about = f"partials.{target.id}/{source.id}"
        lines.append(Line(about, symbol, formula, _per_row(session, formula, count), value))
    return lines


def _without_n(formula: Apply) -> Term:
    """Nobody divides by one row."""
    last = formula.arguments[-1]
    divided = formula.operation == "divide" and isinstance(last, Name) and last.name == "n"
    return formula.arguments[0] if divided else formula


def _partial(target: str, source: str, row: str = "") -> Term:
    return Apply("partial", (Name(target), Name(source, row)))


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
            lines.append(Line(f"gradients.{name}", _partial(loss, name), Number(0.0), [Number(0.0)], value))
            continue
        if not graph.scalar:
            lines.append(Line(f"gradients.{name}", _partial(loss, name), _carried(graph, edges, name), None, value))
            continue
        symbols, shares = [], []
        for edge in edges[:_PATHS]:
            target = graph.nodes[edge.target]
            local = partials[edge.source, edge.target]
            outer = 1.0 if target.index == graph.loss else session.computed.of.get(target.index, 0.0)
            symbols.append(_product_symbol(graph, loss, target, name, isinstance(local, list) and _many(local)))
            shares += _products(outer, local, target.index == graph.loss)
        whole = len(edges) <= _PATHS and len(shares) <= 2 * _ROWS
        rows = [_total(shares)] if whole else [Number(float(value))]
        lines.append(Line(f"gradients.{name}", _partial(loss, name), _total(symbols), rows, value))
    return lines


def _carried(graph: Graph, edges: Sequence[Edge], name: str) -> Term:
    """A tensor's gradient: the vector-Jacobian products of all that it feeds."""
    loss, source = graph.nodes[graph.loss].id, graph.nodes[graph.index[name]]
    shares: list[Term] = []
    for edge in edges:
        target = graph.nodes[edge.target]
        whole = graph.formulas[target.id]
        carried = None
        if whole is not None:
            carried = product(whole, name, upstream_of(graph, target))
        if carried is not None and target.batched and not source.batched and elementwise(whole or carried, name):
            carried = apply("sum_rows", rows_indexed(graph, carried, "i"))
        shares.append(carried or _partial(loss, name))
    return _total(shares)


def _many(value: list[float]) -> bool:
    return len(value) > 1


def _product_symbol(graph: Graph, loss: str, target: Node, name: str, many: bool) -> Term:
    row = "i" if many else ""
    if target.index == graph.loss:
        inner = named_partial(graph, graph.nodes[graph.index[name]], target)
        single = rows_indexed(graph, inner, row) if inner is not None else _partial(loss, name)
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


def _total(shares: list[Term]) -> Term:
    total = shares[0]
    for share in shares[1:]:
        total = apply("add", total, share)
    return total


def _updated(session: Session) -> list[Line]:
    """Each line of the optimiser's rule for each parameter, of the last update."""
    update = session.last_update
    if update is None or session.values is not None:
        return []
    graph, lines = session.definition.graph, []
    loss = graph.nodes[graph.loss].id
    for name in update.before:
        for one in explained(update, name, loss):
            numbers = None if one.substituted is None else [one.substituted]
            lines.append(Line(f"updated.{name}", one.left, one.right, numbers, one.value, assigned=True))
    return lines
