"""What a student with one mistake would hand in, for teachers who want to see beforehand what that would get."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from api.grading.assignment import Assignment
from api.grading.cases import Case
from api.grading.line import Line, Sheet, Sheets
from api.grading.mistakes import Planted, planted
from api.grading.numbers import elements
from api.grading.shapes import SHAPES
from api.grading.slip import RIGHT, Slip
from api.grading.working import Working, asked, number
from api.training.snapshot import listed


def reference_sheets(assignment: Assignment, cases: Sequence[Case]) -> Sheets:
    """What somebody hands in who makes no mistake."""
    return _sheets(assignment, cases, None)


def with_mistakes(assignment: Assignment, cases: Sequence[Case]) -> Iterator[tuple[str, str, Sheets]]:
    """For each mistake of the table the first place where it shows: its code, its sentence, and what is handed in by
    whoever makes it there in all cases; nothing for a mistake that cannot be made here or does not show."""
    right = [Working(case.exercise(0)) for case in cases]
    seen: set[str] = set()
    for one in planted(right[-1].exercise):
        if one.mistake.code not in seen and _shows(assignment, right[-1], one):
            seen.add(one.mistake.code)
            yield one.mistake.code, one.sentence, _sheets(assignment, cases, one)
    yield from _misshapen(assignment, cases, right[-1])


def _misshapen(assignment: Assignment, cases: Sequence[Case], right: Working) -> Iterator[tuple[str, str, Sheets]]:
    """The same for the mistakes that a shape gives away, made with the first gradient that takes them."""
    if "gradients" not in assignment.weights:
        return
    for row in SHAPES:
        for name in right.exercise.names:
            sheets = dict(reference_sheets(assignment, cases))
            for place, sheet in sheets.items():
                gradient = np.asarray(sheet.answers["gradients"][name])
                count = max(1, cases[place[0] - 1].exercise(0).rows)
                given = row.wrong(gradient, np.repeat((gradient / count)[None], count, axis=0))
                gradients = {**sheet.answers["gradients"], name: given.tolist()}
                sheets[place] = Sheet({**sheet.answers, "gradients": gradients})
            gradient = np.asarray(right.gradients[name])
            bias = name in right.exercise.plan.biases
            changed = np.shape(sheets[cases[-1].number, 0].answers["gradients"][name]) != gradient.shape
            if changed and row.biases in (None, bias) and row.code != "loss_not_averaged":
                yield row.code, row.sentence, sheets
                break


def _shows(assignment: Assignment, right: Working, one: Planted) -> bool:
    working = right.again(one.slip)
    for section in assignment.weights:
        for name in asked(right, section):
            own, other = number(right, section, name), number(working, section, name)
            if other is not None and not assignment.closeness.agree(elements(other), elements(own)):
                return True
    return False


def _sheets(assignment: Assignment, cases: Sequence[Case], one: Planted | None) -> dict[tuple[int, int], Sheet]:
    sheets: dict[tuple[int, int], Sheet] = {}
    for case in cases:
        line = Line(case.parameters, case.slots)
        for step in range(assignment.steps):
            right = Working(case.exercise(step, line.parameters, line.slots, line.past))
            working = right if one is None else right.again(_same(one, right))
            answers = {section: _section(working, right, section) for section in assignment.weights}
            sheets[case.number, step] = Sheet(answers)
            line = Line(working.updated, working.step.slots, (*line.past, working.gradients))
    return sheets


def _same(one: Planted, right: Working) -> Slip:
    """The same mistake at the same place of another exercise, or none where it cannot be made."""
    return next((slip for slip in one.mistake.slips(right.exercise) if _kind(slip) == _kind(one.slip)), RIGHT)


def _kind(slip: Slip) -> tuple[object, ...]:
    return slip.where, slip.note, bool(slip.forward), bool(slip.backward), bool(slip.reads)


def _section(working: Working, right: Working, section: str) -> dict[str, Any]:
    found = {}
    for name in asked(right, section):
        value = number(working, section, name)
        found[name] = listed(number(right, section, name) if value is None else value)
    return found
