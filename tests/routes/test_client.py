"""The static client's forms, sent as a browser sends them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.pages.test_client import Forms, own, read
from tests.routes.conftest import BROWSER


def sent(client: TestClient, fields: dict[str, str]) -> dict[str, Any]:
    """The state of the session that a form with these fields makes."""
    answer = client.post("/v1/sessions", data=fields, headers=BROWSER)
    assert answer.status_code == 303, unescape(re.sub(r"<[^>]+>", " ", answer.text))
    state: dict[str, Any] = client.get(answer.headers["location"].partition("#")[0]).json()
    return state


def empty() -> dict[str, str]:
    """The form that chooses everything with nothing chosen; unticked boxes are not sent."""
    return {name: "" for name, values in own().items() if values != ["true"]}


def test_the_form_left_empty_is_the_articles_session(client: TestClient) -> None:
    article = client.post("/v1/sessions").json()
    assert sent(client, empty())["definition"] == article["definition"]


@pytest.mark.parametrize("name", own()["model.name"][1:])
def test_every_preset_starts(client: TestClient, name: str) -> None:
    state = sent(client, empty() | {"model.kind": "preset", "model.name": name, "optimizer.learning_rate": "0.125"})
    assert state["optimizer"]["learning_rate"] == 0.125


@pytest.mark.parametrize("name", own()["data.dataset"][1:])
def test_every_data_set_starts(client: TestClient, name: str) -> None:
    fields = {"data.dataset": name, "data.standardize": "true", "model.kind": "mlp", "batch_size": "2"}
    state = sent(client, empty() | fields)
    assert state["definition"]["data"]["dataset"] == name


BINARY = {"data.dataset": "moons", "model.kind": "mlp", "model.layers.0.units": "1"}


@pytest.mark.parametrize("kind", own()["loss.kind"][1:])
def test_every_loss_starts(client: TestClient, kind: str) -> None:
    many = {"data.dataset": "iris", "model.kind": "mlp", "model.layers.0.units": "3"}
    state = sent(client, empty() | (many if kind == "softmax_cross_entropy" else BINARY) | {"loss.kind": kind})
    assert state["definition"]["loss"]["kind"] == kind


@pytest.mark.parametrize("kind", own()["optimizer.kind"][1:])
def test_every_optimizer_starts(client: TestClient, kind: str) -> None:
    dialect = "keras" if kind == "lion" else ""
    state = sent(client, empty() | {"optimizer.kind": kind, "optimizer.dialect": dialect, "start.epochs": "1"})
    assert (state["optimizer"]["kind"], state["step"]) == (kind, 6)


NEEDED = {
    "schedule.step_size": "2", "schedule.milestones": "[2, 4]", "schedule.gamma": "0.5", "schedule.t_max": "5",
    "schedule.t_0": "5", "schedule.max_lr": "0.1", "schedule.total_steps": "9", "schedule.decay_rate": "0.5",
    "schedule.warmup_iters": "2",
}  # fmt: skip


@pytest.mark.parametrize("kind", own()["schedule.kind"][1:])
def test_every_schedule_starts(client: TestClient, kind: str) -> None:
    rows = client.get("/v1/catalog").json()["schedules"]
    fields = next(row["fields"] for row in rows if row["kind"] == kind)
    needed = {f"schedule.{name}": NEEDED[f"schedule.{name}"] for name, field in fields.items() if field["needed"]}
    assert sent(client, empty() | {"schedule.kind": kind} | needed)["definition"]["schedule"]["kind"] == kind


@pytest.mark.parametrize("kind", own()["initializer.kind"][1:])
def test_every_initializer_starts(client: TestClient, kind: str) -> None:
    value = {"initializer.value": "0.5"} if kind == "constant" else {}
    state = sent(client, empty() | {"model.kind": "mlp", "initializer.kind": kind, "seed": "3"} | value)
    assert state["definition"]["initializer"]["kind"] == kind


def test_layers_are_those_filled_in(client: TestClient) -> None:
    layers = {"model.layers.0.units": "4", "model.layers.0.activation": "relu", "model.layers.1.units": "1"}
    state = sent(client, empty() | {"model.kind": "mlp", "model.scalars": "true"} | layers)
    assert state["definition"]["model"]["layers"] == [
        {"units": 4, "activation": "relu"},
        {"units": 1, "activation": "identity"},
    ]
    assert "w1_2_4" in state["parameters"]


def test_a_formula_of_several_lines_trains_on_a_table(client: TestClient) -> None:
    fields = {
        "model.kind": "expression",
        "model.source": "z = x @ W\r\nL = sum(z**2)",
        "model.shapes": '{"W": [2, 3]}',
        "model.placeholders": '{"x": ["a", "c"]}',
        "data.csv": "a;b;c\r\n1;2;3\r\n4;5;6\r\n",
    }
    state = sent(client, empty() | fields)
    assert state["definition"]["model"]["source"] == "z = x @ W\nL = sum(z**2)"
    assert state["inputs"] == {"x": [[1.0, 3.0]]}


def test_what_belongs_to_another_kind_is_a_page_that_says_so(client: TestClient) -> None:
    for fields, word in (
        ({"model.layers.0.units": "3"}, "model.kind"),
        ({"optimizer.kind": "adam", "optimizer.momentum": "0.9"}, "optimizer.momentum"),
        ({"data.dataset": "xor", "data.csv": "x,y\n1,2"}, "data"),
        ({"start.epochs": "-1"}, "start.epochs"),
        ({"batch_size": "two"}, "batch_size"),
    ):
        answer = client.post("/v1/sessions", data=empty() | fields, headers=BROWSER)
        assert answer.status_code == 422
        assert word in answer.text


def test_every_button_of_the_guide_and_the_gallery_leads_where_it_says(client: TestClient) -> None:
    for page in ("guide.html", "gallery.html"):
        for given, fields in Forms(read(page)).found:
            assert (given["method"], given["action"]) == ("post", "v1/sessions")
            body = {name: values[0] for name, values in fields.items()}
            state = sent(client, body)
            assert state["phase"] == body.get("start.phase", "ready")
            if "start.step" in body:
                assert state["step"] == int(body["start.step"])
            if "start.epochs" in body:
                assert state["epoch"] == int(body["start.epochs"]) + 1


def section(idea: str) -> tuple[str, list[dict[str, str]]]:
    """A part of the guide as plain text, and the fields of its forms."""
    text = read("guide.html").partition(f'<h2 id="{idea}">')[2].partition("<h2 ")[0]
    forms = [{name: values[0] for name, values in fields.items()} for _, fields in Forms(text).found]
    return unescape(re.sub(r"<[^>]+>", "", text)).replace("\N{MINUS SIGN}", "-"), forms


NUMBERS = [
    ("forward", 0, ("outputs", "yhat", 0), 3),
    ("chain-rule", 0, ("gradients", "w"), 0),
    ("update", 0, ("parameters", "w1"), 4),
    ("update", 0, ("parameters", "w2"), 4),
    ("update", 0, ("parameters", "b"), 4),
    ("loss-chart", 0, ("parameters", "w1"), 4),
    ("loss-chart", 0, ("parameters", "w2"), 4),
    ("reduction", 0, ("gradients", "w1"), 3),
    ("reduction", 0, ("gradients", "w2"), 4),
    ("reduction", 0, ("gradients", "b"), 4),
    ("momentum", 0, ("optimizer", "slots", "buf", "w1"), 4),
    ("bias-correction", 0, ("optimizer", "slots", "m", "w1"), 4),
    ("bias-correction", 0, ("parameters", "w1"), 3),
    ("weight-decay", 0, ("parameters", "w1"), 5),
    ("validation", 0, ("last_epoch", "epoch_loss"), 4),
    ("validation", 0, ("last_epoch", "validation_loss"), 4),
]


@pytest.mark.parametrize(("idea", "place", "path", "decimals"), NUMBERS)
def test_the_guide_s_numbers_are_those_of_the_sessions_it_opens(
    client: TestClient, idea: str, place: int, path: tuple[str | int, ...], decimals: int
) -> None:
    text, forms = section(idea)
    value: Any = sent(client, forms[place])
    for part in path:
        value = value[part]
    assert f"{value:.{decimals}f}" in text


def test_the_guide_s_first_row_is_right(client: TestClient) -> None:
    state = sent(client, {"start.phase": "backward"})
    for idea, value in (
        ("loss", state["loss"]),
        ("backward", state["chain_rule"]["w1"]["paths"][0]["partials"][0][0]),
        ("chain-rule", state["gradients"]["w1"]),
    ):
        assert f"{value:.6g}".rstrip("0") in section(idea)[0].replace("4.477456", f"{4.477456:.6g}"), idea
    assert round(state["loss"], 6) == 4.477456


def test_the_diverging_session_overflows_in_the_epoch_that_the_guide_names(client: TestClient) -> None:
    session = client.post("/v1/sessions").headers["location"]
    state = client.post(f"{session}/run", json={"epochs": 300}).json()
    assert state["run"]["stopped_by"] == "diverged"
    assert f"in the {state['epoch']}th epoch" in section("divergence")[0]
