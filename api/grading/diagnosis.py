"""Which rule went wrong: each wrong quantity is worked out again from the student's own numbers, then by the table.

A wrong quantity that the right rule gives on one's own wrong numbers before it is ``follow_through``. Any other is
compared with what each mistake of the table gives, by itself from the start or on one's own numbers. A mistake is named
only if its number is not the right one too and if so good an agreement is no accident; where several give the
same number, the one that explains more of the sheet is named, and the others are listed beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from api.engine.kernels import Value
from api.grading.closeness import Closeness
from api.grading.exercise import Exercise
from api.grading.mistakes import Planted, planted
from api.grading.numbers import elements, shaped
from api.grading.precision import looks_single, margins, workings
from api.grading.slip import Own
from api.grading.sweep import EXACT, Match, Sweep, tells, value_in
from api.grading.working import Working

LIKELY = 0.05
"""The chance of an accident above which a mistake is not named."""
SINGLE = 2e-5
"""The relative tolerance for what was worked out in single precision."""
LISTED = 3
"""Other mistakes listed beside the named one."""
KEPT = 20_000
"""Numbers of a step up to which the workings of all mistakes are kept for the next sheet."""
WORK = 20_000_000
"""Elementary operations, roughly, that one sheet is worth."""


@dataclass(slots=True)
class Item:
    """One given quantity; ``expected`` and ``given`` are its numbers in row-major order.

    ``verdict`` is ``right`` or ``wrong`` to begin with. ``exact`` is what a right rule or a named mistake gives where a
    student has a rounded number; ``named`` and ``also`` are the mistakes found; ``single`` says that only single
    precision sets it apart.
    """

    section: str
    name: str
    given: tuple[float, ...]
    expected: tuple[float, ...]
    verdict: str
    exact: Value = None
    named: Planted | None = None
    also: list[Planted] = field(default_factory=list)
    single: bool = False


class Diagnosis:
    """What went wrong in sheets of answers to one exercise."""

    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise
        self.right = Working(exercise)
        self._kept: list[tuple[Planted, Working]] | None = None

    @cached_property
    def planted(self) -> list[Planted]:
        """The table of mistakes at every place of this exercise, as many as are worth the work."""
        return planted(self.exercise)[: max(100, WORK // self._size)]

    @cached_property
    def _size(self) -> int:
        """Roughly the elementary operations of one working."""
        return 4 * sum(max(1, int(np.size(value))) for value in self.right.values)

    def workings(
        self, own: Own | None = None, stages: Collection[int] = (0, 1, 2)
    ) -> Iterator[tuple[Planted, Working]]:
        """The exercise with each mistake of some stages and nothing else wrong, or on one's own numbers."""
        if own is not None or self._size > KEPT:
            for one in self.planted:
                if one.slip.stage in stages:
                    yield one, self.right.again(one.slip, own or Own())
            return
        if self._kept is None:
            self._kept = [(one, self.right.again(one.slip)) for one in self.planted]
        yield from self._kept

    def explain(self, items: Sequence[Item], closeness: Closeness) -> None:
        """Find out about each wrong item of one sheet, in the order of judging."""
        _Sheet(self, items, closeness).explain()


