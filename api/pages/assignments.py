"""Pages about a class: the assignment for teacher and student, the form to hand in, the report, the gradebook."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from api.pages import figures, mathml, notation
from api.pages.html import render

Document = dict[str, Any]
Equations = Mapping[tuple[int, int, str], Sequence[Document]]
"""By case, step and quantity the equations that it should have followed."""
WIDE = 3
"""Rows of a field for several numbers, at least."""
_TITLES = {"values": "Forward", "partials": "Partials", "gradients": "Backward", "updated": "Update"}
_VERDICTS = {
    "right": "right",
    "wrong": "wrong",
    "follow_through": "follows",
    "missing": "missing",
    "malformed": "unreadable",
}


def task_page(document: Document, formulas: Sequence[Document], root: str) -> str:
    """What a student sees: whose cases they are, what is given, and the form to hand in."""
    cases = [_case(case, document["steps"]) for case in document["cases"] or ()]
    return render(
        "task.html",
        root,
        t=document,
        formulas=[mathml.equation(one["symbolic"], None, None) for one in formulas],
        cases=cases,
        within=_tolerance(document["tolerance"]),
        sections=[(_TITLES[name], marks) for name, marks in document["ask"].items()],
    )


def teacher_page(document: Document, book: Document, root: str) -> str:
    """What a teacher sees: links to give away, the gradebook, common mistakes, and how to delete all of it."""
    links = {one["student"]: one["link"] for one in document["students"] or ()}
    rows = [{**row, "link": links.get(row["student"])} for row in book["students"]]
    return render(
        "teacher.html",
        root,
        a=document,
        asked=document["assignment"],
        rows=rows,
        most=max((len(row["submissions"]) for row in rows), default=0),
        mistakes=book["mistakes"],
        max_score=book["max_score"],
        sections=[(_TITLES[name], marks) for name, marks in document["assignment"]["ask"].items()],
        within=_tolerance(document["assignment"]),
    )


def report_page(report: Document, equations: Equations, teacher: bool, root: str) -> str:
    """A report: marks, what is wrong first, and each number beside the equation that it should have followed."""
    return render(
        "report.html",
        root,
        r=report,
        teacher=teacher,
        first=_first(report["first_wrong"], equations),
        cases=[_marked(case, equations) for case in report["cases"] or ()],
        sections=[(_TITLES[name], part) for name, part in report["sections"].items()],
    )


def _tolerance(tolerance: Mapping[str, Any]) -> str:
    """When a number is right, in words."""
    if tolerance.get("decimals") is not None:
        return f"to {tolerance['decimals']} decimals"
    rtol = 1e-6 if tolerance.get("rtol") is None else tolerance["rtol"]
    return f"to a relative error of {figures.number(rtol)}"


def title(quantity: str) -> Markup:
    """A quantity as a heading: ŷ, ∂L/∂w₁, new w₁."""
    section, _, name = quantity.partition(".")
    if section == "partials":
        above, _, below = name.partition("/")
        return Markup("∂{}/∂{}").format(notation.html(above), notation.html(below))
    words = {"gradients": "gradient of {}", "updated": "new {}"}
    return Markup(words.get(section, "{}")).format(notation.html(name))


def _case(case: Document, steps: int) -> Document:
    """A case as tables and fields."""
    given = {name: _rows(value) for name, value in case["parameters"].items()}
    state = [
        (f"{slot} of {name}", _rows(value)) for slot, each in case["state"].items() for name, value in each.items()
    ]
    base = (case["case"] - 1) * steps
    return {
        "number": case["case"],
        "given": [(notation.html(name), rows) for name, rows in given.items()],
        "state": state,
        "steps": [
            {
                "step": step["step"],
                "place": base + step["step"],
                "inputs": [(notation.html(name), _rows(value)) for name, value in step["inputs"].items()],
                "rate": step["learning_rate"],
                "fields": [
                    _field(base + step["step"], section, one)
                    for section, names in case["asked"].items()
                    for one in names
                ],
            }
            for step in case["steps"]
        ],
    }


def _rows(value: Any) -> list[list[str]]:
    """Numbers as the cells of a small table, every digit of them."""
    if not isinstance(value, list):
        return [[_exact(value)]]
    if value and isinstance(value[0], list):
        return [[_exact(one) for one in figures.flat(row)[0]] for row in value]
    return [[_exact(one) for one in value]]


def _exact(value: Any) -> str:
    text = repr(float(value))
    return (text.removesuffix(".0")).replace("-", figures.MINUS)


def _field(place: int, section: str, one: Mapping[str, Any]) -> Document:
    shape = one["shape"]
    count = math.prod(shape)
    return {
        "name": f"answers.{place}.{section}.{one['name']}",
        "id": f"f{place}-{section}-{one['name'].replace('/', '-')}",
        "title": title(f"{section}.{one['name']}"),
        "section": _TITLES[section],
        "lines": 0 if count == 1 else min(12, max(WIDE, shape[0] if len(shape) > 1 else min(count, 6))),
        "hint": "" if count == 1 else f"{' × '.join(map(str, shape))} numbers",
    }


def _first(first: Document | None, equations: Equations) -> Document | None:
    if first is None:
        return None
    found = equations.get((first["case"], first["step"], first["quantity"]), ())
    return {
        **first,
        "title": title(first["quantity"]),
        "equations": [mathml.equation(one["symbolic"], None, None) for one in found],
        "word": _VERDICTS[first["verdict"]],
    }


def _marked(case: Document, equations: Equations) -> Document:
    return {
        "label": case["label"].capitalize(),
        "steps": [
            {
                "step": step["step"],
                "lines": [
                    _line(one, equations.get((case["case"], step["step"], one["quantity"]), ()))
                    for one in step["quantities"]
                ],
            }
            for step in case["steps"]
        ],
    }


def _line(one: Document, found: Sequence[Document]) -> Document:
    return {
        "title": title(one["quantity"]),
        "verdict": one["verdict"],
        "word": _VERDICTS[one["verdict"]],
        "given": "" if one["given"] is None else _shown(one["given"]),
        "expected": "" if one["expected"] is None else _shown(one["expected"]),
        "mistake": one["mistake"],
        "detail": one["detail"],
        "equations": [mathml.equation(item["symbolic"], item["substituted"], item["value"]) for item in found],
    }


def _shown(value: Any) -> str:
    """Numbers for a table's cell; what is no number as it was given."""
    try:
        return figures.values(value, 7)
    except (TypeError, ValueError):
        return str(value)[:40]
