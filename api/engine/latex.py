"""Formulas as LaTeX."""

from __future__ import annotations

from collections.abc import Sequence

from api.engine.notation import ATOM, CASES, GREEK, POWER, PRODUCT, Piece, Script, spelling
from api.engine.terms import Name

_SIGNS = {"": "", "·": r"\cdot ", "⊙": r"\odot "}


class Latex(Script):
    """Formulas as LaTeX for mathematics mode, with nothing beyond amsmath."""

    def name(self, name: Name) -> str:
        base, hat, below = spelling(name.letter or name.name)
        greek = next((f"\\{word}" for word, letter in GREEK.items() if letter == base), base)
        greek = r"\dots" if base == "…" else greek
        text = greek if len(base) == 1 else r"\mathrm{" + base.replace("_", r"\_") + "}"
        below = ",".join(filter(None, (below, name.row)))
        text = rf"\hat{{{text}}}" if hat else text
        return text + (f"_{below}" if len(below) == 1 else f"_{{{below}}}" if below else "")

    def infix(self, sign: str, left: str, right: str) -> str:
        return f"{left} {'-' if sign == '−' else sign} {right}"

    def times(self, left: str, right: str, sign: str) -> str:
        return f"{left} {_SIGNS[sign]}{right}"

    def matrix(self, rows: Sequence[Sequence[str]], vector: bool, wider: bool, taller: bool) -> str:
        del vector  # a vector is set as a row
        lines = [" & ".join([*row, *[r"\cdots"] * wider]) for row in rows]
        lines += [" & ".join([r"\vdots"] * len(rows[0]) + [r"\ddots"] * wider)] * taller
        inside = r" \\ ".join(lines)
        return rf"\begin{{bmatrix}} {inside} \end{{bmatrix}}"

    def listed(self, items: Sequence[str], more: bool) -> str:
        return rf"\left[{', '.join([*items, *[r'…'] * more])}\right]".replace("…", r"\dots")

    def power(self, base: str, exponent: str) -> str:
        return f"{base}^{exponent}" if len(exponent) == 1 else f"{base}^{{{exponent}}}"

    def fraction(self, above: Piece, below: Piece) -> Piece:
        return Piece(rf"\frac{{{above.text}}}{{{below.text}}}", ATOM)

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
        name = function.replace("_", r"\_")
        builtin = {"exp", "log", "tanh", "sin", "cos"}
        head = known.get(function, rf"\{function}" if function in builtin else rf"\operatorname{{{name}}}")
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
        return Piece(rf"\frac{{\partial {above}}}{{\partial {below}}}", POWER)

    def cases(self, condition: str, then: str, otherwise: str) -> Piece:
        lines = rf"{then} & \text{{if }} {condition} \\ {otherwise} & \text{{otherwise}}"
        return Piece(rf"\begin{{cases}} {lines} \end{{cases}}", CASES)

    def at(self, text: str, place: Sequence[str]) -> Piece:
        where = place[0] if len(place) == 1 else self.bracket(", ".join(place))
        return Piece(rf"\left. {text} \right|_{{{where}}}", POWER)

    def over_rows(self, operation: str, wrapped: str, plain: str) -> Piece:
        del plain
        scale = r"\frac{1}{n} " if operation == "mean_rows" else ""
        return Piece(rf"{scale}\sum_i {wrapped}", PRODUCT)

    def equation(self, left: str, right: str, assigned: bool = False) -> str:
        return rf"{left} \leftarrow {right}" if assigned else f"{left} = {right}"


LATEX = Latex()
