"""Variants of a session, trained side by side; nothing is stored."""

from __future__ import annotations

import asyncio
import math
from time import perf_counter
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.documents.comparison import CompareBody, Comparison, Raced, comparison
from api.documents.state import to_json
from api.documents.tensors import LONG
from api.engine.errors import FieldError, InvalidInput, LimitExceeded
from api.engine.wording import shown
from api.routes.analyses import INLINE_OPERATIONS
from api.routes.answering import Arrays, query_of
from api.routes.answers import created
from api.routes.bodies import read
from api.routes.endpoint import router
from api.routes.negotiation import MEDIA_TYPES, Kind, negotiate
from api.routes.operations import BODY, json_of, operation
from api.routes.runs import SLICE_SECONDS
from api.routes.service import Service, service_of
from api.routes.sessions import ARTICLE
from api.routes.streams import departure
from api.training.comparison import drawn_anew, lap, loss_of_all, variants_of, work_of
from api.training.run import Goal
from api.training.session import Session

routes = router()

EPOCHS = 20
INLINE_CELLS = 20_000  # numbers of data in all variants together, up to which they are made on the service's own thread


@routes.post(
    "/v1/compare",
    **operation(
        "compare",
        "Train variants side by side",
        "analyses",
        {200: json_of(Comparison)},
        body=CompareBody,
        example={
            "base": ARTICLE,
            "variants": [
                {"label": "smaller rate", "changes": {"optimizer": {"learning_rate": 0.01}}},
                {"label": "adam", "changes": {"optimizer": {"kind": "adam", "learning_rate": 0.1}}},
            ],
            "epochs": 20,
        },
        query=Arrays,
        problems=BODY,
    ),
)
async def compare(request: Request) -> Response:
    """All from the same start, on the same rows in the same order."""
    negotiate(request, (Kind.JSON,))
    service, arrays = service_of(request), query_of(request, Arrays).arrays
    fields = (await read(request, service.limits)).typed(CompareBody)
    labels, epochs = labels_of(fields["variants"], service), fields.get("epochs", EPOCHS)
    sessions = await sessions_of(fields, service)
    async with departure(request.receive) as gone:
        raced = await raced_all(service, sessions, labels, epochs, gone)
    document = comparison(epochs, raced, math.inf if arrays == "full" else LONG)
    return Response(to_json(document), headers={"Cache-Control": "no-store"}, media_type=MEDIA_TYPES[Kind.JSON])


def labels_of(variants: list[dict[str, Any]], service: Service) -> list[str]:
    """What the runs are called, the base's first; raises InvalidInput for none, too many, or one name twice."""
    most = service.limits.variants
    if not variants:
        raise InvalidInput("there is nothing to compare with: variants needs at least one", "/variants")
    if len(variants) > most:
        raise LimitExceeded(f"at most {most} variants are compared at once", most, "/variants")
    labels = ["base"]
    for place, variant in enumerate(variants):
        label, pointer = variant.get("label") or f"variant {place + 1}", f"/variants/{place}/label"
        longest = service.limits.title_length
        if len(label) > longest:
            raise LimitExceeded(f"a label has at most {longest} characters", longest, pointer)
        if label in labels:
            raise InvalidInput(f"the label {shown(label)} is taken; give each run its own", pointer)
        labels.append(label)
    return labels


async def sessions_of(fields: dict[str, Any], service: Service) -> list[Session]:
    """The base's session and each variant's."""
    try:
        base = await created(fields.get("base", {}), service)
    except InvalidInput as error:
        error.errors = tuple(FieldError("/base" + fault.pointer, fault.detail) for fault in error.errors)
        raise
    variants, data = fields["variants"], base.definition.data
    start = Session(base.definition, base.snapshot)
    cells = data.rows.size * len(variants) if data else 0
    if cells <= INLINE_CELLS:
        return [start, *variants_of(start, variants, service.limits)]
    return [start, *await service.workers.call(variants_of, start, variants, service.limits)]


async def raced_all(
    service: Service, sessions: list[Session], labels: list[str], epochs: int, gone: asyncio.Event
) -> list[Raced]:
    """Each session trained, one after the other; each has its share of the time that one run may take."""
    inline = work_of(sessions, epochs, service.limits) <= INLINE_OPERATIONS
    share = service.limits.run_seconds / len(sessions)
    return [
        await raced_one(service, sessions[0], session, label, epochs, gone, None if inline else share)
        for session, label in zip(sessions, labels, strict=True)
    ]


async def raced_one(
    service: Service,
    base: Session,
    session: Session,
    label: str,
    epochs: int,
    gone: asyncio.Event,
    seconds: float | None,
) -> Raced:
    """One session trained for some epochs: at once, or, within so many seconds, by another process."""
    definition, at, losses, steps = session.definition, session.snapshot, list[float](), 0
    validation = list[float]() if definition.split.validation else None
    goal, stopped, started = Goal(epoch=at.position.epoch + epochs), None, perf_counter()
    while stopped is None:
        if seconds is None:
            done = lap(definition, at, goal, math.inf)
        else:
            left = max(0.0, seconds - (perf_counter() - started))
            done = await service.workers.call(lap, definition, at, goal, min(SLICE_SECONDS, left))
        at, losses, steps = done.end, losses + done.epochs, steps + done.steps
        validation = None if validation is None else validation + done.validation
        stopped = done.stopped_by or interruption(service, gone, seconds, perf_counter() - started)
    if seconds is None:
        whole = loss_of_all(definition, at)
    else:
        whole = await service.workers.call(loss_of_all, definition, at)
    return Raced(label, losses, at, whole, validation, drawn_anew(base, session), steps, stopped)


def interruption(service: Service, gone: asyncio.Event, seconds: float | None, passed: float) -> str | None:
    """Why a run that is not finished stops here; None if it goes on."""
    if gone.is_set() or service.closing.is_set():
        return "disconnected"
    return "budget" if seconds is not None and passed >= seconds else None
