"""One pass over the table of mistakes: which of them give the numbers that somebody has."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from api.engine.kernels import Value
from api.grading.closeness import Closeness
from api.grading.mistakes import Planted
from api.grading.numbers import elements
from api.grading.working import Working, number

STAGES = {"values": 0, "partials": 1, "gradients": 1, "updated": 2}
"""The stage of a slip from which each section can show it."""
EXACT = Closeness(rtol=1e-9, atol=1e-12)
SHORT = 4
"""Numbers up to which a quantity may agree with a mistake by accident."""

Numbers = tuple[float, ...]


class Asked(Protocol):
    """A given quantity, as ``diagnosis.Item``."""

    section: str
    name: str
    given: Numbers
    expected: Numbers


def value_in(working: Working, asked: Asked) -> Value:
    """A given quantity as a working has it; None where there is none of its size."""
    value = number(working, asked.section, asked.name)
    return value if value is not None and len(elements(value)) == len(asked.given) else None


def tells(asked: Asked, numbers: Numbers, closeness: Closeness) -> bool:
    """Whether a mistake's numbers are the given ones and not the right ones too."""
    return closeness.agree(asked.given, numbers) and not closeness.agree(numbers, asked.expected)


@dataclass(slots=True)
class Match:
    """A mistake that gives the numbers of a quantity."""

    planted: Planted
    working: Working


@dataclass(slots=True)
class Sweep:
    """What the table offers for each of several wrong quantities: ``matches``, and the ``offers``, all numbers in steps
    of the tolerance, with how unlikely the mistake is that gives them."""

    closeness: Closeness
    matches: dict[int, list[Match]] = field(default_factory=dict)
    offers: dict[int, set[tuple[int, tuple[int, ...]]]] = field(default_factory=dict)

    def over(self, workings: Iterable[tuple[Planted, Working]], asked: Sequence[Asked]) -> Sweep:
        """Go over these workings for these quantities."""
        last = max(STAGES[one.section] for one in asked)
        for planted, working in workings:
            if planted.slip.stage <= last:
                for one in asked:
                    if planted.slip.stage <= STAGES[one.section]:
                        self._look(planted, working, one)
        return self

    def _look(self, planted: Planted, working: Working, asked: Asked) -> None:
        value = value_in(working, asked)
        if value is None:
            return
        numbers = elements(value)
        if len(numbers) <= SHORT:
            unit = self.unit(asked)
            steps = tuple(round(one / unit) if abs(one) < 1e15 * unit else 0 for one in numbers)
            self.offers.setdefault(id(asked), set()).add((planted.unlikeliness, steps))
        if tells(asked, numbers, self.closeness):
            self.matches.setdefault(id(asked), []).append(Match(planted, working))

    def unit(self, asked: Asked) -> float:
        """The step in which numbers of this quantity are told apart."""
        finite = [right for right in asked.expected if math.isfinite(right)]
        return max((self.closeness.margin(right, right) for right in finite), default=0.0) or 1e-15

    def alternatives(self, asked: Asked, unlikeliness: int) -> int:
        """How many different numbers the table offers about as far from the right one as the given one, by mistakes at
        least as likely."""
        unit = self.unit(asked)
        right = [one / unit if math.isfinite(one) else 0.0 for one in asked.expected]
        furthest = 2 * max(
            abs(one / unit - there) if math.isfinite(one) else math.inf
            for one, there in zip(asked.given, right, strict=True)
        )
        found = {steps for unlike, steps in self.offers.get(id(asked), ()) if unlike <= unlikeliness}
        off = [max(abs(one - there) for one, there in zip(steps, right, strict=True)) for steps in found]
        return max(1, sum(1 < one <= furthest for one in off))
