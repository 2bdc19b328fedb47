"""Assignments themselves: made and deleted by a teacher, looked at by teacher and students; the gradebook."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.documents import assignments as documents
from api.documents.assignment_bodies import AssignmentBody
from api.documents.bodies import EmptyBody
from api.documents.state import to_json
from api.engine.errors import ReadOnly
from api.grading.assessing import chosen
from api.grading.assignment import Assignment
from api.grading.cases import drawn
from api.pages import assignments as pages
from api.routes.admission import admitted
from api.routes.answering import query_of
from api.routes.bodies import Ask, read
from api.routes.courses import Who, attempts_left, base_of, course_of, handed, linked, name_of, student_of
from api.routes.endpoint import router
from api.routes.negotiation import MEDIA_TYPES, Kind, negotiate
from api.routes.operations import BODY, CREATING, TEXT, json_of, media, operation, ref
from api.routes.service import root_of, service_of
from api.store.class_records import Course, Entry, link_for, link_for_all

routes = router()

KINDS = (Kind.JSON, Kind.HTML)
EXAMPLE: dict[str, Any] = {
    "title": "Homework 3",
    "session": {"optimizer": {"kind": "adam", "learning_rate": 0.01}},
    "cases": 2,
    "ask": {"values": 20, "gradients": 60, "updated": 20},
    "feedback": "first_wrong",
}
SEEN = {"anyOf": [ref(documents.Assigned), ref(documents.Task)]}


@routes.post(
    "/v1/assignments",
    **operation(
        "create_assignment",
        "Make an assignment",
        "assignments",
        {201: json_of(documents.Assigned), 303: None},
        body=AssignmentBody,
        example=EXAMPLE,
        problems=(507, *CREATING),
    ),
)
async def create(request: Request) -> Response:
    """No body, or `{}`, asks for the article's own step; the answer has the students' link, or one for each."""
    service = service_of(request)
    kind = negotiate(request, KINDS)
    fields = _listed(await admitted(request)).typed(AssignmentBody)
    assignment = Assignment.of(fields, service.limits)
    _, alike = await service.workers.call(chosen, assignment.document, "", None)
    id = await service.store.classes.create(assignment, alike)
    where = {"Location": base_of(request, id)}
    if kind is Kind.HTML:
        return Response(status_code=303, headers=where)
    document = assigned(request, await service.store.classes.load(id))
    return Response(to_json(document), 201, where, MEDIA_TYPES[Kind.JSON])


def _listed(ask: Ask) -> Ask:
    """A form's students, a name on each line, as a list; its fields of a session without those of a session as JSON."""
    fields = dict(ask.fields)
    if ask.is_form and isinstance(fields.get("students"), str) and not fields["students"].lstrip().startswith("["):
        fields["students"] = [line.strip() for line in fields["students"].splitlines() if line.strip()]
    return replace(ask, fields=fields)


@routes.get(
    "/v1/assignments/{assignment}",
    **operation(
        "show_assignment",
        "An assignment, for its teacher or a student",
        "assignments",
        {200: json_of(SEEN, html=TEXT)},
        query=Who,
        problems=(422, 507),
    ),
)
async def show(request: Request) -> Response:
    """By the teacher's id, all there is to know; by a students' link, the cases to be worked out."""
    kind = negotiate(request, KINDS)
    course = await course_of(request)
    if course.teacher:
        return await _shown_to_teacher(request, course, kind)
    document = await task(request, course, name_of(course, query_of(request, Who).student))
    if kind is Kind.HTML:
        return page(pages.task_page(document, documents.formula_markup(course.assignment.definition), root_of(request)))
    return private(document)


async def _shown_to_teacher(request: Request, course: Course, kind: Kind) -> Response:
    document = assigned(request, course)
    if kind is Kind.HTML:
        return page(pages.teacher_page(document, await book(request, course), root_of(request)))
    return private(document)


@routes.delete(
    "/v1/assignments/{assignment}",
    **operation(
        "remove_assignment",
        "Delete an assignment with all that students gave",
        "assignments",
        {204: None, 303: None},
        problems=(403, 413, 415, 422, 507),
    ),
)
async def remove(request: Request) -> Response:
    """For good: names, submissions, reports and marks are gone."""
    service = service_of(request)
    kind = negotiate(request, KINDS)
    (await read(request, service.limits)).typed(EmptyBody)
    await service.store.classes.delete(await course_of(request))
    if kind is Kind.HTML:
        return Response(status_code=303, headers={"Location": f"{root_of(request)}/"})
    return Response(status_code=204)


routes.post(
    "/v1/assignments/{assignment}/delete",
    **operation(
        "remove_assignment_by_form",
        "DELETE, for forms",
        "assignments",
        {204: None, 303: None},
        body=EmptyBody,
        problems=(403, 507, *BODY),
    ),
)(remove)


