"""What an assignment may say, and the cases that are drawn from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from api.engine.errors import InvalidInput, LimitExceeded
from api.grading.assignment import DEFAULTS, Assignment
from api.grading.cases import MARGIN, Case, drawn
from api.grading.distinct import alike, trial_of
from api.grading.numbers import elements
from api.grading.working import Working
from api.training.limits import Limits

RELU: dict[str, Any] = {
    "model": {"kind": "mlp", "layers": [{"units": 3, "activation": "relu"}, {"units": 1, "activation": "sigmoid"}]},
    "data": {"dataset": "moons"},
    "loss": {"kind": "binary_cross_entropy"},
    "optimizer": {"kind": "adam"},
}


def of(**body: Any) -> Assignment:
    return Assignment.of({"seed": "s", **body})


def test_an_assignment_without_a_word_is_the_article_s() -> None:
    made = Assignment.of({})
    assert made.document | {"session": {}, "seed": None} == DEFAULTS
    assert made.document["session"]["model"] == {"kind": "linear"}
    assert (made.total, made.weights) == (100.0, {"values": 20, "gradients": 60, "updated": 20})
    assert len(made.document["seed"]) >= 22
    assert made.document["seed"] != Assignment.of({}).document["seed"]


def test_its_document_makes_it_again() -> None:
    made = of(session=RELU, cases=2, decimals=3, students=["Ada", "Bob"], ask={"gradients": 1, "values": 0})
    again = Assignment.of(made.document)
    assert again.document == made.document
    assert again.weights == {"gradients": 1.0}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"case": 3}, "/case"),
        ({"cases": 0}, "/cases"),
        ({"cases": 21}, "/cases"),
        ({"cases": 2.5}, "/cases"),
        ({"cases": float("nan")}, "/cases"),
        ({"steps": "2"}, "/steps"),
        ({"attempts": True}, "/attempts"),
        ({"ask": {}}, "/ask"),
        ({"ask": {"values": 0}}, "/ask"),
        ({"ask": {"gradient": 1}}, "/ask/gradient"),
        ({"ask": {"gradients": -1}}, "/ask/gradients"),
        ({"ask": 5}, "/ask"),
        ({"follow_through": 1.5}, "/follow_through"),
        ({"feedback": "all"}, "/feedback"),
        ({"students": []}, "/students"),
        ({"students": ["Ada", " Ada"]}, "/students/1"),
        ({"students": ["Ada", "\n"]}, "/students/1"),
        ({"students": ["Ada", 7]}, "/students/1"),
        ({"decimals": 3, "rtol": 1}, "/decimals"),
        ({"rtol": -1}, "/rtol"),
        ({"title": 7}, "/title"),
        ({"session": {"optimizer": {"learning_rate": -1}}}, "/session/optimizer/learning_rate"),
        ({"session": 7}, "/session"),
        ({"session": {"data": None, "model": {"kind": "expression", "source": "L = 1 + 1"}}}, "/session/model"),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_place(body: Any, pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Assignment.of(body)
    assert caught.value.errors[0].pointer == pointer


def test_limits_are_kept() -> None:
    with pytest.raises(LimitExceeded):
        Assignment.of({"session": RELU}, Limits(nodes=10))


# Cases


def numbers(case: Case) -> list[float]:
    values = [*case.parameters.values(), *(value for batch in case.inputs for value in batch.values())]
    return [number for value in values for number in elements(value)]


def test_cases_are_each_student_s_own_and_the_same_every_time() -> None:
    made = of(session=RELU)
    ada, again, bob = (drawn(made, student) for student in ("ada", "ada", "bob"))
    assert [numbers(case) for case in ada] == [numbers(case) for case in again]
    assert numbers(ada[0]) != numbers(bob[0])
    assert numbers(drawn(made, "ada", 1)[0]) != numbers(ada[0])
    assert numbers(drawn(Assignment.of({**made.document, "seed": "t"}), "ada")[0]) != numbers(ada[0])


@pytest.mark.parametrize("session", [{}, {"batch_size": 4}, RELU, {"model": {"kind": "preset", "name": "rnn"}}])
def test_batches_have_distinct_sizes_and_none_is_that_of_an_axis(session: Any) -> None:
    made = of(session=session, cases=4)
    cases = drawn(made, "ada")
    sizes = [case.exercise(0).rows for case in cases]
    assert sizes[0] == made.definition.batch_size
    assert len(set(sizes)) == 4
    axes = {size for node in made.definition.graph.nodes for size in node.shape}
    assert not axes & set(sizes[1:])


@pytest.mark.parametrize("name", ["convolution_1d", "gru", "softmax_classifier", "autoencoder", "self_attention"])
def test_cases_of_any_model_are_finite_and_away_from_kinks(name: str) -> None:
    made = of(session={"model": {"kind": "preset", "name": name}}, cases=2, steps=2)
    for student in ("ada", "bob"):
        for case in drawn(made, student):
            working = Working(case.exercise(0))
            assert all(np.isfinite(elements(value)).all() for value in working.updated.values())
            for node in made.definition.graph.nodes:
                if node.op == "relu":
                    assert min(map(abs, elements(working.values[node.operands[0]]))) >= MARGIN


def test_targets_stay_what_the_loss_wants_and_classes_what_they_are() -> None:
    classes = of(session={"model": {"kind": "preset", "name": "softmax_classifier"}})
    hot = np.asarray(drawn(classes, "ada")[0].inputs[0]["y"])
    assert (hot.sum(axis=1) == 1).all()
    binary = drawn(of(session=RELU), "ada")[1].inputs[0]["y"]
    assert set(np.ravel(binary).tolist()) <= {0.0, 1.0}


def test_the_first_case_has_a_new_state_and_the_others_one_with_a_past() -> None:
    first, second, third = drawn(of(session=RELU), "ada")
    assert set(first.slots["t"].values()) == {0.0}
    assert [next(iter(case.slots["t"].values())) for case in (second, third)] == [second.step, third.step]
    assert second.step > 0
    assert all(np.any(value) for value in second.slots["m"].values())


def test_numbers_to_be_worked_by_hand_are_short() -> None:
    for case in drawn(of(decimals=2), "ada"):
        assert all(round(number, 2) == number for number in numbers(case))


def test_no_two_mistakes_look_the_same_unless_they_always_do() -> None:
    made = of(session={"batch_size": 1})
    trial, pairs = trial_of(made, "ada")
    assert pairs == alike(made, drawn(made, "ada", trial))
    _, others = trial_of(made, "bob", pairs)
    assert others <= pairs
    for one, other in (
        ("missing_factor_2", "averaged_twice"),
        ("ascent", "error_sign"),
        ("rate_divided", "rate_squared"),
    ):
        assert (one, other) not in pairs
        assert (other, one) not in pairs


def test_cases_that_cannot_tell_two_mistakes_apart_are_drawn_again() -> None:
    """With a batch of two alone, halving and averaging twice look the same; cases of other sizes tell them apart."""
    alone = of(session={"batch_size": 2}, cases=1)
    assert ("averaged_twice", "missing_factor_2") in alike(alone, drawn(alone, "ada"))
    several = of(session={"batch_size": 2}, cases=2)
    assert ("averaged_twice", "missing_factor_2") not in alike(several, drawn(several, "ada"))
