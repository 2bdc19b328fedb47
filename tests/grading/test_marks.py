"""Marks: what the reference, an empty sheet and each mistake get; a student's own line of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from api.grading.assignment import Assignment
from api.grading.cases import drawn
from api.grading.line import Sheet
from api.grading.marks import graded
from api.grading.planting import reference_sheets, with_mistakes
from api.grading.working import Working

ADAM = {"optimizer": {"kind": "adam", "learning_rate": 0.01}}


def of(**body: Any) -> Assignment:
    return Assignment.of({"seed": "s", **body})


@pytest.mark.parametrize("session", [{}, ADAM, {"model": {"kind": "mlp"}, "data": {"dataset": "moons"}}])
@pytest.mark.parametrize("steps", [1, 2])
def test_the_reference_has_full_marks_and_an_empty_sheet_none(session: Any, steps: int) -> None:
    made = of(session=session, steps=steps)
    cases = drawn(made, "ada")
    full = graded(made, cases, reference_sheets(made, cases), "ada")
    assert (full["student"], full["score"], full["max_score"], full["correct"]) == ("ada", 100.0, 100.0, True)
    assert (full["first_wrong"], full["mistakes"]) == (None, [])
    empty = graded(made, cases, {}, "ada")
    assert empty["score"] == 0.0
    assert empty["first_wrong"]["verdict"] == "missing"
    assert [part["score"] for part in empty["sections"].values()] == [0.0, 0.0, 0.0]


def test_each_mistake_of_the_table_is_named_first_though_one_case_alone_leaves_it_open() -> None:
    made = of(session=ADAM)
    cases = drawn(made, "ada")
    named, all_ = 0, 0
    for code, _, sheets in with_mistakes(made, cases):
        report = graded(made, cases, sheets)
        assert report["score"] < 100, code
        found = report["first_wrong"]["mistake"]
        all_ += 1
        named += found is not None and found["code"] == code
    assert all_ > 40
    assert named >= 0.94 * all_


def test_marks_are_shared_out_by_section_and_follow_through_has_its_own_worth() -> None:
    made = of(session={"batch_size": 3}, cases=1, follow_through=0.5)
    cases = drawn(made, "ada")
    right = reference_sheets(made, cases)[1, 0].answers
    halved = {name: value / 2 for name, value in right["gradients"].items()}
    rate = made.definition.optimizer["learning_rate"]
    before = cases[0].parameters
    updated = {name: before[name] - rate * gradient for name, gradient in halved.items()}
    report = graded(made, cases, {(1, 0): Sheet({**right, "gradients": halved, "updated": updated})})
    parts = {name: part["score"] for name, part in report["sections"].items()}
    assert parts == {"values": 20.0, "gradients": 0.0, "updated": 10.0}
    assert report["first_wrong"]["mistake"]["code"] == "missing_factor_2"
    assert [one["code"] for one in report["mistakes"]] == ["missing_factor_2"]
    assert report["mistakes"][0]["count"] == 3


def test_a_second_step_is_judged_from_where_the_student_s_own_first_one_led() -> None:
    made = of(session=ADAM, cases=1, steps=2)
    cases = drawn(made, "ada")
    sheets = dict(reference_sheets(made, cases))
    first = sheets[1, 0].answers
    updated = {**first["updated"], "w1": first["updated"]["w1"] + 0.25}
    own = Working(cases[0].exercise(0))
    second = Working(cases[0].exercise(1, {**own.updated, "w1": updated["w1"]}, own.step.slots))
    values = {name: second.values[made.definition.graph.index[name]] for name in ("yhat", "L")}
    sheets[1, 0] = Sheet({**first, "updated": updated})
    sheets[1, 1] = Sheet({"values": values, "gradients": dict(second.gradients), "updated": dict(second.updated)})
    report = graded(made, cases, sheets)
    steps = report["cases"][0]["steps"]
    assert {one["verdict"] for one in steps[0]["quantities"]} == {"right", "wrong"}
    assert {one["verdict"] for one in steps[1]["quantities"]} == {"follow_through"}
    assert report["first_wrong"]["quantity"] == "updated.w1"


def test_the_state_that_a_program_gives_is_what_its_next_step_starts_from() -> None:
    made = of(session=ADAM, cases=1, steps=2)
    cases = drawn(made, "ada")
    sheets = dict(reference_sheets(made, cases))
    own = Working(cases[0].exercise(0))
    state = {slot: {name: np.asarray(value) * 1.5 for name, value in each.items()} if slot == "m" else dict(each)
             for slot, each in own.step.slots.items()}  # fmt: skip
    second = Working(cases[0].exercise(1, own.updated, state))
    sheets[1, 0] = Sheet(sheets[1, 0].answers, state)
    sheets[1, 1] = Sheet({**sheets[1, 1].answers, "updated": dict(second.updated)})
    report = graded(made, cases, sheets)
    verdicts = {one["quantity"]: one["verdict"] for one in report["cases"][0]["steps"][1]["quantities"]}
    assert {verdicts[f"updated.{name}"] for name in ("w1", "w2", "b")} == {"follow_through"}
    assert verdicts["gradients.w1"] == "right"


def test_what_is_given_beyond_what_is_asked_costs_nothing_and_helps_to_locate() -> None:
    made = of(session={"model": {"kind": "mlp"}, "data": {"dataset": "moons"}}, cases=1)
    cases = drawn(made, "ada")
    sheets = dict(reference_sheets(made, cases))
    working = Working(cases[0].exercise(0))
    hidden = np.asarray(working.values[made.definition.graph.index["h1"]]) * 2
    values = {**sheets[1, 0].answers["values"], "h1": hidden.tolist()}
    report = graded(made, cases, {(1, 0): Sheet({**sheets[1, 0].answers, "values": values})})
    assert report["score"] == 100.0
    assert report["first_wrong"]["quantity"] == "values.h1"
    assert report["correct"] is False


def test_a_missing_part_says_why() -> None:
    made = of(cases=1)
    cases = drawn(made, "ada")
    right = reference_sheets(made, cases)[1, 0].answers
    sheet = Sheet({"values": right["values"]}, said={"gradients": "backward raised KeyError: 'w3'"})
    report = graded(made, cases, {(1, 0): sheet})
    assert report["score"] == 20.0
    assert report["first_wrong"]["detail"] == "backward raised KeyError: 'w3'"
