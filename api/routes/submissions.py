"""Submissions: handed in by students, graded in another process, looked at again."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.documents import assignments as documents
from api.documents.assignment_bodies import SubmissionBody
from api.documents.case_equations import case_equations
from api.engine.errors import FieldError, InvalidInput, NotFound
from api.grading.assessing import assessed
from api.grading.cases import drawn
from api.grading.tables import students_in
from api.grading.views import told
from api.pages import assignments as pages
from api.routes.answering import query_of
from api.routes.assignments import KINDS, page, private
from api.routes.bodies import read, read_bytes
from api.routes.courses import Who, attempts_left, base_of, course_of, handed, linked, name_of, student_of
from api.routes.endpoint import router
from api.routes.negotiation import Kind, negotiate, split_suffix
from api.routes.operations import BODY, TEXT, json_of, operation
from api.routes.service import root_of, service_of
from api.store.class_records import Course, Student, Submission

routes = router()

EXAMPLE = {
    "student": "Ada",
    "answers": [{"case": 1, "step": 0, "values": {"L": 4.477456}, "gradients": {"w1": -16.928, "w2": -4.232}}],
}
TABLE = "text/csv"


@routes.post(
    "/v1/assignments/{assignment}/submissions",
    **operation(
        "hand_in",
        "Hand in answers",
        "assignments",
        {201: json_of(documents.Report), 303: None},
        body=SubmissionBody,
        example=EXAMPLE,
        query=Who,
        problems=(409, 507, *BODY),
    ),
)
async def hand_in(request: Request) -> Response:
    """As JSON, a form, or a table (`text/csv`, or the field `csv`). What cannot be graded is 422 and costs no attempt;
    the same answers again are the same submission."""
    service = service_of(request)
    kind = negotiate(request, KINDS)
    course = await course_of(request)
    given, name, text = await _given(request, course)
    student = await student_of(service, course, name)
    document = course.assignment.document
    report, answers, faults = await service.workers.call(assessed, document, name, student.trial or 0, given, text)
    if faults:
        raise InvalidInput(faults[0][1], errors=[FieldError(pointer, detail) for pointer, detail in faults])
    id, submission, repeated = await service.store.classes.submit(course, student, report, answers)
    where = f"{base_of(request, course.id)}/submissions/{id}"
    if kind is Kind.HTML:
        return Response(status_code=303, headers={"Location": where})
    return private(await _report(request, course, submission, id, where), 200 if repeated else 201, {"Location": where})


@routes.get(
    "/v1/assignments/{assignment}/submissions/{submission}",
    **operation(
        "show_submission",
        "A submission and its report",
        "assignments",
        {200: json_of(documents.Report, html=TEXT)},
        problems=(),
    ),
)
async def show(request: Request) -> Response:
    """By its id; for the teacher also as PLACE-NUMBER: the student's line of the gradebook, the student's attempt."""
    kind = negotiate(request, KINDS)
    course = await course_of(request)
    segment, _ = split_suffix(request.path_params["submission"])
    submission = await _found(request, course, segment)
    where = f"{base_of(request, course.id)}/submissions/{segment}"
    document = await _report(request, course, submission, segment if len(segment) > 20 else None, where)
    if kind is Kind.HTML:
        found = await _equations(request, course, submission)
        return page(pages.report_page(document, found, course.teacher, root_of(request)))
    return private(document)


async def _given(request: Request, course: Course) -> tuple[dict[str, Any] | str, str, bool]:
    """What was handed in, by whom, and whether numbers may be written as in a form."""
    service = service_of(request)
    asked = query_of(request, Who).student
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == TABLE:
        table = _decoded(await read_bytes(request, service.limits.body_bytes))
        return table, _name(course, asked, table, "/csv"), False
    ask = await read(request, service.limits)
    fields = ask.typed(SubmissionBody)
    if "csv" in fields and "answers" in fields:
        raise InvalidInput("a submission has answers or csv, not both", "/csv")
    if "csv" in fields:
        return fields["csv"], _name(course, fields.get("student", asked), fields["csv"], "/csv"), False
    return fields, _name(course, fields.get("student", asked), None, "/student"), ask.is_form


def _name(course: Course, given: str | None, table: str | None, pointer: str) -> str:
    """Who hands in; a table may say so itself."""
    if given is None and table is not None and course.student is None:
        named = students_in(table, pointer)
        given = named[0] if len(named) == 1 else None
    name = name_of(course, given, pointer)
    if name is None:
        raise InvalidInput("say who hands in: student", "/student")
    return name


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("the table is not UTF-8 text", "/csv") from None


async def _found(request: Request, course: Course, segment: str) -> Submission:
    classes = service_of(request).store.classes
    numbered = re.fullmatch(r"(\d{1,6})-(\d{1,6})", segment, re.ASCII)
    if not (course.teacher and numbered):
        return await classes.submission(course, segment)
    place, number = map(int, numbered.groups())
    entries = await classes.gradebook(course)
    if not 1 <= place <= len(entries):
        raise NotFound("the gradebook has no such line")
    return await classes.numbered(course, entries[place - 1].student, number)


async def _report(
    request: Request, course: Course, submission: Submission, id: str | None, where: str
) -> dict[str, Any]:
    """A report as much as this caller may see of it."""
    kept = submission.report or {}
    report = kept["report"] if course.teacher else told(kept["report"], course.assignment.feedback)
    left = None
    if not course.teacher:
        left = await _left(request, course, submission)
    base = base_of(request, course.id)
    return {
        "id": id,
        **linked(report, root_of(request)),
        **handed(course, submission),
        "attempts_left": left,
        "answers": kept.get("answers", {}).get("answers") if course.teacher else None,
        "links": {"self": where, "assignment": base},
    }


async def _left(request: Request, course: Course, submission: Submission) -> int | None:
    classes = service_of(request).store.classes
    student: Student | None = course.student or await classes.student(course, submission.student)
    return None if student is None else attempts_left(course, len(await classes.submissions(student)))


async def _equations(request: Request, course: Course, submission: Submission) -> dict[tuple[int, int, str], Any]:
    """The equations that each quantity of a report should have followed, numbers put in: for a page that shows them."""
    student = course.student or await service_of(request).store.classes.student(course, submission.student)
    if student is None or student.trial is None:
        return {}
    found: dict[tuple[int, int, str], Any] = {}
    for case in drawn(course.assignment, student.name, student.trial):
        for step, items in enumerate(case_equations(case, course.assignment.steps)):
            found |= {(case.number, step, quantity): each for quantity, each in items.items()}
    return found
