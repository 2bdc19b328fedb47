"""Checking over HTTP: the mistake, its link, large steps, and many students at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.documents import schemas
from tests.routes.conftest import settings

HALVED = {"gradients": {"w1": -8.464, "w2": -2.116, "b": -2.116}}


def test_a_wrong_gradient_is_told_which_rule_went_wrong(client: TestClient, session: str) -> None:
    found = client.post(f"{session}/check", json={"answers": HALVED}).json()
    schemas.Check.model_validate(found)
    assert [one["mistake"]["code"] for one in found["quantities"]] == ["missing_factor_2"] * 3
    mistake = found["quantities"][0]["mistake"]
    assert mistake["message"].startswith("The derivative of a square has a factor 2")
    assert mistake["link"] == "/guide.html#loss"
    assert "missing_factor_2" not in [one["code"] for one in mistake["also"]]


def test_links_of_mistakes_have_the_root_path(tmp_path: Path) -> None:
    with TestClient(create_app(settings(tmp_path, root_path="/lab")), root_path="/lab") as client:
        found = client.post("/v1/check", json={"answers": HALVED}).json()
        assert found["quantities"][0]["mistake"]["link"] == "/lab/guide.html#loss"


def test_what_follows_from_a_wrong_gradient_is_follow_through(client: TestClient, session: str) -> None:
    answers: dict[str, Any] = {**HALVED, "updated": {"w1": 0.4062, "w2": 0.0578, "b": 0.5}}
    found = client.post(f"{session}/check", json={"answers": answers}).json()
    verdicts = [one["verdict"] for one in found["quantities"]]
    assert verdicts == ["wrong", "wrong", "wrong", "follow_through", "follow_through", "wrong"]
    schemas.Check.model_validate(found)


def test_the_previous_step_s_gradients_are_known(client: TestClient, session: str) -> None:
    for action in ("forward", "backward"):
        first = client.post(f"{session}/{action}").json()
    client.post(f"{session}/update")
    client.post(f"{session}/forward")
    second = client.post(f"{session}/backward").json()
    summed = {name: first["gradients"][name] + second["gradients"][name] for name in second["gradients"]}
    found = client.post(f"{session}/check", json={"answers": {"gradients": summed}}).json()
    assert {one["mistake"]["code"] for one in found["quantities"]} == {"gradients_not_zeroed"}


def test_a_large_step_is_worked_out_elsewhere(client: TestClient) -> None:
    body = {"model": {"kind": "preset", "name": "rnn"}}
    made = client.post("/v1/evaluate", json=body).json()
    halved = {"w": [value / 2 for value in made["gradients"]["w"]]}
    found = client.post("/v1/check", json={"session": body, "answers": {"gradients": halved}}).json()
    assert found["quantities"][0]["mistake"]["code"] == "missing_factor_2"


def test_many_students_are_checked_at_once(client: TestClient, session: str) -> None:
    answers = [{"student": f"s{place}", "gradients": {"w1": -16.928 / (1 + place % 3)}} for place in range(200)]
    began = time.perf_counter()
    found = client.post(f"{session}/check", json={"answers": answers}).json()
    assert time.perf_counter() - began < 30
    assert [one["correct"] for one in found[:3]] == [True, False, False]
    assert [one["student"] for one in found] == [one["student"] for one in answers]


@pytest.mark.parametrize("phase", ["ready", "forward", "backward"])
def test_a_session_is_checked_in_any_phase_and_by_whoever_may_look(client: TestClient, phase: str) -> None:
    made = client.post("/v1/sessions", json={"start": {"phase": phase}}).json()
    for name in (made["id"], made["share"]["read"]):
        found = client.post(f"/v1/sessions/{name}/check", json={"answers": HALVED}).json()
        assert found["first_wrong"] == "gradients.w1"
