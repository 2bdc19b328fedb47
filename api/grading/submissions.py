"""A submission: one student's answers to the cases, and from JSON to there.

    {"student": …, "answers": [{"case": 1, "step": 0, "values": {…}, "gradients": {…}, "updated": {…}}, …]}

Cases count from 1, steps and indices from 0. What cannot be graded is told with its place. ``tables`` reads the same
from CSV.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.engine.errors import FieldError, InvalidInput
from api.engine.wording import near_miss, pointer_part, shown
from api.grading.cases import Case
from api.grading.cells import cell, fit
from api.grading.compare import SECTIONS, Malformed
from api.grading.exercise import Exercise
from api.grading.line import Sheet
from api.grading.numbers import shape
from api.grading.quantities import names_of
from api.grading.working import Working, number

FAULTS = 20
"""Faults listed at most."""
PLACES = ("case", "step")

Answers = dict[str, dict[str, Any]]


@dataclass(slots=True)
class Submission:
    """One student's answers by case and step, and what is wrong with them."""

    student: str | None
    answers: dict[tuple[int, int], Answers] = field(default_factory=dict)
    faults: list[FieldError] = field(default_factory=list)

    @property
    def sheets(self) -> dict[tuple[int, int], Sheet]:
        """The answers as they are graded."""
        return {place: Sheet(answers) for place, answers in self.answers.items()}

    @property
    def empty(self) -> bool:
        """Whether nothing is given at all."""
        given = (one for answers in self.answers.values() for each in answers.values() for one in each.values())
        return all(one is None for one in given)

    def must_be_gradable(self) -> None:
        """Raises ``InvalidInput`` that lists every fault."""
        if not self.faults and self.empty:
            raise InvalidInput("the submission holds no answers", "/answers")
        if self.faults:
            raise InvalidInput(self.faults[0].detail, errors=self.faults[:FAULTS])


class Form:
    """What answers to some cases must look like."""

    def __init__(self, cases: Sequence[Case], steps: int) -> None:
        self.steps = steps
        self._workings = {case.number: Working(case.exercise(0)) for case in cases}

    def exercise(self, case: int) -> Exercise:
        """The first step of a case, whose names and shapes are those of the others."""
        return self._workings[case].exercise

    def wanted(self, case: int, section: str, name: str) -> tuple[int, ...]:
        """The shape of a quantity; ``Malformed`` where it has no value to compare with."""
        value = number(self._workings[case], section, name)
        if value is None:
            raise Malformed(f"{section}.{name} is not taken element by element: it has no value to compare with")
        return shape(value)

    def place(self, case: Any, step: Any) -> tuple[int, int]:
        """A case and a step as numbers; ``Malformed`` if there are none such."""
        number_, count = whole(case, "case"), whole(step, "step")
        if number_ not in self._workings:
            raise Malformed(f"there is no case {number_}: cases are numbered from 1 to {len(self._workings)}")
        if not 0 <= count < self.steps:
            raise Malformed(f"there is no step {count}: steps are numbered from 0 to {self.steps - 1}")
        return number_, count


def whole(value: Any, name: str) -> int:
    """A whole number from JSON or from a text; ``Malformed`` if it is none."""
    try:
        found = int(value) if not isinstance(value, bool | float) or value == int(value) else None
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None or abs(found) > 10**9:
        raise Malformed(f"{name} must be a whole number, not {shown(value)}")
    return found


# JSON


def of_json(document: Any, form: Form, *, text: bool = False) -> Submission:
    """One student's submission; with ``text``, numbers may be written as in a form's field."""
    if not isinstance(document, Mapping):
        raise InvalidInput(f"a submission is an object, not {shown(document)}")
    student = document.get("student")
    if student is not None and not isinstance(student, str):
        raise InvalidInput(f"student must be a text, not {shown(student)}", "/student")
    found = Submission(student)
    sections = {name: value for name, value in document.items() if name in (*SECTIONS, *PLACES)}
    answers = document.get("answers", [sections] if sections else [])
    for name in document:
        if name not in ("student", "answers", *sections):
            near = near_miss(str(name), ("student", "answers", *SECTIONS))
            found.faults.append(FieldError(f"/{pointer_part(str(name))}", f"there is no field {shown(name)}{near}"))
    base = "/answers" if "answers" in document else ""
    single = isinstance(answers, Mapping)
    if not single and not isinstance(answers, list):
        raise InvalidInput("answers must be a list with an object for each case and step", "/answers")
    for place, one in enumerate([answers] if single else answers):
        _sheet(found, form, one, base if single or not base else f"{base}/{place}", text)
    return found


def _sheet(found: Submission, form: Form, given: Any, pointer: str, text: bool) -> None:
    """Read the answers for one case and step."""
    if not isinstance(given, Mapping):
        found.faults.append(FieldError(pointer, f"answers must be objects, not {shown(given)}"))
        return
    try:
        place = form.place(given.get("case", 1), given.get("step", 0))
    except Malformed as reason:
        found.faults.append(FieldError(pointer, str(reason)))
        return
    if place in found.answers:
        found.faults.append(FieldError(pointer, f"case {place[0]}, step {place[1]} is given twice"))
        return
    answers = found.answers.setdefault(place, {})
    for section, values in given.items():
        at = f"{pointer}/{pointer_part(str(section))}"
        if section in PLACES or values is None:
            continue
        if section not in SECTIONS or not isinstance(values, Mapping):
            near = near_miss(str(section), (*SECTIONS, *PLACES))
            reason_ = (
                f"there is no field {shown(section)}{near}" if section not in SECTIONS else "this must be an object"
            )
            found.faults.append(FieldError(at, reason_))
            continue
        for name, value in values.items():
            _put(found, answers, form, place[0], section, name, value, f"{at}/{pointer_part(str(name))}", text)


def _put(
    found: Submission, answers: Answers, form: Form, case: int, section: str, name: str, value: Any, at: str, text: bool
) -> None:
    try:
        known = names_of(form.exercise(case), section)
        if name not in known:
            raise Malformed(f"there is no {shown(f'{section}.{name}')}{near_miss(str(name), known)}")
        wanted = form.wanted(case, section, name)
        value = cell(value, wanted) if text and isinstance(value, str) else value
        fit(value, wanted)
    except Malformed as reason:
        found.faults.append(FieldError(at, f"{section}.{str(name)[:40]}: {reason}"))
    else:
        answers.setdefault(section, {})[name] = value
