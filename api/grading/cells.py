"""Numbers as people write them into a form or a table: one, a few side by side, or lines of them."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np

from api.engine.wording import shown
from api.grading.compare import NON_FINITE, Malformed, flat

_BREAKS = re.compile(r"\s*[\n;]\s*")
_GAPS = re.compile(r"[\s,]+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def cell(text: str, wanted: tuple[int, ...]) -> Any:
    """The numbers in a text, for a quantity of shape ``wanted``: JSON, or numbers with spaces or commas between them,
    each row on a line of its own. None for no text; ``Malformed`` says what is wrong.
    """
    text = text.strip().replace("−", "-").replace("\r\n", "\n")
    if not text:
        return None
    if text[0] in "[{":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise Malformed(f"{shown(text)} is no list of numbers") from None
    if not wanted and _DECIMAL_COMMA.fullmatch(text):
        raise Malformed(f"{shown(text)} has a decimal comma: write {shown(text.replace(',', '.'))[1:-1]}")
    rows = [[_number(part) for part in _GAPS.split(row.strip(" ,")) if part] for row in _BREAKS.split(text)]
    numbers = [one for row in rows for one in row]
    if not wanted and len(numbers) == 1:
        return numbers[0]
    if len(numbers) == math.prod(wanted) and (len(rows) == 1 or len({len(row) for row in rows}) == 1):
        return np.array(numbers, dtype=object).reshape(wanted).tolist()
    if not wanted:
        raise Malformed(f"{len(numbers)} numbers given, one expected")
    shape = " × ".join(map(str, wanted))
    raise Malformed(f"{len(numbers)} numbers in {len(rows)} rows given, {shape} expected")


def _number(text: str) -> float | str:
    if text in NON_FINITE:
        return text
    try:
        value = float(text) if "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Malformed(f"{shown(text)} is not a number")
    return value


def fit(given: Any, wanted: tuple[int, ...]) -> None:
    """Raises ``Malformed`` if an answer is not numbers of this shape; null is none."""
    if given is None:
        return
    numbers = flat(given)
    if numbers.shape != wanted and not (len(numbers.elements) == 1 == math.prod(wanted)):
        own, right = (" × ".join(map(str, one)) or "a single number" for one in (numbers.shape, wanted))
        raise Malformed(f"{own} given, {right} expected")
