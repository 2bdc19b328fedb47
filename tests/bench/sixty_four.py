"""Sixty-four clients at once, in turn on each server: requests a second, as ratios.

Stepping, each client on a session of its own: against an empty answer and against ``usual.py``. Looking: a state
against a bare ASGI application that sends the same bytes, and 304 against an empty answer.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from contextlib import ExitStack
from itertools import cycle, repeat
from pathlib import Path

from tests.bench.durable_step import ACTIONS, SERVE, Client, serving
from tests.bench.load import Load, in_turn, request
from tests.bench.ratios import Ratio

CLIENTS = 64
ROUNDS, SECONDS = 7, 1.5
BODY = b'{"optimizer": {"learning_rate": 0.01}}'


def measure() -> list[Ratio]:
    """Four ratios of requests a second."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        os.environ["BENCH_DATABASE"] = str(folder / "usual.db")
        url = f"sqlite:///{folder / 'bench.db'}"
        service = stack.enter_context(serving(["-c", SERVE, "serve", "--database-url", url]))
        usual = stack.enter_context(serving(["-m", "uvicorn", "tests.bench.usual:app", "--no-access-log"]))
        empty = stack.enter_context(serving(["-m", "uvicorn", "tests.bench.empty:app", "--no-access-log"]))
        paths = [created(service) for _ in range(CLIENTS)]
        (folder / "state").write_bytes(service.call("GET", paths[0]))
        os.environ["BENCH_BYTES"] = str(folder / "state")
        bare = stack.enter_context(serving(["-m", "uvicorn", "tests.bench.empty:same", "--no-access-log"]))
        nothing = [repeat(request("POST", "/")) for _ in range(CLIENTS)]
        fresh = 'If-None-Match: "r0"\r\n'
        loads = {
            "step": Load(service.port, [stepping(path) for path in paths]),
            "usual": Load(usual.port, [stepping(created(usual)) for _ in range(CLIENTS)]),
            "empty": Load(empty.port, nothing),
            "state": Load(service.port, [repeat(request("GET", f"{path}/revisions/0")) for path in paths]),
            "now": Load(service.port, [repeat(request("GET", path)) for path in paths]),
            "bare": Load(bare.port, [repeat(request("GET", "/")) for _ in range(CLIENTS)]),
            "304": Load(service.port, [repeat(request("GET", f"{paths[0]}/revisions/0", fresh)) for _ in paths]),
        }
        found = in_turn(loads, ROUNDS, SECONDS)
        for name, load in loads.items():
            if set(load.statuses()) != {b"304" if name == "304" else b"200"}:
                raise AssertionError(f"{name}: {load.statuses()}")

    def ratio(one: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(found[one], found[other], strict=True))

    return [
        Ratio("64 clients stepping ÷ empty answer, requests/s", ratio("step", "empty"), "at least 0.25, aim 0.40"),
        Ratio("64 clients stepping ÷ sync def + ORM + response_model", ratio("step", "usual"), "at least 12"),
        Ratio("64 clients, state now ÷ bare ASGI with the same bytes", ratio("now", "bare"), "at least 0.8"),
        Ratio("… state at a revision ÷ the same", ratio("state", "bare")),
        Ratio("64 clients, 304 ÷ empty answer", ratio("304", "empty"), "at least 1"),
    ]


def created(server: Client) -> str:
    """The path of a new session."""
    document = json.loads(server.call("POST", "/v1/sessions", BODY, 201))
    return f"/v1/sessions/{document['id']}"


def stepping(path: str) -> cycle[bytes]:
    """The three actions of a session, again and again."""
    return cycle([request("POST", f"{path}/{action}") for action in ACTIONS])
