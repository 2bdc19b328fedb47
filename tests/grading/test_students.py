"""Students' own programs: right ones are right, and the mistake in a wrong one is found and named."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from api.grading.diagnosis import Diagnosis
from api.grading.exercise import Exercise
from tests.grading.planting import Json, checked, codes, exercise, first_wrong, plain
from tests.grading.students import STUDENTS, Student


def answers_of(source: str, of: Exercise) -> Json:
    """What a program makes of an exercise."""
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102 - our own students

    def given(values: Any) -> dict[str, Any]:
        return {name: np.array(value) if np.ndim(value) else value for name, value in values.items()}

    parameters, inputs = given(of.parameters), given(of.inputs)
    optimizer = {**of.definition.optimizer, "learning_rate": of.rate}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = space["forward"](parameters, inputs)
        gradients = space["backward"](parameters, inputs, values)
        state = {slot: given(each) for slot, each in of.slots.items()}
        updated, _ = space["update"](parameters, gradients, optimizer, state)
    parts = {"values": values, "gradients": gradients, "updated": updated}
    return {part: {name: plain(value) for name, value in each.items()} for part, each in parts.items()}


@pytest.mark.parametrize("student", STUDENTS, ids=lambda one: one.name)
def test_a_right_program_is_right(student: Student) -> None:
    for seed in range(5):
        of = exercise(student.session, steps=seed % 3, seed=seed)
        found = checked(Diagnosis(of), answers_of(student.source, of))
        assert found["correct"], first_wrong(found)


def test_nineteen_of_twenty_mistakes_are_named_and_each_is_located() -> None:
    seen, lost = 0, []
    for student in STUDENTS:
        of = exercise(student.session, steps=2, seed=3)
        diagnosis = Diagnosis(of)
        for what, source, wanted in student.programs():
            try:
                found = checked(diagnosis, answers_of(source, of))
            except (ValueError, ArithmeticError):
                continue  # what stops a program is told elsewhere
            assert not found["correct"], what
            seen += 1
            if not wanted & set(codes(first_wrong(found))):
                lost.append(f"{student.name}: {what}: {codes(first_wrong(found))}")
    assert seen > 100
    assert len(lost) <= 0.05 * seen, "\n".join(lost)
