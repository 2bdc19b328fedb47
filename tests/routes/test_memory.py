"""What optimisers and schedules remember, over HTTP: through undo, rewind, forks and a restart, in sessions that take
turns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.documents.state import state, to_json
from api.training.definition import define
from api.training.session import Session
from tests.documents.stored import Kept
from tests.routes.conftest import settings
from tests.training.choices import NETWORK, RULES, SCHEDULES, Body

GRAPHS: dict[str, Body] = {"numbers": {"batch_size": 4}, "tensors": {"model": NETWORK, "batch_size": 4}}
CYCLE = ("forward", "backward", "update")


@contextmanager
def life(folder: Path) -> Iterator[TestClient]:
    """The service on the database in ``folder``, from its start to its end."""
    with TestClient(create_app(settings(folder)), raise_server_exceptions=False) as client:
        yield client


def bodies(graph: str) -> dict[str, Body]:
    """A session for each rule, with a schedule that watches the losses where there is a rate."""
    plateau = SCHEDULES["plateau"] | {"patience": 0, "threshold": 0.9}
    made: dict[str, Body] = {name: {"optimizer": rule, **GRAPHS[graph]} for name, rule in RULES.items()}
    rated = [name for name, body in made.items() if define(body).optimizer.get("learning_rate")]
    return made | {name: made[name] | {"schedule": plateau} for name in rated}


def act(client: TestClient, here: str, *actions: str, **body: Any) -> dict[str, Any]:
    for action in actions:
        answer = client.post(f"{here}/{action}", json=body)
        assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def remembered(told: dict[str, Any]) -> dict[str, Any]:
    """All that the next steps hang on, and what the last one did."""
    kept = ("step", "epoch", "batch", "phase", "parameters", "optimizer", "learning_rate", "last_update", "loss")
    return {name: told[name] for name in kept}


def alone(body: Body, count: int) -> list[dict[str, Any]]:
    """What a session that nothing happens to shows after each of its first updates."""
    session, states = Session.start(define(body)), list[dict[str, Any]]()
    for _ in range(count):
        session = session.forward().backward().update()
        states.append(remembered(json.loads(to_json(state(Kept(session), base="")))))
    return states


@pytest.mark.parametrize("graph", GRAPHS)
def test_sessions_that_take_turns_through_a_restart_are_as_if_alone(graph: str, tmp_path: Path) -> None:
    every, here = bodies(graph), dict[str, str]()
    expected = {name: alone(body, 9) for name, body in every.items()}
    with life(tmp_path) as client:
        for name, body in every.items():
            here[name] = client.post("/v1/sessions", json=body).headers["location"]
        for turn in (0, 1):
            for name, states in expected.items():
                assert remembered(act(client, here[name], *CYCLE)) == states[turn], name
        for name, states in expected.items():
            assert remembered(act(client, here[name], "run", steps=4)) == states[5], name
    with life(tmp_path) as client:
        for name, states in expected.items():
            assert remembered(client.get(here[name]).json()) == states[5], name
            assert remembered(client.get(f"{here[name]}/steps/3").json()) == states[2], name
        for turn in (6, 7, 8):
            for name, states in expected.items():
                assert remembered(act(client, here[name], *CYCLE)) == states[turn], name


@pytest.mark.parametrize("rule", ["torch-adam", "keras-nadam", "article-nesterov", "keras-adagrad", "sgd-norm"])
@pytest.mark.parametrize("graph", GRAPHS)
def test_undo_rewind_and_forks_keep_what_is_remembered(graph: str, rule: str, client: TestClient) -> None:
    body = bodies(graph)[rule]
    states = alone(body, 8)
    here = client.post("/v1/sessions", json=body).headers["location"]
    for expected in states:
        assert remembered(act(client, here, *CYCLE)) == expected
    assert remembered(act(client, here, "undo", "undo", "undo")) == states[6]
    assert remembered(act(client, here, "rewind", step=3)) == states[2]
    assert remembered(act(client, here, "run", steps=3)) == states[5]
    made = client.post(f"{here}/fork", json={"step": 5})
    fork = made.headers["location"]
    # a fork is told of no update before its own
    assert remembered(made.json()) == states[4] | {"last_update": None}
    for expected in states[5:]:
        assert remembered(act(client, fork, *CYCLE)) == expected
    assert remembered(client.get(here).json()) == states[5]
    assert remembered(act(client, here, "undo")) == states[2]
