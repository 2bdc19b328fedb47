"""What the calls about assignments share: who somebody is, which cases are theirs, and where things are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from api.documents.assignments import moment
from api.engine.errors import InvalidInput, NotFound
from api.engine.wording import shown
from api.grading.assessing import chosen
from api.grading.assignment import CODE_CHARACTERS
from api.routes.answering import Query
from api.routes.service import Service, root_of, service_of
from api.store.class_records import Course, Student, Submission


class Who(Query):
    """Which student is meant, where the link is for all."""

    student: str | None = None


async def course_of(request: Request) -> Course:
    """The assignment that a path names; raises NotFound."""
    return await service_of(request).store.classes.load(request.path_params["assignment"])


def base_of(request: Request, id: str) -> str:
    """The address of an assignment, without a host."""
    return f"{root_of(request)}/v1/assignments/{id}"


def name_of(course: Course, given: str | None, pointer: str = "/student") -> str | None:
    """Who somebody is: by a link of their own, or by what they say; None if they say nothing.

    Raises InvalidInput for a name that cannot be one, or that is another's than the link's.
    """
    name = None if given is None else given.strip()
    if name is not None and (not name or len(name) > CODE_CHARACTERS or not name.isprintable()):
        raise InvalidInput(f"a student is a text of 1 to {CODE_CHARACTERS} printable characters", pointer)
    if course.student is None:
        return name
    if name not in (None, course.student.name):
        raise InvalidInput(f"this link belongs to another student than {shown(name)}", pointer)
    return course.student.name


async def student_of(service: Service, course: Course, name: str) -> Student:
    """The student of this name with a draw of the cases; the draw is chosen when it is first asked for, in another
    process. Raises NotFound for a name that a class of named students has not."""
    classes = service.store.classes
    known = course.student or await classes.student(course, name)
    if known is None and course.assignment.students is not None:
        raise NotFound("this assignment has no such student")
    if known is not None and known.trial is not None:
        return known
    trial, _ = await service.workers.call(chosen, course.assignment.document, name, course.alike)
    return await classes.enrol(course, name, trial)


def attempts_left(course: Course, used: int) -> int | None:
    """How many more times a student may hand in; None without a limit."""
    attempts: int | None = course.assignment.document["attempts"]
    return None if attempts is None else max(0, attempts - used)


def linked(mistakes: Any, root: str) -> Any:
    """Mistakes with the root path before their links."""
    if isinstance(mistakes, Mapping):
        found = {name: linked(value, root) for name, value in mistakes.items()}
        return found | {"link": root + found["link"]} if "code" in found and "link" in found else found
    return [linked(one, root) for one in mistakes] if isinstance(mistakes, list) else mistakes


def handed(course: Course, submission: Submission) -> dict[str, Any]:
    """A submission in short."""
    return {
        "number": submission.number,
        "score": submission.score,
        "max_score": course.assignment.total,
        "at": moment(submission.at),
    }
