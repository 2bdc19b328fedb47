"""The short way of plain requests: the same answers as the ordinary one, and never a wrong one."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from api.app import create_app
from api.routes.express import Express
from api.routes.protocol import protocol
from tests.routes.conftest import settings

Service = tuple[int, Express]
ORDINARY = "X-Unheard-Of: 1\r\n"
"""A header that takes a request out of the short way, and changes nothing else."""
OWN = re.compile(rb"(date|x-request-id): [^\r]*\r\n")


@contextmanager
def served(folder: Path, **changes: Any) -> Iterator[Service]:
    """The port of a service in a thread, and its short way."""
    app = create_app(settings(folder, **changes))
    http = protocol(100, "", lambda: app.state.express)
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=http, log_config=None, lifespan="on", server_header=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            thread.join(0.01)
        try:
            yield listener.getsockname()[1], app.state.express
        finally:
            server.should_exit = True
            thread.join(timeout=20)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with served(tmp_path) as made:
        yield made


def request(method: str, path: str, headers: str = "") -> bytes:
    """One request's bytes."""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n{headers}Content-Length: 0\r\n\r\n".encode()


def exchanged(port: int, *requests: bytes) -> list[tuple[bytes, bytes]]:
    """The heads, their lines sorted, and the bodies answered to requests that were sent all at once."""
    found = []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, connection.makefile("rb") as answers:
        connection.sendall(b"".join(requests))
        for _ in requests:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += answers.readline()
            length = re.search(rb"content-length: (\d+)", head)
            status, _, headers = OWN.sub(b"", head).partition(b"\r\n")
            lines = b"\r\n".join([status, *sorted(headers.split(b"\r\n"))])
            found.append((lines, answers.read(int(length[1]) if length else 0)))
    return found


def created(port: int) -> dict[str, Any]:
    """A new session's state."""
    document: dict[str, Any] = json.loads(exchanged(port, request("POST", "/v1/sessions"))[0][1])
    return document


def is_taken(express: Express, method: str, path: str, headers: str = "") -> bool:
    """Whether a request would go the short way; nothing is done."""
    lines = request(method, path, headers).decode().split("\r\n")[1:-2]
    pairs = [(name.lower().encode(), value.encode()) for name, value in (line.split(": ") for line in lines)]
    taken = express.take(method.encode(), path.encode(), pairs, ("127.0.0.1", 80))
    if taken is not None and not isinstance(taken, bytes):
        taken.close()
    return taken is not None


def test_both_ways_answer_steps_with_the_same_bytes(service: Service) -> None:
    port, express = service
    short, ordinary = created(port), created(port)
    for action in ("forward", "backward", "update", "update", "forward"):
        assert is_taken(express, "POST", f"{short['links']['self']}/{action}")
        assert not is_taken(express, "POST", f"{short['links']['self']}/{action}", ORDINARY)
        (one,) = exchanged(port, request("POST", f"{short['links']['self']}/{action}"))
        (other,) = exchanged(port, request("POST", f"{ordinary['links']['self']}/{action}", ORDINARY))
        ids = [(short["id"], ordinary["id"]), (short["share"]["read"], ordinary["share"]["read"])]
        for mine, theirs in ids:
            one = tuple(part.replace(mine.encode(), theirs.encode()) for part in one)  # type: ignore[assignment]
        assert one == other


def test_both_ways_answer_looks_with_the_same_bytes(service: Service) -> None:
    port, express = service
    links = created(port)["links"]
    exchanged(port, request("POST", f"{links['self']}/forward"), request("POST", f"{links['self']}/backward"))
    for path in (links["self"], f"{links['self']}/revisions/1", f"{links['self']}/revisions/2"):
        for headers in ("", 'If-None-Match: "r1"\r\n', 'If-None-Match: "r2"\r\n', 'If-None-Match: W/"r2"\r\n'):
            ordinary = exchanged(port, request("GET", path, headers + ORDINARY))
            assert exchanged(port, request("GET", path, headers)) == ordinary
        assert is_taken(express, "GET", path)


