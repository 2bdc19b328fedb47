"""Many clients on one thread: each sends its next request as soon as the last is answered.

The client of a benchmark must cost less than what it measures: sockets, no parsing but for a length.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator, Mapping, Sequence


class Connection:
    """A client: an endless list of requests, and a socket for a while."""

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.port = port
        self.requests = requests
        self.received = b""
        self.statuses: dict[bytes, int] = {}

    def connect(self) -> None:
        """Anew, for a server closes a connection that idles."""
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self) -> None:
        """The next request."""
        self.socket.sendall(next(self.requests))

    def answered(self) -> bool:
        """Read; whether the answer is complete."""
        part = self.socket.recv(262_144)
        if not part:
            raise ConnectionError("the server closed the connection")
        self.received += part
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found or len(body) < length_of(head):
            return False
        status = head[9:12]
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.received = b""
        return True


def length_of(head: bytes) -> int:
    """The length of the body that a head announces; none is announced with 204 and 304."""
    place = head.lower().find(b"content-length:")
    return 0 if place < 0 else int(head[place + 15 :].partition(b"\r\n")[0])


class Load:
    """Some clients of one port, which may be let off again and again."""

    def __init__(self, port: int, requests: Sequence[Iterator[bytes]]) -> None:
        self.clients = [Connection(port, each) for each in requests]

    def per_second(self, seconds: float) -> float:
        """Answers a second, all clients together."""
        with selectors.DefaultSelector() as selector:
            for client in self.clients:
                client.connect()
                selector.register(client.socket, selectors.EVENT_READ, client)
            count, began = 0, time.perf_counter()
            for client in self.clients:
                client.send()
            waiting = len(self.clients)
            while waiting:
                for key, _ in selector.select():
                    if not key.data.answered():
                        continue
                    count += 1
                    if time.perf_counter() - began < seconds:
                        key.data.send()
                    else:
                        waiting -= 1
            taken = time.perf_counter() - began
        for client in self.clients:
            client.socket.close()
        return count / taken

    def statuses(self) -> dict[bytes, int]:
        """How many answers there were of each status."""
        found: dict[bytes, int] = {}
        for client in self.clients:
            for status, count in client.statuses.items():
                found[status] = found.get(status, 0) + count
        return found


def in_turn(loads: Mapping[str, Load], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Each load's answers a second, round by round, in which all are let off for some seconds, one after the other."""
    for load in loads.values():
        load.per_second(seconds / 4)
    taken = [{name: load.per_second(seconds) for name, load in loads.items()} for _ in range(rounds)]
    return {name: [each[name] for each in taken] for name in loads}


def request(method: str, path: str, headers: str = "", body: bytes = b"") -> bytes:
    """One request's bytes."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
