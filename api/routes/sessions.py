"""Sessions themselves: create, look (now, at a revision, at a step), change by hand, fork, delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from api.documents.bodies import CreateBody, EmptyBody, ForkBody, PatchBody
from api.engine.errors import KeyTaken, NotFound
from api.routes.actions import act, asked, creation_key, key_of, permit, settled, writable
from api.routes.admission import admitted
from api.routes.answering import ACTION_KINDS, STATE_KINDS, Query, View, answer_action, answer_state, base_of, query_of
from api.routes.bodies import Ask
from api.routes.endpoint import router
from api.routes.negotiation import Kind, negotiate, split_suffix
from api.routes.operations import ACTION_CONTENT, BODY, CREATING, LINKS, STATE_CONTENT, acting, looking, operation
from api.routes.runs import begun
from api.routes.service import Service, root_of, service_of
from api.store import Key, Stored
from api.training.definition import define
from api.training.fork import fork
from api.training.limits import check_title
from api.training.session import Phase

routes = router()

ARTICLE = {
    "title": "House prices",
    "model": {"kind": "linear"},
    "data": {"dataset": "article"},
    "loss": {"kind": "squared_error", "reduction": "mean"},
    "optimizer": {"kind": "sgd", "learning_rate": 0.05, "dialect": "torch"},
    "parameters": {"w1": -0.017, "w2": -0.048, "b": 0},
    "batch_size": 1,
}


class Find(Query):
    """Which session to go to."""

    id: str


class StepView(View):
    """How a step is shown, and at which of its phases."""

    phase: Literal["ready", "forward", "backward"] = "ready"


@routes.post(
    "/v1/sessions",
    **operation(
        "create",
        "Create a session",
        "sessions",
        {201: ACTION_CONTENT, 204: None, 303: None},
        body=CreateBody,
        example=ARTICLE,
        headers=("Idempotency-Key",),
        problems=(409, 507, *CREATING),
        links=LINKS,
    ),
)
async def create(request: Request) -> Response:
    """No body, or `{}`, is the article's own session."""
    service = service_of(request)
    kind = negotiate(request, ACTION_KINDS)
    ask = await admitted(request)
    stored, replayed = await once(service, creation_key(request, ask), lambda key: _create(service, ask, key))
    return await answer_action(request, stored, kind, status=201, minimal=ask.minimal, replayed=replayed)


async def _create(service: Service, ask: Ask, key: Key | None) -> Stored:
    fields = ask.typed(CreateBody)
    session, stretches = await begun(service, define(fields, limits=service.limits))
    return await service.store.create(session, stretches=stretches, key=key, pinned=fields.get("pinned", False))


async def once(
    service: Service, key: Key | None, make: Callable[[Key | None], Awaitable[Stored]]
) -> tuple[Stored, bool]:
    """The session that ``make`` creates, or the one that was created with this key before, and whether it was."""
    if key is None:
        return await make(None), False
    known = await service.store.replay(key)
    if known is None:
        try:
            return await make(key), False
        except KeyTaken as twin:
            known = await service.store.replay(key)  # the same request, sent twice at once: the other one was faster
            if known is None:
                raise twin from None
    return await service.store.at_revision(await service.store.load(known.id or ""), known.revision), True


@routes.get(
    "/v1/sessions",
    **operation("find", "Go to a session", "sessions", {303: None}, query=Find, problems=(422,)),
)
async def find(request: Request) -> Response:
    """For a form in which somebody types an id: 303 to the session."""
    id = query_of(request, Find).id.strip()
    stored = await service_of(request).store.load(id)
    return Response(status_code=303, headers={"Location": base_of(request, stored.id), "Vary": "Accept"})


@routes.get("/v1/sessions/{id}", **looking("show", "The state now", STATE_CONTENT, query=View))
async def show(request: Request) -> Response:
    """Every number of the session: as JSON, as a page, as text, and its graph as SVG or DOT."""
    kind = negotiate(request, STATE_KINDS)
    view = query_of(request, View)
    id, _ = split_suffix(request.path_params["id"])
    return await answer_state(request, await service_of(request).store.load(id), kind, view)


@routes.get(
    "/v1/sessions/{id}/revisions/{revision}",
    **looking("show_revision", "The state at a revision", STATE_CONTENT, query=View),
)
async def show_revision(request: Request) -> Response:
    """The same for ever: what the session was after that many accepted writes."""
    kind = negotiate(request, STATE_KINDS)
    return await answer_state(request, await at_revision(request), kind, query_of(request, View), fixed=True)


