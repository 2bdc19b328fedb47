"""One durable action over HTTP against the least it could cost: an empty ASGI answer plus one fdatasync.

Three things in turn, one of each per round: an action (forward, backward, update, …) of one session on a server with an
SQLite file, an empty answer from a server under the same uvicorn, and a small append to a file beside the database that
is forced to the disk. One client, one connection to each, nothing but sockets, so that the client costs little.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType

from tests.bench.ratios import Ratio, seconds

ACTIONS = ("forward", "backward", "update")
WARM_UP = 60
ROUNDS = 600
APPENDED = bytes(512)

force = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync
SERVE = "import sys; from api.cli import main; sys.exit(main())"


def measure() -> list[Ratio]:
    """The median action ÷ (median empty answer + median fdatasync), and the three parts it is made of."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        database = f"sqlite:///{folder / 'bench.db'}"
        service = stack.enter_context(serving(["-c", SERVE, "serve", "--database-url", database]))
        empty = stack.enter_context(serving(["-m", "uvicorn", "tests.bench.empty:app", "--no-access-log"]))
        appended = stack.enter_context((folder / "appended").open("ab", buffering=0))
        step, nothing, sync = rounds(service, empty, appended.fileno())
    answer, disk = statistics.median(nothing), statistics.median(sync)
    least = answer + disk
    parts = f"{answer / least:.0%} of the divisor is the empty answer, {disk / least:.0%} the disk"
    return [
        Ratio("one durable action over HTTP, p50 ÷ (empty answer + fdatasync)", statistics.median(step) / least, parts),
        Ratio("… p99 ÷ the same", statistics.quantiles(step, n=100)[98] / least),
        Ratio("… p50 without the disk ÷ empty answer", (statistics.median(step) - disk) / answer),
    ]


def rounds(service: Client, empty: Client, appended: int) -> tuple[list[float], list[float], list[float]]:
    """Times of actions, empty answers and appends, in seconds."""
    created = json.loads(service.call("POST", "/v1/sessions", b'{"optimizer": {"learning_rate": 0.01}}', 201))
    actions = [f"/v1/sessions/{created['id']}/{action}" for action in ACTIONS]
    step: list[float] = []
    nothing: list[float] = []
    sync: list[float] = []
    for turn in range(WARM_UP + ROUNDS):
        path = actions[turn % len(actions)]
        one = seconds(partial(service.call, "POST", path))
        two = seconds(lambda: empty.call("POST", "/"))
        three = seconds(lambda: append(appended))
        if turn >= WARM_UP:
            step.append(one)
            nothing.append(two)
            sync.append(three)
    state = json.loads(service.call("GET", f"/v1/sessions/{created['id']}"))
    if state["revision"] != WARM_UP + ROUNDS:
        raise AssertionError(f"revision {state['revision']} after {WARM_UP + ROUNDS} actions")
    return step, nothing, sync


def append(file: int) -> None:
    """A few bytes more, on the disk before this returns."""
    os.write(file, APPENDED)
    force(file)


class Client:
    """One kept connection, one request at a time."""

    def __init__(self, port: int, pid: int = 0) -> None:
        self.port, self.pid = port, pid
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.socket.close()

    def call(self, method: str, path: str, body: bytes = b"", status: int = 200) -> bytes:
        """The answer's body; ``AssertionError`` for another status."""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        kind = "Content-Type: application/json\r\n" if body else ""
        self.socket.sendall(f"{head}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.more()
        answer, _, content = received.partition(b"\r\n\r\n")
        lines = answer.lower().split(b"\r\n")
        if int(lines[0].split()[1]) != status:
            raise AssertionError(f"{method} {path}: {lines[0].decode()} {content[:500].decode()}")
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
        while len(content) < length:
            content += self.more()
        return content

    def more(self) -> bytes:
        """What has arrived; ``ConnectionError`` once the server has closed."""
        part = self.socket.recv(65_536)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part


@contextmanager
def serving(command: list[str]) -> Iterator[Client]:
    """A server started by this Python on a free port, and a client connected to it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *command, "--port", str(port), "--log-level", "warning"], stdout=subprocess.DEVNULL
    )
    try:
        with connected(port, process) as client:
            yield client
    finally:
        process.terminate()
        process.wait(timeout=30)


def connected(port: int, process: subprocess.Popen[bytes] | None = None, within: float = 30) -> Client:
    """A client, as soon as the server listens."""
    until = time.monotonic() + within
    while time.monotonic() < until and (process is None or process.poll() is None):
        try:
            return Client(port, process.pid if process else 0)
        except ConnectionRefusedError:
            time.sleep(0.005)
    raise AssertionError("the server did not start")
