"""Cases on which no two mistakes look the same: drawn again until they can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import combinations

from api.grading.assignment import Assignment
from api.grading.cases import Case, drawn
from api.grading.diagnosis import WORK
from api.grading.mistakes import planted
from api.grading.numbers import elements
from api.grading.working import Working, asked, number

TRIALS = 6
"""Draws of all cases of a student at most."""
Pairs = frozenset[tuple[str, str]]
Look = tuple[object, ...]


def trial_of(assignment: Assignment, student: str, inherent: Pairs | None = None) -> tuple[int, Pairs]:
    """Which of a student's draws to take, and the pairs of mistakes that look the same there.

    ``inherent`` are pairs known to look the same whatever is drawn; without them, those that the first two draws have
    in common are taken for that.
    """
    found: list[Pairs] = []
    for trial in range(TRIALS):
        found.append(alike(assignment, drawn(assignment, student, trial)))
        known = inherent if inherent is not None else frozenset.intersection(*found) if len(found) > 1 else None
        if known is not None:
            best = min(range(len(found)), key=lambda place: len(found[place] - known))
            if found[best] <= known:
                return best, found[best]
    best = min(range(len(found)), key=lambda place: len(found[place]))
    return best, found[best]


def alike(assignment: Assignment, cases: Sequence[Case]) -> Pairs:
    """The pairs of mistakes with the same numbers in all cases, within the tolerance.

    None where the table has more places than are worth the work.
    """
    rights = [Working(case.exercise(0)) for case in cases]
    tables = [planted(right.exercise) for right in rights]
    if len(tables[0]) * sum(len(elements(value)) for right in rights for value in right.values) > WORK // 8:
        return frozenset()
    plain = [_look(assignment, right, right) for right in rights]
    looks: dict[tuple[str, str, str, int], list[Look]] = {}
    for place, (right, table) in enumerate(zip(rights, tables, strict=True)):
        times: dict[tuple[str, str, str], int] = {}
        for one in table:  # the same row at the same place, in each case
            name = (one.mistake.code, one.slip.where, one.slip.note)
            times[name] = times.get(name, 0) + 1
            row = looks.setdefault((*name, times[name]), list(plain))
            row[place] = _look(assignment, right, right.again(one.slip))
    codes: dict[tuple[Look, ...], set[str]] = {}
    for (code, *_), row in looks.items():
        if row != plain:
            codes.setdefault(tuple(row), set()).add(code)
    return frozenset(pair for each in codes.values() for pair in combinations(sorted(each), 2))


def _look(assignment: Assignment, right: Working, working: Working) -> Look:
    """All that is asked, each number in steps of the tolerance."""
    look: list[object] = []
    for section in assignment.weights:
        for name in asked(right, section):
            own, other = elements(number(right, section, name)), number(working, section, name)
            unit = max(assignment.closeness.margin(one, one) for one in own) or 1e-15
            if other is None:
                look.append(None)
            else:
                look.append(tuple(round(one / unit) if abs(one) < 1e15 * unit else str(one) for one in elements(other)))
    return tuple(look)


class Chosen:
    """The cases of each student of one run, drawn once, the same as the service draws for the same seed."""

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self._known: dict[tuple[str, bool], tuple[Case, ...]] = {}

    @cached_property
    def _alike(self) -> Pairs:
        return trial_of(self.assignment, "")[1]

    def of(self, student: str, *, fresh: bool = False) -> tuple[Case, ...]:
        """A student's cases; ``fresh``: with new states of the optimiser."""
        key = (student, fresh)
        if key not in self._known:
            trial, _ = trial_of(self.assignment, student, self._alike)
            self._known[key] = drawn(self.assignment, student, trial, fresh=fresh)
        return self._known[key]
