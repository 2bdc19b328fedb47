"""Hostile requests: never a 5xx, always a problem document, and nothing is changed by any."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from api.documents.schemas import Problem
from tests.routes.hostile import CASES
from tests.routes.serving import serving


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """A service's address, a session's path, and the folder with the database."""
    folder = tmp_path_factory.mktemp("hostile")
    with serving(folder) as (address, _):
        made = urllib.request.Request(f"{address}/v1/sessions", method="POST")
        with urllib.request.urlopen(made) as answer:
            path = json.loads(answer.read())["links"]["self"]
        yield address, path, folder


def answered(address: str, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to some bytes; the sender may be cut off while it still sends."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        with suppress(OSError):
            connection.sendall(sent)
        received = b""
        while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < length(received):
            more = connection.recv(65_536)
            if not more:
                break
            received += more
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin1").split("\r\n")
    return int(first.split()[1]), {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}, body


def length(received: bytes) -> int:
    """The body's length by the head."""
    for line in received.partition(b"\r\n\r\n")[0].lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def state(address: str, path: str) -> bytes:
    with urllib.request.urlopen(address + path) as answer:
        found: bytes = answer.read()
    return found


def test_there_are_more_than_three_hundred_of_them() -> None:
    assert len(set(CASES.values())) == len(CASES) > 300


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_request_is_refused_with_a_problem_and_changes_nothing(
    target: tuple[str, str, Path], name: str
) -> None:
    address, path, _ = target
    before = state(address, path)
    status, headers, body = answered(address, CASES[name].replace(b" S", b" " + path.encode(), 1))
    assert 400 <= status < 500, body
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-content-type-options"] == "nosniff"
    problem = json.loads(body)
    Problem.model_validate(problem)
    assert problem["status"] == status
    assert "Traceback" not in body.decode()
    assert len(body) < 20_000
    assert state(address, path) == before
