"""Formulas as MathML Core."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from api.engine.notation import ATOM, CASES, POWER, PRODUCT, Piece, Script, rounded, spelling
from api.engine.terms import Name

_COMMA = '<mo separator="true">,</mo>'


class MathML(Script):
    """Formulas as MathML Core elements, to be put into one ``<math>`` by ``markup``."""

    def number(self, text: str) -> str:
        mantissa, _, exponent = text.partition("e")
        if exponent:
            power = f"<msup><mn>10</mn>{self.number(str(int(exponent)))}</msup>"
            return f"<mrow>{self.number(mantissa)}<mo>×</mo>{power}</mrow>"
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
        return _COMMA.join(pieces)

    def infix(self, sign: str, left: str, right: str) -> str:
        return f"{left}<mo>{escape(sign)}</mo>{right}"

    def times(self, left: str, right: str, sign: str) -> str:
        return f"{left}<mo>{sign or '&#8290;'}</mo>{right}"  # else the invisible times

    def matrix(self, rows: Sequence[Sequence[str]], vector: bool, wider: bool, taller: bool) -> str:
        del vector  # a vector is set as a row
        lines = [[*row, *["<mo>⋯</mo>"] * wider] for row in rows]
        lines += [["<mo>⋮</mo>"] * len(rows[0]) + ["<mo>⋱</mo>"] * wider] * taller
        cells = ("".join(f"<mtd>{cell}</mtd>" for cell in line) for line in lines)
        return f"<mrow><mo>[</mo><mtable>{''.join(f'<mtr>{line}</mtr>' for line in cells)}</mtable><mo>]</mo></mrow>"

    def minus(self, text: str) -> str:
        return f'<mrow><mo form="prefix">−</mo>{text}</mrow>'

    def listed(self, items: Sequence[str], more: bool) -> str:
        rows = [f"<mrow>{item}</mrow>" for item in items] + ["<mo>…</mo>"] * more
        return f"<mo>[</mo>{_COMMA.join(rows)}<mo>]</mo>"

    def power(self, base: str, exponent: str) -> str:
        return f"<msup><mrow>{base}</mrow>{exponent}</msup>"

    def fraction(self, above: Piece, below: Piece) -> Piece:
        return Piece(f"<mfrac><mrow>{above.text}</mrow><mrow>{below.text}</mrow></mfrac>", ATOM)

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
        return f'{left}<mo lspace="0" rspace="0">&#8290;</mo>{right}'  # invisible times, a place to cut a long line at

    def transpose(self, wrapped: str, plain: str) -> str:
        del plain
        return f"<msup><mrow>{wrapped}</mrow><mo>⊤</mo></msup>"

    def index(self, base: str, items: str) -> str:
        return f"<msub><mrow>{base}</mrow><mtext>[{items}]</mtext></msub>"

    def partial(self, above: str, below: str) -> Piece:
        return Piece(f"<mfrac><mrow><mo>∂</mo>{above}</mrow><mrow><mo>∂</mo>{below}</mrow></mfrac>", POWER)

    def cases(self, condition: str, then: str, otherwise: str) -> Piece:
        rows = ((then, f"<mtext>if\N{NO-BREAK SPACE}</mtext>{condition}"), (otherwise, "<mtext>otherwise</mtext>"))
        table = "".join(f"<mtr><mtd>{value}</mtd><mtd>{when}</mtd></mtr>" for value, when in rows)
        return Piece(f"<mrow><mo>{{</mo><mtable>{table}</mtable></mrow>", CASES)

    def at(self, text: str, place: Sequence[str]) -> Piece:
        where = place[0] if len(place) == 1 else self.bracket("<mo>,</mo>".join(place))
        return Piece(f"<msub><mrow>{text}<mo>|</mo></mrow><mrow>{where}</mrow></msub>", POWER)

    def over_rows(self, operation: str, wrapped: str, plain: str) -> Piece:
        del plain
        scale = "<mfrac><mn>1</mn><mi>n</mi></mfrac>" if operation == "mean_rows" else ""
        return Piece(f"{scale}<munder><mo>∑</mo><mi>i</mi></munder>{wrapped}", PRODUCT)

    def equation(self, left: str, right: str, assigned: bool = False) -> str:
        return f"{left}<mo>{'←' if assigned else '='}</mo>{right}"


MATHML = MathML(rounded)


def markup(*elements: str) -> str:
    """A ``<math>`` of these elements, set as a display but in the running line."""
    return f'<math displaystyle="true"><mrow>{"".join(elements)}</mrow></math>'
