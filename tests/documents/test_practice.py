"""What is asked of a step, and what may be seen before it is answered."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from api.documents.practice import MOST_NUMBERS, MOST_QUESTIONS, Exercise, exercise, practice, veiled
from api.documents.state import to_json
from api.engine.errors import Diverged
from api.grading.sheet import Sheet
from api.training.presets import PRESETS
from tests.documents.stored import NETWORK, Kept, started


def work(**body: object) -> Exercise:
    session = started(**body)
    there = session.forward().backward()
    try:
        after = Kept(there.update())
    except Diverged:
        after = None
    return exercise(Kept(session), Kept(there), after)


def names(made: Exercise) -> list[str]:
    return [question.quantity for question in made.questions]


def test_the_articles_step_is_asked_for_in_the_order_of_working() -> None:
    made = work()
    assert names(made) == [
        *("values.yhat", "values.L"),
        *("partials.L/yhat", "partials.yhat/w1", "partials.yhat/w2", "partials.yhat/b"),
        *("gradients.w1", "gradients.w2", "gradients.b"),
        *("updated.w1", "updated.w2", "updated.b"),
    ]
    assert made.left_out == 0
    expected = {question.quantity: question.expected for question in made.questions}
    assert expected["values.L"] == pytest.approx(4.477456)
    assert expected["partials.L/yhat"] == pytest.approx([-4.232])
    assert expected["updated.w1"] == pytest.approx(0.8294)


def test_where_there_is_no_step_to_take_no_update_is_asked_for() -> None:
    made = work(parameters={"w1": 1e200, "w2": -1e200, "b": 1e300})
    assert names(made)[-1] == "gradients.b"


@pytest.mark.parametrize("name", PRESETS)
def test_nothing_is_asked_for_that_takes_numbers_the_page_does_not_show(name: str) -> None:
    made = work(model={"kind": "preset", "name": name})
    assert len(made.questions) <= MOST_QUESTIONS
    counts = {node["id"]: node["shape"] for node in veiled(made, Sheet())["graph"]["nodes"]}
    for question in made.questions:
        assert 0 < question.count <= MOST_NUMBERS
        if question.section in ("values", "partials"):
            target = question.name.partition("/")[0]
            sources = [edge["source"] for edge in veiled(made, Sheet())["graph"]["edges"] if edge["target"] == target]
            assert all(math.prod(counts[source]) <= MOST_NUMBERS for source in sources)


def test_a_network_of_single_rows_is_asked_for_tensor_by_tensor() -> None:
    layers = [{"units": 3, "activation": "tanh"}, {"units": 1}]
    made = work(model={"kind": "mlp", "layers": layers})
    assert [name for name in names(made) if name.startswith("values")] == [
        f"values.{name}" for name in ("z1", "h1", "z2", "yhat", "L")
    ]
    assert {"gradients.W1", "gradients.b2", "updated.W2"} <= set(names(made))
    wide = work(model={"kind": "mlp", "layers": layers}, batch_size=6)
    assert "values.z1" not in names(wide)
    assert wide.left_out > 0


@pytest.mark.parametrize(
    "body", [{}, {"batch_size": 4}, {"model": {"kind": "expression", "source": NETWORK}, "seed": 4}]
)
@pytest.mark.parametrize("format", ["text", "mathml"])
def test_no_number_is_told_before_it_was_asked_for(body: dict[str, Any], format: str) -> None:
    made = work(initializer={"kind": "uniform", "low": 0.123, "high": 0.987}, **body)
    for done in range(len(made.questions)):
        told = json.loads(to_json(practice(made, Sheet("1" * done), None, format)))
        shown = json.dumps({"given": told.pop("given"), "answered": told.pop("answered")})
        told["picture"] = veiled(made, Sheet("1" * done)) | {"definition": None, "parameters": None, "inputs": None}
        for question in made.questions[done:]:
            for number in question.expected if isinstance(question.expected, list) else [question.expected]:
                if number not in (0, 1) and str(number) not in shown:
                    assert str(number) not in json.dumps(told), (question.quantity, number, done)
    assert veiled(made, Sheet("1" * len(made.questions))) == veiled(made, Sheet("0" * len(made.questions)))


def test_the_rule_is_told_after_a_try_in_vain_and_its_numbers_after_two() -> None:
    made = work()

    def hint(done: int, tries: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = practice(made, Sheet("1" * done, tries))["question"]["hint"]
        return found

    assert hint(0, 0) == [{"symbolic": "yhat = w1*x1 + w2*x2 + b", "substituted": None}]
    assert hint(0, 1)[0]["substituted"] == "[-0.017*4 + (-0.048*1) + 0]"
    assert hint(2, 0) == []
    assert hint(2, 1) == [{"symbolic": "dL/dyhat = 2*(yhat - y)", "substituted": None}]
    assert hint(2, 2)[0]["substituted"] == "[2*(-0.116 - 2)]"
    assert hint(3, 2) == [{"symbolic": "dyhat/dw1 = x1", "substituted": None}]  # its number is the answer
    assert "learning_rate" in hint(9, 0)[0]["symbolic"]


def test_a_step_is_told_with_its_score_and_what_was_found() -> None:
    told = practice(work(), Sheet("102", 1))
    assert (told["done"], told["tries"], told["questions"]) == ("102", 1, 12)
    assert told["score"] == {"asked": 3, "right": 2, "first_try": 1}
    assert told["question"]["quantity"] == "partials.yhat/w1"
    assert told["question"]["tries_left"] == 2
    assert told["question"]["symbol"] == "dyhat/dw1"
    assert [one["quantity"] for one in told["answered"]] == ["values.yhat", "values.L", "partials.L/yhat"]
    assert told["given"]["inputs"] == {"x1": [4], "x2": [1], "y": [2]}
    assert practice(work(), Sheet("1" * 12))["question"] is None
