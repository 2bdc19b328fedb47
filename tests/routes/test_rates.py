"""Rate limits: off unless set, by session and by address, 429 with the seconds to wait."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.documents.schemas import Problem
from api.routes import rates
from api.routes.rates import Bucket, Rates, address
from tests.routes.conftest import BROWSER, settings


def test_without_a_setting_there_is_no_limit(client: TestClient, session: str) -> None:
    assert {client.get(session).status_code for _ in range(300)} == {200}
    assert {client.post("/v1/sessions").status_code for _ in range(100)} == {201}


def test_a_session_is_limited_by_itself(tmp_path: Path) -> None:
    with TestClient(create_app(settings(tmp_path, session_rate=5))) as client:
        one, other = (client.post("/v1/sessions").json() for _ in range(2))
        path, link = one["links"]["self"], one["share"]["read"]
        calls = [
            client.get(path),
            client.get(f"{path}.json"),
            client.post(f"{path}/forward"),
            client.get(f"{path}/live.txt"),
        ]
        calls += [client.get(f"{path}/revisions/0"), client.post(f"{path}/backward"), client.get(path, headers=BROWSER)]
        assert [call.status_code for call in calls] == [200, 200, 200, 404, 200, 429, 429]
        problem = Problem.model_validate(calls[5].json())
        assert (problem.type, problem.limit) == ("/problems/too-many-requests", 5)
        assert 1 <= int(calls[5].headers["retry-after"]) <= 12
        assert calls[6].headers["content-type"].startswith("text/html")
        assert calls[5].headers["access-control-allow-origin"] == "*"
        assert client.get(other["links"]["self"]).status_code == 200
        assert client.get(f"/v1/sessions/{link}").json()["revision"] == 1  # a link to look at is counted by itself
        assert {client.get(path).status_code for path in ("/", "/v1/catalog", "/livez") * 9} == {200}


def test_creations_are_limited_by_address_and_nothing_else_is(tmp_path: Path) -> None:
    with TestClient(create_app(settings(tmp_path, creation_rate=4))) as client:
        path = client.post("/v1/sessions").headers["location"]
        assert client.post("/v1/evaluate", json={}).status_code == 200
        assert client.post(f"{path}/fork").status_code == 201
        assert client.post("/v1/check", json={"answers": {}}).status_code == 200
        for call in ("/v1/sessions", "/v1/evaluate", "/v1/check", f"{path}/fork"):
            assert client.post(call, json={}).status_code == 429, call
        assert {client.post(f"{path}/{action}").status_code for action in ("forward", "backward", "update") * 5} == {
            200
        }
        with TestClient(client.app, client=("203.0.113.9", 1)) as neighbour:
            assert neighbour.post("/v1/sessions").status_code == 201


def test_a_bucket_fills_again() -> None:
    now = [0.0]
    bucket = Bucket(6, lambda: now[0])
    assert [bucket.wait("a") for _ in range(7)] == [0] * 6 + [10]
    now[0] += 4
    assert bucket.wait("a") == 6
    now[0] += 6
    assert [bucket.wait("a"), bucket.wait("a"), bucket.wait("b")] == [0, 10, 0]
    now[0] += 1e6
    assert [bucket.wait("a") for _ in range(7)][-1] == 10


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "REMEMBERED", 3)
    bucket = Bucket(1, lambda: 0.0)
    for name in "abcdeabcde":
        assert bucket.wait(name) == 0
    assert len(bucket._left) == 3


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        (("192.0.2.7", 5), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::/64"),
        (("2001:db8:1:2::9", 5), "2001:db8:1:2::/64"),
        (("not:an:address", 5), "not:an:address"),
        (None, ""),
    ],
)
def test_an_address_is_counted_with_the_network_that_is_its_own(client: object, counted: str) -> None:
    assert address({"client": client}) == counted


def test_a_path_that_only_looks_like_a_session_s_is_not_counted() -> None:
    rates = Rates(1, 1)
    for _ in range(3):
        for path in ("/v1/sessionsx", "/v1/catalog", "/"):
            assert rates.excess({"method": "GET", "client": ("192.0.2.7", 5)}, path) is None
