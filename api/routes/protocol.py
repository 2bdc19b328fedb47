"""HTTP itself, where uvicorn would answer with plain text or wait for ever: each refusal is a problem document.

    a request that is no HTTP                          400, and the connection is closed
    a head of more than HEAD_BYTES                     431
    a head that takes longer than HEAD_SECONDS         408
    more connections than the service holds            503

A body that does not come is ``routes.bodies``' affair. Plain requests go to ``routes.express`` from here, all others to
the application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.documents.state import to_json
from api.routes.edge import with_headers
from api.routes.errors import HTTP_PROBLEMS
from api.routes.express import Express

HEAD_BYTES = 65_536
HEAD_SECONDS = 20.0


Answer = bytes | Coroutine[Any, Any, bytes]


class Going:
    """A plain request under way, as the protocol sees what ``RequestResponseCycle`` is for all others."""

    __slots__ = ("disconnected", "keep_alive", "message_event", "response_complete")

    def __init__(self) -> None:
        self.response_complete = self.disconnected = False
        self.keep_alive = True
        self.message_event = asyncio.Event()


class Protocol(HttpToolsProtocol):
    """One connection; ``most`` is the number of connections that are held at once, ``root`` the root path."""

    most = 8_000
    root = ""
    head_seconds = HEAD_SECONDS

    @staticmethod
    def express() -> Express | None:
        """The short way of plain requests, if there is one."""
        return None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head, but not for ever."""
        super().connection_made(transport)
        self._head = 0  # bytes of one that is not complete
        self._in_body = False
        self._went_on = False
        self._deadline: asyncio.TimerHandle | None = None
        self._plain: Answer | None = None
        if len(self.connections) > self.most:
            self.refuse(503)
        else:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._unexpect()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, up to the largest head."""
        self._went_on = False
        super().data_received(data)
        if self._went_on or self._in_body or self.transport.is_closing():
            self._head = 0
            return
        self._head += len(data)
        if self._head > HEAD_BYTES:
            self.refuse(431)
        elif self._deadline is None:
            self._expect()

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._went_on = self._in_body = True
        self._unexpect()
        self._plain = self._taken()
        if self._plain is None:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The whole request is."""
        self._went_on, self._in_body = True, False
        answer, self._plain = self._plain, None
        if answer is None:
            super().on_message_complete()
        elif isinstance(answer, bytes):
            self._send(answer)
        else:
            self.cycle = going = Going()  # type: ignore[assignment]
            task = self.loop.create_task(self._answer(answer, going))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    def _taken(self) -> Answer | None:
        """What a plain request is answered with; None if this one is not, or has to wait for those before it."""
        express, before = self.express(), self.cycle
        if express is None or (before is not None and not before.response_complete) or self.flow.write_paused:
            return None
        if self.parser.get_http_version() != "1.1" or not self.parser.should_keep_alive():
            return None
        return express.take(self.parser.get_method(), self.url, self.headers, self.server)

    async def _answer(self, answer: Coroutine[Any, Any, bytes], going: Going) -> None:
        content = await answer
        going.response_complete = True
        if not going.disconnected:
            self._send(content)
            if not going.keep_alive:
                self.transport.close()

    def _send(self, content: bytes) -> None:
        """An answer, with what the server says in each behind its status line."""
        status, _, rest = content.partition(b"\r\n")
        said = (b"%b: %b\r\n" % pair for pair in self.server_state.default_headers)
        self.transport.write(b"".join([status, b"\r\n", *said, rest]))
        self.on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's words, for which we have our own)
        """What uvicorn does with what is no HTTP."""
        self.refuse(400)

    def refuse(self, status: int) -> None:
        """Answer with a problem, and close."""
        kind, detail = HTTP_PROBLEMS[status]
        problem = {"type": f"{self.root}/problems/{kind.code}", "title": kind.title, "status": status, "detail": detail}
        body = to_json(problem | {"instance": f"{self.root}/"})
        length = str(len(body)).encode()
        headers = with_headers(
            [(b"content-type", b"application/problem+json"), (b"content-length", length), (b"connection", b"close")]
        )
        head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(), *(b": ".join(pair) for pair in headers)]
        self.transport.write(b"\r\n".join([*head, b"", body]))
        self.transport.close()

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self._late)

    def _unexpect(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._expect()  # the next request of a pipeline; the one before is still being answered
        elif not self.transport.is_closing():
            self.refuse(408)


def protocol(
    connections: int, root_path: str, express: Callable[[], Express | None] = Protocol.express
) -> type[asyncio.Protocol]:
    """The protocol that holds so many connections at once, and takes plain requests the short way."""
    return type("Protocol", (Protocol,), {"most": connections, "root": root_path, "express": staticmethod(express)})
