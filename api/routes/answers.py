"""Answers people worked out, checked; and definitions evaluated without being stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.documents import schemas
from api.documents.bodies import CheckAnyBody, CheckBody, CreateBody
from api.documents.state import state, to_json
from api.engine.errors import Diverged, FieldError, InvalidInput, LimitExceeded
from api.grading import reference as grading
from api.routes.admission import admitted
from api.routes.bodies import read
from api.routes.endpoint import router
from api.routes.negotiation import MEDIA_TYPES, Kind, negotiate
from api.routes.operations import BODY, CREATING, json_of, operation, ref
from api.routes.runs import begun
from api.routes.service import Service, root_of, service_of, work_of
from api.routes.sessions import ARTICLE, at_revision
from api.training.definition import define
from api.training.session import Phase, Session

routes = router()

ANSWERS = {"values": {"yhat": [-0.116], "L": 4.477456}, "gradients": {"w1": -8.464}, "decimals": 3}
INLINE_WORK = 3_000
"""Roughly the operations of a step times the places where a mistake can be made, beyond which another process looks."""
CHECKED = json_of({"anyOf": [ref(schemas.Check), {"type": "array", "items": ref(schemas.Check)}]})


@dataclass(frozen=True, slots=True)
class Unstored:
    """A session that is in no database, as the builder of state documents wants it."""

    session: Session
    id: None = None
    read_id: None = None
    read_only: bool = False
    revision: None = None
    undoable: bool = False
    parent: None = None
    run: None = None
    running: bool = False
    pinned: bool = False


@routes.post(
    "/v1/evaluate",
    **operation(
        "evaluate",
        "One step of a definition, nothing stored",
        "service",
        {200: json_of(schemas.Evaluation)},
        body=CreateBody,
        example=ARTICLE,
        problems=CREATING,
    ),
)
async def evaluate(request: Request) -> Response:
    """The state of the first batch after backward, and `next_update`, what the update would do."""
    negotiate(request, (Kind.JSON,))
    service = service_of(request)
    ask = await admitted(request)
    session = traced(await created(ask.typed(CreateBody), service))
    document = state(Unstored(session), base="", detail="named", arrays="summary")
    document |= {"next_update": next_update(session)}
    return Response(to_json(document), headers={"Cache-Control": "no-store"}, media_type=MEDIA_TYPES[Kind.JSON])


@routes.post(
    "/v1/check",
    **operation(
        "check",
        "Check answers against a definition",
        "answers",
        {200: CHECKED},
        body=CheckAnyBody,
        example={"session": ARTICLE, "answers": ANSWERS},
        problems=CREATING,
    ),
)
async def check_any(request: Request) -> Response:
    """`session` is a body of create; without it, the article's own."""
    service = service_of(request)
    ask = await admitted(request)
    fields = ask.typed(CheckAnyBody)
    try:
        session = await created(fields.get("session", {}), service)
    except InvalidInput as error:
        error.errors = tuple(FieldError("/session" + fault.pointer, fault.detail) for fault in error.errors)
        raise
    return await checked(request, session, fields["answers"])


@routes.post(
    "/v1/sessions/{id}/check",
    **operation(
        "check_session",
        "Check answers against the present step",
        "answers",
        {200: CHECKED},
        body=CheckBody,
        example={"answers": ANSWERS},
        problems=BODY,
    ),
)
async def check_session(request: Request) -> Response:
    """Any part of the step's trace; nothing is stored."""
    service = service_of(request)
    stored = await service.store.load(request.path_params["id"])
    ask = await read(request, service.limits)
    return await checked(request, stored.session, ask.typed(CheckBody)["answers"])


@routes.post(
    "/v1/sessions/{id}/revisions/{revision}/check",
    **operation(
        "check_revision",
        "Check answers against a revision's step",
        "answers",
        {200: CHECKED},
        body=CheckBody,
        example={"answers": ANSWERS},
        problems=BODY,
    ),
)
async def check_revision(request: Request) -> Response:
    """The step that the session was in at that revision."""
    service = service_of(request)
    stored = await at_revision(request)
    ask = await read(request, service.limits)
    return await checked(request, stored.session, ask.typed(CheckBody)["answers"])


async def created(fields: dict[str, Any], service: Service) -> Session:
    """The session that a body of create describes."""
    session, _ = await begun(service, define(fields, limits=service.limits))
    return session


async def checked(request: Request, session: Session, answers: Any) -> Response:
    """The answer that has the verdicts on answers to the step a session is in."""
    document = await verdicts(request, session, answers)
    return Response(to_json(document), headers={"Cache-Control": "no-store"}, media_type=MEDIA_TYPES[Kind.JSON])


async def verdicts(request: Request, session: Session, answers: Any) -> Any:
    """The verdicts on answers to the step a session is in; large ones are worked out in another process."""
    service = service_of(request)
    many = len(answers) if isinstance(answers, list) else 1
    if many > service.limits.answers:
        most = service.limits.answers
        raise LimitExceeded(f"at most {most} students' answers are checked at once", most, "/answers")
    if work_of(session) * len(session.definition.graph.nodes) + 100 * many > INLINE_WORK:
        document = await service.workers.call(grading.checked, session, answers)
    else:
        document = grading.checked(session, answers)
    linked(document, root_of(request))
    return document


def linked(document: Any, root: str) -> None:
    """Put the root path before the links of every mistake in the verdicts."""
    for one in document if isinstance(document, list) else [document]:
        for quantity in one["quantities"]:
            mistake = quantity["mistake"]
            for each in [mistake, *mistake["also"]] if mistake else []:
                each["link"] = root + each["link"]


def traced(session: Session) -> Session:
    """The same batch, forward and backward."""
    if session.phase is Phase.READY:
        session = session.forward()
    return session.backward() if session.phase is Phase.FORWARD else session


def next_update(session: Session) -> dict[str, Any] | None:
    """What the update would do, as ``last_update`` says it afterwards; None if there is no step to take."""
    try:
        after = session.update()
    except Diverged:
        return None
    document: dict[str, Any] = state(Unstored(after), base="", detail="named", arrays="full")
    change: dict[str, Any] | None = document["last_update"]
    return change
