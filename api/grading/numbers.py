"""Values of either kernel set as plain numbers: a float or a list of floats (``scalars``), or an array (``arrays``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from api.engine.kernels import Value


def elements(value: Value) -> tuple[float, ...]:
    """All numbers in row-major order."""
    if isinstance(value, float):
        return (value,)
    return tuple(value) if isinstance(value, list) else tuple(value.ravel().tolist())


def shape(value: Value) -> tuple[int, ...]:
    """The shape, ``()`` for a single number."""
    if isinstance(value, list):
        return (len(value),)
    return tuple(np.shape(value))


def shaped(numbers: Sequence[float], like: Value) -> Value:
    """Numbers in row-major order as a value of the shape and kind of ``like``."""
    if isinstance(like, float):
        return float(numbers[0])
    if isinstance(like, list):
        return list(map(float, numbers))
    return np.asarray(numbers, dtype=np.float64).reshape(np.shape(like))


def times(value: Value, factor: float) -> Value:
    """Every number times ``factor``."""
    return [one * factor for one in value] if isinstance(value, list) else value * factor


def product(left: Value, right: Value) -> Value:
    """Element by element; where one has no rows it counts for each."""
    if isinstance(left, list) and isinstance(right, list):
        return [a * b for a, b in zip(left, right, strict=True)]
    if isinstance(left, list):
        return times(left, right)
    return times(right, left) if isinstance(right, list) else left * right


def combined(left: Value, right: Value, factor: float = 1.0) -> Value:
    """``left + factor·right`` of the same shape."""
    if isinstance(left, list):
        return [a + factor * b for a, b in zip(left, right, strict=True)]
    return left + factor * right


def positive(value: Value) -> Value:
    """1 where a number is above 0, else 0."""
    if isinstance(value, list):
        return [1.0 if one > 0 else 0.0 for one in value]
    return (1.0 if value > 0 else 0.0) if isinstance(value, float) else np.where(value > 0, 1.0, 0.0)


def ones(value: Value) -> Value:
    """1 in every place."""
    if isinstance(value, list):
        return [1.0] * len(value)
    return 1.0 if isinstance(value, float) else np.ones_like(value)


def averaged(value: Value) -> Value:
    """Every row replaced by the mean over the rows."""
    if isinstance(value, list):
        return [sum(value) / len(value)] * len(value)
    return np.broadcast_to(value.mean(axis=0, keepdims=True), value.shape)


def row_masked(value: Value, kept: int, factor: float = 1.0) -> Value:
    """All rows 0 but row ``kept``, which is multiplied by ``factor``."""
    if isinstance(value, list):
        kept %= len(value)
        return [one * factor if place == kept else 0.0 for place, one in enumerate(value)]
    result = np.zeros_like(value)
    result[kept] = value[kept] * factor
    return result


def columns_swapped(value: Any, first: int, second: int) -> Value:
    """An array of rows with two columns exchanged."""
    result = value.copy()
    result[..., [first, second]] = value[..., [second, first]]
    return result
