"""What is worked out for a class: which draw of the cases a student gets, and what a submission is worth.

Everything here takes and gives plain values, so that another process can do it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from api.engine.errors import FieldError, InvalidInput
from api.grading.assignment import Assignment
from api.grading.cases import Case, drawn
from api.grading.distinct import Pairs, trial_of
from api.grading.marks import graded
from api.grading.submissions import FAULTS, Form, Submission, of_json
from api.grading.tables import of_table

Document = dict[str, Any]


def chosen(document: Document, student: str, alike: Pairs | None) -> tuple[int, Pairs]:
    """The draw of the cases that a student gets, and the pairs of mistakes that look the same in it."""
    return trial_of(Assignment.load(document), student, alike)


def assessed(
    document: Document, student: str, trial: int, given: Mapping[str, Any] | str, text: bool
) -> tuple[Document, Document, list[tuple[str, str]]]:
    """The report on a submission, its answers as they were read, and the faults for which it cannot be graded; with
    any, report and answers are empty. ``given`` is JSON or, as a text, a table; ``text``: JSON's numbers may be written
    as in a form.
    """
    assignment, cases = _cases(json.dumps(document), student, trial)
    try:
        submission = read(assignment, cases, student, given, text)
        submission.must_be_gradable()
    except InvalidInput as error:
        return {}, {}, [(fault.pointer, fault.detail) for fault in error.errors[:FAULTS]]
    report = graded(assignment, cases, submission.sheets, student)
    answers = [{"case": case, "step": step, **each} for (case, step), each in sorted(submission.answers.items())]
    return report, {"answers": answers}, []


def read(
    assignment: Assignment, cases: tuple[Case, ...], student: str, given: Mapping[str, Any] | str, text: bool
) -> Submission:
    """One student's submission, from JSON or from a table that holds nobody else's. Raises ``InvalidInput``."""
    form = Form(cases, assignment.steps)
    if not isinstance(given, str):
        return of_json(given, form, text=text)
    found = of_table(given, lambda _: form, "/csv")
    others = [one.student for one in found if one.student not in (None, student)]
    if others:
        what = f"the table has lines of another student; this is {student!r}"[:200]
        raise InvalidInput(what, errors=[FieldError("/csv", what)])
    if len(found) > 1:
        raise InvalidInput("name the student in every line or in none", "/csv")
    return found[0]


@lru_cache(maxsize=64)
def _cases(document: str, student: str, trial: int) -> tuple[Assignment, tuple[Case, ...]]:
    assignment = Assignment.load(json.loads(document))
    return assignment, drawn(assignment, student, trial)


def told_faults(submission: Submission) -> list[str]:
    """Why a submission cannot be graded, a line each; nothing if it can."""
    try:
        submission.must_be_gradable()
    except InvalidInput as error:
        return [f"{fault.pointer}: {fault.detail}" if fault.pointer else fault.detail for fault in error.errors]
    return []
