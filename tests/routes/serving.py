"""The real service in a process of its own, for what an in-process client cannot show: streams, signals, sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@contextmanager
def serving(folder: Path, *flags: str, database_url: str | None = None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a service with its database in ``folder`` or elsewhere, and its process; ended at the end."""
    command = [sys.executable, "-m", "api.cli", "serve", "--port", "0", *flags]
    command += ["--database-url", database_url or f"sqlite:///{folder}/served.db", "--log-level", "warning"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield line.rpartition(" ")[2].strip().rstrip("/"), process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def call(method: str, url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """One JSON request: status and document."""
    data = None if body is None else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **names}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


class Listener:
    """A connection that stays open; reads what arrives."""

    def __init__(self, url: str, method: str = "GET", body: bytes = b"", **headers: str) -> None:
        host, _, path = url.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        self.socket = socket.create_connection((name, int(port)), timeout=15)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        names |= {"Host": host, "Content-Length": str(len(body)), "Content-Type": "application/json"}
        head = "".join(f"{name}: {value}\r\n" for name, value in names.items())
        self.socket.sendall(f"{method} /{path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        self.seen = b""

    def until(self, text: bytes) -> bytes:
        """Everything up to a text, which is taken away."""
        while text not in self.seen:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError(self.seen)
            self.seen += more
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def end(self) -> bytes:
        """Everything up to the end of the answer; closes the connection."""
        with self.socket:
            return self.until(b"\r\n0\r\n\r\n")

    def close(self) -> None:
        """Leave."""
        self.socket.close()
