"""The explanation of an update: every line of every rule can be redone on paper."""

from __future__ import annotations

import json
import math
from typing import Any
from xml.etree import ElementTree

import pytest

from api.documents import schemas
from api.documents.bodies import OptimizerBody, ScheduleBody
from api.documents.catalog import catalog
from api.documents.equations import equations
from api.documents.state import state, to_json
from api.engine.optimizers import OPTIMIZERS
from api.engine.schedules import SCHEDULES
from tests.documents.stored import Kept, started
from tests.training.choices import NESTEROV, NETWORK, RULES, step

FUNCTIONS: dict[str, Any] = {
    "sqrt": math.sqrt,
    "abs": abs,
    "maximum": max,
    "minimum": min,
    "sign": lambda a: (a > 0) - (a < 0),
}


def told(session: Any) -> dict[str, Any]:
    document: dict[str, Any] = state(Kept(session), base="")
    return document


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("steps", [1, 7])
def test_every_substituted_line_gives_its_value(rule: str, steps: int) -> None:
    session = started(optimizer=RULES[rule])
    for _ in range(steps):
        before, session = session, step(session)
    update = told(session)["last_update"]
    for name, change in update["parameters"].items():
        for term in change["terms"]:
            if " at " in term["substituted"]:
                continue
            value = eval(term["substituted"], {}, FUNCTIONS)  # noqa: S307 - our own text
            assert value == pytest.approx(term["value"], rel=1e-12, abs=1e-15), term
        last = [term["value"] for term in change["terms"] if term["symbol"] == name]
        assert last[-1] == change["after"] == session.parameters[name]
        for slot, values in session.slots.items():
            assert values[name] == [term["value"] for term in change["terms"] if term["symbol"] == slot][-1]
    assert update["learning_rate"] == before.learning_rate
    schemas.State.model_validate(json.loads(to_json(told(session))))


@pytest.mark.parametrize("rule", RULES)
def test_every_line_can_be_set(rule: str) -> None:
    session = step(step(started(optimizer=RULES[rule])))
    lines = [one for one in equations(Kept(session), "mathml") if one["about"] == "updated.w1"]
    assert len(lines) == len(session.definition.rule.lines)
    for one in lines:
        for part in ("symbolic", "substituted", "value"):
            ElementTree.fromstring(one[part])
    for one in equations(Kept(session), "latex"):
        text = one["symbolic"].replace(r"\leftarrow", "")
        assert text.count("{") == text.count("}")
        assert text.count(r"\left") == text.count(r"\right")


def test_adam_is_told_term_by_term() -> None:
    terms = told(step(started(optimizer={"kind": "adam"})))["last_update"]["parameters"]["w1"]["terms"]
    assert [term["symbol"] for term in terms] == ["t", "m", "v", "mhat", "vhat", "w1"]
    assert terms[1]["formula"] == "beta1*m + (1 - beta1)*dL/dw1"
    assert terms[1]["substituted"] == "0.9*0 + (1 - 0.9)*(-16.928)"
    assert terms[3]["latex"] == r"\frac{m}{1 - \beta_1^t}"
    assert terms[5]["latex"] == r"w_1 - \frac{\eta \hat{m}}{\sqrt{\hat{v}} + \epsilon}"


def test_looking_ahead_names_the_place() -> None:
    session = step(step(started(optimizer=NESTEROV | {"clip": {"norm": 3}})))
    terms = told(session)["last_update"]["parameters"]["w1"]["terms"]
    assert [term["symbol"] for term in terms] == ["ahead", "g", "norm", "scale", "g", "m", "w1"]
    assert terms[1]["formula"] == "dL/dw1 at ahead"
    ahead = [change["terms"][0]["value"] for change in told(session)["last_update"]["parameters"].values()]
    assert terms[1]["substituted"] == f"dL/dw1 at ({', '.join(map(repr, ahead))})"
    assert terms[2]["formula"] == "sqrt(g[w1]**2 + g[w2]**2 + g[b]**2)"
    assert terms[4]["formula"] == "g*scale"
    there = started(parameters=dict(zip(("w1", "w2", "b"), ahead, strict=True)), batch_size=1).patch({})
    x1, x2, y = 2.0, 8.0, -14.0
    assert terms[1]["value"] == pytest.approx(2 * (ahead[0] * x1 + ahead[1] * x2 + ahead[2] - y) * x1, rel=1e-12)
    assert there.parameters["w1"] == ahead[0]


def test_tensors_have_symbols_and_values_and_counts_their_numbers() -> None:
    session = step(started(optimizer={"kind": "adam", "clip": {"norm": 1}}, model=NETWORK))
    terms = told(session)["last_update"]["parameters"]["W1"]["terms"]
    assert [term["symbol"] for term in terms] == ["norm", "scale", "g", "t", "m", "v", "mhat", "vhat", "W1"]
    assert [term["substituted"] is None for term in terms] == [True, False, True, False, True, True, True, True, True]
    assert terms[0]["formula"] == "norm(gradients)"
    assert terms[3]["substituted"] == "0 + 1"
    schemas.State.model_validate(json.loads(to_json(told(session))))


def test_the_state_says_the_base_rate_and_the_rate_in_force() -> None:
    session = started(schedule={"kind": "linear"}, optimizer={"learning_rate": 0.03})
    document = told(session)
    assert (document["optimizer"]["learning_rate"], document["learning_rate"]) == (0.03, session.learning_rate)
    assert document["learning_rate"] == pytest.approx(0.01)
    adadelta = told(started(optimizer={"kind": "adadelta", "dialect": "article"}))
    assert (adadelta["optimizer"]["learning_rate"], adadelta["learning_rate"]) == (None, 1.0)
    schemas.State.model_validate(json.loads(to_json(adadelta)))


def test_a_growing_loss_without_a_rate_is_not_blamed_on_one() -> None:
    body = {"optimizer": {"kind": "adadelta", "dialect": "article"}, "batch_size": 6}
    session = step(started(**body)).patch({"parameters": {"w1": 1e9}})
    session = step(session)
    (warning,) = told(session)["warnings"]
    assert warning["code"] == "loss_growing"
    assert "rate" not in warning["message"]


def test_the_catalog_describes_every_optimiser_and_schedule() -> None:
    told_of = catalog()
    assert [row["kind"] for row in told_of["optimizers"]] == list(OPTIMIZERS)
    for row in told_of["optimizers"]:
        for name, dialect in row["dialects"].items():
            assert dialect["defaults"] == OPTIMIZERS[row["kind"]].dialects[name].defaults
            assert all(line["latex"].count("{") == line["latex"].count("}") for line in dialect["rule"])
            assert dialect["latex"].startswith(r"\begin{gathered} ")
    assert [row["kind"] for row in told_of["schedules"]] == list(SCHEDULES)
    assert all(row["latex"] and row["source"] for row in told_of["schedules"])
    step_size = next(row for row in told_of["schedules"] if row["kind"] == "step")["fields"]["step_size"]
    assert step_size == {"needed": True, "default": None, "type": "whole number", "choices": None}
    json.dumps(told_of)


def test_bodies_have_the_fields_of_the_tables_and_no_others() -> None:
    optimizer = {name for row in OPTIMIZERS.values() for there in row.dialects.values() for name in there.defaults}
    assert set(OptimizerBody.model_fields) == optimizer | {"kind", "dialect", "clip"}
    schedule = {field.name for row in SCHEDULES.values() for field in row.fields}
    assert set(ScheduleBody.model_fields) == schedule | {"kind", "every"}
