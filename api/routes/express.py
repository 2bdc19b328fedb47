"""The short way of plain requests, from the connection to the session and back without ASGI between.

    GET   /v1/sessions/{id}, …/revisions/{revision}         the bytes that were sent the last time
    POST  /v1/sessions/{id}/forward, …/backward, …/update   what ``actions.done`` makes of it

A request is plain if it has no body, wants JSON, and has no header that asks for more. Whatever is not plain, or not at
hand, goes the ordinary way, which does the same: an answer here has the same status, headers and bytes, which a test
compares. Where rates are limited, sessions expire, or a root path is set, nothing is plain.
"""

from __future__ import annotations

import re
from collections.abc import Coroutine
from http import HTTPStatus
from time import perf_counter
from typing import Any, NamedTuple

from starlette.requests import Request

from api.documents.state import to_json
from api.routes.actions import STEPS, done
from api.routes.answering import document_of, headers_of
from api.routes.bodies import Ask
from api.routes.edge import Edge, RawHeaders, id_of, with_headers
from api.routes.errors import on_error
from api.routes.kept import Kept, on_the_wire
from api.routes.negotiation import Kind
from api.routes.service import Service
from api.store import Stored

# Headers that change nothing about an answer.
IDLE = frozenset(
    b"user-agent accept-encoding accept-language connection origin referer dnt priority cache-control pragma "
    b"sec-fetch-dest sec-fetch-mode sec-fetch-site sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform "
    b"x-forwarded-for x-forwarded-proto x-real-ip".split()
)
WANTS_JSON = frozenset({b"", b"*/*", b"application/json"})
STEP = re.compile(rb"/v1/sessions/([\w-]{22})/(forward|backward|update)", re.ASCII)
HOSTS = 64
"""Host headers that are known to be ours."""
STEPPING, LOOKING, LOOKING_BACK = "/v1/sessions/{id}/", "/v1/sessions/{id}", "/v1/sessions/{id}/revisions/{revision}"


class Plain(NamedTuple):
    """A plain request: what matters of its headers."""

    method: str
    target: bytes
    tag: bytes
    request_id: str


class Way(NamedTuple):
    """The route of a request as its log line has it."""

    path: str


class Express:
    """The short way into a service; ``edge`` says which hosts are ours, how many requests there may be, who listens."""

    def __init__(self, service: Service, edge: Edge) -> None:
        self.service, self.edge = service, edge
        settings = service.settings
        limited = settings.session_rate or settings.creation_rate or settings.retention_days
        self.open = not (limited or settings.root_path)
        self._hosts: set[tuple[bytes, object]] = set()

    def take(
        self, method: bytes, target: bytes, headers: RawHeaders, server: tuple[str, int | None] | None
    ) -> bytes | Coroutine[Any, Any, bytes] | None:
        """The answer to a request, at once or later, from its status line on and without the server's own headers;
        None if it has to go the ordinary way."""
        if not self.open or self.edge.under_way >= self.edge.limit:
            return None
        step = STEP.fullmatch(target) if method == b"POST" else None
        kept = self.service.answers.get(target) if method == b"GET" else None
        if step is None and kept is None:
            return None
        plain = self._plain(method, target, headers, server)
        if plain is None:
            return None
        if step is not None:
            return None if plain.tag else self._step(plain, step[1].decode(), step[2].decode())
        assert kept is not None
        return self._look(plain, kept)

    def _plain(
        self, method: bytes, target: bytes, headers: RawHeaders, server: tuple[str, int | None] | None
    ) -> Plain | None:
        host = accept = tag = given = b""
        for name, value in headers:
            if name == b"host":
                host = value
            elif name == b"accept":
                accept = value
            elif name == b"if-none-match":
                tag = value
            elif name == b"x-request-id":
                given = value
            elif name not in IDLE and (name != b"content-length" or value != b"0"):
                return None
        if accept not in WANTS_JSON or not self._is_own(host, server):
            return None
        return Plain(method.decode(), target, tag, id_of(given.decode("latin-1")))

    def _is_own(self, host: bytes, server: tuple[str, int | None] | None) -> bool:
        if (host, server) in self._hosts:
            return True
        if not self.edge.is_own_host(host.decode("latin-1"), {"server": server}):
            return False
        if len(self._hosts) < HOSTS:
            self._hosts.add((host, server))
        return True

    def _look(self, plain: Plain, kept: Kept) -> bytes | None:
        began = perf_counter()
        current = self.service.store.at_hand(kept.read_id)
        if current is None or (current.revision != kept.revision and not kept.fixed):
            return None
        if kept.body is None if not plain.tag else plain.tag != kept.tag:
            return None  # it is not at hand; or the tag is another, in a list, or weak
        status = 304 if plain.tag else 200
        answer = kept.unchanged(plain.request_id) if plain.tag else kept.answer(plain.request_id)
        self._tell(plain, LOOKING_BACK if kept.fixed else LOOKING, status, began)
        return STATUS_LINES[status] + answer

    async def _step(self, plain: Plain, id: str, action: str) -> bytes:
        began, status = perf_counter(), 200
        self.edge.under_way += 1
        try:
            stored, _ = await done(self.service, id, action, STEPS[action], Ask())
            answer = stepped(self.service, stored, id).answer(plain.request_id)
        except Exception as error:
            response = await on_error(Request(self._scope(plain, STEPPING + action)), error)
            status = response.status_code
            answer = b"%bx-request-id: %b\r\n\r\n%b" % (
                on_the_wire(with_headers(response.raw_headers)),
                plain.request_id.encode(),
                bytes(response.body),
            )
        finally:
            self.edge.under_way -= 1
        self._tell(plain, STEPPING + action, status, began)
        return STATUS_LINES[status] + answer

    def _tell(self, plain: Plain, pattern: str, status: int, began: float) -> None:
        for observe in self.edge.observers:
            observe(self._scope(plain, pattern), status, perf_counter() - began)

    @staticmethod
    def _scope(plain: Plain, pattern: str) -> dict[str, Any]:
        """What is asked of a request's scope by who logs it, and by who writes a problem."""
        about = {"type": "http", "method": plain.method, "path": plain.target.decode(), "request_id": plain.request_id}
        return {**about, "headers": [], "query_string": b"", "root_path": "", "route": Way(pattern)}


def stepped(service: Service, stored: Stored, id: str) -> Kept:
    """The state after a step, as a look at the session will find it, too."""
    base = f"/v1/sessions/{id}"
    body = to_json(document_of(service, base, stored))
    return service.answers.keep(base.encode(), stored, headers_of(stored, Kind.JSON), body)


STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
