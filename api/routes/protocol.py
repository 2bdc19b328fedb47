"""HTTP itself, where uvicorn would answer with plain text or wait for ever: each refusal is a problem document.

    a request that is no HTTP                          400, and the connection is closed
    a head of more than HEAD_BYTES                     431
    a head that takes longer than HEAD_SECONDS         408
    more connections than the service holds            503

A body that does not come is ``routes.bodies``' affair.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.documents.state import to_json
from api.routes.edge import with_headers
from api.routes.errors import HTTP_PROBLEMS

HEAD_BYTES = 65_536
HEAD_SECONDS = 20.0


class Protocol(HttpToolsProtocol):
    """One connection; ``most`` is the number of connections that are held at once, ``root`` the root path."""

    most = 8_000
    root = ""
    head_seconds = HEAD_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head, but not for ever."""
        super().connection_made(transport)
        self._head = 0  # bytes of one that is not complete
        self._in_body = False
        self._went_on = False
        self._deadline: asyncio.TimerHandle | None = None
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
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The whole request is."""
        self._went_on, self._in_body = True, False
        super().on_message_complete()

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


def protocol(connections: int, root_path: str) -> type[asyncio.Protocol]:
    """The protocol that holds so many connections at once."""
    return type("Protocol", (Protocol,), {"most": connections, "root": root_path})