class _Sheet:
    """One sheet of answers on the way to being explained."""

    def __init__(self, diagnosis: Diagnosis, items: Sequence[Item], closeness: Closeness) -> None:
        self.diagnosis = diagnosis
        self.exercise = diagnosis.exercise
        self.right = diagnosis.right
        self.items = items
        self.closeness = closeness
        self._sweeps: dict[tuple[str, int, int], Sweep] = {}

    @cached_property
    def sweep(self) -> Sweep:
        """What the table offers for all that is wrong."""
        wrong = [item for item in self.items if item.verdict == "wrong"]
        return Sweep(self.closeness).over(self.diagnosis.workings(), wrong)

    def explain(self) -> None:
        """Each wrong item in turn."""
        if looks_single(number for item in self.items for number in item.given):
            self._forgive()
        for place, item in enumerate(self.items):
            if item.verdict == "wrong":
                before = [one for one in self.items[:place] if one.section != item.section or one.section == "values"]
                self._explain(item, before)

    def _forgive(self) -> None:
        """Take for right what only single precision sets apart, and compare the rest less sharply."""
        runs = workings(self.right)
        for item in self.items:
            found = [value_in(run, item) for run in runs]
            if item.verdict == "wrong" and all(value is not None for value in found):
                room = margins(item.expected, found)
                pairs = zip(item.given, item.expected, room, strict=True)
                if all(one == right or abs(one - right) <= margin for one, right, margin in pairs):
                    item.verdict, item.single = "right", True
        self.closeness = replace(
            self.closeness, rtol=max(self.closeness.rtol, SINGLE), atol=max(self.closeness.atol, 1e-7)
        )

    def _explain(self, item: Item, before: Sequence[Item]) -> None:
        owns = list(self._owns(before))
        for own in owns:
            if self._follows(item, self.right.again(own=own)):
                return
        for earlier in before:
            if earlier.named is not None and self._follows(item, self.right.again(earlier.named.slip)):
                return
        sweep = self.sweep
        if id(item) not in sweep.matches:
            for place, (own, stages) in enumerate(self._again(item, before, owns)):
                sweep = self._sweep_on(item, (item.section, len(before), place), own, stages)
                if id(item) in sweep.matches:
                    break
        if id(item) in sweep.matches:
            self._name(item, sweep)

    def _again(self, item: Item, before: Sequence[Item], owns: Sequence[Own]) -> Iterator[tuple[Own, Sequence[int]]]:
        """One's own numbers on which the table is gone over again, and the stages of mistakes that are worth it."""
        if owns:
            known = {one.name for one in before if one.section == "gradients"}
            given = {one.name for one in before if one.section == "values"}
            made = {node.id for node in self.exercise.graph.named if node.op}
            late = item.section == "updated" and item.name in known
            yield owns[0], (2,) if late else (1, 2) if item.section != "values" and made <= given else (0, 1, 2)
        for own in self._pinned(item, before):
            yield own, (0,)

    def _sweep_on(self, item: Item, key: tuple[str, int, int], own: Own, stages: Sequence[int]) -> Sweep:
        """The table on one's own numbers, for all that is wrong in the section and has the same numbers before it."""
        if key not in self._sweeps:
            wrong = [one for one in self.items if one.section == item.section and one.verdict == "wrong"]
            alike = [item] if item.section == "values" else wrong
            self._sweeps[key] = Sweep(self.closeness).over(self.diagnosis.workings(own, stages), alike)
        return self._sweeps[key]

    def _owns(self, before: Sequence[Item]) -> Iterator[Own]:
        """One's own wrong numbers; with what is right, or was explained, exact or as it was written down."""
        wrong = [item for item in before if item.verdict != "right"]
        choices = [self._own(wrong, exact=True)]
        if self.closeness.coarse:
            choices += [self._own(wrong, exact=False), self._own(before, exact=False)]
        for own in filter(None, choices):
            yield own
            if any(self.exercise.graph.nodes[index].op for index in own.values):
                yield replace(own, recomputed=True)

    def _pinned(self, item: Item, before: Sequence[Item]) -> Iterator[Own]:
        """What was given right kept as it is, so that a slip of the forward pass shows only behind it."""
        kept = [one for one in before if one.verdict == "right" and one.section == "values"]
        if item.section != "values" and any(self.exercise.node(one.name).op for one in kept):
            yield self._own([*kept, *(one for one in before if one.verdict != "right")], exact=True)

    def _own(self, items: Sequence[Item], *, exact: bool) -> Own:
        index = self.exercise.graph.index
        values: dict[int, Value] = {}
        partials: dict[tuple[int, int], Value] = {}
        gradients: dict[str, Value] = {}
        for item in items:
            reference = value_in(self.right, item)
            value = item.exact if exact and item.exact is not None else shaped(item.given, reference)
            value = reference if exact and item.verdict == "right" else value
            if item.section == "values":
                values[index[item.name]] = value
            elif item.section == "partials":
                target, _, source = item.name.partition("/")
                partials[index[source], index[target]] = value
            elif item.section == "gradients":
                gradients[item.name] = value
        return Own(values, partials, gradients)

    def _follows(self, item: Item, working: Working) -> bool:
        """Whether the right rule on other numbers gives the item; then that is its verdict."""
        value = value_in(working, item)
        if value is None or not self.closeness.agree(item.given, elements(value)):
            return False
        item.verdict, item.exact = "follow_through", value
        return True

    def _name(self, item: Item, sweep: Sweep) -> None:
        """Name the mistake that explains the most of the sheet, and list those that explain as much."""
        matches = sweep.matches[id(item)]
        weights = [self._weight(match) for match in matches]
        best = max(range(len(matches)), key=weights.__getitem__)
        if self._accident(item, matches[best], sweep) > LIKELY:
            return
        item.named, item.exact = matches[best].planted, value_in(matches[best].working, item)
        codes = {item.named.mistake.code}
        for match, weight in zip(matches, weights, strict=True):
            code = match.planted.mistake.code
            if weight[:2] == weights[best][:2] and code not in codes and len(codes) <= LISTED:
                codes.add(code)
                item.also.append(match.planted)

    def _weight(self, match: Match) -> tuple[int, int, bool]:
        """How many of the given quantities a mistake explains, and how many to the last digits."""
        loose = tight = 0
        for item in self.items:
            value = value_in(match.working, item)
            if value is not None:
                numbers = elements(value)
                loose += self.closeness.agree(item.given, numbers)
                tight += EXACT.agree(item.given, numbers)
        return loose, tight, not match.planted.mistake.rare

    def _accident(self, item: Item, match: Match, sweep: Sweep) -> float:
        """How likely it is that some mistake of the table agrees with the wrong numbers by chance."""
        chance = self._chance(item, match)
        for other in self.items:
            if chance > 1e-5 and other is not item and other.verdict != "right":
                chance *= self._chance(other, match)
        return chance * sweep.alternatives(item, match.planted.unlikeliness) if chance > 1e-5 else chance

    def _chance(self, item: Item, match: Match) -> float:
        """How likely a random wrong answer is as close to what the mistake gives; 1 where it does not give it."""
        value = value_in(match.working, item)
        if value is None or not tells(item, elements(value), self.closeness):
            return 1.0
        exact = EXACT.agree(item.given, elements(value))
        return (EXACT if exact else self.closeness).chance(item.given, item.expected)
