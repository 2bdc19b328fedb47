"""How formulas are written: one walk over the tree, as text here, as LaTeX in ``latex``, as MathML in ``mathml``.

A name says how it is set: ``yhat`` is ŷ, ``w1`` is w₁, ``w1_2_3`` is w with 1,2,3 below, ``alpha`` is α, and a name of
several letters stands upright.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from api.engine.terms import Apply, Matrix, Name, Number, Term, leading

_GREEK_WORDS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau phi chi psi omega"
)
GREEK = dict(zip(_GREEK_WORDS.split(" "), "αβγδεζηθικλμνξπρστφχψω", strict=True))
SYMBOLS = {"learning_rate": "η"}
"""Fields of optimisers that have a letter of their own."""
CASES, SUM, MATMUL, PRODUCT, UNARY, POWER, ATOM = 0, 1, 2, 3, 4, 5, 9
"""How tightly a formula's outermost sign binds."""
SIMPLE = re.compile(r"[\w.]+")
"""What needs no brackets as an exponent."""
WHOLE = 24
"""Numbers up to which a tensor is written out; of a larger one the first ``BEGUN`` along each axis, then dots."""
BEGUN = 3
_RELATIONS = {"greater": ">", "less": "<", "above": ">", "below": "<", "equal": "="}
_TYPED = {"−": "-", "=": "=="}
_INFIX = {"add": ("+", SUM), "subtract": ("−", SUM), "multiply": ("·", PRODUCT)}


class Spelling(NamedTuple):
    """A name's parts: ``base`` as it is set, whether it wears a hat, and what stands below it."""

    base: str
    hat: bool
    below: str


def spelling(name: str) -> Spelling:
    """The parts of ``name``; an operation's node ``yhat:1`` keeps its number in brackets."""
    name, _, part = name.partition(":")
    if name in SYMBOLS:
        return Spelling(SYMBOLS[name], False, "")
    base, below = name, ""
    if "_" in name.strip("_"):
        head, _, tail = name.partition("_")
        if head and all(piece.isdigit() for piece in tail.split("_")):
            base, below = head, tail.replace("_", ",")
    stem = base.rstrip("0123456789")
    if stem and stem != base and "_" not in stem:
        below = ",".join(filter(None, (base[len(stem) :], below)))
        base = stem
    hat = len(base) > 3 and base.endswith("hat")
    base = base[:-3] if hat else base
    if part:
        below = ",".join(filter(None, (below, f"({part})")))
    return Spelling(GREEK.get(base, base), hat, below)


def exact(value: float) -> str:
    """The shortest decimal that reads back as ``value``; integers without a point."""
    if not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if value == int(value) and abs(value) < 1e16 else repr(value)


def rounded(value: float, digits: int = 6) -> str:
    """``value`` to ``digits`` significant digits; integers without a point."""
    if not math.isfinite(value) or (value == int(value) and abs(value) < 1e9):
        return exact(value)
    return exact(float(f"{value:.{digits}g}"))


class Piece(NamedTuple):
    """Something written, and how tightly its outermost sign binds."""

    text: str
    binds: int


