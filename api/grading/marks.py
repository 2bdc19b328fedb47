"""From a student's numbers to marks: every case and step judged, each on the student's own line of parameters.

A step's numbers are right if they are the reference's. Where a student's own update has led elsewhere, they are judged
once more from there: what is right from there is ``follow_through``, and what is not is looked up in the table.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from api.engine.kernels import Value
from api.grading.assignment import Assignment
from api.grading.cases import Case
from api.grading.compare import SECTIONS, check
from api.grading.diagnosis import Diagnosis
from api.grading.line import Line, Sheet, Sheets
from api.grading.reference import reference_of
from api.grading.working import asked

Document = dict[str, Any]


def graded(
    assignment: Assignment, cases: Sequence[Case], sheets: Sheets, student: str | None = None, *, carried: bool = False
) -> Document:
    """The report on one student: marks, what is wrong first and why, and every quantity of every case.

    ``carried``: one program did all cases, so that what it forgot to set to 0 comes from the case before.
    """
    found: list[Document] = []
    past: tuple[Mapping[str, Value], ...] = ()
    for case in cases:
        line = own = Line(case.parameters, case.slots, past if carried else ())
        steps: list[Document] = []
        for step in range(assignment.steps):
            sheet = sheets.get((case.number, step), Sheet())
            right = Diagnosis(case.exercise(step, line.parameters, line.slots, line.past))
            here = right
            if own is not line:
                here = Diagnosis(case.exercise(step, own.parameters, own.slots, own.past))
            quantities = _judged(assignment, right, here, sheet)
            steps.append({"step": step, "quantities": quantities})
            follows = line.after(right.right)
            verdicts = {one["quantity"]: one["verdict"] for one in quantities}
            exact = not assignment.closeness.coarse
            own = (follows if own is line else own.after(here.right)).gone_on(here, sheet, verdicts, exact=exact)
            line = follows
        past = line.past
        found.append({"case": case.number, "label": case.label, "steps": steps})
    _agree(found)
    return _report(assignment, found, student)


def _judged(assignment: Assignment, right: Diagnosis, here: Diagnosis, sheet: Sheet) -> list[Document]:
    """Every quantity that is asked or given, in the order of judging; ``credit`` is its share of the marks, None for
    what is given beyond what is asked."""
    answers: Document = {section: dict(sheet.answers.get(section) or {}) for section in SECTIONS}
    wanted = {section: asked(right.right, section) for section in assignment.weights}
    for section, names in wanted.items():
        answers[section] = {name: None for name in names if name not in answers[section]} | answers[section]
    answers |= assignment.tolerance
    reference = reference_of(right)
    if here is not right:
        reference = replace(reference, diagnosis=None)
    quantities: list[Document] = check(reference, answers)["quantities"]  # type: ignore[call-overload]
    if here is not right:
        quantities = _from_there(quantities, check(reference_of(here), answers)["quantities"])  # type: ignore[call-overload]
    for one in quantities:
        section, _, name = one["quantity"].partition(".")
        counts = name in wanted.get(section, ())
        share = {"right": 1.0, "follow_through": assignment.follow_through}.get(one["verdict"], 0.0)
        one["credit"] = share if counts else None
        if one["verdict"] == "missing" and section in sheet.said:
            one["detail"] = sheet.said[section]
    return quantities


def _from_there(plain: Sequence[Document], own: Sequence[Document]) -> list[Document]:
    """The verdicts on a line of one's own: what is the reference's number is right all the same."""
    found = []
    for right, here in zip(plain, own, strict=True):
        if right["verdict"] == "right":
            found.append(right)
        elif here["verdict"] == "right":
            detail = "right from your own parameters after the steps before"
            found.append({**right, "verdict": "follow_through", "detail": detail})
        else:
            found.append({**here, "expected": right["expected"]})
    return found


def _agree(cases: Sequence[Document]) -> None:
    """Where several mistakes give a number, name the one that gives most of all cases' numbers."""
    wrong = [one for case in cases for step in case["steps"] for one in step["quantities"] if one["mistake"]]
    votes = Counter(mistake["code"] for one in wrong for mistake in _named(one["mistake"]))
    for one in wrong:
        named = sorted(_named(one["mistake"]), key=lambda mistake: -votes[mistake["code"]])
        best = votes[named[0]["code"]]
        one["mistake"] = {**named[0], "also": [other for other in named[1:] if votes[other["code"]] == best]}


def _named(mistake: Document) -> list[Document]:
    first = {name: value for name, value in mistake.items() if name != "also"}
    return [first, *mistake["also"]]


def _report(assignment: Assignment, cases: list[Document], student: str | None) -> Document:
    sections: Document = {}
    places = [(case, step, one) for case in cases for step in case["steps"] for one in step["quantities"]]
    for section, weight in assignment.weights.items():
        credits = [
            one["credit"]
            for _, _, one in places
            if one["quantity"].startswith(section + ".") and one["credit"] is not None
        ]
        sections[section] = {"score": weight * math.fsum(credits) / max(1, len(credits)), "max_score": weight}
    wrong = [(case, step, one) for case, step, one in places if one["verdict"] != "right"]
    return {
        "student": student,
        "score": math.fsum(part["score"] for part in sections.values()),
        "max_score": assignment.total,
        "correct": not wrong,
        "sections": sections,
        "first_wrong": _first(wrong),
        "mistakes": _mistakes(wrong),
        "cases": cases,
    }


def _first(wrong: Sequence[tuple[Document, Document, Document]]) -> Document | None:
    """What went wrong first; what only follows from it is not it."""
    for case, step, one in wrong:
        if one["verdict"] != "follow_through":
            told = {name: one[name] for name in ("quantity", "verdict", "mistake", "detail")}
            return {"case": case["case"], "step": step["step"], **told}
    return None


def _mistakes(wrong: Sequence[tuple[Document, Document, Document]]) -> list[Document]:
    """The mistakes named, each once, with how many quantities it was named for and where first."""
    found: dict[str, Document] = {}
    for case, step, one in wrong:
        if one["mistake"]:
            code = one["mistake"]["code"]
            place = {"case": case["case"], "step": step["step"], "quantity": one["quantity"], "count": 0}
            found.setdefault(code, {name: one["mistake"][name] for name in ("code", "message", "link")} | place)
            found[code]["count"] += 1
    return list(found.values())
