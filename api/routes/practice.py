"""``…/practice``: a step's numbers asked for one by one; nothing is stored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.documents import schemas
from api.documents.practice import MOST_QUESTIONS, Exercise, exercise, practice, veiled
from api.documents.state import to_json
from api.engine.errors import Diverged
from api.grading.sheet import TRIES, Sheet, Unreadable, read_numbers, sheet_of
from api.pages.practice import practice_page
from api.routes.answering import Query, query_of
from api.routes.answers import Unstored, traced, verdicts
from api.routes.endpoint import router
from api.routes.negotiation import MEDIA_TYPES, PAGE, Kind, negotiate
from api.routes.operations import MEDIA, TEXT, json_of, operation
from api.routes.service import root_of, service_of
from api.routes.sessions import at_revision
from api.store import Stored
from api.training.session import Session

routes = router()

RTOL, ATOL = 1e-3, 1e-9
"""Four significant digits are enough."""
LONGEST_ANSWER = 1_000


class Filled(Query):
    """A sheet as it came back, and perhaps an answer."""

    done: Annotated[str, Field(max_length=MOST_QUESTIONS)] = ""
    """A digit for each question behind: the try at which it was answered, or 0 where the answer was shown."""
    tries: Annotated[int, Field(ge=0, lt=TRIES)] = 0
    """How often the present question was tried in vain."""
    answer: Annotated[str, Field(max_length=LONGEST_ANSWER)] | None = None
    """The numbers that were typed for the present question."""
    show: bool = False
    """Whether the present answer shall be shown instead."""


def _documented(operation_id: str, summary: str) -> dict[str, Any]:
    return operation(
        operation_id,
        summary,
        "answers",
        {200: json_of(schemas.Practice) | {MEDIA["html"]: TEXT}},
        query=Filled,
        problems=(422,),
    )


@routes.get("/v1/sessions/{id}/practice", **_documented("practice", "Practise the present step"))
async def practise(request: Request) -> Response:
    """Asks for each value, partial, gradient and updated parameter in turn, and reveals it after three tries."""
    return await answered(request, await service_of(request).store.load(request.path_params["id"]))


@routes.get(
    "/v1/sessions/{id}/revisions/{revision}/practice", **_documented("practice_at", "Practise a revision's step")
)
async def practise_at(request: Request) -> Response:
    """The same of the step that the session was in at that revision."""
    return await answered(request, await at_revision(request))


async def answered(request: Request, stored: Stored) -> Response:
    """The sheet after the answer that came with it, as a document or a page."""
    kind, filled = negotiate(request, (Kind.JSON, Kind.HTML)), query_of(request, Filled)
    there, after = both(stored.session)
    work = exercise(stored, Unstored(there), None if after is None else Unstored(after))
    sheet, last = await judged(request, work, sheet_of(filled.done, filled.tries, work.questions), filled)
    if kind is Kind.HTML:
        state = veiled(work, sheet) | {"id": stored.id}
        body: str | bytes = practice_page(practice(work, sheet, last, "mathml"), state, root_of(request))
    else:
        body = to_json(practice(work, sheet, last))
    return Response(body, headers={"Cache-Control": PAGE, "Vary": "Accept"}, media_type=MEDIA_TYPES[kind])


def both(session: Session) -> tuple[Session, Session | None]:
    """The session after the backward pass of its step, and after the update, None if there is no step to take."""
    there = traced(session)
    try:
        return there, there.update()
    except Diverged:
        return there, None


async def judged(request: Request, work: Exercise, sheet: Sheet, filled: Filled) -> tuple[Sheet, dict[str, Any] | None]:
    """The sheet after the answer, and what is to be said of that; as it was if there is none."""
    if len(sheet.done) == len(work.questions) or (filled.answer is None and not filled.show):
        return sheet, None
    question = work.questions[len(sheet.done)]
    said: dict[str, Any] = dict.fromkeys(("expected", "mistake", "detail"))
    said |= {"quantity": question.quantity, "given": filled.answer or None}
    if filled.show:
        return sheet.shown(), said | {"verdict": "shown", "expected": question.expected}
    try:
        numbers = read_numbers(filled.answer or "", question)
    except Unreadable as reason:
        return sheet, said | {"verdict": "unreadable", "detail": str(reason)}
    answers: dict[str, Any] = {"rtol": RTOL, "atol": ATOL}
    for behind in work.questions[: len(sheet.done)]:  # what is known by now tells slips apart
        answers.setdefault(behind.section, {})[behind.name] = behind.expected
    answers.setdefault(question.section, {})[question.name] = numbers
    judgement = await verdicts(request, work.stored.session, answers)
    found = next(one for one in judgement["quantities"] if one["quantity"] == question.quantity)
    after = sheet.after(found["verdict"] == "right")
    said |= {name: found.get(name) for name in ("mistake", "detail")}
    if len(after.done) == len(sheet.done):
        return after, said | {"verdict": "wrong"}
    verdict = "shown" if after.done.endswith("0") else "right"
    return after, said | {"verdict": verdict, "expected": question.expected}
