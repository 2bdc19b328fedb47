"""Reports in the forms that terminals, spreadsheets and grading platforms read.

``text`` and what platforms show to students tell as much as the assignment's feedback says, and never a number of a
hidden case; ``json`` and ``csv`` are the teacher's.

Sources of the formats: Gradescope's autograder specifications (results.json), PrairieLearn's external grading results,
and the JUnit schema that Jenkins and others read.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from api.grading.assignment import Assignment
from api.grading.views import told

Document = dict[str, Any]
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(assignment: Assignment, reports: Sequence[Document], about: Document) -> str:
    """For a terminal, one paragraph for each student."""
    lines = [f"{assignment.title}: {assignment.total:g} marks"]
    for report in reports:
        lines += ["", *paragraph(assignment, report)]
    return "\n".join([*lines, "", about["sentence"]] if about["sentence"] else lines) + "\n"


def paragraph(assignment: Assignment, report: Document) -> list[str]:
    """What a student's report says."""
    seen = told(report, assignment.feedback, hidden=True)
    parts = ", ".join(f"{name} {part['score']:.4g}/{part['max_score']:g}" for name, part in seen["sections"].items())
    lines = [f"{seen['student']}: {seen['score']:.4g} of {seen['max_score']:g} ({parts})"]
    lines += [f"  {note}" for note in report.get("notes", ())]
    first = seen["first_wrong"]
    if first is not None:
        lines.append(f"  first wrong: {_place(first)}: {_why(first)}")
        lines += [f"    or: {other['message']}" for other in (first["mistake"] or {"also": ()})["also"]]
    named = {first["mistake"]["code"]} if first and first["mistake"] else set()
    lines += [f"  also: {_place(one)}: {one['message']}" for one in seen["mistakes"] if one["code"] not in named]
    if seen["correct"] and not report.get("notes"):
        lines.append("  everything is right")
    return lines


def _place(one: Mapping[str, Any]) -> str:
    return f"case {one['case']}, step {one['step']}, {one['quantity']}"


def _why(first: Mapping[str, Any]) -> str:
    """What is wrong with a quantity, in a sentence."""
    if first["mistake"]:
        return str(first["mistake"]["message"])
    known = {
        "missing": "missing",
        "malformed": "not numbers of the right shape",
        "wrong": "wrong, by no mistake I know",
    }
    detail = f": {first['detail']}" if first.get("detail") else ""
    return known.get(first["verdict"], "not right") + detail