@routes.get(
    "/v1/assignments/{assignment}/gradebook",
    **operation(
        "gradebook",
        "The class: marks, submissions, common mistakes",
        "assignments",
        {200: json_of(documents.Gradebook)},
        problems=(403,),
    ),
)
async def gradebook(request: Request) -> Response:
    """Every student with all submissions, and which mistakes are most common."""
    negotiate(request, (Kind.JSON,))
    return private(await book(request, await course_of(request)))


@routes.get(
    "/v1/assignments/{assignment}/gradebook.csv",
    **operation(
        "gradebook_csv", "The class as a table", "assignments", {200: media("csv")}, problems=(403,)
    ),
)  # fmt: skip
async def gradebook_csv(request: Request) -> Response:
    """A line for each student: the best score, attempts, and the mistake that the best one still has."""
    document = await book(request, await course_of(request))
    text = documents.gradebook_csv(document["students"], document["max_score"])
    return Response(text, headers={"Cache-Control": "no-store"}, media_type=MEDIA_TYPES[Kind.CSV])


def assigned(request: Request, course: Course) -> dict[str, Any]:
    """An assignment as its teacher sees it."""
    base, named = base_of(request, course.id), course.assignment.students
    return {
        "id": course.id,
        "role": "teacher",
        "title": course.assignment.title,
        "created_at": documents.moment(course.created_at),
        "assignment": course.assignment.document,
        "link": base_of(request, link_for_all(course.id)) if named is None else None,
        "students": None
        if named is None
        else [{"student": name, "link": base_of(request, link_for(course.id, name))} for name in named],
        "alike": None if course.alike is None else sorted(map(list, course.alike)),
        "links": {
            "self": base,
            "gradebook": f"{base}/gradebook",
            "gradebook_csv": f"{base}/gradebook.csv",
            "delete": f"{base}/delete",
        },
    }


async def task(request: Request, course: Course, name: str | None) -> dict[str, Any]:
    """An assignment as a student sees it; without cases as long as nobody knows whose they are."""
    assignment, base = course.assignment, base_of(request, course.id)
    definition = assignment.definition
    cases, before = None, []
    if name is not None:
        service = service_of(request)
        student = await student_of(service, course, name)
        found = drawn(assignment, name, student.trial or 0)
        cases = [documents.task_case(assignment, case) for case in found]
        before = await service.store.classes.submissions(student)
    return {
        "role": "student",
        "title": assignment.title,
        "student": name,
        "names_on_trust": course.student is None,
        "formulas": documents.formulas(definition),
        "optimizer": definition.optimizer,
        "rule": documents.rule(definition),
        "ask": assignment.weights,
        "tolerance": assignment.tolerance,
        "feedback": assignment.feedback,
        "attempts": assignment.document["attempts"],
        "attempts_left": attempts_left(course, len(before)),
        "steps": assignment.steps,
        "cases": cases,
        # behind a link for all, anybody could ask for anybody's marks
        "submissions": [handed(course, one) for one in before] if course.student is not None else [],
        "links": {"self": base, "submissions": f"{base}/submissions"},
    }


async def book(request: Request, course: Course) -> dict[str, Any]:
    """The gradebook; raises ReadOnly for students."""
    if not course.teacher:
        raise ReadOnly("this is a students' link; the gradebook is for the assignment's own id")
    base = base_of(request, course.id)
    entries = await service_of(request).store.classes.gradebook(course)
    return {
        "title": course.assignment.title,
        "max_score": course.assignment.total,
        "students": [_entry(course, base, place, entry) for place, entry in enumerate(entries, 1)],
        "mistakes": linked(_common(entries), root_of(request)),
        "links": {"self": f"{base}/gradebook", "csv": f"{base}/gradebook.csv", "assignment": base},
    }


def _entry(course: Course, base: str, place: int, entry: Entry) -> dict[str, Any]:
    return {
        "student": entry.student.name,
        "score": entry.score,
        "submissions": [
            handed(course, one) | {"mistakes": list(one.mistakes), "link": f"{base}/submissions/{place}-{one.number}"}
            for one in entry.submissions
        ],
    }


def _common(entries: list[Entry]) -> list[dict[str, Any]]:
    """The mistakes by how many students made them in any submission, the most common first."""
    seen: dict[str, dict[str, Any]] = {}
    count: Counter[str] = Counter()
    for entry in entries:
        made = {one["code"]: one for submission in entry.submissions for one in submission.mistakes}
        count.update(made.keys())
        for code, one in made.items():
            seen.setdefault(code, {name: one[name] for name in ("code", "message", "link")})
    return [{**seen[code], "students": number} for code, number in count.most_common()]


def page(text: str, status: int = 200) -> Response:
    """A page of HTML about a class, which nobody else should keep."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    return Response(text, status, headers, MEDIA_TYPES[Kind.HTML])


def private(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A document about a class."""
    common = {"Cache-Control": "no-store", "Vary": "Accept", **(headers or {})}
    return Response(to_json(document), status, common, MEDIA_TYPES[Kind.JSON])
