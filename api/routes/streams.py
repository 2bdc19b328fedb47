"""Answers that stay open: event streams and pages that grow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.routes.negotiation import MEDIA_TYPES, Kind

# Proxies must pass each piece on at once, and nobody may keep it.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Accept"}
Chunks = Callable[[asyncio.Event], AsyncGenerator[bytes, None]]


class Stream(Response):
    """A body sent piece by piece. ``chunks(gone)`` makes the pieces; ``gone`` is set when the client has left, and the
    generator is closed in any case, so that its ``finally`` runs at once and not some time later."""

    def __init__(self, chunks: Chunks, kind: Kind, headers: Mapping[str, str] | None = None) -> None:
        self.chunks = chunks
        self.status_code = 200
        self.background = None
        self.media_type = MEDIA_TYPES[kind]
        self.init_headers({**HEADERS, **(headers or {})})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if not scope.get("headed"):
            async with departure(receive) as gone, aclosing(self.chunks(gone)) as chunks:
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@asynccontextmanager
async def departure(receive: Receive) -> AsyncIterator[asyncio.Event]:
    """An event that is set when the client leaves; the request's body must have been read."""
    gone = asyncio.Event()

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    listener = asyncio.create_task(listen())
    try:
        yield gone
    finally:
        listener.cancel()


def event(data: bytes, *, name: str, id: int | str | None = None) -> bytes:
    """One server-sent event; ``data`` is JSON on one line."""
    head = b"" if id is None else f"id: {id}\n".encode()
    return head + b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


SIGN_OF_LIFE = b": still here\n\n"
