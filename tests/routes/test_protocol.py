"""Below the application: what is no HTTP, what never ends, what never comes."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import uvicorn

from api.app import create_app
from api.routes import bodies
from api.routes.protocol import Protocol
from tests.routes.conftest import settings

END = b"\r\n\r\n"
GET = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@contextmanager
def served(folder: Path, **changes: object) -> Iterator[int]:
    """The port of a service in a thread, whose protocol is different in this."""
    protocol = type("Changed", (Protocol,), changes)
    config = uvicorn.Config(create_app(settings(folder)), port=0, http=protocol, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(timeout=20)


def received(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    found = b""
    while more := connection.recv(65_536):
        found += more
    return found


def problem(answer: bytes) -> tuple[int, str]:
    """Status and type."""
    head, _, body = answer.partition(END)
    assert b"content-type: application/problem+json" in head
    assert b"access-control-allow-origin: *" in head
    document = json.loads(body)
    assert document["status"] == int(head.split()[1])
    return document["status"], document["type"]


def test_a_head_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    with served(tmp_path, head_seconds=0.4) as port:
        for begun in (b"", b"GET", GET):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
                slow.sendall(begun)
                began = time.monotonic()
                answer = received(slow)
                assert 0.2 < time.monotonic() - began < 3
            assert problem(answer) == (408, "/problems/request-timeout")


def test_a_head_that_trickles_in_has_no_more_time_than_another(tmp_path: Path) -> None:
    with served(tmp_path, head_seconds=0.5) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        began = time.monotonic()
        slow.setblocking(False)
        while time.monotonic() - began < 5:
            try:
                if slow.recv(1) == b"H":
                    break
            except BlockingIOError:
                slow.sendall(b"G"[: len(GET)])
            time.sleep(0.05)
        assert time.monotonic() - began < 3


def test_a_body_that_stops_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SILENCE_SECONDS", 0.3)
    head = b"POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 99" + END
    with served(tmp_path) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        slow.sendall(head + b"{")
        assert problem(received(slow)) == (408, "/problems/request-timeout")


def test_a_long_answer_is_not_given_up(tmp_path: Path) -> None:
    with served(tmp_path, head_seconds=0.3) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as kept:
        kept.sendall(b"POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0" + END)
        path = next(
            line for line in kept.recv(65_536).split(b"\r\n") if line.lower().startswith(b"location: ")
        ).split()[1]
        kept.sendall(b"GET " + path + b"/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream" + END)
        seen = b""
        while b"id: 0" not in seen:
            seen += kept.recv(65_536)
        kept.sendall(GET)  # of a request that comes too early, and not whole
        kept.settimeout(1)
        with pytest.raises(TimeoutError):
            raise AssertionError(kept.recv(65_536))


def test_many_large_requests_on_one_connection_are_answered(tmp_path: Path) -> None:
    body = b'{"title": "' + b"a" * 100 + b'"' + b" " * 200_000 + b"}"
    head = b"POST /v1/evaluate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with served(tmp_path) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as kept:
        for _ in range(8):
            kept.sendall(head + b"Content-Length: %d" % len(body) + END + body)
            assert kept.recv(65_536).startswith(b"HTTP/1.1 200")
            kept.sendall(GET + END[2:])
            seen = b""
            while b'{"status":"ok"}' not in seen:
                seen += kept.recv(65_536)


def test_more_connections_than_are_held_are_told_so(tmp_path: Path) -> None:
    with served(tmp_path, most=3) as port, ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10)) for _ in range(4)]
        assert problem(received(held[3])) == (503, "/problems/overloaded")
        held[0].sendall(GET + END[2:])
        assert held[0].recv(65_536).startswith(b"HTTP/1.1 200")


def test_python_has_what_this_needs() -> None:
    assert "httptools" in sys.modules
