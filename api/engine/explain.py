"""Formulas for a reader: what each quantity, partial and gradient of a graph is in symbols."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from itertools import chain, count

from api.engine import terms
from api.engine.graph import Graph, Node, Role
from api.engine.ops import ELEMENTWISE, RULES
from api.engine.tensor_ops import TENSOR
from api.engine.terms import Apply, Name, Number, Term, apply, differentiate

BUILT_IN = {"mean_rows": "mean over the batch's rows", "sum_rows": "sum over the batch's rows"}


_SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Gt: "greater", ast.Lt: "less"
}  # fmt: skip


@lru_cache(maxsize=1024)
def tree(formula: str) -> Term:
    """The tree of a formula that stands in one of our own tables: signs, calls, comparisons and ``a if b > c else d``
    as Python writes them; names and functions may be any."""
    return _read(ast.parse(formula, mode="eval").body)


def _read(node: ast.expr) -> Term:
    match node:
        case ast.Constant(value=int() | float() as value):
            return Number(float(value))
        case ast.Name(id=name):
            return Name(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _read(operand)
            return Number(-inner.value) if isinstance(inner, Number) else apply("negative", inner)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_read(left), _read(right))
        case ast.BinOp(left=left, op=sign, right=right) | ast.Compare(left=left, ops=[sign], comparators=[right]):
            return apply(_SIGNS[type(sign)], _read(left), _read(right))
        case ast.Call(func=ast.Name(id=function), args=arguments):
            return apply(function, *map(_read, arguments))
        case ast.IfExp(test=test, body=then, orelse=otherwise):
            return apply("where", _read(test), _read(then), _read(otherwise))
    raise ValueError(f"no formula of a table: {ast.unparse(node)}")


def _power(base: Term, exponent: Term) -> Term:
    if not isinstance(exponent, Number):
        return apply("power", base, exponent)
    return apply("square", base) if exponent.value == 2 else apply("power", base, exponent=exponent.value)


def rows_of(graph: Graph) -> Name:
    """What the number of the batch's rows is called: n, unless the formulas use that name."""
    names = chain(("n", "rows"), (f"rows_{place}" for place in count(1)))
    return Name(next(name for name in names if name not in graph.index))


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
    return Apply(node.op, tuple(operands), node.constant if node.op == "power" else None, node.static)


def _operand(node: Node) -> Term:
    return Number(node.constant) if node.op is None and node.constant is not None else Name(node.id)


def named_partial(graph: Graph, source: Node, target: Node) -> Term | None:
    """∂target/∂source within the target's own formula; of a mean over n rows, one row's share."""
    formula = graph.formulas[target.id]
    if formula is None:
        return None
    if not elementwise(formula, source.id):
        return product(formula, source.id, upstream_of(graph, target))
    formula = without_sums(formula, source.id)
    partial = differentiate(formula, source.id, RULES, Name(target.id) if target.role is not Role.LOSS else None)
    if target.role is Role.LOSS and graph.rows is not None and graph.reduction == "mean":
        partial = partial / rows_of(graph)
    return partial if partial.size <= terms.LONGEST else None


def operation_partial(graph: Graph, source: Node, target: Node) -> Term:
    """∂target/∂source of one primitive operation, in the names of its operands."""
    if target.op in BUILT_IN:
        return Number(1.0) / rows_of(graph) if target.op == "mean_rows" else Number(1.0)
    if target.op in TENSOR:
        formula = operation_formula(graph, target)
        assert formula is not None
        return product(formula, source.id, upstream_of(graph, target)) or Number(0.0)
    result: Term = Number(0.0)
    operands = [_operand(graph.nodes[operand]) for operand in target.operands]
    static = (target.constant,) if target.op == "power" else ()
    for place, operand in enumerate(target.operands):
        if operand == source.index:
            result = result + ELEMENTWISE[str(target.op)].derivatives[place](Name(target.id), *operands, *static)
    return result


LINEAR = ("sum", "mean")
"""Reductions whose partial is one number for each element of what they add up."""


def elementwise(formula: Term, name: str) -> bool:
    """Whether ∂formula/∂name is one number for each element: no product of matrices and the like on the way."""
    if not isinstance(formula, Apply) or name not in terms.names(formula):
        return True
    if formula.operation in TENSOR and formula.operation not in LINEAR:
        return False
    return all(elementwise(argument, name) for argument in formula.arguments)


def without_sums(formula: Term, name: str) -> Term:
    """``formula`` as seen from one element of ``name``: a sum over elements is the element, a mean its
    share, 1/m."""
    if not isinstance(formula, Apply) or name not in terms.names(formula):
        return formula
    inside = [without_sums(argument, name) for argument in formula.arguments]
    if formula.operation in LINEAR:
        return inside[0] if formula.operation == "sum" else inside[0] / Name("m")
    return Apply(formula.operation, tuple(inside), formula.exponent, formula.static)


def upstream_of(graph: Graph, target: Node) -> Term:
    """What a vector-Jacobian product starts from: ∂L/∂target, or of the loss itself one row's share."""
    if target.index == graph.loss:
        return Number(1.0) / rows_of(graph) if graph.rows is not None and graph.reduction == "mean" else Number(1.0)
    return Apply("partial", (Name(graph.nodes[graph.loss].id), Name(target.id)))


def product(formula: Term, name: str, upstream: Term) -> Term | None:
    """The vector-Jacobian product: ``upstream``, the gradient of ``formula``, carried back to ``name``."""
    if isinstance(formula, Name):
        return upstream if formula.name == name else None
    if not isinstance(formula, Apply):
        return None
    if formula.operation in TENSOR:
        shares = TENSOR[formula.operation].cotangent(upstream, formula, *formula.arguments)
    else:
        static = () if formula.exponent is None else (formula.exponent,)
        rules = RULES[formula.operation]
        shares = tuple(upstream * rule(formula, *formula.arguments, *static) for rule in rules)
    found = [product(inner, name, share) for inner, share in zip(formula.arguments, shares, strict=True)]
    known = [share for share in found if share is not None]
    total = known[0] if known else None
    for share in known[1:]:
        total = share if total is None else total + share
    return total


def rows_indexed(graph: Graph, formula: Term, row: str) -> Term:
    """``formula`` with ``row`` below every quantity that has the batch's rows."""
    batched = {name: Name(name, row) for name in terms.names(formula) if _has_rows(graph, name)}
    return terms.substitute(formula, batched)


def _has_rows(graph: Graph, name: str) -> bool:
    return name in graph.index and graph.nodes[graph.index[name]].batched


def with_numbers(formula: Term, values: Mapping[str, float]) -> Term:
    """``formula`` with numbers put in for its names."""
    return terms.substitute(formula, {name: Number(value) for name, value in values.items()})
