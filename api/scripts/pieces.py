"""Pieces of Python text that know how tightly they bind, so that they can be put together without a bracket missing.

A template says what it needs in each place: ``"{a:sum} - {b:product}"`` puts brackets around a ``b`` that is itself a
sum. ``{a:tensor}`` is for functions that take no plain number.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from string import Formatter
from typing import NamedTuple

from api.engine.notation import ATOM, CASES, POWER, PRODUCT, SUM, UNARY

_NEEDS = {"": CASES, "sum": SUM, "product": PRODUCT, "unary": UNARY, "power": POWER, "atom": ATOM, "tensor": CASES}
_SIGNS: dict[type[ast.operator], int] = {ast.Add: SUM, ast.Sub: SUM, ast.Pow: POWER}


class Piece(NamedTuple):
    """Something written, and how tightly its outermost sign binds; ``tensor`` is the same where a plain number would
    not do."""

    text: str
    binds: int = ATOM
    tensor: str = ""

    def __format__(self, need: str) -> str:
        if need == "tensor" and self.tensor:
            return self.tensor
        return f"({self.text})" if self.binds < _NEEDS[need] else self.text


def filled(template: str, **pieces: Piece) -> Piece:
    """A template with its places filled."""
    return Piece(template.format(**pieces), binding(template))


@lru_cache(maxsize=4096)
def places(template: str) -> tuple[str, ...]:
    """The names of a template's places, one for each time that it stands there."""
    return tuple(name for _, name, _, _ in Formatter().parse(template) if name)


@lru_cache(maxsize=4096)
def binding(template: str) -> int:
    """How tightly the outermost sign of a template binds; a place alone says nothing of it."""
    text = template.format(**dict.fromkeys(places(template), Piece("x")))
    found = ast.parse(text, mode="eval").body
    if isinstance(found, ast.BinOp):
        return _SIGNS.get(type(found.op), PRODUCT)
    if isinstance(found, ast.UnaryOp):
        return UNARY
    return CASES if isinstance(found, ast.Compare | ast.IfExp) else ATOM


def comment(text: str, longest: int = 80) -> str:
    """Somebody else's text, fit to stand in a comment: on one line, nothing invisible, not too long."""
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def beside(lines: list[tuple[str, str]], width: int = 64) -> list[str]:
    """Lines with their comments beside them, one below the other where the lines are not too long."""
    fit = [len(line) for line, note in lines if note and len(line) <= width]
    column = max(fit, default=0)
    return [f"{line:<{column}}  # {note}" if note else line for line, note in lines]
