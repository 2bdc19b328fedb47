"""Formulas as trees, with the calculus that the explanations need.

    Term = Number(value) | Matrix(value) | Name(name) | Apply(operation, arguments, exponent)

A tree explains, it never computes: numbers come from ``forward`` and ``backward``. Trees are built bottom up, with the
few simplifications a person would make (``0 + x``, ``1 · x``, ``−(−x)``, ``x + x``); longer than ``LONGEST``
operations they are not worth reading, and callers leave them out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGEST = 120
"""Formulas of more operations than this are not written out."""


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A formula; ``size`` counts its operations."""

    size: int = field(default=0, init=False)

    def __add__(self, other: Term | float) -> Term:
        return _sum("add", self, term(other))

    def __radd__(self, other: float) -> Term:
        return _sum("add", term(other), self)

    def __sub__(self, other: Term | float) -> Term:
        return _sum("subtract", self, term(other))

    def __rsub__(self, other: float) -> Term:
        return _sum("subtract", term(other), self)

    def __mul__(self, other: Term | float) -> Term:
        return _product(self, term(other))

    def __rmul__(self, other: float) -> Term:
        return _product(term(other), self)

    def __truediv__(self, other: Term | float) -> Term:
        return _quotient(self, term(other))

    def __rtruediv__(self, other: float) -> Term:
        return _quotient(term(other), self)

    def __neg__(self) -> Term:
        return _negative(self)


@dataclass(frozen=True, slots=True, eq=False)
class Number(Term):
    """A number that stands in a formula."""

    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Matrix(Term):
    """The numbers of a tensor, that stand in a formula; ``value`` has at least one axis."""

    value: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Name(Term):
    """A quantity by its name; ``row`` is the index of one example, as it is to be written, ``letter`` what stands for
    the name where formulas are set rather than typed."""

    name: str
    row: str = ""
    letter: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Apply(Term):
    """An operation on terms; ``exponent`` is a power's where it is constant, else the power has two arguments.

    Besides the primitive operations: ``partial`` is ∂(first)/∂(second), ``sum_rows`` is Σᵢ, ``where`` is the second
    argument if the first holds, else the third, ``at`` is the first at the place that the others name.
    """

    operation: str
    arguments: tuple[Term, ...]
    exponent: float | None = None
    static: tuple[tuple[str, int | None], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", 1 + sum(argument.size for argument in self.arguments))


def term(value: Term | float) -> Term:
    """``value`` as a term."""
    return value if isinstance(value, Term) else Number(float(value))


def number(value: Any) -> Term:
    """A value as it stands in a formula: a number, or the numbers of a tensor."""
    array = np.asarray(value, dtype=np.float64)
    return Matrix(array) if array.ndim else Number(float(array))


def is_number(tree: Term, value: float) -> bool:
    """Whether ``tree`` is just this number."""
    return isinstance(tree, Number) and tree.value == value


def apply(operation: str, *arguments: Term | float, exponent: float | None = None) -> Term:
    """``operation`` on ``arguments``, as written: nothing is simplified."""
    return Apply(operation, tuple(term(argument) for argument in arguments), exponent)


def _sum(operation: str, left: Term, right: Term) -> Term:
    if is_number(right, 0):
        return left
    if is_number(left, 0):
        return right if operation == "add" else _negative(right)
    if isinstance(left, Number) and isinstance(right, Number):
        return Number(left.value + right.value if operation == "add" else left.value - right.value)
    (first, rest), (second, more) = _coefficient(left), _coefficient(right)
    if rest is not None and more is not None and same(rest, more):
        return _product(Number(first + second if operation == "add" else first - second), rest)
    if isinstance(right, Apply) and right.operation == "negative":
        return Apply("subtract" if operation == "add" else "add", (left, right.arguments[0]))
    return Apply(operation, (left, right))


def _product(left: Term, right: Term) -> Term:
    first, rest = _coefficient(left)
    second, more = _coefficient(right)
    scale = first * second
    if scale == 0:
        return Number(0.0)
    if rest is None and more is None:
        return Number(scale)
    factors = rest or more if rest is None or more is None else Apply("multiply", (rest, more))
    assert factors is not None
    if scale == -1:
        return Apply("negative", (factors,))
    return factors if scale == 1 else _scaled(Number(scale), factors)


def _coefficient(tree: Term) -> tuple[float, Term | None]:
    """A product's leading number (1 if it has none) and its other factors (None if it has none)."""
    if isinstance(tree, Number):
        return tree.value, None
    if isinstance(tree, Apply) and tree.operation == "negative":
        number, rest = _coefficient(tree.arguments[0])
        return -number, rest
    if isinstance(tree, Apply) and tree.operation == "multiply":
        number, rest = _coefficient(tree.arguments[0])
        if number != 1:
            return number, tree.arguments[1] if rest is None else Apply("multiply", (rest, tree.arguments[1]))
    return 1.0, tree


def _scaled(number: Number, factors: Term) -> Term:
    """``number`` before the first of ``factors``."""
    if isinstance(factors, Apply) and factors.operation == "multiply":
        return Apply("multiply", (_scaled(number, factors.arguments[0]), factors.arguments[1]))
    return Apply("multiply", (number, factors))


def _quotient(left: Term, right: Term) -> Term:
    if is_number(left, 0) or is_number(right, 1):
        return left
    if isinstance(left, Apply) and left.operation == "negative":
        return _negative(_quotient(left.arguments[0], right))
    return Apply("divide", (left, right))


def _negative(tree: Term) -> Term:
    if isinstance(tree, Number):
        return Number(-tree.value)
    if isinstance(tree, Apply) and tree.operation == "negative":
        return tree.arguments[0]
    return Apply("negative", (tree,))


def same(left: Term, right: Term) -> bool:
    """Whether both are written alike."""
    if isinstance(left, Apply) and isinstance(right, Apply):
        alike = (left.operation, left.exponent, left.static) == (right.operation, right.exponent, right.static)
        alike = alike and left.size == right.size and len(left.arguments) == len(right.arguments)
        return alike and all(map(same, left.arguments, right.arguments))
    if isinstance(left, Name) and isinstance(right, Name):
        return (left.name, left.row) == (right.name, right.row)
    return isinstance(right, Number) and is_number(left, right.value)


def leading(tree: Term) -> Term:
    """The first factor of a product, the term itself if it is none."""
    while isinstance(tree, Apply) and tree.operation == "multiply":
        tree = tree.arguments[0]
    return tree


def names(tree: Term) -> list[str]:
    """The names in ``tree``, each once, in the order of their first appearance."""
    found: dict[str, None] = {}
    waiting = [tree]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Name):
            found.setdefault(here.name)
        elif isinstance(here, Apply):
            waiting.extend(reversed(here.arguments))
    return list(found)


