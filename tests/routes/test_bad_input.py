"""Bad input: each one problem document, the right status, nothing changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.documents.schemas import Problem
from tests.routes.conftest import settings

DATA = {"columns": ["u", "v"], "rows": [[1, 2], [3, 4]]}


def formula(source: str) -> dict[str, Any]:
    return {"model": {"kind": "expression", "source": source}}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"optimizer": {"lr": 0.1}}, "/optimizer/lr"),
        ({"nonsense": 1}, "/nonsense"),
        ({"optimizer": {"learning_rate": "0.1"}}, "/optimizer/learning_rate"),
        ({"optimizer": {"learning_rate": -1}}, "/optimizer/learning_rate"),
        ({"optimizer": {"kind": "sdg"}}, "/optimizer/kind"),
        ({"batch_size": 0}, "/batch_size"),
        ({"batch_size": 1.5}, "/batch_size"),
        ({"batch_size": True}, "/batch_size"),
        ({"seed": -1}, "/seed"),
        ({"seed": 10**30}, "/seed"),
        ({"start": {"phase": "sideways"}}, "/start/phase"),
        ({"data": {"columns": ["a", "b"], "rows": [[1, 2], [3]]}}, "/data/rows/1"),
        ({"data": {"columns": ["a", "b"], "rows": [[1, "x"]]}}, "/data/rows/0/1"),
        ({"data": {**DATA, "targets": ["c"]}}, "/data/targets/0"),
        ({"data": {"dataset": "artikel"}}, "/data/dataset"),
        ({"data": {"csv": "a,b\n1,x\n"}}, "/data/csv"),
        ({"parameters": {"w9": 1}}, "/parameters/w9"),
        ({"parameters": {"w1": "1"}}, "/parameters/w1"),
        ({"initializer": {"kind": "zeroes"}}, "/initializer/kind"),
        (formula("L = (yhat - y)**2\nyhat = L*w"), "/model/source"),
        (formula("z = w*x1\nL = (w*x2 - y)**2"), "/model/source"),
        (formula("L = 9**9**9**x1"), "/model/source"),
        (formula("L = " + "-" * 50_000 + "x1"), "/model/source"),
        (formula("L = ().__class__"), "/model/source"),
        (formula("L = w*х1"), "/model/source"),  # a Cyrillic letter
    ],
)
def test_a_body_without_meaning_is_422_at_its_place(client: TestClient, body: dict[str, Any], pointer: str) -> None:
    answer = client.post("/v1/sessions", json=body)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert problem["errors"][0]["pointer"] == pointer
    assert problem["type"] in ("/problems/invalid", "/problems/limit-exceeded")
    Problem.model_validate(problem)


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b'{"seed": }', 400, "not-json"),
        (b"\xff", 400, "not-json"),
        (b" \t\n", 400, "not-json"),
        (b'{"seed": NaN}', 422, "invalid"),
        (b'{"seed": 1e999}', 422, "invalid"),
        (b'{"title": "\\ud800"}', 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", 422, "limit-exceeded"),
    ],
)
def test_json_is_taken_strictly(client: TestClient, session: str, content: bytes, status: int, code: str) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/v1/sessions", f"{session}/forward", f"{session}/run", "/v1/evaluate", f"{session}/check"):
        answer = client.post(path, content=content, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}"), path
    assert client.get(session).json()["revision"] == 0


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/evaluate", "/v1/check"])
def test_a_body_of_another_kind_is_415(client: TestClient, path: str) -> None:
    for media_type in ("text/plain", "application/xml", "image/png", "x"):
        answer = client.post(path, content=b"<a/>", headers={"Content-Type": media_type})
        assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")
    answer = client.post(path, content=b"x", headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_json_sent_as_a_form_is_told_about_curl(client: TestClient) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post("/v1/sessions", content=b' {"seed": 1}', headers=headers)
    assert answer.status_code == 415
    assert "curl --json" in answer.json()["detail"]


def test_a_body_over_the_limit_is_413_whether_or_not_it_says_so(tmp_path: Path) -> None:
    with TestClient(create_app(settings(tmp_path, max_body_bytes=5000))) as client:
        session = client.post("/v1/sessions").headers["location"]
        for content in (b"x" * 6000, iter([b"x" * 2000] * 3)):
            answer = client.post("/v1/sessions", content=content, headers={"Content-Type": "application/json"})
            problem = answer.json()
            assert (answer.status_code, problem["type"], problem["limit"]) == (413, "/problems/limit-exceeded", 5000)
        assert client.post(f"{session}/forward", content=b"x" * 6000).status_code == 413
        assert client.get(session).json()["revision"] == 0


def test_more_than_is_allowed_is_422_with_the_limit(tmp_path: Path) -> None:
    changes = {"max_rows": 2, "max_columns": 2, "max_source_length": 50, "max_run_steps": 100, "max_answers": 1}
    with TestClient(create_app(settings(tmp_path, **changes))) as client:
        session = client.post("/v1/sessions", json={"data": DATA}).headers["location"]
        for path, body, limit in (
            ("/v1/sessions", {"data": {"columns": ["u", "v"], "rows": [[1, 2]] * 3}}, 2),
            ("/v1/sessions", {"data": {"columns": ["u", "v", "w"], "rows": [[1, 2, 3]]}}, 2),
            ("/v1/sessions", {"data": DATA, **formula("L = u" + " " * 60)}, 50),
            ("/v1/sessions", {"data": DATA, "start": {"step": 101}}, 100),
            (f"{session}/run", {"steps": 101}, 100),
            (f"{session}/run", {"epochs": 101}, 100),
            (f"{session}/check", {"answers": [{}, {}]}, 1),
        ):
            answer = client.post(path, json=body)
            problem = answer.json()
            assert (answer.status_code, problem["type"]) == (422, "/problems/limit-exceeded"), (body, problem)
            assert problem["limit"] == limit


def test_a_wrong_method_is_405_with_those_that_work(client: TestClient, session: str) -> None:
    for method, path, allowed in (
        ("PUT", session, {"GET", "PATCH", "DELETE"}),
        ("GET", f"{session}/forward", {"POST"}),
        ("POST", "/v1/catalog", {"GET"}),
        ("DELETE", "/v1/sessions", {"GET", "POST"}),
        ("POST", "/livez", {"GET"}),
    ):
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["type"]) == (405, "/problems/method-not-allowed")
        assert allowed <= set(answer.headers["allow"].split(", ")), (method, path, answer.headers["allow"])


def test_an_address_where_nothing_is_is_404(client: TestClient, session: str) -> None:
    for path in ("/v1", "/v1/nothing", f"{session}/nothing", "/v1/sessions/", f"{session}/", "/../etc/passwd", "/%00"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found"), path
    assert client.post("/v1/nothing").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"steps": 0},
        {"steps": -1},
        {"steps": 1, "epochs": 1},
        {"steps": "1"},
        {"steps": 1, "until": {"loss": 1}},
        {"epochs": 1.5},
        {"until": {"step": 3}},
    ],
)
def test_a_run_needs_one_goal(client: TestClient, session: str, body: dict[str, Any]) -> None:
    assert client.post(f"{session}/run", json=body).status_code == 422
    assert client.get(session).json()["revision"] == 0


def test_multipart_that_cannot_be_read_is_422(client: TestClient) -> None:
    for content_type in ("multipart/form-data", "multipart/form-data; boundary=x"):
        answer = client.post("/v1/sessions", content=b"garbage", headers={"Content-Type": content_type})
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
    answer = client.post("/v1/sessions", files={"data.csv": ("x.csv", b"\xff\xfe\x00")})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/data/csv")
    answer = client.post("/v1/sessions", content="&".join(f"a{i}=1" for i in range(1500)),
                         headers={"Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
    assert (answer.status_code, answer.json()["limit"]) == (422, 1000)
