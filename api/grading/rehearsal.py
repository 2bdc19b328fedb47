"""What an assignment's grading would do, shown before class: the reference, the empty starter, each mistake."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from api.grading.assignment import Assignment
from api.grading.distinct import Chosen
from api.grading.marks import graded
from api.grading.planting import reference_sheets, with_mistakes
from api.grading.running import Source, run
from api.grading.sandbox import Limits

Document = dict[str, Any]
STUDENT = "rehearsal"


def rehearsed(assignment: Assignment, starter: bytes | None, kind: str, limits: Limits) -> list[Document]:
    """A line each for the reference, the starter (if there is one) and every mistake that can be seen here: what it
    gets, and what it is told."""
    cases = Chosen(assignment).of(STUDENT)
    lines = [_line("reference", graded(assignment, cases, reference_sheets(assignment, cases)))]
    if starter is not None:
        source = Source(STUDENT, "starter.py", {"starter.py": starter})
        done = run(assignment, cases, source, kind, limits)
        lines.append(_line("empty starter", graded(assignment, cases, done.sheets)))
    for code, sentence, sheets in with_mistakes(assignment, cases):
        lines.append(_line(code, graded(assignment, cases, sheets), sentence))
    return lines


def _line(what: str, report: Mapping[str, Any], sentence: str = "") -> Document:
    first = report["first_wrong"] or {}
    mistake = first.get("mistake") or {}
    return {
        "what": what,
        "score": report["score"],
        "max_score": report["max_score"],
        "first_wrong": f"case {first['case']}, step {first['step']}, {first['quantity']}" if first else "",
        "named": mistake.get("code", ""),
        "also": [one["code"] for one in mistake.get("also", ())],
        "message": mistake.get("message", "") or sentence,
    }


def text(assignment: Assignment, lines: list[Document]) -> str:
    """As a table for a terminal."""
    head = f"{assignment.title}: what each of these would get of {assignment.total:g}"
    wide = max(len(line["what"]) for line in lines)
    rows = [f"{line['what']:<{wide}}  {line['score']:7.4g}  {_said(line)}".rstrip() for line in lines]
    return "\n".join([head, "", *rows]) + "\n"


def _said(line: Mapping[str, Any]) -> str:
    if not line["first_wrong"]:
        return "all right"
    named = line["named"] or "no name"
    other = (
        "" if line["named"] == line["what"] or line["what"] in ("reference", "empty starter") else f" (told as {named})"
    )
    return f"{line['first_wrong']}: {line['message']}{other}" if line["message"] else line["first_wrong"]


def as_csv(_assignment: Assignment, lines: list[Document]) -> str:
    """As a table for a spreadsheet."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(["what", "score", "max_score", "first_wrong", "named", "also", "message"])
    writer.writerows([[" ".join(one) if isinstance(one, list) else one for one in line.values()] for line in lines])
    return output.getvalue()


def as_json(assignment: Assignment, lines: list[Document]) -> str:
    """As a document."""
    return json.dumps({"title": assignment.title, "rehearsed": lines}, indent=1) + "\n"


FORMATS = {"text": text, "csv": as_csv, "json": as_json}
