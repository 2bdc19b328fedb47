"""What a name looks like when it is set, and how numbers are written."""

from __future__ import annotations

import math
from typing import NamedTuple

_GREEK_WORDS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau phi chi psi omega"
)
GREEK = dict(zip(_GREEK_WORDS.split(" "), "αβγδεζηθικλμνξπρστφχψω", strict=True))
SYMBOLS = {"learning_rate": "η"}
"""Fields of optimisers that have a letter of their own."""


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