def as_json(assignment: Assignment, reports: Sequence[Document], about: Document) -> str:
    """Everything, for the teacher."""
    document = {
        "title": assignment.title,
        "max_score": assignment.total,
        "sandbox": about["sandbox"],
        "seconds": about["seconds"],
        "students": list(reports),
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def as_csv(assignment: Assignment, reports: Sequence[Document], about: Document) -> str:
    """A line for each student, for the teacher's spreadsheet."""
    del about
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    sections = list(assignment.weights)
    writer.writerow(["student", "score", "max_score", *sections, "first_wrong", "mistake", "message", "notes"])
    for report in reports:
        first = report["first_wrong"] or {}
        mistake = first.get("mistake") or {}
        marks = [_rounded(report["sections"][name]["score"]) for name in sections]
        place = _place(first) if first else ""
        why = mistake.get("message", _why(first) if first else "")
        cells = [report["student"], _rounded(report["score"]), _rounded(assignment.total), *marks, place]
        cells += [mistake.get("code", ""), why, "; ".join(report.get("notes", ()))]
        writer.writerow([_safe(cell) for cell in cells])
    return output.getvalue()


def _rounded(number: float) -> float | int:
    short = round(number, 6)
    return int(short) if short == int(short) else short


def _safe(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def gradescope(assignment: Assignment, reports: Sequence[Document], about: Document) -> str:
    """The results.json of one submission."""
    (report,) = reports
    seen = told(report, assignment.feedback, hidden=True)
    tests = [
        {
            "name": name,
            "score": _rounded(part["score"]),
            "max_score": _rounded(part["max_score"]),
            "output": _section_text(seen, name),
            "visibility": "visible",
        }
        for name, part in seen["sections"].items()
    ]
    document = {
        "score": _rounded(seen["score"]),
        "execution_time": round(about["seconds"], 3),
        "output": "\n".join([*paragraph(assignment, report), about["sentence"]]).strip(),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _section_text(seen: Document, section: str) -> str:
    """What a part of the report says: its first mistake, if it is to be told."""
    if seen["sections"][section]["score"] == seen["sections"][section]["max_score"]:
        return "all right"
    first = seen["first_wrong"]
    if first is None:
        return "not all right"
    if first["quantity"].startswith(section + "."):
        return f"{_place(first)}: {_why(first)}"
    here = next((one for one in seen["mistakes"] if one["quantity"].startswith(section + ".")), None)
    return f"{_place(here)}: {here['message']}" if here else "not all right; see what is wrong first"


def prairielearn(assignment: Assignment, reports: Sequence[Document], about: Document) -> str:
    """The results.json of one submission: the score from 0 to 1, and each part with its points."""
    (report,) = reports
    seen = told(report, assignment.feedback, hidden=True)
    tests = [
        {
            "name": name,
            "description": f"{name} in all cases",
            "points": _rounded(part["score"]),
            "max_points": _rounded(part["max_score"]),
            "message": _section_text(seen, name),
            "output": "",
        }
        for name, part in seen["sections"].items()
    ]
    document = {
        "gradable": True,
        "score": seen["score"] / seen["max_score"],
        "message": "\n".join(paragraph(assignment, report)),
        "output": about["sentence"],
        "tests": tests,
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def junit(assignment: Assignment, reports: Sequence[Document], about: Document) -> str:
    """JUnit's XML: a suite for each student, a test case for each part of each case."""
    root = ElementTree.Element("testsuites", {"name": _xml(assignment.title), "time": f"{about['seconds']:.3f}"})
    for report in reports:
        _suite(root, assignment, report, about)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: ElementTree.Element, assignment: Assignment, report: Document, about: Document) -> None:
    suite = ElementTree.SubElement(root, "testsuite", {"name": _xml(str(report["student"]))})
    failures = errors = count = 0
    for case in report["cases"]:
        for section in assignment.weights:
            quantities = [
                (step["step"], one)
                for step in case["steps"]
                for one in step["quantities"]
                if one["quantity"].startswith(section + ".") and one["credit"] is not None
            ]
            wrong = [(step, one) for step, one in quantities if one["verdict"] not in ("right", "follow_through")]
            names = {"classname": _xml(f"{report['student']}.{case['label']}"), "name": section}
            test = ElementTree.SubElement(suite, "testcase", names)
            count += 1
            if not wrong:
                continue
            step, one = wrong[0]
            missing = one["verdict"] == "missing"
            errors, failures = errors + missing, failures + (not missing)
            said = assignment.feedback != "score"
            place = {"case": case["case"], "step": step, **one}
            message = f"{_place(place)}: {_why(place)}" if said else "not all right"
            kind = "error" if missing else "failure"
            code = one["mistake"]["code"] if one["mistake"] and said else one["verdict"]
            ElementTree.SubElement(test, kind, {"message": _xml(message), "type": code})
    suite.attrib |= {"tests": str(count), "failures": str(failures), "errors": str(errors), "skipped": "0"}
    score = ElementTree.SubElement(suite, "system-out")
    score.text = _xml("\n".join([*paragraph(assignment, report), about["sentence"]]))


def _xml(value: str) -> str:
    """A text without what XML cannot hold."""
    return _NOT_XML.sub("�", value)


Format = Callable[[Assignment, Sequence[Document], Document], str]
FORMATS: dict[str, Format] = {
    "text": text,
    "gradescope": gradescope,
    "prairielearn": prairielearn,
    "junit": junit,
    "csv": as_csv,
    "json": as_json,
}
SINGLE = ("gradescope", "prairielearn")
"""Formats that hold one student."""
