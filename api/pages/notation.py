"""Names as mathematics writes them: ``yhat`` → ŷ, ``w1_2_3`` → w with the subscript 1,2,3, ``House_size`` upright.

One reading of a name (:func:`symbol`), one writer per medium: HTML, SVG and plain text.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup, escape

from api.engine.notation import spelling

_SUBSCRIPT_DIGITS = str.maketrans("0123456789,()", "₀₁₂₃₄₅₆₇₈₉,₍₎")

OPERATION_SIGNS = {
    "add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "negative": "−( )", "power": "( )ⁿ", "square": "( )²",
    "sqrt": "√", "maximum": "max", "minimum": "min", "abs": "| |", "matmul": "@", "sigmoid": "σ", "identity": "=",
    "greater": ">", "less": "<", "mean_rows": "mean", "sum_rows": "sum",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name taken apart: its letter or word, what stands below it, and whether it leans."""

    base: str
    subscript: str
    italic: bool

    @property
    def text(self) -> str:
        """In plain text, digits below the line where Unicode has them: ``w₁``, ``w₁,₂``."""
        lowered = self.subscript.translate(_SUBSCRIPT_DIGITS)
        return self.base + (f"_{lowered}" if any(character.isalpha() for character in lowered) else lowered)


@lru_cache(maxsize=4096)
def symbol(name: str) -> Symbol:
    """What a node id, parameter or column is called in mathematics."""
    base, hat, below = spelling(name)
    letters = unicodedata.normalize("NFC", base + "\N{COMBINING CIRCUMFLEX ACCENT}") if hat else base
    return Symbol(letters, below, len(base) == 1)


def html(name: str) -> Markup:
    """A name in running HTML: ``<i>w</i><sub>1</sub>``."""
    sign = symbol(name)
    base = Markup("<i>{}</i>").format(sign.base) if sign.italic else escape(sign.base)
    return base + Markup("<sub>{}</sub>").format(sign.subscript) if sign.subscript else base


def svg(name: str, drop: int = 4) -> Markup:
    """A name as ``tspan`` elements; the line is back where it was after a subscript."""
    sign = symbol(name)
    base = Markup('<tspan class="{}">{}</tspan>').format("v" if sign.italic else "u", sign.base)
    if not sign.subscript:
        return base
    # the empty-looking last tspan, a zero-width space, undoes the shift for what follows
    below = Markup('<tspan class="sub" dy="{}">{}</tspan><tspan dy="{}">&#8203;</tspan>')
    return base + below.format(drop, sign.subscript, -drop)


def text(name: str) -> str:
    """A name in plain text: ``ŷ``, ``w₁``."""
    return symbol(name).text


def is_name(node_id: str) -> bool:
    """Whether a node bears a name from the formula, not one made for an inner operation."""
    return node_id.isidentifier()


def operation_sign(op: str) -> str:
    """The sign of an operation: ``×``, ``σ``; its own name if there is none."""
    return OPERATION_SIGNS.get(op, op)
