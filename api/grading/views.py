"""What a report tells to whom: students as much as the assignment says, teachers everything."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
_ALWAYS = ("student", "score", "max_score", "correct", "sections")


def told(report: Document, feedback: str, *, hidden: bool = False) -> Document:
    """The part of a report that a student may see. Of ``hidden`` cases, whose inputs a student has not seen, a label is
    told, never a number."""
    found = {name: report[name] for name in _ALWAYS} | {"first_wrong": None, "mistakes": [], "cases": None}
    if feedback == "score":
        return found
    found["first_wrong"] = report["first_wrong"]
    if feedback == "first_wrong":
        return found
    found["mistakes"] = report["mistakes"]
    found["cases"] = [{**case, "steps": [_step(step, hidden) for step in case["steps"]]} for case in report["cases"]]
    return found


def _step(step: Document, hidden: bool) -> Document:
    return {**step, "quantities": [_quantity(one, hidden) for one in step["quantities"]]}


def _quantity(one: Document, hidden: bool) -> Document:
    return {**one, "given": None, "expected": None} if hidden else one
