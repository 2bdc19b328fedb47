"""Practice: the numbers of a step, asked for one by one, with what was answered so far."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api.documents.equations import SCRIPTS, equations
from api.documents.state import Stored, state
from api.engine.mathml import markup
from api.engine.terms import Apply, Name, Term
from api.grading.compare import flat
from api.grading.sheet import TRIES, Question, Sheet

Document = dict[str, Any]
MOST_QUESTIONS = 60
MOST_NUMBERS = 12
"""Numbers up to which a quantity is asked for."""
_GIVEN = ("placeholder", "parameter", "constant")


@dataclass(frozen=True, slots=True)
class Exercise:
    """A step to be worked out: the session as it is stored, after backward, and after the update if there is one.

    ``left_out`` counts the quantities that are too large or too many to be asked for.
    """

    stored: Stored
    traced: Stored
    after: Stored | None
    questions: list[Question]
    left_out: int


def exercise(stored: Stored, traced: Stored, after: Stored | None) -> Exercise:
    """The questions of a step in the order of working: values, partials, gradients, updated parameters.

    Only what can be worked out from what the page shows is asked for: no number of a way may be one of too many.
    """
    document = state(traced, base="", arrays="full")
    updated = (state(after, base="", arrays="full")["last_update"] or {}) if after else {}
    ways = _Ways(document["graph"])
    every = [
        *((("values", name), value) for name, value in ways.values.items()),
        *((("partials", f"{target}/{source}"), value) for target, source, value in ways.partials()),
        *((("gradients", name), value) for name, value in (document["gradients"] or {}).items()),
        *((("updated", name), change["after"]) for name, change in updated.get("parameters", {}).items()),
    ]
    questions = [
        Question(section, name, value, flat(value).shape)
        for (section, name), value in every
        if value is not None and _few(value) and ways.clear(section, name)
    ][:MOST_QUESTIONS]
    return Exercise(stored, traced, after, questions, len(every) - len(questions))


def _few(value: Any) -> bool:
    return 0 < len(flat(value).elements) <= MOST_NUMBERS


class _Ways:
    """The ways through a graph document, along which numbers are worked out."""

    def __init__(self, graph: Document) -> None:
        self.graph = graph
        self.few = {node["id"]: _few(node["value"]) for node in graph["nodes"]}
        self.values = {node["id"]: node["value"] for node in graph["nodes"] if node["role"] not in _GIVEN}
        self.sources: dict[str, list[str]] = {}
        self.targets: dict[str, list[str]] = {}
        for edge in graph["edges"]:
            self.sources.setdefault(edge["target"], []).append(edge["source"])
            self.targets.setdefault(edge["source"], []).append(edge["target"])
        self.above = _reached([node["id"] for node in graph["nodes"] if node["role"] == "loss"], self.sources)

    def partials(self) -> Iterator[tuple[str, str, Any]]:
        """Those on the ways from a parameter to the loss, nearest to the loss first: the others serve no gradient."""
        below = _reached([node["id"] for node in self.graph["nodes"] if node["role"] == "parameter"], self.targets)
        order = {node["id"]: place for place, node in enumerate(self.graph["nodes"])}
        for edge in sorted(self.graph["edges"], key=lambda edge: -order[edge["target"]]):
            if edge["source"] in below and edge["target"] in self.above:
                yield edge["target"], edge["source"], edge["partial"]["value"]

    def clear(self, section: str, name: str) -> bool:
        """Whether all that a quantity is worked out from has few numbers."""
        if section in ("values", "partials"):
            return self._fed_by_few(name.partition("/")[0])
        return all(self._fed_by_few(node) for node in (_reached([name], self.targets) - {name}) & self.above)

    def _fed_by_few(self, node: str) -> bool:
        return all(self.few[source] for source in self.sources.get(node, ()))


def _reached(starts: Iterable[str], ways: Mapping[str, list[str]]) -> set[str]:
    found = set(starts)
    waiting = list(found)
    while waiting:
        for other in ways.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def practice(work: Exercise, sheet: Sheet, last: Document | None = None, format: str = "text") -> Document:
    """What is asked now, what was answered, and ``last``, the verdict on the last answer.

    No number is in it that is still to be found. Formulas are written in ``format``.
    """
    session, done = work.stored.session, len(sheet.done)
    told = state(work.stored, base="")
    formulas = _formulas(work, format)
    if last is not None:
        over = last["verdict"] in ("right", "shown")
        last = last | {"equations": formulas.get(last["quantity"], []) if over else []}
    return {
        "revision": work.stored.revision,
        **{name: getattr(session.position, name) for name in ("step", "epoch", "batch")},
        "batches_per_epoch": session.batches_per_epoch,
        "given": {name: told[name] for name in ("inputs", "parameters", "learning_rate", "optimizer")},
        "questions": len(work.questions),
        "left_out": work.left_out,
        "done": sheet.done,
        "tries": sheet.tries,
        "score": sheet.score,
        "last": last,
        "question": _asked(work, sheet, formulas, format) if done < len(work.questions) else None,
        "answered": [
            {"quantity": one.quantity, "tries": int(tries), "value": one.expected}
            for one, tries in zip(work.questions, sheet.done, strict=False)
        ],
    }


def _asked(work: Exercise, sheet: Sheet, formulas: Mapping[str, list[Document]], format: str) -> Document:
    question = work.questions[len(sheet.done)]
    return {
        "quantity": question.quantity,
        "symbol": _symbol(question, work, format),
        "shape": list(question.shape),
        "tries_left": TRIES - sheet.tries,
        "hint": _hint(question, formulas.get(question.quantity, []), sheet.tries),
    }


def _hint(question: Question, formulas: list[Document], tries: int) -> list[Document]:
    """The rule after a try in vain, at once where the rule is a definition; after another also with numbers in it."""
    level = tries + (question.section in ("values", "updated"))
    if not level:
        return []
    return [
        {"symbolic": one["symbolic"], "substituted": one["substituted"] if level > 1 and _to_be_done(one) else None}
        for one in formulas
    ]


def _to_be_done(formula: Document) -> bool:
    """Whether the formula with numbers in it leaves anything to work out."""
    text = re.sub(r"<[^>]*>", "", formula["substituted"] or "").lstrip("=≈")
    return re.search(r"[^\d\s.,…\[\]−-]|\d\s*[−-]", text) is not None


def _formulas(work: Exercise, format: str) -> dict[str, list[Document]]:
    """Every formula of a step by the quantity that it is about."""
    found: dict[str, list[Document]] = {}
    after = equations(work.after, format) if work.after else []
    for one in [*equations(work.traced, format), *(one for one in after if one["about"].startswith("updated."))]:
        found.setdefault(one["about"], []).append(one)
    return found


def _symbol(question: Question, work: Exercise, format: str) -> str:
    """What a quantity is called: ``yhat``, ``dL/dw1``."""
    script, graph = SCRIPTS[format], work.traced.session.definition.graph
    target, _, source = question.name.partition("/")
    term: Term = Name(question.name)
    if question.section == "partials":
        term = Apply("partial", (Name(target), Name(source)))
    elif question.section == "gradients":
        term = Apply("partial", (Name(graph.nodes[graph.loss].id), Name(question.name)))
    written = script.write(term)
    return markup(written) if format == "mathml" else written


def veiled(work: Exercise, sheet: Sheet) -> Document:
    """The state of a step after backward without the numbers that are still to be found."""
    document = state(work.traced, base="")
    known = {question.quantity for question in work.questions[: len(sheet.done)]}
    hidden = {question.quantity for question in work.questions} - known
    if not hidden:
        return document
    for node in document["graph"]["nodes"]:
        node["value"] = None if f"values.{node['id']}" in hidden else node["value"]
        node["gradient"] = node["gradient"] if f"gradients.{node['id']}" in known else None
    for edge in document["graph"]["edges"]:
        edge["contribution"] = None
        if f"partials.{edge['target']}/{edge['source']}" not in known:
            edge["partial"] = edge["partial"] | {"value": None}
    forward = work.questions[len(sheet.done)].section == "values"
    bare = dict.fromkeys(("outputs", "loss", "gradients", "chain_rule"))
    return document | bare | {"phase": "forward" if forward else "backward"}
