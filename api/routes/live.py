"""``…/live``: a page, or an event stream, that stays open and shows each new revision, by whoever makes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.responses import Response

from api.documents.state import to_json
from api.engine.errors import InvalidInput, NotFound
from api.pages.html import live_frame, live_head, live_tail
from api.routes.answering import Query, query_of, state_document
from api.routes.endpoint import router
from api.routes.negotiation import Kind, negotiate
from api.routes.operations import EVENT, MEDIA, TEXT, operation
from api.routes.page import parts
from api.routes.service import Service, root_of, service_of
from api.routes.streams import SIGN_OF_LIFE, Stream, event
from api.store import Stored

routes = router()

FRAMES = 500  # one page holds no more; its end offers a link to go on
CAUGHT_UP = 1_000  # revisions that a returning listener is sent at most


class Since(Query):
    """Where an event stream goes on."""

    last_event_id: str | None = None
    """The revision seen last, for who cannot set the header Last-Event-ID."""


@routes.get(
    "/v1/sessions/{id}/live",
    **operation(
        "live",
        "A page or event stream that stays open",
        "sessions",
        {200: {MEDIA["events"]: EVENT, MEDIA["html"]: TEXT}},
        query=Since,
        headers=("Last-Event-ID",),
        problems=(422,),
    ),
)
async def live(request: Request) -> Response:
    """As an event stream: `id:` the revision, `event: state`, `data:` the state."""
    service = service_of(request)
    kind = negotiate(request, (Kind.EVENTS, Kind.HTML))
    after = seen(request)
    stored = await service.store.load(request.path_params["id"])
    if kind is Kind.HTML:
        return Stream(lambda gone: frames(request, service, stored, gone), Kind.HTML)
    return Stream(lambda gone: events(request, service, stored, after, gone), Kind.EVENTS)


def seen(request: Request) -> int | None:
    """The revision the listener saw last; raises InvalidInput if it is no number."""
    given = request.headers.get("last-event-id") or query_of(request, Since).last_event_id
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise InvalidInput("the id of the last event is the revision that it carried")
    return int(given)


async def events(
    request: Request, service: Service, stored: Stored, after: int | None, gone: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The event stream's pieces."""
    async for there in watch(service, stored, after, gone):
        if there is None:
            yield SIGN_OF_LIFE
        else:
            yield event(to_json(state_document(request, there)), name="state", id=there.revision)


async def frames(
    request: Request, service: Service, stored: Stored, gone: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The page's pieces: a complete frame covers those before it, and a comment keeps the connection alive."""
    root = root_of(request)
    state = state_document(request, stored)
    yield live_head(state, root).encode()
    shown = 0
    async for there in watch(service, stored, None, gone):
        if there is None:
            yield b"<!-- still here -->\n"
            continue
        page = await parts(service.store, there, state_document(request, there), root, there.revision)
        yield live_frame(page, mark=str(there.revision)).encode()
        shown += 1
        if shown == FRAMES:
            break
    yield live_tail(state, root).encode()


async def watch(
    service: Service, stored: Stored, after: int | None, gone: asyncio.Event
) -> AsyncGenerator[Stored | None, None]:
    """The present revision (or those later than ``after``), then each new one; None after a while of silence.

    Ends when the client leaves, the session is deleted or the service closes.
    """
    first = stored.revision if after is None else max(after + 1, stored.revision - CAUGHT_UP + 1)
    async with service.store.subscribe(stored) as revisions:
        for revision in range(first, stored.revision + 1):
            yield await service.store.at_revision(stored, revision)
        ends = [asyncio.ensure_future(service.closing.wait()), asyncio.ensure_future(gone.wait())]
        coming = asyncio.ensure_future(anext(revisions))
        try:
            while True:
                waiting = {coming, *ends}
                done, _ = await asyncio.wait(
                    waiting, timeout=service.settings.heartbeat_seconds, return_when=asyncio.FIRST_COMPLETED
                )
                if done & set(ends):
                    return
                if not done:
                    yield None
                    continue
                there = await service.store.at_revision(stored, coming.result())
                coming = asyncio.ensure_future(anext(revisions))
                yield there
        except (StopAsyncIteration, NotFound):
            return
        finally:
            for task in (coming, *ends):
                task.cancel()