class Script:
    """Formulas as plain text that a Python reader understands; the other scripts override its parts."""

    def __init__(self, number: Callable[[float], str] = exact) -> None:
        self.format = number

    def write(self, tree: Term) -> str:
        """``tree``, written."""
        return self._piece(tree).text

    def _piece(self, tree: Term) -> Piece:
        if isinstance(tree, Number):
            text = self.format(tree.value)
            negative = text.startswith("-")
            return Piece(self.number(text), UNARY if negative else ATOM)
        if isinstance(tree, Name):
            return Piece(self.name(tree), ATOM)
        if isinstance(tree, Matrix):
            return Piece(self._tensor(tree.value, tree.value.size > WHOLE), ATOM)
        assert isinstance(tree, Apply)
        return self._applied(tree)

    def _tensor(self, value: Any, cut: bool) -> str:
        """A vector or matrix as the script sets it, a tensor of more axes as a list of such."""
        if np.ndim(value) > 2:
            parts = [self._tensor(part, cut) for part in value[: BEGUN if cut else None]]
            return self.listed(parts, len(parts) < len(value))
        shown = value[..., : BEGUN if cut else None]
        dots = shown.shape[-1] < value.shape[-1]
        rows = np.atleast_2d(shown)
        cells = [[self.number(self.format(float(one))) for one in row] for row in rows[: BEGUN if cut else None]]
        return self.matrix(cells, np.ndim(value) == 1, dots, len(cells) < len(rows))

    def _applied(self, tree: Apply) -> Piece:
        operation, arguments = tree.operation, tree.arguments
        if operation in _INFIX:
            return self._infix(operation, *arguments)
        if operation == "divide":
            return self.fraction(*map(self._piece, arguments))
        if operation == "negative":
            return Piece(self.minus(self._wrapped(arguments[0], PRODUCT)), UNARY)
        if operation in ("square", "power"):
            return Piece(self.power(self._wrapped(arguments[0], ATOM), self._exponent(tree)), POWER)
        if operation == "matmul":
            left, right = arguments  # @ and * bind alike, so that each of them brackets what the other makes
            return Piece(self.matmul(self._wrapped(left, MATMUL), self._wrapped(right, POWER)), MATMUL)
        if operation == "transpose":
            return Piece(self.transpose(self._wrapped(arguments[0], ATOM), self.write(arguments[0])), ATOM)
        if operation == "index":
            return Piece(self.index(self._wrapped(arguments[0], ATOM), _items(tree.static)), ATOM)
        if operation in _RELATIONS:
            return Piece(self.bracket(self._relation(tree), "[]"), ATOM)
        if operation == "where":
            condition, *choices = arguments
            assert isinstance(condition, Apply)
            return self.cases(self._relation(condition), *map(self.write, choices))
        if operation == "at":
            return self.at(self.write(arguments[0]), [self.write(one) for one in arguments[1:]])
        if operation == "partial":
            return self.partial(*(self.write(one) for one in arguments))
        if operation in ("sum_rows", "mean_rows"):
            return self.over_rows(operation, self._wrapped(arguments[0], MATMUL), self._piece(arguments[0]).text)
        options = [self.option(name, value) for name, value in tree.static]
        return Piece(self.call(operation, [self.write(one) for one in arguments] + options), ATOM)

    def _exponent(self, tree: Apply) -> str:
        if len(tree.arguments) == 2:
            return self.write(tree.arguments[1])
        return self.number(self.format(2.0 if tree.exponent is None else tree.exponent))

    def _relation(self, tree: Apply) -> str:
        return self.infix(_RELATIONS[tree.operation], *(self._piece(one).text for one in tree.arguments))

    def _infix(self, operation: str, left: Term, right: Term) -> Piece:
        sign, binds = _INFIX[operation]
        second = self._piece(right)
        # a − (b − c) needs its brackets, as does every negative number after a sign
        first = leading(right)
        negative = second.binds == UNARY or (isinstance(first, Number) and self.format(first.value).startswith("-"))
        loose = second.binds < binds or (operation == "subtract" and second.binds == binds) or negative
        text = self.bracket(second.text) if loose else second.text
        if operation == "multiply":
            return Piece(self.times(self._wrapped(left, binds), text, _between(left, right)), binds)
        return Piece(self.infix(sign, self._wrapped(left, binds), text), binds)

    def _wrapped(self, tree: Term, binds: int) -> str:
        piece = self._piece(tree)
        return self.bracket(piece.text) if piece.binds < binds else piece.text

    # what a script looks like

    def number(self, text: str) -> str:
        return text

    def name(self, name: Name) -> str:
        return f"{name.name}[{name.row}]" if name.row else name.name

    def infix(self, sign: str, left: str, right: str) -> str:
        return f"{left} {_TYPED.get(sign, sign)} {right}"

    def times(self, left: str, right: str, sign: str) -> str:
        """A product; ``sign`` is ``·``, ``⊙`` between tensors, or nothing where letters stand side by side."""
        del sign  # text always says it, and has one for both
        return f"{left}*{right}"

    def matrix(self, rows: Sequence[Sequence[str]], vector: bool, wider: bool, taller: bool) -> str:
        """The numbers of a matrix, or of a vector in its only row, with dots where it goes on."""
        written = [f"[{', '.join([*row, *['…'] * wider])}]" for row in rows]
        return written[0] if vector else f"[{', '.join([*written, *['…'] * taller])}]"

    def listed(self, items: Sequence[str], more: bool) -> str:
        """Items one after the other, with dots where there are more."""
        return f"[{', '.join([*items, *['…'] * more])}]"

    def minus(self, text: str) -> str:
        return f"-{text}"

    def power(self, base: str, exponent: str) -> str:
        return f"{base}**{exponent if SIMPLE.fullmatch(exponent) else f'({exponent})'}"

    def fraction(self, above: Piece, below: Piece) -> Piece:
        over = self.bracket(above.text) if above.binds < PRODUCT else above.text
        under = self.bracket(below.text) if below.binds <= UNARY else below.text
        return Piece(f"{over}/{under}", PRODUCT)

    def bracket(self, text: str, kind: str = "()") -> str:
        return f"{kind[0]}{text}{kind[1]}"

    def call(self, function: str, arguments: Sequence[str]) -> str:
        return f"{function}({', '.join(arguments)})"

    def option(self, name: str, value: int | None) -> str:
        return str(value) if name == "size" else f"{name}={value}"

    def matmul(self, left: str, right: str) -> str:
        return f"{left} @ {right}"

    def transpose(self, wrapped: str, plain: str) -> str:
        del wrapped
        return f"transpose({plain})"

    def index(self, base: str, items: str) -> str:
        return f"{base}[{items}]"

    def partial(self, above: str, below: str) -> Piece:
        return Piece(f"d{above}/d{below}", POWER)

    def cases(self, condition: str, then: str, otherwise: str) -> Piece:
        return Piece(f"{then} if {condition} else {otherwise}", CASES)

    def at(self, text: str, place: Sequence[str]) -> Piece:
        """``text`` at a place, given by a name or by its coordinates."""
        return Piece(f"{text} at {place[0] if len(place) == 1 else self.bracket(', '.join(place))}", CASES)

    def over_rows(self, operation: str, wrapped: str, plain: str) -> Piece:
        del wrapped
        return Piece(f"{operation.removesuffix('_rows')}({plain})", ATOM)

    def equation(self, left: str, right: str, assigned: bool = False) -> str:
        """``left = right``, or where ``assigned`` a new value taking the place of an old one."""
        del assigned  # text has one sign for both
        return f"{left} = {right}"


def _items(static: Sequence[tuple[str, int | None]]) -> str:
    """An index as it is written: 0, 1:3."""
    written: list[str] = []
    for kind, value in static:
        if kind == "to":
            written[-1] += f":{'' if value is None else value}"
        else:
            written.append("" if value is None else str(value))
    return ", ".join(written)


def _between(left: Term, right: Term) -> str:
    """Letters stand side by side; a number on the right, fractions and tensors need a sign between them."""
    first = leading(right)
    last = left.arguments[-1] if isinstance(left, Apply) and left.operation == "multiply" else left
    if isinstance(first, Matrix):
        return "⊙" if isinstance(last, Matrix) else ""
    fraction = isinstance(first, Apply) and first.operation in ("divide", "partial")
    return "·" if isinstance(first, Number) or (fraction and not isinstance(last, Name)) else ""


TEXT = Script()
