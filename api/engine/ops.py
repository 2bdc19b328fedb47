"""The table of elementwise operations: one row each, and being in it is being tested.

A row holds its forward rule and one partial derivative for each operand, as Python expressions over floats: ``a`` and
``b`` are the operands, ``y`` the result, ``c`` a power's constant exponent. Both evaluators, the one that records
(``forward``, ``backward``) and the one that runs (``compiler``), are made from these same texts, so they agree bit for
bit. The texts may call what stands in ``KERNELS``, which answers as IEEE 754 and NumPy do (inf, nan) where Python's
floats would raise.

Conventions at the places without a derivative, as in PyTorch: relu'(0) = 0, abs'(0) = 0, and a tie of maximum or
minimum gives each operand half.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from api.engine.tensor_ops import TENSOR, TensorOperation
from api.engine.terms import Number, Rule, Term, apply


def divide(a: float, b: float) -> float:
    """a / b, with ±inf and nan for division by zero."""
    if b:
        return a / b
    if a == 0 or a != a or b != b:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def exp(a: float) -> float:
    """eᵃ, inf where it overflows."""
    try:
        return math.exp(a)
    except OverflowError:
        return math.inf


def log(a: float) -> float:
    """Natural logarithm; −inf at 0, nan below."""
    if a > 0:
        return math.log(a)
    return -math.inf if a == 0 else math.nan


def sqrt(a: float) -> float:
    """Square root; nan below 0."""
    return math.sqrt(a) if a >= 0 else math.nan


def sin(a: float) -> float:
    """Sine of ``a`` in radians; nan at ±inf."""
    return math.sin(a) if math.isfinite(a) else math.nan


def cos(a: float) -> float:
    """Cosine of ``a`` in radians; nan at ±inf."""
    return math.cos(a) if math.isfinite(a) else math.nan


def power(a: float, c: float) -> float:
    """aᶜ as in IEEE 754: inf where it overflows or divides by zero, nan for a root of a negative number."""
    try:
        return math.pow(a, c)
    except OverflowError:
        return -math.inf if a < 0 and c % 2 == 1 else math.inf
    except ValueError:
        if a != 0:
            return math.nan
        return math.copysign(math.inf, a) if c % 2 == 1 else math.inf


def sigmoid(a: float) -> float:
    """1 / (1 + e⁻ᵃ), from the side where the exponential is at most 1."""
    if a >= 0:
        return 1.0 / (1.0 + math.exp(-a))
    small = math.exp(a) if a == a else math.nan
    return small / (1.0 + small)


def softplus(a: float) -> float:
    """log(1 + eᵃ) = max(a, 0) + log(1 + e⁻|ᵃ|)."""
    return (a if a > 0 or a != a else 0.0) + math.log1p(math.exp(-abs(a)))


def relu(a: float) -> float:
    """max(a, 0); nan stays nan."""
    return a if a > 0 or a != a else 0.0


def step(a: float) -> float:
    """1 if a > 0, else 0."""
    return 1.0 if a > 0 else 0.0


def sign(a: float) -> float:
    """−1, 0 or 1; nan stays nan."""
    return 1.0 if a > 0 else -1.0 if a < 0 else 0.0 if a == 0 else a


def above(a: float, b: float) -> float:
    """1 if a > b, ½ at a tie, else 0."""
    return 1.0 if a > b else 0.5 if a == b else 0.0


def maximum(a: float, b: float) -> float:
    """The larger of both; nan if either is."""
    return a if a >= b or a != a else b


def minimum(a: float, b: float) -> float:
    """The smaller of both; nan if either is."""
    return a if a <= b or a != a else b


KERNELS: dict[str, object] = {
    kernel.__name__: kernel
    for kernel in (
        divide, exp, log, sqrt, sin, cos, power, sigmoid, softplus, relu, step, sign, above, maximum, minimum
    )
} | {"tanh": math.tanh}  # fmt: skip
"""What an operation's text may call."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One row: ``forward`` and ``partials`` are expressions over floats, ``derivatives`` the partials as formulas."""

    name: str
    forward: str
    partials: tuple[str, ...]
    derivatives: tuple[Rule, ...]
    meaning: str
    function: bool = True
    """Whether a formula calls it by its name (else it has a sign of its own)."""
    options: ClassVar[tuple[str, ...]] = ()
    variadic: ClassVar[bool] = False

    @property
    def arity(self) -> int:
        """How many operands it takes."""
        return len(self.partials)


