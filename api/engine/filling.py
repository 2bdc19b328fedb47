"""Formulas with numbers in the places of their names, as text: ``TEXT.write(substitute(…))``, much faster.

How a formula is written depends on its numbers only by whether each is negative, and whether it is one word: both
decide about brackets. For each such case the formula is written once, with marks in the numbers' places.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from api.engine.notation import SIMPLE, Script, exact
from api.engine.terms import Number, Term, names, substitute

# Letters, so that a mark can be one word; no formula has them, for names are ASCII.
_BETH, _GIMEL = "\u2136", "\u2137"
_MARKS = {"": f"{_BETH}{{}}{_BETH}", "+": f"{_BETH}{{}}{_BETH}+", "-": f"-{_GIMEL}{{}}{_GIMEL}"}
_MARKED = re.compile(f"{_BETH}\\d+{_BETH}[+]?|-{_GIMEL}\\d+{_GIMEL}")
_PLACE = re.compile(r"\d+")


class _Marked(float):
    """A number that is written as a mark."""

    mark: str


def _written(value: float) -> str:
    return value.mark if isinstance(value, _Marked) else exact(value)


_MARKING = Script(_written)


def filled(tree: Term, values: Sequence[float]) -> str:
    """``tree`` with ``values`` in the places of ``names(tree)``, as text."""
    texts = [exact(value) for value in values]
    pieces, places = _pattern(tree, tuple(map(_kind, texts)))
    found = [pieces[0]]
    for place, piece in zip(places, pieces[1:], strict=True):
        found += (texts[place], piece)
    return "".join(found)


def _kind(text: str) -> str:
    return "-" if text[0] == "-" else "" if SIMPLE.fullmatch(text) else "+"


@lru_cache(maxsize=4096)
def _pattern(tree: Term, kinds: tuple[str, ...]) -> tuple[list[str], list[int]]:
    """The text around the numbers, and which number stands between one piece of it and the next."""
    marks = {}
    for place, (name, kind) in enumerate(zip(names(tree), kinds, strict=True)):
        value = _Marked(place)
        value.mark = _MARKS[kind].format(place)
        marks[name] = Number(value)
    text = _MARKING.write(substitute(tree, marks))
    places = [int(_PLACE.findall(mark)[0]) for mark in _MARKED.findall(text)]
    return _MARKED.split(text), places
