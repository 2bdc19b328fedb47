"""Standardisation: feature columns at mean 0 and standard deviation 1, as the rows that train have them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.engine.errors import InvalidInput
from api.engine.wording import shown

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scale:
    """How a feature column was standardised: (value − mean) / stddev, the standard deviation over n, 1 if it is 0."""

    mean: float
    stddev: float


def scales_of(columns: Sequence[str], rows: Array, targets: Sequence[str]) -> dict[str, Scale]:
    """The scale of each column that is no target; raises ``InvalidInput`` for numbers that are too large.

    Sums are exact (fsum), so that no processor's order of adding shows in the numbers.
    """
    scales = {}
    for place, name in enumerate(columns):
        if name in targets:
            continue
        column = rows[:, place].tolist()
        try:
            mean = math.fsum(column) / len(column)
            stddev = math.sqrt(math.fsum((value - mean) * (value - mean) for value in column) / len(column))
        except OverflowError:
            stddev = math.inf
        if not math.isfinite(stddev):
            raise InvalidInput(f"the numbers of column {shown(name)} are too large to standardize", "/data/standardize")
        scales[name] = Scale(mean, stddev or 1.0)
    return scales


def standardized(columns: Sequence[str], rows: Array, scales: Mapping[str, Scale]) -> Array:
    """The rows with each column in its scale."""
    scaled = rows.copy()
    with np.errstate(over="ignore"):  # a row that was not scaled by may lie far out
        for place, name in enumerate(columns):
            if name in scales:
                scaled[:, place] = (rows[:, place] - scales[name].mean) / scales[name].stddev
    return scaled
