"""The steps of a session: forward, backward, update, undo, rewind, and the one way in which every write is made.

``act`` is that way: the body is read, the session held, and then, in this order, the idempotency key, the revision, the
phase and the meaning are looked at before anything is changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TypeVar

from starlette._utils import get_route_path
from starlette.requests import Request
from starlette.responses import Response

from api.documents.bodies import EmptyBody, RewindBody
from api.engine.errors import (
    Diverged,
    InvalidInput,
    KeyTaken,
    NothingToUndo,
    ReadOnly,
    RunInProgress,
    StaleRevision,
    WrongPhase,
)
from api.routes.answering import ACTION_KINDS, answer_action
from api.routes.bodies import Ask, read
from api.routes.endpoint import router
from api.routes.negotiation import Kind, check_revision, negotiate
from api.routes.operations import acting
from api.routes.service import Service, service_of, work_of, work_of_epochs_end
from api.store import Key, Stored
from api.training.session import Phase, Session

routes = router()

T = TypeVar("T")
PATIENCE = 20  # times that other servers may be faster
INLINE_WORK = 100_000  # operations in one step, beyond which another process does it, so that nobody else waits

# What an action is done with: the service, the session as it stands, what was asked, the key to keep the answer under.
Write = Callable[[Service, Stored, Ask, Key | None], Awaitable[Stored]]


@routes.post("/v1/sessions/{id}/forward", **acting("forward", "Feed the batch forward: predictions and loss"))
async def forward(request: Request) -> Response:
    """Compute every value of the graph for the present batch."""
    return await act(request, "forward", STEPS["forward"])


@routes.post("/v1/sessions/{id}/backward", **acting("backward", "Every partial and every gradient, by the chain rule"))
async def backward(request: Request) -> Response:
    """Go through the graph backward, from the loss to the parameters."""
    return await act(request, "backward", STEPS["backward"])


@routes.post("/v1/sessions/{id}/update", **acting("update", "The optimiser's step; the next batch is fed"))
async def update(request: Request) -> Response:
    """Change the parameters by their gradients and go to the next batch."""
    return await act(request, "update", STEPS["update"])


@routes.post("/v1/sessions/{id}/undo", **acting("undo", "One action further back on the current line"))
async def undo(request: Request) -> Response:
    """Go back to the state before the last action; nothing is deleted, and an undo is never undone."""
    return await act(request, "undo", _undo)


@routes.post(
    "/v1/sessions/{id}/rewind", **acting("rewind", "To the start of a step", body=RewindBody, example={"step": 0})
)
async def rewind(request: Request) -> Response:
    """Go back to the start of a step of the current line; nothing is deleted."""
    return await act(request, "rewind", _rewind)


def _step(action: str, change: Callable[[Session], Session]) -> Write:
    async def write(service: Service, stored: Stored, ask: Ask, key: Key | None) -> Stored:
        ask.typed(EmptyBody)
        started = perf_counter()
        session = stored.session
        much = work_of(session) + (work_of_epochs_end(session) if action == "update" else 0) > INLINE_WORK
        session = await service.workers.call(change, session) if much else change(session)
        seconds = perf_counter() - started
        return await service.store.append(stored, action, session, seconds=seconds, key=key)

    return write


STEPS: dict[str, Write] = {
    "forward": _step("forward", Session.forward),
    "backward": _step("backward", Session.backward),
    "update": _step("update", Session.update),
}


async def _undo(service: Service, stored: Stored, ask: Ask, key: Key | None) -> Stored:
    ask.typed(EmptyBody)
    return await service.store.undo(stored, key)


async def _rewind(service: Service, stored: Stored, ask: Ask, key: Key | None) -> Stored:
    return await service.store.rewind(stored, ask.typed(RewindBody)["step"], key)


async def act(request: Request, action: str, write: Write) -> Response:
    """Do one write and answer with the state after it."""
    service = service_of(request)
    kind = negotiate(request, ACTION_KINDS)
    ask = await asked(request, service)
    stored, replayed = await done(service, request.path_params["id"], action, write, ask, key_of(request, ask, kind))
    return await answer_action(request, stored, kind, minimal=ask.minimal, replayed=replayed)


async def done(
    service: Service, id: str, action: str, write: Write, ask: Ask, key: Key | None = None
) -> tuple[Stored, bool]:
    """The session after one write, and whether it was done before, with the same key."""
    async with service.store.writing(id) as held:
        stored, before = await settled(service, held, action, ask, key, lambda now: write(service, now, ask, key))
    return (before, True) if stored is None else (stored, False)


async def settled(
    service: Service,
    stored: Stored,
    action: str,
    ask: Ask,
    key: Key | None,
    write: Callable[[Stored], Awaitable[T]],
) -> tuple[T | None, Stored]:
    """What ``write`` makes of the session as it is now; or None, and the session as it was answered to this key before.

    Another server may write while we do. Then the session is looked at anew, as if the request had come a moment later.
    """
    store = service.store
    for patience in range(PATIENCE, 0, -1):
        known = await store.replay(key) if key else None
        if known:
            return None, await store.at_revision(stored, known.revision)
        permit(stored, action, ask)
        try:
            return await write(stored), stored
        except (StaleRevision, KeyTaken):
            if patience == 1:
                raise
        stored = await store.load(stored.id)
    raise AssertionError("the last try returns or raises")


async def asked(request: Request, service: Service) -> Ask:
    """A request's body and control fields; before it is read, the session must exist and be writable.

    A request without a body is not worth the look: taking the session for writing says the same a moment later.
    """
    if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
        writable(await service.store.load(request.path_params["id"]))
    return await read(request, service.limits)


def writable(stored: Stored) -> Stored:
    """The session itself; raises ReadOnly where the id given only allows to look."""
    if stored.read_only:
        raise ReadOnly("this is the read-only id; actions need the session's own")
    return stored


def permit(stored: Stored, action: str, ask: Ask) -> None:
    """Raise unless revision and phase allow the action.

    StaleRevision first, then RunInProgress, NothingToUndo, Diverged or WrongPhase.
    """
    check_revision(stored.revision, ask.expected)
    if ask.revision is not None:
        check_revision(stored.revision, frozenset({ask.revision}))
    allowed = stored.session.allowed(stored.undoable)
    if stored.running:
        raise RunInProgress("a run holds this session; wait until it has finished", ())
    if action in _EVERYWHERE or action in allowed or (action == "patch" and stored.session.phase is Phase.READY):
        return
    if action == "undo":
        raise NothingToUndo("this is the beginning of the line; there is no action before it", allowed)
    if stored.session.phase is Phase.BACKWARD and "update" not in allowed:
        raise Diverged("the loss or a gradient is not finite, so there is no step to take; undo works", allowed)
    phase = stored.session.phase.value
    raise WrongPhase(f"{action} is not possible in phase {phase}; now possible: {', '.join(allowed)}", allowed)


_EVERYWHERE = frozenset({"rewind", "fork", "delete"})


def key_of(request: Request, ask: Ask, kind: Kind) -> Key | None:
    """The idempotency key of a request, scoped to session, method and path.

    A browser's form that names its revision has one even if it gives none, so that the same form sent again (a double
    click, Back and Enter) goes to the same page, while any other action from that page is a 412.
    """
    given = ask.key
    if given is None and kind is Kind.HTML and ask.is_form and ask.revision is not None:
        given = f"form {ask.revision} {ask.fingerprint}"
    if given is None:
        return None
    scope = f"{request.method} {get_route_path(request.scope)}"
    # The path holds the session's id, of which the store keeps only hashes.
    return Key(hashlib.sha256(scope.encode()).hexdigest(), given, ask.fingerprint)


def creation_key(request: Request, ask: Ask) -> Key | None:
    """The key of a request that names no session: it must be one that nobody else can guess."""
    if ask.key is not None and len(ask.key) < SHORTEST_CREATION_KEY:
        raise InvalidInput(
            f"where no session is named, an idempotency key needs at least {SHORTEST_CREATION_KEY} characters",
            "/idempotency_key",
        )
    return key_of(request, ask, Kind.JSON)


SHORTEST_CREATION_KEY = 22
