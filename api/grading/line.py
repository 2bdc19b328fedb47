"""A student's line of steps: where each begins, and the numbers that the student went on with from there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from api.engine.kernels import Value
from api.grading.compare import Malformed, flat
from api.grading.diagnosis import Diagnosis
from api.grading.numbers import elements, shape, shaped
from api.grading.working import Working
from api.training.snapshot import value_of

Slots = Mapping[str, Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A student's numbers for one step: ``answers`` by section; ``state`` is the optimiser's, where a program gives it;
    ``said`` is why a section is missing."""

    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    state: Mapping[str, Mapping[str, Any]] | None = None
    said: Mapping[str, str] = field(default_factory=dict)


Sheets = Mapping[tuple[int, int], Sheet]
"""By the case's number (from 1) and the step (from 0)."""


@dataclass(frozen=True, slots=True)
class Line:
    """Where a step begins: parameters, the optimiser's state, and the gradients of the steps before."""

    parameters: Mapping[str, Value]
    slots: Slots
    past: tuple[Mapping[str, Value], ...] = ()

    def after(self, working: Working) -> Line:
        """Where the next step begins, worked out right."""
        return Line(working.updated, working.step.slots, (*self.past, working.gradients))

    def gone_on(self, here: Diagnosis, sheet: Sheet, verdicts: Mapping[str, str], *, exact: bool) -> Line:
        """This line as a student went on with it who did the step ``here`` like that: with the numbers given, as far as
        they can be gone on from; the line itself, if they are its own. ``exact``: what is right is not rounded.
        """
        gradients = _given(sheet.answers.get("gradients"), here.right.gradients, verdicts, "gradients", exact)
        after = _given(sheet.answers.get("updated"), self.parameters, verdicts, "updated", exact)
        slots, parameters = self.slots, self.parameters
        if gradients:
            exercise = here.exercise
            found = {**here.right.gradients, **gradients}
            step = here.right.stepped(exercise.rule, exercise.fields, found, exercise.slots)
            slots, parameters = step.slots, parameters if sheet.answers.get("updated") else step.after
        slots = _state(sheet.state, slots)
        if not gradients and not after and all(slots[slot] is self.slots[slot] for slot in slots):
            return self
        return Line({**parameters, **after}, slots, self.past)


def _given(
    answers: Mapping[str, Any] | None,
    reference: Mapping[str, Value],
    verdicts: Mapping[str, str],
    section: str,
    exact: bool,
) -> dict[str, Value]:
    """The numbers given for a section that set out from the reference's."""
    found: dict[str, Value] = {}
    for name, given in (answers or {}).items():
        verdict = verdicts.get(f"{section}.{name}")
        if name in reference and verdict not in (None, "missing", "malformed") and not (exact and verdict == "right"):
            numbers = flat(given).elements
            if all(map(math.isfinite, numbers)) and numbers != elements(reference[name]):
                found[name] = shaped(numbers, reference[name])
    return found


def _state(given: Mapping[str, Mapping[str, Any]] | None, slots: Slots) -> Slots:
    """The state that a program went on with, where it is one; else the state that its gradients lead to."""
    if given is None:
        return slots
    found: dict[str, Mapping[str, Value]] = {}
    for slot, values in slots.items():
        each = given.get(slot) if isinstance(given, Mapping) else None
        try:
            read = {name: _slot(each[name], value) for name, value in values.items()} if each else {}
        except (Malformed, KeyError, TypeError):
            read = {}
        close = read and all(np.allclose(read[name], value, rtol=1e-9, atol=1e-300) for name, value in values.items())
        found[slot] = values if close or not read else read
    return found


def _slot(given: Any, like: Value) -> Value:
    numbers = flat(given)
    if numbers.shape != shape(like) or not all(map(math.isfinite, numbers.elements)):
        raise Malformed("not a state of this shape")
    return value_of(np.asarray(numbers.elements).reshape(numbers.shape).tolist())
