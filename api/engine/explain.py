"""Formulas for a reader: what each quantity, partial and gradient of a graph is in symbols."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from api.engine import terms
from api.engine.expression import parse
from api.engine.graph import Graph, Node, Role
from api.engine.ops import OPERATIONS, RULES
from api.engine.terms import Name, Number, Term, apply, differentiate

BUILT_IN = {"mean_rows": "mean over the batch's rows", "sum_rows": "sum over the batch's rows"}


@lru_cache(maxsize=1024)
def tree(formula: str) -> Term:
    """The tree of a formula that stands in one of our own tables; names may be any."""
    (assignment,) = parse(f"result = {formula}")
    stack: list[Term] = []
    for step in assignment.code:
        if step.kind == "number":
            stack.append(Number(float(step.text)))
        elif step.kind == "name":
            stack.append(Name(step.text))
        else:
            arguments = stack[-step.arity :]
            del stack[-step.arity :]
            stack.append(_applied(step.text, arguments))
    return stack[0]


def _applied(operation: str, arguments: list[Term]) -> Term:
    if operation == "power":
        exponent = arguments[1].value if isinstance(arguments[1], Number) else 2.0
        return apply("square", arguments[0]) if exponent == 2 else apply("power", arguments[0], exponent=exponent)
    if operation == "negative" and isinstance(arguments[0], Number):
        return Number(-arguments[0].value)
    return apply(operation, *arguments)


def named_formula(graph: Graph, node: Node) -> Term | None:
    """An assigned quantity's formula, the loss's with its mean or sum over the rows; None where it is too long."""
    formula = graph.formulas[node.id]
    if formula is not None and node.role is Role.LOSS and graph.rows is not None:
        return apply(f"{graph.reduction}_rows", formula)
    return formula


def operation_formula(graph: Graph, node: Node) -> Term | None:
    """A primitive operation in the names of its operands; None for what is no operation."""
    if node.op is None:
        return None
    operands = [_operand(graph.nodes[operand]) for operand in node.operands]
    return apply(node.op, *operands, exponent=node.constant if node.op == "power" else None)


def _operand(node: Node) -> Term:
    return Number(node.constant) if node.op is None and node.constant is not None else Name(node.id)


def named_partial(graph: Graph, source: Node, target: Node) -> Term | None:
    """∂target/∂source within the target's own formula; of a mean over n rows, one row's share."""
    formula = graph.formulas[target.id]
    if formula is None:
        return None
    partial = differentiate(formula, source.id, RULES, Name(target.id) if target.role is not Role.LOSS else None)
    if target.role is Role.LOSS and graph.rows is not None and graph.reduction == "mean":
        partial = partial / Name("n")
    return partial if partial.size <= terms.LONGEST else None


def operation_partial(graph: Graph, source: Node, target: Node) -> Term:
    """∂target/∂source of one primitive operation, in the names of its operands."""
    if target.op in BUILT_IN:
        return Number(1.0) / Name("n") if target.op == "mean_rows" else Number(1.0)
    result: Term = Number(0.0)
    operands = [_operand(graph.nodes[operand]) for operand in target.operands]
    static = (target.constant,) if target.op == "power" else ()
    for place, operand in enumerate(target.operands):
        if operand == source.index:
            result = result + OPERATIONS[str(target.op)].derivatives[place](Name(target.id), *operands, *static)
    return result


def rows_indexed(graph: Graph, formula: Term, row: str) -> Term:
    """``formula`` with ``row`` below every quantity that has the batch's rows."""
    batched = {name: Name(name, row) for name in terms.names(formula) if _has_rows(graph, name)}
    return terms.substitute(formula, batched)


def _has_rows(graph: Graph, name: str) -> bool:
    return name in graph.index and graph.nodes[graph.index[name]].batched


def with_numbers(formula: Term, values: Mapping[str, float]) -> Term:
    """``formula`` with numbers put in for its names."""
    return terms.substitute(formula, {name: Number(value) for name, value in values.items()})