def substitute(tree: Term, values: Mapping[str, Term]) -> Term:
    """``tree`` with each name in ``values`` put in, otherwise as written. Only for trees up to ``LONGEST``."""
    if isinstance(tree, Name):
        return values.get(tree.name, tree)
    if isinstance(tree, Apply):
        arguments = tuple(substitute(one, values) for one in tree.arguments)
        return Apply(tree.operation, arguments, tree.exponent, tree.static)
    return tree


Rule = Callable[..., Term]


def differentiate(tree: Term, name: str, rules: Mapping[str, tuple[Rule, ...]], whole: Term | None = None) -> Term:
    """∂tree/∂name by the chain rule: the sum over the arguments of outer partial times inner derivative.

    ``rules`` gives each operation's partials, called with the result, the arguments and, for a power, its exponent;
    ``whole`` is what to call the result of the outermost operation (a name reads better than its formula again).
    Only for trees up to ``LONGEST``.
    """
    if isinstance(tree, Name):
        return Number(1.0 if tree.name == name else 0.0)
    if not isinstance(tree, Apply) or tree.operation not in rules:
        return Number(0.0)  # other operations have no such partial: callers see to it that the name is not in them
    result: Term = Number(0.0)
    static = () if tree.exponent is None else (tree.exponent,)
    for rule, argument in zip(rules[tree.operation], tree.arguments, strict=True):
        inner = differentiate(argument, name, rules)
        if not is_number(inner, 0):
            result = result + rule(whole or tree, *tree.arguments, *static) * inner
    return result
