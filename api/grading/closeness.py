"""When two numbers are close enough to be the same answer, and how much chance there was that they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LONG = 64
"""Numbers from which comparing is left to NumPy."""


@dataclass(frozen=True, slots=True)
class Closeness:
    """``|given − expected| ≤ atol + rtol·|expected|``, or with ``decimals`` ``≤ 10^-decimals``."""

    rtol: float = 0.0
    atol: float = 0.0
    decimals: int | None = None

    def close(self, given: float, expected: float) -> bool:
        """Whether one number is close to another; what is not finite is close only to itself."""
        if not math.isfinite(expected):
            return given == expected or (math.isnan(given) and math.isnan(expected))
        return abs(given - expected) <= self.margin(given, expected)

    def margin(self, given: float, expected: float) -> float:
        """By how much they may differ."""
        if self.decimals is None:
            return self.atol + self.rtol * abs(expected)
        # 4.478 − 4.477 is a little over 0.001 in float64; what separates them on paper must not be held against anyone.
        spacing = math.ulp(max(abs(given), abs(expected))) if math.isfinite(given) else 0.0
        return float(10.0**-self.decimals) + spacing

    def agree(self, given: Sequence[float], expected: Sequence[float]) -> bool:
        """Whether each number is close to its own."""
        if len(given) != len(expected):
            return False
        if len(given) < LONG:
            return all(map(self.close, given, expected))
        return self._agree(np.asarray(given), np.asarray(expected))

    def _agree(self, given: np.ndarray, expected: np.ndarray) -> bool:
        finite = np.isfinite(expected)
        if not finite.all() and not all(map(self.close, given[~finite].tolist(), expected[~finite].tolist())):
            return False
        given, expected = given[finite], expected[finite]
        margin = self.atol + self.rtol * np.abs(expected)
        if self.decimals is not None:
            margin = 10.0**-self.decimals + np.spacing(np.maximum(np.abs(given), np.abs(expected)))
        with np.errstate(all="ignore"):
            return bool((np.abs(given - expected) <= margin).all())

    @property
    def coarse(self) -> bool:
        """Whether rounding is so rough that it matters for what is worked out from rounded numbers."""
        return self.decimals is not None or self.rtol > 1e-5 or self.atol > 1e-5

    def chance(self, given: Sequence[float], expected: Sequence[float]) -> float:
        """How likely a random wrong answer, about as far off as this one, is close to one given number."""
        result = 1.0
        for one, right in zip(given, expected, strict=True):
            off = abs(one - right)
            if off > 0 and math.isfinite(off):
                result *= min(1.0, self.margin(one, right) / off)
            elif off != 0:
                result *= 1e-3  # infinities and NaN are no accident, but there are only three of them
            if result < 1e-12:
                break
        return result
