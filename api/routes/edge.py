"""What holds for every request and every answer, whoever makes it: one plain ASGI layer around the application.

It refuses unknown hosts and too many requests at once, answers CORS preflights, serves HEAD as GET without the body,
adds the CORS and security headers, and turns an unexpected exception into the 500 problem. (Starlette's
``BaseHTTPMiddleware`` costs twice a request's own time, and an outer ``CORSMiddleware`` leaves 500 answers without
their headers.)
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.engine.wording import shown
from api.routes import errors
from api.routes.logs import Observer
from api.routes.rates import Rates

RawHeaders = list[tuple[bytes, bytes]]

COMMON: RawHeaders = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin")]
CORS: RawHeaders = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Location, Link, Retry-After, Idempotent-Replayed"),
]
PREFLIGHT: dict[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "If-Match, If-None-Match, Idempotency-Key, Last-Event-ID, Content-Type, Authorization, Accept"
    ),
    "Access-Control-Max-Age": "86400",
    "Cache-Control": "no-store",
}
PAGE_POLICY = (
    b"default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-src 'self'; "
    b"base-uri 'none'; frame-ancestors 'self'"
)
# A picture opened by itself is a document with its own <style>; nothing else in it may load or run.
PICTURE_POLICY = b"default-src 'none'; style-src 'unsafe-inline'"


class Edge:
    """The layer; ``allowed_hosts`` and ``root_path`` as in the settings, ``limit`` bounds the requests at once.

    ``observers`` hear of each request when it has been answered.
    """

    def __init__(
        self,
        allowed_hosts: Iterable[str] = (),
        limit: int = 1000,
        root_path: str = "",
        rates: Rates | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.root_path = root_path
        self.is_own_host = host_check(allowed_hosts)
        self.limit = limit
        self.rates = rates or Rates()
        self.observers = observers
        self.under_way = 0

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application for requests that has ``app`` inside."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            self.under_way += 1
            try:
                await self._serve(app, scope, receive, send)
            finally:
                self.under_way -= 1

        return serve

    async def _serve(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        if self.root_path:
            scope["root_path"] = self.root_path
        headers = Headers(scope=scope)
        request_id = scope["request_id"] = id_of(headers.get("x-request-id", ""))
        headed = scope["method"] == "HEAD"
        if headed:
            # A copy: the server keeps the original and so knows that no body follows.
            scope = dict(scope, method="GET", headed=True)
        status, began = 0, perf_counter()

        async def finish(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = with_headers(message.get("headers", ()))
                message["headers"].append((b"x-request-id", request_id.encode()))
            elif headed and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            refusal = await self._refuse(scope, receive, headers)
            await (refusal or app)(scope, receive, finish)
        except ClientDisconnect:
            status = status or GONE  # nobody is there to read an answer
        except Exception as error:
            if status:
                raise
            response = await errors.on_error(Request(scope, receive), error)
            await response(scope, receive, finish)
        finally:
            for observe in self.observers:
                observe(scope, status, perf_counter() - began)

    async def _refuse(self, scope: Scope, receive: Receive, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if not self.is_own_host(host, scope):
            detail = (
                f"the host name {shown(host)} is not this machine's own; to serve it, add it to --allowed-hosts "
                "(STEPGRAD_ALLOWED_HOSTS)"
            )
            request = Request(scope, receive)
            return errors.render(request, errors.document(errors.UNKNOWN_HOST, detail, request))
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            return Response(status_code=204, headers=PREFLIGHT)
        if self.under_way > self.limit:
            return await errors.on_error(Request(scope, receive), HTTPException(503, headers={"Retry-After": "1"}))
        excess = self.rates.excess(scope, scope["path"].removeprefix(self.root_path))
        if excess is not None:
            request = Request(scope, receive)
            problem = errors.document(errors.TOO_MANY, excess.detail, request, limit=excess.limit)
            return errors.render(request, problem, {"Retry-After": str(excess.seconds)})
        return None


GONE = 499
"""What is noted, as by nginx, of a request whose sender left before it was answered."""


def id_of(given: str) -> str:
    """The request's id in the log: the proxy's, if it has a sensible one, so that both logs can be read together."""
    if 8 <= len(given) <= 64 and given.isascii() and given.replace("-", "").isalnum():
        return given
    return secrets.token_hex(8)


def with_headers(given: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """An answer's headers with the common ones: CORS for all but pages, a content policy for pages and pictures."""
    headers = [*given, *COMMON]
    media_type = next((value for name, value in headers if name.lower() == b"content-type"), b"")
    if media_type.startswith(b"text/html"):
        headers.append((b"content-security-policy", PAGE_POLICY))
        return headers
    if media_type.startswith(b"image/svg"):
        headers.append((b"content-security-policy", PICTURE_POLICY))
    if not any(name.lower() == CORS[0][0] for name, _ in headers):
        headers.extend(CORS)
    return headers


def host_check(allowed_hosts: Iterable[str]) -> Callable[[str, Scope], bool]:
    """The test whether a Host header names this service.

    Always accepted are localhost, loopback addresses, this machine's name, and the very address that the connection
    came in at: a page on another site that rebinds its own name to this machine (DNS rebinding) has none of them.
    ``allowed_hosts`` adds names, ``*.example.org`` patterns, or ``*`` for any.
    """
    patterns = {host.lower() for host in allowed_hosts}
    name = socket.gethostname().lower()
    names = {"localhost", name, name.partition(".")[0], name.partition(".")[0] + ".local"} | patterns
    endings = (".localhost", *(pattern[1:] for pattern in patterns if pattern.startswith("*.")))

    def is_own(header: str, scope: Scope) -> bool:
        host = bare_host(header)
        server = scope.get("server") or ("",)
        return bool(host) and (
            "*" in patterns or host in names or host == server[0] or host.endswith(endings) or is_loopback(host)
        )

    return is_own


def bare_host(header: str) -> str:
    """The name or address in a Host header, in lower case, without port, brackets or final dot; "" if it is none."""
    host = header.strip().lower()
    if host.startswith("["):
        name, closed, port = host[1:].partition("]")
        return name if closed and port.strip("0123456789") in ("", ":") else ""
    name, _, port = host.partition(":")
    return "" if port.strip("0123456789") else name.rstrip(".")


def is_loopback(host: str) -> bool:
    """Whether a host is written as a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