def _one(*_: Term | float) -> Term:
    return Number(1.0)


def _minus_one(*_: Term | float) -> Term:
    return Number(-1.0)


def _at(condition: str) -> Callable[..., Term]:
    """An Iverson bracket: 1 where the condition holds between the operands, else 0; of ``above`` and ``below`` ½ at a
    tie."""
    return lambda _y, a, b=0.0: apply(condition, a, b)


_TABLE = (
    Operation("add", "a + b", ("1.0", "1.0"), (_one, _one), "a + b", False),
    Operation("subtract", "a - b", ("1.0", "-1.0"), (_one, _minus_one), "a − b", False),
    Operation("multiply", "a * b", ("b", "a"), (lambda y, a, b: b, lambda y, a, b: a), "a · b", False),
    Operation("divide", "divide(a, b)", ("divide(1.0, b)", "-divide(y, b)"),
              (lambda y, a, b: 1 / b, lambda y, a, b: -(a / apply("square", b))), "a / b", False),
    Operation("negative", "-a", ("-1.0",), (_minus_one,), "−a", False),
    Operation("power", "power(a, c)", ("(c * power(a, c - 1.0) if c else 0.0)",),
              (lambda y, a, c: c * (apply("square", a) if c == 3 else apply("power", a, exponent=c - 1)),),
              "a to a constant power", False),
    Operation("identity", "a", ("1.0",), (_one,), "a under another name", False),
    Operation("square", "a * a", ("2.0 * a",), (lambda y, a: 2 * a,), "a²"),
    Operation("exp", "exp(a)", ("y",), (lambda y, a: y,), "eᵃ"),
    Operation("log", "log(a)", ("divide(1.0, a)",), (lambda y, a: 1 / a,), "natural logarithm"),
    Operation("sqrt", "sqrt(a)", ("divide(0.5, y)",), (lambda y, a: 1 / (2 * y),), "square root"),
    Operation("tanh", "tanh(a)", ("1.0 - y * y",), (lambda y, a: 1 - apply("square", y),), "hyperbolic tangent"),
    Operation("sigmoid", "sigmoid(a)", ("y * (1.0 - y)",), (lambda y, a: y * (1 - y),), "1 / (1 + e⁻ᵃ)"),
    Operation("relu", "relu(a)", ("step(a)",), (_at("greater"),), "max(a, 0)"),
    Operation("softplus", "softplus(a)", ("sigmoid(a)",), (lambda y, a: apply("sigmoid", a),), "log(1 + eᵃ)"),
    Operation("sin", "sin(a)", ("cos(a)",), (lambda y, a: apply("cos", a),), "sine, a in radians"),
    Operation("cos", "cos(a)", ("-sin(a)",), (lambda y, a: -apply("sin", a),), "cosine, a in radians"),
    Operation("abs", "abs(a)", ("sign(a)",), (lambda y, a: apply("sign", a),), "absolute value"),
    Operation("maximum", "maximum(a, b)", ("above(a, b)", "above(b, a)"), (_at("above"), _at("below")),
              "the larger of a, b"),
    Operation("minimum", "minimum(a, b)", ("above(b, a)", "above(a, b)"), (_at("below"), _at("above")),
              "the smaller of a, b"),
)  # fmt: skip

ELEMENTWISE: dict[str, Operation] = {row.name: row for row in _TABLE}
OPERATIONS: dict[str, Operation | TensorOperation] = {**ELEMENTWISE, **TENSOR}
FUNCTIONS = frozenset(row.name for row in OPERATIONS.values() if row.function)
RULES: dict[str, tuple[Rule, ...]] = {row.name: row.derivatives for row in _TABLE}


def _compiled(text: str) -> Callable[[float, float, float, float], float]:
    kernel: Callable[[float, float, float, float], float] = eval(f"lambda a, b, y, c: {text}", KERNELS)  # noqa: S307 - our own table's text
    return kernel


FORWARD = {row.name: _compiled(row.forward) for row in _TABLE}
PARTIALS = {row.name: tuple(_compiled(text) for text in row.partials) for row in _TABLE}
