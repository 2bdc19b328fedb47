"""``…/replay``: the stored states of the current line one after the other, as a page or an event stream.

Whoever closes it has paused it: an event's id, ``12.forward``, says where it goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import Field, field_validator
from starlette.requests import Request
from starlette.responses import Response

from api.documents.state import to_json
from api.engine.errors import InvalidInput, NotFound
from api.pages.html import Replay, live_frame, replay_head, replay_tail
from api.routes.answering import Query, base_of, query_of, state_document
from api.routes.endpoint import router
from api.routes.live import FRAMES
from api.routes.negotiation import Kind, negotiate
from api.routes.operations import EVENT, MEDIA, TEXT, operation
from api.routes.page import parts
from api.routes.service import root_of, service_of
from api.routes.streams import SIGN_OF_LIFE, Stream, event
from api.store import Stored
from api.training.session import Phase
from api.training.walk import Place, place_of, walk

routes = router()

FASTEST = 20.0
SLOWEST = 0.05


class Choice(Query):
    """Which states are shown, and how fast."""

    step: Annotated[int, Field(ge=0, le=10**15)] = 0
    """The step it begins with; a fork's line may begin later."""
    every: Annotated[int, Field(ge=1, le=10**15)] = 1
    """Only each so-many-th step from there; the newest state in any case."""
    phase: Literal["ready", "forward", "backward"] | None = None
    """Only this phase of each step; else every phase, and what the step's update led to."""
    pace: Annotated[float, Field(ge=0, le=FASTEST)] = 1.0
    """States a second; 0 answers 204, which as a link makes a page that is being replayed stand still."""
    last_event_id: str | None = None
    """The place seen last, such as 12.forward, for who cannot set the header Last-Event-ID."""

    @field_validator("phase", mode="before")
    @classmethod
    def _chosen(cls, value: object) -> object:
        return value or None  # a form's empty field is absent


@dataclass(frozen=True, slots=True)
class Showing:
    """One replay under way: ``stored`` is the session as it was when it began."""

    request: Request
    stored: Stored
    choice: Replay
    after: Place | None
    gone: asyncio.Event

    async def states(self) -> AsyncGenerator[tuple[Place, Stored] | None, None]:
        """Each place with its state, at the pace chosen; None where silence would be too long.

        Ends when the client leaves, the session is deleted or the service closes.
        """
        service, clock = service_of(self.request), asyncio.get_running_loop()
        ends = [asyncio.ensure_future(event.wait()) for event in (service.closing, self.gone)]
        due = clock.time()
        try:
            for place in places(self.stored, self.choice, self.after):
                while (left := due - clock.time()) > 0:
                    quiet = min(left, service.settings.heartbeat_seconds)
                    done, _ = await asyncio.wait(ends, timeout=quiet, return_when=asyncio.FIRST_COMPLETED)
                    if done:
                        return
                    if quiet < left:
                        yield None
                await service.store.load(self.stored.id)  # it may have been deleted
                yield place, await service.store.at_step(self.stored, place.step, place.phase)
                due = max(due + 1 / self.choice.pace, clock.time())  # what comes late is not made good by haste
        except NotFound:
            return
        finally:
            for task in ends:
                task.cancel()


@routes.get(
    "/v1/sessions/{id}/replay",
    **operation(
        "replay",
        "The stored states, one after the other",
        "sessions",
        {200: {MEDIA["events"]: EVENT, MEDIA["html"]: TEXT}, 204: None},
        query=Choice,
        headers=("Last-Event-ID",),
        problems=(422,),
    ),
)
async def replay(request: Request) -> Response:
    """As an event stream: `id:` the place, `event: state`, `data:` the state. 204 if none is left, so that a browser's
    EventSource does not ask again."""
    kind = negotiate(request, (Kind.EVENTS, Kind.HTML))
    stored = await service_of(request).store.load(request.path_params["id"])
    choice, after = chosen(request, stored, await service_of(request).store.first_step(stored)), seen(request)
    if not choice.pace or next(places(stored, choice, after), None) is None:
        return Response(status_code=204, headers={"Cache-Control": "no-store", "Vary": "Accept"})
    if kind is Kind.HTML:
        return Stream(lambda gone: frames(Showing(request, stored, choice, after, gone)), Kind.HTML)
    return Stream(lambda gone: events(Showing(request, stored, choice, after, gone)), Kind.EVENTS)


def places(stored: Stored, choice: Replay, after: Place | None) -> Iterator[Place]:
    """What is shown of a session's line."""
    session = stored.session
    now = Place(session.position.step, session.phase)
    phase = Phase(choice.phase) if choice.phase else None
    return walk(now, first=choice.step, every=choice.every, phase=phase, after=after)


def chosen(request: Request, stored: Stored, first: int) -> Replay:
    """What the query asks for, of a line that begins with step ``first``; raises InvalidInput."""
    asked = query_of(request, Choice)
    newest = stored.session.position.step
    if asked.step > newest:
        raise InvalidInput(f"query parameter step: the session is at step {newest}, so replay from 0 to {newest}")
    if 0 < asked.pace < SLOWEST:
        raise InvalidInput(f"query parameter pace: must be 0 or from {SLOWEST} to {FASTEST:g} states a second")
    return Replay(max(asked.step, first), asked.every, asked.phase, asked.pace)


def seen(request: Request) -> Place | None:
    """The place the listener saw last; raises InvalidInput if it is none."""
    given = request.headers.get("last-event-id") or query_of(request, Choice).last_event_id
    if not given:
        return None
    place = place_of(given)
    if place is None:
        raise InvalidInput("the id of the last event is a step and a phase, such as 12.forward")
    return place


async def events(showing: Showing) -> AsyncGenerator[bytes, None]:
    """The event stream's pieces."""
    async for shown in showing.states():
        if shown is None:
            yield SIGN_OF_LIFE
        else:
            place, there = shown
            yield event(to_json(state_document(showing.request, there)), name="state", id=str(place))


async def frames(showing: Showing) -> AsyncGenerator[bytes, None]:
    """The page's pieces, as those of the live page."""
    request, choice, root = showing.request, showing.choice, root_of(showing.request)
    store = service_of(request).store
    newest = state_document(request, showing.stored)
    yield replay_head(newest, choice, root).encode()
    number, further = 0, None
    async for shown in showing.states():
        if shown is None:
            yield b"<!-- still here -->\n"
            continue
        place, there = shown
        page = await parts(store, there, state_document(request, there), root, showing.stored.revision)
        yield live_frame(page, mark=str(number), ways=ways(showing, place)).encode()
        number += 1
        if number == FRAMES:
            further = address(showing, place)
            break
    yield replay_tail(newest, choice, root, further).encode()


def ways(showing: Showing, place: Place) -> list[tuple[str, str]]:
    """The links of a frame: to the state by itself, and on from there at other paces."""
    pace = showing.choice.pace
    there = f"{base_of(showing.request, showing.stored.id)}/steps/{place.step}?phase={place.phase}"
    return [
        ("This state", there),
        ("Slower", address(showing, place, max(SLOWEST, pace / 2))),
        ("Go on", address(showing, place)),
        ("Faster", address(showing, place, min(FASTEST, pace * 2))),
    ]


def address(showing: Showing, place: Place, pace: float | None = None) -> str:
    """Where the replay goes on behind a place."""
    choice = replace(showing.choice, pace=pace or showing.choice.pace)
    asked = {name: value for name, value in asdict(choice).items() if value != Choice.model_fields[name].default}
    base = base_of(showing.request, showing.stored.id)
    return f"{base}/replay?{urlencode({**asked, 'last_event_id': str(place)})}"