@routes.get(
    "/v1/sessions/{id}/steps/{step}",
    **looking("show_step", "The state at a step of the current line", STATE_CONTENT, query=StepView),
)
async def show_step(request: Request) -> Response:
    """Steps inside runs included; nothing changes."""
    service = service_of(request)
    kind = negotiate(request, STATE_KINDS)
    view = query_of(request, StepView)
    step = number(request.path_params["step"], "step")
    stored = await service.store.load(request.path_params["id"])
    there = await service.store.at_step(stored, step, Phase(view.phase))
    return await answer_state(request, there, kind, view)


@routes.patch(
    "/v1/sessions/{id}",
    **acting(
        "patch", "Change values by hand, in phase ready", body=PatchBody, example={"optimizer": {"learning_rate": 0.01}}
    ),
)
async def patch(request: Request) -> Response:
    """Parameters, hyperparameters, schedule, batch size and title."""
    return await act(request, "patch", _patch)


@routes.post(
    "/v1/sessions/{id}/edit",
    **acting("edit", "PATCH, for forms", body=PatchBody, example={"optimizer": {"learning_rate": 0.01}}),
)
async def edit(request: Request) -> Response:
    """The same as PATCH on the session."""
    return await act(request, "patch", _patch)


async def _patch(service: Service, stored: Stored, ask: Ask, key: Key | None) -> Stored:
    changes = ask.typed(PatchBody)
    pinned = changes.pop("pinned", None)
    check_title(changes.get("title"), service.limits)
    session = stored.session.patch(changes)
    return await service.store.append(stored, "patch", session, key=key, pinned=pinned)


@routes.post(
    "/v1/sessions/{id}/fork",
    **operation(
        "fork",
        "A new session from here",
        "actions",
        {201: ACTION_CONTENT, 204: None, 303: None},
        body=ForkBody,
        example={"step": 0, "changes": {"optimizer": {"learning_rate": 0.01}}},
        headers=("If-Match", "Idempotency-Key"),
        problems=(403, 409, 412, 507, *BODY),
    ),
)
async def fork_session(request: Request) -> Response:
    """From the present state or from a step, with changes to the definition."""
    service = service_of(request)
    kind = negotiate(request, ACTION_KINDS)
    ask = await asked(request, service)
    source = writable(await service.store.load(request.path_params["id"]))
    stored, replayed = await once(service, key_of(request, ask, kind), lambda key: _fork(request, source, ask, key))
    return await answer_action(request, stored, kind, status=201, minimal=ask.minimal, replayed=replayed)


async def _fork(request: Request, source: Stored, ask: Ask, key: Key | None) -> Stored:
    permit(source, "fork", ask)
    service = service_of(request)
    fields = ask.typed(ForkBody)
    if "step" in fields:
        source = await service.store.at_step(source, fields["step"], Phase.READY)
    session = fork(source.session, fields.get("changes", {}), limits=service.limits)
    return await service.store.create(session, parent=(source.read_id, source.revision), key=key)


@routes.delete(
    "/v1/sessions/{id}",
    **operation(
        "remove",
        "Delete a session",
        "sessions",
        {204: None, 303: None},
        headers=("If-Match",),
        problems=(403, 409, 412, *BODY),
    ),
)
async def remove(request: Request) -> Response:
    """For good: the session is 404 from then on."""
    service = service_of(request)
    kind = negotiate(request, ACTION_KINDS)
    ask = await asked(request, service)
    async with service.store.writing(request.path_params["id"]) as stored:
        ask.typed(EmptyBody)
        await settled(service, stored, "delete", ask, None, service.store.delete)
    if kind is Kind.HTML:
        return Response(status_code=303, headers={"Location": f"{root_of(request)}/"})
    return Response(status_code=204)


routes.post(
    "/v1/sessions/{id}/delete",
    **operation(
        "remove_by_form",
        "DELETE, for forms",
        "sessions",
        {204: None, 303: None},
        body=EmptyBody,
        headers=("If-Match",),
        problems=(403, 409, 412, *BODY),
    ),
)(remove)


async def at_revision(request: Request) -> Stored:
    """The session that a path names, at the revision that it names."""
    store = service_of(request).store
    stored = await store.load(request.path_params["id"])
    revision = number(request.path_params["revision"], "revision")
    return await store.at_revision(stored, revision)


def number(segment: str, what: str) -> int:
    """A path segment as a whole number; raises NotFound."""
    text, _ = split_suffix(segment)
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise NotFound(f"a {what} is a whole number from 0")
    return int(text)
