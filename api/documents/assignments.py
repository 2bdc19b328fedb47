"""Assignments on the wire: what teachers and students see, reports, and the gradebook."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ConfigDict

from api.documents.schemas import Document, MistakeName, Verdict
from api.documents.updates import rule_document
from api.engine.explain import named_formula
from api.engine.latex import LATEX
from api.engine.mathml import MATHML, markup
from api.engine.notation import TEXT
from api.engine.terms import Name
from api.grading.assignment import Assignment
from api.grading.cases import Case
from api.grading.compare import SECTIONS
from api.grading.numbers import shape
from api.grading.working import Working, asked, number
from api.training.data import number_text
from api.training.definition import Definition
from api.training.snapshot import listed

Json = dict[str, Any]


class Links(Document):
    """Where the assignment's other resources are."""

    model_config = ConfigDict(extra="allow")

    self: str


class StudentLink(Document):
    """A named student and the link that is theirs."""

    student: str
    link: str


class Assigned(Document):
    """An assignment as its teacher sees it."""

    model_config = ConfigDict(title="Assignment")

    id: str
    role: Literal["teacher"]
    title: str
    created_at: str
    assignment: dict[str, Any]
    link: str | None
    """For all students; null where each has a link of their own."""
    students: list[StudentLink] | None
    alike: list[list[str]] | None
    """Pairs of mistakes whose numbers are the same in any case."""
    links: Links


class TaskStep(Document):
    """One step of a case: the batch, and the learning rate in force."""

    step: int
    inputs: dict[str, Any]
    learning_rate: float


class Wanted(Document):
    """A quantity that is asked for; `shape` is that of the answer."""

    name: str
    shape: list[int]


class TaskCase(Document):
    """Where a case begins, and what is asked of it."""

    case: int
    parameters: dict[str, Any]
    state: dict[str, Any]
    """The optimiser's state by slot and parameter."""
    steps: list[TaskStep]
    asked: dict[str, list[Wanted]]


class Handed(Document):
    """A submission in short."""

    number: int
    score: float
    max_score: float
    at: str


class Task(Document):
    """An assignment as a student sees it."""

    role: Literal["student"]
    title: str
    student: str | None
    names_on_trust: bool
    """Whether whoever has the link says who they are."""
    formulas: list[dict[str, Any]]
    optimizer: dict[str, Any]
    rule: list[dict[str, Any]]
    ask: dict[str, float]
    tolerance: dict[str, Any]
    feedback: str
    attempts: int | None
    attempts_left: int | None
    steps: int
    cases: list[TaskCase] | None
    """Null until it is known whose they are: name the student in `?student=`."""
    submissions: list[Handed]
    links: Links


class SectionMarks(Document):
    """The marks for one part."""

    score: float
    max_score: float


class FirstWrong(Document):
    """What went wrong first."""

    model_config = ConfigDict(extra="allow")

    case: int
    step: int
    quantity: str
    verdict: str
    mistake: dict[str, Any] | None


class Made(MistakeName):
    """A mistake that was made, where first, and in how many quantities it shows."""

    model_config = ConfigDict(extra="allow")

    count: int


class Marked(Verdict):
    """A verdict and its share of the marks; null for what was given beyond what is asked."""

    credit: float | None


class ReportStep(Document):
    """The verdicts on one step."""

    step: int
    quantities: list[Marked]


class ReportCase(Document):
    """The verdicts on one case."""

    case: int
    label: str
    steps: list[ReportStep]


class Report(Document):
    """What a submission is worth, and why."""

    id: str | None
    number: int
    student: str
    at: str
    score: float
    max_score: float
    correct: bool
    sections: dict[str, SectionMarks]
    first_wrong: FirstWrong | None
    mistakes: list[Made]
    cases: list[ReportCase] | None
    attempts_left: int | None
    answers: list[dict[str, Any]] | None
    """What was handed in; for the teacher."""
    links: Links


class Entry(Document):
    """A student's line: the best score counts."""

    student: str
    score: float | None
    submissions: list[dict[str, Any]]


class Common(MistakeName):
    """A mistake and how many students made it."""

    students: int


class Gradebook(Document):
    """The class."""

    title: str
    max_score: float
    students: list[Entry]
    mistakes: list[Common]
    links: Links


# builders


def moment(at: float) -> str:
    """A time as RFC 3339 has it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def formulas(definition: Definition) -> list[Json]:
    """Each assigned quantity and its formula, as text and as LaTeX."""
    graph, found = definition.graph, []
    for node in graph.named:
        if node.id in graph.formulas:
            tree = named_formula(graph, node)
            text = graph.texts[node.id] if tree is None else TEXT.write(tree)
            latex = None if tree is None else LATEX.equation(LATEX.write(Name(node.id)), LATEX.write(tree), False)
            found.append({"name": node.id, "formula": text, "latex": latex})
    return found


def formula_markup(definition: Definition) -> list[Json]:
    """The formulas as MathML."""
    graph, found = definition.graph, []
    for node in graph.named:
        tree = named_formula(graph, node) if node.id in graph.formulas else None
        if tree is not None:
            found.append({"symbolic": markup(MATHML.equation(MATHML.write(Name(node.id)), MATHML.write(tree), False))})
    return found


def rule(definition: Definition) -> list[Json]:
    """The optimiser's rule, line by line."""
    return rule_document(definition.rule)


def task_case(assignment: Assignment, case: Case) -> Json:
    """What a student is given of a case."""
    right = Working(case.exercise(0))
    return {
        "case": case.number,
        "parameters": {name: listed(value) for name, value in case.parameters.items()},
        "state": {slot: {name: listed(value) for name, value in each.items()} for slot, each in case.slots.items()},
        "steps": [
            {
                "step": step,
                "inputs": {name: listed(value) for name, value in inputs.items()},
                "learning_rate": case.exercise(step).rate,
            }
            for step, inputs in enumerate(case.inputs)
        ],
        "asked": {section: _asked(right, section) for section in SECTIONS if section in assignment.weights},
    }


def _asked(right: Working, section: str) -> list[Json]:
    names = asked(right, section)
    return [{"name": name, "shape": list(shape(number(right, section, name)))} for name in names]


def gradebook_csv(rows: Sequence[Mapping[str, Any]], max_score: float) -> str:
    """A line for each student: the best score, how many attempts, when last, and the mistake of the best one."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["student", "score", "max_score", "attempts", "last_at", "mistake"])
    for row in rows:
        score = "" if row["score"] is None else number_text(round(row["score"], 6))
        handed = row["submissions"]
        best = max(handed, key=lambda one: one["score"], default=None)
        mistake = best["mistakes"][0]["code"] if best and best["mistakes"] else ""
        last = handed[-1]["at"] if handed else ""
        writer.writerow([_safe(row["student"]), score, number_text(max_score), len(handed), last, mistake])
    return text.getvalue()


def _safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
