"""Numbers as Python text that reads back as the same float64, and arrays of them in lines that are not too long."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

WIDTH = 110
LONG = 1_000
"""Numbers beyond which an array is not compared one by one but by its extremes, mean, norm and first numbers."""


def number(value: float) -> str:
    """``value`` as Python writes it; what is not finite by the name that ``math`` has for it."""
    if math.isfinite(value):
        return repr(float(value))
    return "math.nan" if value != value else "math.inf" if value > 0 else "-math.inf"


def short(value: float) -> str:
    """The same without a point where it is a whole number."""
    return str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) < 1e15 else number(value)


def nested(value: Any, indent: str = "") -> str:
    """A number or an array of any shape, as nested lists; ``indent`` is that of the line it stands in."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 0:
        return number(float(array))
    inner = indent + "    "
    items = [number(one) for one in array.tolist()] if array.ndim == 1 else [nested(one, inner) for one in array]
    line = f"[{', '.join(items)}]"
    if "\n" not in line and len(indent) + len(line) <= WIDTH - 20:
        return line
    return f"[\n{packed(items, inner)}\n{indent}]"


def packed(items: Sequence[str], indent: str) -> str:
    """Items with commas: single numbers as many on a line as fit, lists one below the other."""
    if any("[" in item for item in items):
        return "\n".join(f"{indent}{item}," for item in items)
    return wrapped(items, indent)


def wrapped(words: Sequence[str], indent: str) -> str:
    """Words with commas, over as many lines as they need."""
    text = " ".join(f"{word}," for word in words)
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def listed(names: Sequence[str]) -> str:
    """Names on both sides of an assignment: ``a, b`` or, alone, ``a,``."""
    return ", ".join(names) + ("," if len(names) == 1 else "")


def unpacked(names: Sequence[str], source: str, indent: str) -> list[str]:
    """``a, b, c = source``, in brackets over several lines where there are many names."""
    line = f"{indent}{listed(names)} = {source}"
    if len(line) <= WIDTH:
        return [line]
    return [f"{indent}(", wrapped(names, indent + "    "), f"{indent}) = {source}"]


def summary(value: Any) -> list[float]:
    """What a long array is compared by: its least and greatest number, mean, Euclidean norm, and the first eight."""
    array = np.asarray(value, dtype=np.float64)
    return [float(one) for one in (array.min(), array.max(), array.mean(), np.linalg.norm(array))] + [
        float(one) for one in array.ravel()[:8]
    ]
