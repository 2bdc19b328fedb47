"""Numbers on the wire: a number, a nested list, or a summary of a long one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SHORT = 64
"""Elements up to which an array is written out in a graph and in the last update."""
LONG = 4096
"""Elements up to which an array is written out elsewhere."""


def tensor(value: Any, longest: float = LONG) -> Any:
    """``value`` as the document shows it: a number or nested list, or its summary if it has more than ``longest``
    elements."""
    shape = [len(value)] if isinstance(value, list) else []
    if isinstance(value, np.ndarray):
        shape = list(value.shape)
        if value.size <= longest:
            return value.tolist()
        value = value.ravel().tolist()
    if not isinstance(value, list) or len(value) <= longest:
        return value
    finite = [one for one in value if math.isfinite(one)]
    poisoned = len(finite) < len(value)
    return {
        "summary": True,
        "shape": shape,
        "min": math.nan if any(one != one for one in value) else min(value),
        "max": math.nan if any(one != one for one in value) else max(value),
        "mean": sum(value) / len(value) if poisoned else _mean(finite),
        "norm": math.hypot(*value),
        "first": value[:3],
    }


def _mean(values: list[float]) -> float:
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        return math.fsum(value / len(values) for value in values)