def test_both_ways_refuse_alike(service: Service) -> None:
    port, express = service
    state = created(port)
    nobody = f"/v1/sessions/{'a' * 22}"
    for path in (
        f"{state['links']['self']}/update",
        f"/v1/sessions/{state['share']['read']}/forward",
        f"{nobody}/forward",
    ):
        assert is_taken(express, "POST", path)
        ordinary = exchanged(port, request("POST", path, ORDINARY))
        assert exchanged(port, request("POST", path)) == ordinary
        assert int(ordinary[0][0].split()[1]) in (403, 404, 409)


def test_requests_sent_at_once_are_answered_in_their_order(service: Service) -> None:
    port, _ = service
    path = created(port)["links"]["self"]
    actions = [request("POST", f"{path}/{action}") for action in ("forward", "backward", "update")]
    look = request("GET", path)
    answers = exchanged(port, look, *actions, look, request("GET", f"{path}/history"), *actions, look)
    found = [json.loads(body).get("revision") for _, body in answers]
    assert found == [0, 1, 2, 3, 3, None, 4, 5, 6, 6]


def test_what_was_kept_is_not_sent_when_it_is_over(service: Service) -> None:
    port, _ = service
    path = created(port)["links"]["self"]
    first, kept = exchanged(port, request("GET", path), request("GET", path))
    assert first == kept
    exchanged(port, request("POST", f"{path}/forward", ORDINARY))
    assert json.loads(exchanged(port, request("GET", path))[0][1])["revision"] == 1
    exchanged(port, request("GET", f"{path}/revisions/0"), request("DELETE", path))
    for gone in (path, f"{path}/revisions/0"):
        assert exchanged(port, request("GET", gone))[0][0].split()[1] == b"404"


@pytest.mark.parametrize(
    "headers",
    [
        ORDINARY,
        "If-Match: 3\r\n",
        "Idempotency-Key: a\r\n",
        "Prefer: return=minimal\r\n",
        "Authorization: Bearer a\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Encoding: gzip\r\n",
        "Upgrade: h2c\r\n",
    ],
)
def test_whoever_asks_for_more_goes_the_ordinary_way(service: Service, headers: str) -> None:
    port, express = service
    path = created(port)["links"]["self"]
    exchanged(port, request("GET", path))
    assert is_taken(express, "GET", path)
    assert not is_taken(express, "GET", path, headers)
    assert not is_taken(express, "POST", f"{path}/forward", headers)


def test_other_hosts_other_kinds_and_other_paths_do_too(service: Service) -> None:
    port, express = service
    path = created(port)["links"]["self"]
    exchanged(port, request("GET", path))
    json_wanted, server = [(b"accept", b"application/json")], ("127.0.0.1", 80)
    target = path.encode()
    assert express.take(b"GET", target, [(b"host", b"127.0.0.1"), *json_wanted], server) is not None
    for pairs in (
        [(b"host", b"evil.example"), *json_wanted],
        json_wanted,
        [(b"host", b"127.0.0.1"), (b"accept", b"text/html")],
    ):
        assert express.take(b"GET", target, pairs, server) is None
    for method, other in (
        ("GET", f"{path}?detail=ops"),
        ("GET", f"{path}.json"),
        ("HEAD", path),
        ("POST", f"{path}/undo"),
    ):
        assert not is_taken(express, method, other)


@pytest.mark.parametrize(
    "changes", [{"session_rate": 100}, {"creation_rate": 100}, {"retention_days": 3}, {"root_path": "/a"}]
)
def test_where_more_is_to_be_looked_at_nothing_is_plain(tmp_path: Path, changes: dict[str, Any]) -> None:
    with served(tmp_path, **changes) as (port, express):
        root = changes.get("root_path", "")
        state = json.loads(exchanged(port, request("POST", f"{root}/v1/sessions"))[0][1])
        exchanged(port, request("GET", state["links"]["self"]))
        assert not is_taken(express, "GET", state["links"]["self"])
        assert not is_taken(express, "POST", state["links"]["forward"])
