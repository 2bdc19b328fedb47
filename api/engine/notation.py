"""How formulas are written: as text, as LaTeX, as MathML. One walk over the tree, one class for each script.

A name says how it is set: ``yhat`` is ŷ, ``w1`` is w₁, ``w1_2_3`` is w with 1,2,3 below, ``alpha`` is α, and a name of
several letters stands upright.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from api.engine.spelling import GREEK, Spelling, exact, rounded, spelling
from api.engine.terms import Apply, Name, Number, Term, leading

__all__ = ["LATEX", "MATHML", "TEXT", "Piece", "Script", "Spelling", "exact", "markup", "rounded", "spelling"]

_CASES, _SUM, _PRODUCT, _UNARY, _POWER, _ATOM = 0, 1, 2, 3, 4, 9
_SIMPLE = re.compile(r"[\w.]+")
_RELATIONS = {"greater": ">", "less": "<"}
_INFIX = {"add": ("+", _SUM), "subtract": ("−", _SUM), "multiply": ("·", _PRODUCT)}


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
            return Piece(self.number(text), _UNARY if negative else _ATOM)
        if isinstance(tree, Name):
            return Piece(self.name(tree), _ATOM)
        assert isinstance(tree, Apply)
        return self._applied(tree)

    def _applied(self, tree: Apply) -> Piece:
        operation, arguments = tree.operation, tree.arguments
        if operation in _INFIX:
            return self._infix(operation, *arguments)
        if operation == "divide":
            return self.fraction(*map(self._piece, arguments))
        if operation == "negative":
            return Piece(self.minus(self._wrapped(arguments[0], _PRODUCT)), _UNARY)
        if operation in ("square", "power"):
            return Piece(self.power(self._wrapped(arguments[0], _ATOM), self._exponent(tree)), _POWER)
        if operation == "matmul":
            return Piece(
                self.matmul(*(self._wrapped(one, _PRODUCT + (place > 0)) for place, one in enumerate(arguments))),
                _PRODUCT,
            )
        if operation == "transpose":
            return Piece(self.transpose(self._wrapped(arguments[0], _ATOM), self.write(arguments[0])), _ATOM)
        if operation == "index":
            return Piece(self.index(self._wrapped(arguments[0], _ATOM), _items(tree.static)), _ATOM)
        if operation in _RELATIONS:
            return Piece(self.bracket(self._relation(tree), "[]"), _ATOM)
        if operation == "where":
            condition, *choices = arguments
            assert isinstance(condition, Apply)
            return self.cases(self._relation(condition), *map(self.write, choices))
        if operation == "at":
            return self.at(self.write(arguments[0]), [self.write(one) for one in arguments[1:]])
        if operation == "partial":
            return self.partial(*(self.write(one) for one in arguments))
        if operation in ("sum_rows", "mean_rows"):
            return self.over_rows(operation, self._wrapped(arguments[0], _PRODUCT), self._piece(arguments[0]).text)
        options = [self.option(name, value) for name, value in tree.static]
        return Piece(self.call(operation, [self.write(one) for one in arguments] + options), _ATOM)

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
        negative = second.binds == _UNARY or (isinstance(first, Number) and self.format(first.value).startswith("-"))
        loose = second.binds < binds or (operation == "subtract" and second.binds == binds) or negative
        text = self.bracket(second.text) if loose else second.text
        if operation == "multiply":
            return Piece(self.times(self._wrapped(left, binds), text, _needs_dot(left, right)), binds)
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
        return f"{left} {'-' if sign == '−' else sign} {right}"

    def times(self, left: str, right: str, dot: bool) -> str:
        del dot  # text always says it
        return f"{left}*{right}"

    def minus(self, text: str) -> str:
        return f"-{text}"

    def power(self, base: str, exponent: str) -> str:
        return f"{base}**{exponent if _SIMPLE.fullmatch(exponent) else f'({exponent})'}"

    def fraction(self, above: Piece, below: Piece) -> Piece:
        over = self.bracket(above.text) if above.binds < _PRODUCT else above.text
        under = self.bracket(below.text) if below.binds <= _UNARY else below.text
        return Piece(f"{over}/{under}", _PRODUCT)

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
        return Piece(f"d{above}/d{below}", _POWER)

    def cases(self, condition: str, then: str, otherwise: str) -> Piece:
        return Piece(f"{then} if {condition} else {otherwise}", _CASES)

    def at(self, text: str, place: Sequence[str]) -> Piece:
        """``text`` at a place, given by a name or by its coordinates."""
        return Piece(f"{text} at {place[0] if len(place) == 1 else self.bracket(', '.join(place))}", _CASES)

    def over_rows(self, operation: str, wrapped: str, plain: str) -> Piece:
        del wrapped
        return Piece(f"{operation.removesuffix('_rows')}({plain})", _ATOM)

    def equation(self, left: str, right: str, assigned: bool = False) -> str:
        """``left = right``, or where ``assigned`` a new value taking the place of an old one."""
        del assigned  # text has one sign for both
        return f"{left} = {right}"


class Latex(Script):
    """Formulas as LaTeX for mathematics mode, with nothing beyond amsmath."""

    def name(self, name: Name) -> str:
        base, hat, below = spelling(name.letter or name.name)
        greek = next((f"\\{word}" for word, letter in GREEK.items() if letter == base), base)
        text = greek if len(base) == 1 else r"\mathrm{" + base.replace("_", r"\_") + "}"
        below = ",".join(filter(None, (below, name.row)))
        text = rf"\hat{{{text}}}" if hat else text
        return text + (f"_{below}" if len(below) == 1 else f"_{{{below}}}" if below else "")

    def infix(self, sign: str, left: str, right: str) -> str:
        return f"{left} {'-' if sign == '−' else sign} {right}"

    def times(self, left: str, right: str, dot: bool) -> str:
        return f"{left} \\cdot {right}" if dot else f"{left} {right}"

    def power(self, base: str, exponent: str) -> str:
        return f"{base}^{exponent}" if len(exponent) == 1 else f"{base}^{{{exponent}}}"

    def fraction(self, above: Piece, below: Piece) -> Piece:
        return Piece(rf"\frac{{{above.text}}}{{{below.text}}}", _ATOM)

    def bracket(self, text: str, kind: str = "()") -> str:
        tall = r"\frac" in text or "^" in text
        return rf"\left{kind[0]}{text}\right{kind[1]}" if tall else f"{kind[0]}{text}{kind[1]}"

    def call(self, function: str, arguments: Sequence[str]) -> str:
        inside = ", ".join(arguments)
        if function == "sqrt":
            return rf"\sqrt{{{inside}}}"
        if function == "abs":
            return rf"\left|{inside}\right|"
        if function == "norm":
            return rf"\left\lVert {inside} \right\rVert"
        known = {"sigmoid": r"\sigma", "maximum": r"\max", "minimum": r"\min", "identity": ""}
        builtin = {"exp", "log", "tanh", "sin", "cos"}
        head = known.get(function, rf"\{function}" if function in builtin else rf"\operatorname{{{function}}}")
        return rf"{head}\left({inside}\right)" if head else inside

    def option(self, name: str, value: int | None) -> str:
        return str(value) if name == "size" else rf"\mathrm{{{name}}}={value}"

    def matmul(self, left: str, right: str) -> str:
        return f"{left} \\, {right}"

    def transpose(self, wrapped: str, plain: str) -> str:
        del plain
        return rf"{wrapped}^{{\top}}"

    def index(self, base: str, items: str) -> str:
        return rf"{base}_{{[{items}]}}"

    def partial(self, above: str, below: str) -> Piece:
        return Piece(rf"\frac{{\partial {above}}}{{\partial {below}}}", _POWER)

    def cases(self, condition: str, then: str, otherwise: str) -> Piece:
        lines = rf"{then} & \text{{if }} {condition} \\ {otherwise} & \text{{otherwise}}"
        return Piece(rf"\begin{{cases}} {lines} \end{{cases}}", _CASES)

    def at(self, text: str, place: Sequence[str]) -> Piece:
        return Piece(rf"\left. {text} \right|_{{{self._place(place)}}}", _POWER)

    def _place(self, place: Sequence[str]) -> str:
        return place[0] if len(place) == 1 else self.bracket(", ".join(place))

    def over_rows(self, operation: str, wrapped: str, plain: str) -> Piece:
        del plain
        scale = r"\frac{1}{n} " if operation == "mean_rows" else ""
        return Piece(rf"{scale}\sum_i {wrapped}", _PRODUCT)

    def equation(self, left: str, right: str, assigned: bool = False) -> str:
        return rf"{left} \leftarrow {right}" if assigned else f"{left} = {right}"


class MathML(Script):
    """Formulas as MathML Core elements, to be put into one ``<math>`` by ``markup``."""

    def number(self, text: str) -> str:
        if text.startswith("-"):
            return f'<mrow><mo form="prefix">−</mo><mn>{text[1:]}</mn></mrow>'
        return f"<mn>{text.replace('Infinity', '∞')}</mn>"

    def name(self, name: Name) -> str:
        base, hat, below = spelling(name.letter or name.name)
        text = f"<mi>{escape(base)}</mi>"
        if hat:
            text = f'<mover accent="true">{text}<mo>^</mo></mover>'
        below = ",".join(filter(None, (below, name.row)))
        return f"<msub>{text}<mrow>{self._below(below)}</mrow></msub>" if below else text

    @staticmethod
    def _below(below: str) -> str:
        pieces = (f"<mn>{one}</mn>" if one.isdigit() else f"<mi>{escape(one)}</mi>" for one in below.split(","))
        return '<mo separator="true">,</mo>'.join(pieces)

    def infix(self, sign: str, left: str, right: str) -> str:
        return f"{left}<mo>{escape(sign)}</mo>{right}"

    def times(self, left: str, right: str, dot: bool) -> str:
        return f"{left}<mo>{'·' if dot else '&#8290;'}</mo>{right}"  # else the invisible times

    def minus(self, text: str) -> str:
        return f'<mrow><mo form="prefix">−</mo>{text}</mrow>'

    def power(self, base: str, exponent: str) -> str:
        return f"<msup><mrow>{base}</mrow>{exponent}</msup>"

    def fraction(self, above: Piece, below: Piece) -> Piece:
        return Piece(f"<mfrac><mrow>{above.text}</mrow><mrow>{below.text}</mrow></mfrac>", _ATOM)

    def bracket(self, text: str, kind: str = "()") -> str:
        return f"<mrow><mo>{kind[0]}</mo>{text}<mo>{kind[1]}</mo></mrow>"

    def call(self, function: str, arguments: Sequence[str]) -> str:
        inside = "<mo>,</mo>".join(arguments)
        if function == "sqrt":
            return f"<msqrt>{inside}</msqrt>"
        if function == "abs":
            return f"<mrow><mo>|</mo>{inside}<mo>|</mo></mrow>"
        if function == "norm":
            return f"<mrow><mo>‖</mo>{inside}<mo>‖</mo></mrow>"
        if function == "identity":
            return inside
        head = {"sigmoid": "σ", "maximum": "max", "minimum": "min"}.get(function, function)
        return f"<mrow><mi>{head}</mi><mo>&#8289;</mo><mo>(</mo>{inside}<mo>)</mo></mrow>"  # function application

    def option(self, name: str, value: int | None) -> str:
        return f"<mn>{value}</mn>" if name == "size" else f"<mtext>{name} = {value}</mtext>"

    def matmul(self, left: str, right: str) -> str:
        return f"{left}<mo>&#8290;</mo>{right}"  # invisible times

    def transpose(self, wrapped: str, plain: str) -> str:
        del plain
        return f"<msup><mrow>{wrapped}</mrow><mo>⊤</mo></msup>"

    def index(self, base: str, items: str) -> str:
        return f"<msub><mrow>{base}</mrow><mtext>[{items}]</mtext></msub>"

    def partial(self, above: str, below: str) -> Piece:
        return Piece(f"<mfrac><mrow><mo>∂</mo>{above}</mrow><mrow><mo>∂</mo>{below}</mrow></mfrac>", _POWER)

    def cases(self, condition: str, then: str, otherwise: str) -> Piece:
        rows = ((then, f"<mtext>if </mtext>{condition}"), (otherwise, "<mtext>otherwise</mtext>"))
        table = "".join(f"<mtr><mtd>{value}</mtd><mtd>{when}</mtd></mtr>" for value, when in rows)
        return Piece(f"<mrow><mo>{{</mo><mtable>{table}</mtable></mrow>", _CASES)

    def at(self, text: str, place: Sequence[str]) -> Piece:
        where = place[0] if len(place) == 1 else self.bracket("<mo>,</mo>".join(place))
        return Piece(f"<msub><mrow>{text}<mo>|</mo></mrow><mrow>{where}</mrow></msub>", _POWER)

    def over_rows(self, operation: str, wrapped: str, plain: str) -> Piece:
        del plain
        scale = "<mfrac><mn>1</mn><mi>n</mi></mfrac>" if operation == "mean_rows" else ""
        return Piece(f"{scale}<munder><mo>∑</mo><mi>i</mi></munder>{wrapped}", _PRODUCT)

    def equation(self, left: str, right: str, assigned: bool = False) -> str:
        return f"{left}<mo>{'←' if assigned else '='}</mo>{right}"


def _items(static: Sequence[tuple[str, int | None]]) -> str:
    """An index as it is written: 0, 1:3."""
    written: list[str] = []
    for kind, value in static:
        if kind == "to":
            written[-1] += f":{'' if value is None else value}"
        else:
            written.append("" if value is None else str(value))
    return ", ".join(written)


def _needs_dot(left: Term, right: Term) -> bool:
    """Letters stand side by side; a number on the right, or fractions, need the sign between them."""
    first = leading(right)
    last = left.arguments[-1] if isinstance(left, Apply) and left.operation == "multiply" else left
    fraction = isinstance(first, Apply) and first.operation in ("divide", "partial")
    return isinstance(first, Number) or (fraction and not isinstance(last, Name))


TEXT, LATEX, MATHML = Script(), Latex(), MathML(rounded)


def markup(*elements: str) -> str:
    """A ``<math>`` of these elements, set as a display but in the running line."""
    return f'<math displaystyle="true"><mrow>{"".join(elements)}</mrow></math>'
