"""What holds for every answer: CORS, security headers, hosts, HEAD, and a calm 500."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.routes.edge import Edge, host_check
from tests.routes.conftest import BROWSER, settings

EXPOSED = "ETag, Location, Link, Retry-After, Idempotent-Replayed"


def test_every_answer_but_a_page_may_be_read_from_anywhere(client: TestClient, session: str) -> None:
    answers = [
        client.get(session),
        client.get(f"{session}/graph.svg"),
        client.get(f"{session}/history.csv"),
        client.get(session, headers={"If-None-Match": '"r0"'}),
        client.post(f"{session}/forward", json={"return": "minimal"}),
        client.post(f"{session}/forward"),
        client.get("/v1/nothing"),
        client.put(session),
        client.get("/openapi.json"),
        client.get("/v1/sessions", params={"id": session.rpartition("/")[2]}),
        client.post("/v1/sessions", content=b"{", headers={"Content-Type": "application/json"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 304, 204, 409, 404, 405, 200, 303, 400]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-expose-headers"] == EXPOSED
        assert "access-control-allow-credentials" not in answer.headers


def test_a_preflight_allows_what_the_contract_lists(client: TestClient, session: str) -> None:
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "PATCH",
               "Access-Control-Request-Headers": "if-match,content-type"}  # fmt: skip
    answer = client.options(session, headers=headers)
    assert answer.status_code in (200, 204)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-max-age"] == "86400"
    assert {"PATCH", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    listed = {name.lower() for name in answer.headers["access-control-allow-headers"].split(", ")}
    assert listed >= {
        "if-match", "if-none-match", "idempotency-key", "last-event-id", "content-type", "authorization",
    }  # fmt: skip
    assert client.options(session).status_code == 405


def test_pages_allow_no_script_and_no_framing_by_others(client: TestClient, session: str) -> None:
    for answer in (client.get(session, headers=BROWSER), client.get("/v1/nothing", headers=BROWSER), client.get("/")):
        policy = answer.headers["content-security-policy"]
        assert answer.headers["content-type"].startswith("text/html")
        assert policy == (
            "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-src 'self'; "
            "base-uri 'none'; frame-ancestors 'self'"
        )
        assert "access-control-allow-origin" not in answer.headers


def test_nothing_is_sniffed_and_no_address_leaves_the_site(client: TestClient, session: str) -> None:
    for path in (session, f"{session}/graph.svg", "/", "/style.css", "/v1/nothing", "/livez"):
        answer = client.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"


def test_head_is_get_without_a_body(client: TestClient, session: str) -> None:
    for path in (session, f"{session}/graph.svg", f"{session}/live", "/", "/livez"):
        answer = client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
    assert client.head(session).headers["etag"] == '"r0"'
    assert client.head(f"{session}/forward").status_code == 405


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:8000", True),
        ("127.0.0.1", True),
        ("127.0.0.2:99", True),
        ("[::1]:8000", True),
        ("10.1.2.3:8000", True),  # the address the connection came in at
        ("10.1.2.4", False),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("localhost:80@evil.example", False),
        ("[::1", False),
        ("class.school.example", True),
        ("CLASS.school.example.:80", True),
        ("school.example", False),
        ("", False),
    ],
)
def test_only_names_and_addresses_of_our_own_are_answered(host: str, allowed: bool) -> None:
    is_own = host_check(["*.school.example"])
    assert is_own(host, {"server": ("10.1.2.3", 8000)}) is allowed


def test_a_strange_host_is_told_which_setting_would_help(client: TestClient) -> None:
    answer = client.get("/livez", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/unknown-host")
    assert "--allowed-hosts" in answer.json()["detail"]
    assert host_check(["*"])("evil.example", {})


def test_more_requests_than_are_allowed_at_once_are_503(tmp_path: Path) -> None:
    app = create_app(settings(tmp_path))
    sent: list[dict[str, object]] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    edge = Edge([], 1)
    edge.under_way = 1
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/livez",
        "headers": [(b"host", b"localhost")],
        "query_string": b"",
    }
    asyncio.run(edge.around(app)(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]  # type: ignore[operator]
    assert b"/problems/overloaded" in sent[1]["body"]  # type: ignore[operator]
    assert edge.under_way == 1


def test_an_unforeseen_error_is_a_500_problem_without_a_trace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(settings(tmp_path))
    with TestClient(app, raise_server_exceptions=False) as client:
        app.state.service.store = None  # what nobody foresaw
        answer = client.get("/v1/sessions/" + "a" * 22)
        page = client.get("/v1/sessions/" + "a" * 22, headers=BROWSER)
        app.state.service.store = _Closable()
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "Traceback" not in answer.text
    assert "NoneType" not in answer.text
    assert (page.status_code, page.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert "AttributeError" in caplog.text


class _Closable:
    async def close(self) -> None:
        """Nothing to close."""
