"""Updates that are not quite the right ones: by another rule, with other numbers, from another state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from api.engine.kernels import Value
from api.engine.rules import Line, Rule, Slots
from api.grading.exercise import Exercise
from api.grading.slip import Slip
from api.grading.working import Working

Slips = Iterator[Slip]
Change = Callable[[str], str]
_DECAYS = ("beta1", "beta2", "momentum", "rho")
_COUNTED = "t"


def stepping(
    exercise: Exercise,
    *,
    rule: Rule | None = None,
    fields: Mapping[str, float] | None = None,
    slots: Slots | None = None,
    gradients: Callable[[Working], Mapping[str, Value]] | None = None,
    note: str = "",
) -> Slip:
    """An update by another rule, with other numbers, from another state or from other gradients."""

    def update(working: Working) -> Mapping[str, Value]:
        found = working.gone_on if gradients is None else gradients(working)
        return working.stepped(
            rule or exercise.rule, fields or exercise.fields, found, exercise.slots if slots is None else slots
        ).after

    return Slip(update=update, note=note)


@lru_cache(maxsize=2048)
def rule_of_lines(lines: tuple[Line, ...], own: Rule) -> Rule:
    """A rule of these lines, the same object for the same ones: making its functions takes longer than using them."""
    return Rule(lines, own.births)


def with_field(exercise: Exercise, change: Callable[[float], float], *names: str) -> Slips:
    """An update with each of these numbers changed, where the rule reads it."""
    for name in names:
        if name in exercise.fields:
            yield stepping(exercise, fields={**exercise.fields, name: change(exercise.fields[name])}, note=name)
