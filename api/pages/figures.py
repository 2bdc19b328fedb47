"""Numbers as a reader sees them: rounded, with a real minus sign, folded where there are many.

A value comes as the JSON has it: a number, a nested list, a summary of a large array, null, or one of
``"NaN"``, ``"Infinity"``, ``"-Infinity"``. Rounding is to significant digits: a small learning rate never reads 0.00.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

MINUS = "\N{MINUS SIGN}"
INFINITY = "\N{INFINITY}"
NOTHING = "·"
DIGITS = 4

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

# advance widths in em of DejaVu Sans, the widest of the usual system fonts; whatever fits here fits everywhere
_DIGIT = 0.637
_OTHERS = {" ": 0.32, ".": 0.32, ",": 0.32, "(": 0.39, ")": 0.39, "−": 0.84, "…": 1.0, "∇": 0.72, "×": 0.84, "∞": 0.84}


def to_float(value: Any) -> float:
    """A JSON number or one of the three strings for what is not finite, as float."""
    return float(value)


def number(value: Any, digits: int = DIGITS, *, compact: bool = False) -> str:
    """``value`` to ``digits`` significant digits: ``−0.116``, ``4.477``, ``∞``, ``1.2×10⁻⁷``, or compact ``1.2e−7``."""
    if value is None:
        return NOTHING
    x = to_float(value)
    if math.isnan(x):
        return "NaN"
    sign = MINUS if x < 0 else ""
    if math.isinf(x):
        return sign + INFINITY
    if x == 0:
        return "0"  # −0 too: its sign tells a reader nothing
    return sign + _magnitude(abs(x), digits, compact)


def _magnitude(x: float, digits: int, compact: bool) -> str:
    mantissa, _, exponent = f"{x:.{digits - 1}e}".partition("e")
    power = int(exponent)
    if x.is_integer() and x < 1e6:
        return str(int(x))
    if -4 <= power < 6:
        return _trimmed(f"{x:.{max(0, digits - 1 - power)}f}")
    if compact:
        return f"{_trimmed(mantissa)}e{power}".replace("-", MINUS)
    return f"{_trimmed(mantissa)}×10{superscript(power)}"


def superscript(power: int) -> str:
    """A whole number raised above the line: ``⁻⁷``."""
    return str(power).translate(_SUPERSCRIPT)


def _trimmed(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def column(values: Iterable[Any]) -> list[str]:
    """The numbers of one table column with the same count of decimals, so that their points align.

    The largest number gets at most 7 digits; one so small that this would leave it hardly any stands out of line.
    """
    entries = list(values)
    plain = [number(value) for value in entries]
    fixed = [(text, abs(to_float(value))) for value, text in zip(entries, plain, strict=True) if _is_fixed(text)]
    largest = max((size for _, size in fixed), default=0.0)
    most = max(0, 6 - math.floor(math.log10(largest))) if largest else 0
    decimals = min(most, max((len(text.partition(".")[2]) for text, _ in fixed), default=0))
    return [
        _fixed(to_float(value), decimals) if _is_fixed(text) else text
        for value, text in zip(entries, plain, strict=True)
    ]


def _is_fixed(text: str) -> bool:
    return text.lstrip(MINUS).replace(".", "", 1).isdecimal()


def _fixed(x: float, decimals: int) -> str:
    if 0 < abs(x) < 10 ** (1 - decimals):
        return number(x)
    return (MINUS if x < 0 else "") + f"{abs(x):.{decimals}f}"


def flat(tensor: Any) -> tuple[list[Any], tuple[int, ...]]:
    """The first numbers of a value, row by row, and its shape; ``()`` for a scalar."""
    if isinstance(tensor, dict):
        return list(tensor["first"]), tuple(tensor["shape"])
    if not isinstance(tensor, list | tuple):
        return [tensor], ()
    shape: list[int] = []
    numbers: Sequence[Any] = tensor
    while True:
        shape.append(len(numbers) // math.prod(shape) if shape else len(numbers))
        if not numbers or not isinstance(numbers[0], list | tuple):
            return list(numbers), tuple(shape)
        numbers = [entry for part in numbers for entry in part]


def values(tensor: Any, digits: int = DIGITS, show: int = 4, *, compact: bool = False) -> str:
    """All numbers of a value, or its first ``show`` and how many there are: ``4, 2, … (64)``, ``0.1, … (2×3)``."""
    numbers, shape = flat(tensor)
    count = math.prod(shape)
    if count <= show and len(shape) < 2 and len(numbers) == count:
        return ", ".join(number(value, digits, compact=compact) for value in numbers)
    first = "".join(number(value, digits, compact=compact) + ", " for value in numbers[:show])
    return f"{first}{'… ' if count > show else ''}({'×'.join(str(length) for length in shape)})".replace(", (", " (")


def folded(tensor: Any) -> Any:
    """One number instead of a row of several that are all the same."""
    same = isinstance(tensor, list) and len(tensor) > 1 and all(entry == tensor[0] for entry in tensor)
    return tensor[0] if same and not isinstance(tensor[0], list) else tensor


def made_up(state: dict[str, Any], show: int = 16) -> str:
    """How many numbers are trained and what the count is made up of: ``3 parameters: w1, w2: 2; b: 1``."""
    counts = state["parameter_counts"]
    parts = [f"{one['name']}: {one['text']}" for one in counts[:show]] + ["…"] * (len(counts) > show)
    total = state["parameter_count"]
    return f"{total} parameter{'s' if total != 1 else ''}{': ' if parts else ''}{'; '.join(parts)}"


def fitted(tensor: Any, width: float, size: float, prefix: str = "", *, bold: bool = False) -> str:
    """The fullest text of a value that is no wider than ``width`` pixels in type of ``size`` pixels."""
    size *= 1.1 if bold else 1.0
    count = math.prod(flat(tensor)[1])
    text = ""
    for show in (min(count, 4), 2, 1):
        for digits in (4, 3, 2, 1) if show == 1 else (4, 3, 2):
            text = prefix + values(tensor, digits, show, compact=True)
            if text_width(text, size) <= width:
                return text
    return prefix.strip() + values(tensor, 1, 1, compact=True)


def text_width(text: str, size: float) -> float:
    """About how wide ``text`` is, in pixels, in a sans-serif of ``size`` pixels; never too little for digits."""
    return size * sum(_OTHERS.get(character, _DIGIT) for character in text)


def coordinate(x: float) -> str:
    """A coordinate of a picture, with at most one decimal."""
    return f"{x:.1f}".removesuffix(".0")
