"""The plain comparison: tolerances, shapes, names, order and score."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.engine.errors import InvalidInput
from api.grading.compare import SECTIONS, Reference, check, flat

ARTICLE = Reference(
    values={"x1": [4.0], "w1": -0.017, "yhat": np.array([-0.116]), "L": 4.477456},
    partials={"yhat/w1": [4.0], "L/yhat": [-4.232], "L/y": [4.232]},
    gradients={"w1": -16.928, "w2": -4.232, "b": -4.232},
    updated={"w1": 0.8294, "w2": 0.1636, "b": 0.2116},
)
MATRIX = Reference({"W": np.array([[1.0, 2.0], [3.0, 4.0]])}, {"z/W": None}, {"W": np.zeros((2, 2))}, {})
finite = st.floats(allow_nan=False, allow_infinity=False)


def one(reference: Reference = ARTICLE, **answers: Any) -> dict[str, Any]:
    result = check(reference, answers)
    assert isinstance(result, dict)
    json.dumps(result)
    return result


def verdicts(reference: Reference = ARTICLE, **answers: Any) -> dict[str, str]:
    return {quantity["quantity"]: quantity["verdict"] for quantity in one(reference, **answers)["quantities"]}


def verdict(reference_value: Any, given_value: Any, **options: Any) -> str:
    return verdicts(Reference({"q": reference_value}, {}, {}, {}), values={"q": given_value}, **options)["values.q"]


def pointers(answers: Any) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        check(ARTICLE, answers)
    return [error.pointer for error in caught.value.errors]


def test_the_forgotten_factor_of_two_is_wrong_and_named_first() -> None:
    result = one(
        updated={"w1": 0.4062},
        gradients={"b": -4.232, "w1": -8.464},
        values={"L": 4.477456, "yhat": [-0.116]},
    )
    assert result["correct"] is False
    assert result["score"] == 0.6
    assert result["first_wrong"] == "gradients.w1"
    assert [quantity["quantity"] for quantity in result["quantities"]] == [
        "values.yhat",
        "values.L",
        "gradients.w1",
        "gradients.b",
        "updated.w1",
    ]
    assert result["quantities"][2] == {
        "quantity": "gradients.w1",
        "verdict": "wrong",
        "given": -8.464,
        "expected": -16.928,
        "mistake": None,
        "detail": None,
    }
    assert result["quantities"][0]["expected"] == [-0.116]


def test_the_reference_itself_is_all_right() -> None:
    everything: dict[str, Any] = {
        section: {name: np.asarray(value).tolist() for name, value in getattr(ARTICLE, section).items()}
        for section in SECTIONS
    }
    result = one(**everything)
    assert (result["correct"], result["score"], result["first_wrong"]) == (True, 1.0, None)
    assert len(result["quantities"]) == 13


@given(st.permutations(["x1", "w1", "yhat", "L"]))
def test_values_are_judged_in_graph_order_whatever_order_they_are_given_in(names: list[str]) -> None:
    assert list(verdicts(values=dict.fromkeys(names, 0.0))) == ["values.x1", "values.w1", "values.yhat", "values.L"]


def test_nothing_given_is_not_correct_and_scores_nothing() -> None:
    expected: dict[str, Any] = {"correct": False, "score": 0.0, "first_wrong": None, "quantities": []}
    assert one() == expected
    assert one(values={}, gradients=None) == expected


def test_null_is_missing_and_counts() -> None:
    result = one(gradients={"w1": None, "b": -4.232})
    assert [quantity["verdict"] for quantity in result["quantities"]] == ["missing", "right"]
    assert (result["score"], result["first_wrong"]) == (0.5, "gradients.w1")


# Tolerance


@given(finite, finite, st.floats(0, 1), st.floats(0, 1))
def test_right_is_within_atol_plus_rtol_times_expected(expected: float, by: float, rtol: float, atol: float) -> None:
    given_value = expected + by
    if math.isfinite(given_value):
        within = abs(given_value - expected) <= atol + rtol * abs(expected)
        assert (verdict(expected, given_value, rtol=rtol, atol=atol) == "right") is within


@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_one_off_in_the_last_decimal_is_right_and_two_off_is_wrong(digits: int, decimals: int) -> None:
    def number(shift: int) -> float:
        return float(f"{digits + shift}e-{decimals}")

    assert verdict(number(0), number(1), decimals=decimals) == "right"
    assert verdict(number(0), number(-1), decimals=decimals) == "right"
    assert verdict(number(0), number(2), decimals=decimals) == "wrong"


def test_the_defaults_are_a_millionth_and_a_hundred_millionth() -> None:
    assert verdict(1000.0, 1000.0009) == "right"
    assert verdict(1000.0, 1000.0011) == "wrong"
    assert verdict(0.0, 0.9e-8) == "right"
    assert verdict(0.0, 1.1e-8) == "wrong"


def test_every_element_counts() -> None:
    assert verdict([1.0, 2.0, 3.0], [1, 2, 3]) == "right"
    assert verdict([1.0, 2.0, 3.0], [1, 2, 3.1]) == "wrong"


@pytest.mark.parametrize("options", [{}, {"decimals": 3}, {"rtol": 0, "atol": 0}])
@pytest.mark.parametrize(
    ("expected", "given_value", "wanted"),
    [
        (math.nan, "NaN", "right"),
        (math.inf, "Infinity", "right"),
        (-math.inf, "-Infinity", "right"),
        (math.inf, "-Infinity", "wrong"),
        (math.inf, 1e308, "wrong"),
        (math.nan, 0, "wrong"),
        (1.0, "NaN", "wrong"),
        (1.0, "Infinity", "wrong"),
        (1.7e308, -1.7e308, "wrong"),
    ],
)
def test_numbers_that_are_not_finite_equal_only_themselves(
    expected: float, given_value: Any, wanted: str, options: dict[str, Any]
) -> None:
    assert verdict(expected, given_value, **options) == wanted


# Shapes and names


@pytest.mark.parametrize(
    ("expected", "given_value", "wanted"),
    [
        ([-0.116], -0.116, "right"),
        (-0.116, [-0.116], "right"),
        ([[1.0]], 1, "right"),
        ([1.0, 1.0], 1, "malformed"),
        ([1.0, 2.0], [[1, 2]], "malformed"),
        ([1.0, 2.0], [1, 2, 3], "malformed"),
        ([[1.0, 2.0], [3.0, 4.0]], [[1, 2], [3]], "malformed"),
        ([[1.0, 2.0], [3.0, 4.0]], [[1, 2], 3], "malformed"),
        (1.0, [], "malformed"),
        (1.0, "1", "malformed"),
        (1.0, "nan", "malformed"),
        (1.0, True, "malformed"),
        (1.0, {"a": 1}, "malformed"),
        (1.0, 10**400, "malformed"),
        ([1.0, 2.0], [1, None], "malformed"),
    ],
)
def test_a_single_number_may_have_brackets_but_shapes_agree(expected: Any, given_value: Any, wanted: str) -> None:
    assert verdict(expected, given_value) == wanted


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"values": {"Yhat": 1}}, "there is no node 'Yhat', did you mean 'yhat'?"),
        ({"gradients": {"W1": 1}}, "there is no parameter 'W1', did you mean 'w1'?"),
        ({"partials": {"w1/yhat": 1}}, "did you mean 'yhat/w1' (target/source)?"),
        ({"partials": {"w1": 1}}, "partials are named target/source"),
        ({"updated": {"zzzz": 1}}, "there is no parameter 'zzzz'"),
        ({"gradients": {"w1": [1, 2]}}, "shape [2] given, a single number expected"),
        ({"gradients": {"w1": "x" * 1_000}}, "…"),
    ],
)
def test_malformed_answers_say_what_would_do(answers: dict[str, Any], said: str) -> None:
    result = one(**answers)
    (quantity,) = result["quantities"]
    assert quantity["verdict"] == "malformed"
    assert said in quantity["detail"]
    assert (result["correct"], result["first_wrong"]) == (False, quantity["quantity"])
    assert len(str(quantity["given"])) <= 40


def test_an_unknown_name_comes_after_the_known_ones_and_can_be_sent() -> None:
    result = one(gradients={"\ud800" + "x" * 99: 1, "w2": -4.232})
    assert result["quantities"][0]["quantity"] == "gradients.w2"
    unknown = result["quantities"][1]["quantity"].encode()
    assert len(unknown.decode()) == len("gradients.") + 40


def test_a_matrix_is_compared_as_a_nested_list_and_a_partial_without_value_is_malformed() -> None:
    found = verdicts(MATRIX, values={"W": [[1, 2], [3, 4]]}, partials={"z/W": [[1]]}, gradients={"W": [[0, 0], [0, 1]]})
    assert found == {"values.W": "right", "partials.z/W": "malformed", "gradients.W": "wrong"}


@given(st.recursive(finite, lambda inner: st.lists(inner, max_size=3), max_leaves=20))
def test_any_nesting_is_right_against_itself_or_malformed(value: Any) -> None:
    try:
        numbers = flat(value)
    except Exception:
        assert verdict(1.0, value) == "malformed"
        return
    assert math.prod(numbers.shape) == len(numbers.elements)
    assert verdict(value, value) == "right"


def test_a_list_nested_deeper_than_the_stack_is_only_malformed() -> None:
    nested: Any = [1, 2]
    for _ in range(500):
        nested = [nested]
    assert verdict(1.0, nested) == "malformed"


# Many students


def test_a_list_of_answers_gives_a_list_with_the_students_in_order() -> None:
    result = check(ARTICLE, [{"student": "Ada", "values": {"L": 4.477456}}, {"values": {"L": 0}, "atol": 10}])
    assert isinstance(result, list)
    assert [(entry["student"], entry["correct"]) for entry in result] == [("Ada", True), (None, True)]
    assert check(ARTICLE, []) == []


def test_one_student_keeps_the_name() -> None:
    assert one(student="Ada")["student"] == "Ada"
    assert "student" not in one()


# Bodies without meaning


@pytest.mark.parametrize(
    ("answers", "pointer"),
    [
        (5, "/answers"),
        ([5], "/answers/0"),
        ({"gradient": {}}, "/answers/gradient"),
        ([{}, {"a/b": 1}], "/answers/1/a~1b"),
        ({"values": [1]}, "/answers/values"),
        ({"student": 7}, "/answers/student"),
        ({"student": "x" * 201}, "/answers/student"),
        ({"rtol": -1}, "/answers/rtol"),
        ({"rtol": math.inf}, "/answers/rtol"),
        ({"atol": math.nan}, "/answers/atol"),
        ({"atol": "1"}, "/answers/atol"),
        ({"atol": True}, "/answers/atol"),
        ({"atol": 10**400}, "/answers/atol"),
        ({"decimals": 2, "rtol": 1e-3}, "/answers/decimals"),
        ({"decimals": 2.5}, "/answers/decimals"),
        ({"decimals": 16}, "/answers/decimals"),
        ({"decimals": "2"}, "/answers/decimals"),
        ({"decimals": math.nan}, "/answers/decimals"),
        ([{"decimals": -1}], "/answers/0/decimals"),
    ],
)
def test_a_body_without_meaning_is_refused_with_its_place(answers: Any, pointer: str) -> None:
    assert pointers(answers) == [pointer]


def test_a_near_miss_of_a_field_is_suggested_and_whole_floats_are_decimals() -> None:
    with pytest.raises(InvalidInput, match="did you mean 'gradients'"):
        check(ARTICLE, {"gradient": {"w1": 1}})
    assert verdict(1.25, 1.3, decimals=1.0) == "right"
