"""The server's key: who may create where one is set."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from tests.routes.conftest import BROWSER, settings

KEY = "password of the school"


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[TestClient]:
    """A service with a key."""
    with TestClient(create_app(settings(tmp_path, server_key=KEY)), follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/evaluate", "/v1/check"])
def test_without_the_key_nothing_is_created_or_computed(closed: TestClient, path: str) -> None:
    for headers, body in (
        ({}, {}),
        ({"Authorization": "Bearer wrong"}, {}),
        ({"Authorization": "Basic cGFzc3dvcmQ="}, {}),
        ({"Authorization": "Bearer "}, {"server_key": KEY}),
        ({}, {"server_key": ""}),
        ({}, {"server_key": KEY[:-1]}),
    ):
        answer = closed.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/server-key-needed")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert KEY not in answer.text


def test_with_the_key_sessions_are_created_and_then_need_it_no_more(closed: TestClient) -> None:
    headers = {"Authorization": f"bearer {KEY}"}
    made = closed.post("/v1/sessions", headers=headers)
    assert made.status_code == 201
    path = made.headers["location"]
    assert closed.post(f"{path}/forward").status_code == 200
    assert closed.post(f"{path}/fork").status_code == 201
    assert closed.post("/v1/sessions", json={"server_key": KEY, "seed": 3}).status_code == 201
    assert closed.post("/v1/sessions", data={"server_key": KEY, "seed": "3"}).status_code == 201
    assert closed.post("/v1/evaluate", headers=headers).status_code == 200


def test_a_browser_is_asked_for_the_key_and_what_it_sent_is_kept(closed: TestClient) -> None:
    sent = {"model.kind": "linear", "data.csv": 'u,"v"\n1,2\n3,4\n', "optimizer.learning_rate": "0.25", "title": "<b>&"}
    page = closed.post("/v1/sessions", data=sent, headers=BROWSER)
    assert page.status_code == 401
    fields = {
        html.unescape(name): html.unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
    }
    assert fields == sent
    assert '<input type="password" name="server_key"' in page.text
    made = closed.post("/v1/sessions", data={**fields, "server_key": KEY}, headers=BROWSER)
    assert made.status_code == 303
    state = closed.get(made.headers["location"].partition("#")[0]).json()
    assert (state["definition"]["title"], state["learning_rate"]) == ("<b>&", 0.25)


def test_without_a_setting_a_key_is_of_no_importance(client: TestClient) -> None:
    assert client.post("/v1/sessions", json={"server_key": "x"}).status_code == 201
    assert client.post("/v1/sessions", headers={"Authorization": "Bearer x"}).status_code == 201


def test_a_repeated_request_with_another_wrong_key_gets_no_answer(closed: TestClient) -> None:
    key = {"Idempotency-Key": "k" * 30}
    right = {"Authorization": f"Bearer {KEY}"}
    first = closed.post("/v1/sessions", headers=key | right)
    assert closed.post("/v1/sessions", headers=key).status_code == 401
    again = closed.post("/v1/sessions", json={"server_key": KEY}, headers=key)
    assert again.json()["id"] == first.json()["id"]
