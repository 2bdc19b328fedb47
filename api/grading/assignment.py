"""An assignment: what is to be worked out, how it is compared, and what students are told.

One document is the body of ``POST /v1/assignments`` and the file ``assignment.json`` of the command; everything it
leaves out has a default, ``DEFAULTS``. Its session is a template: each student's cases are drawn after it.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from api.engine.errors import FieldError, InvalidInput, LimitExceeded
from api.engine.wording import near_miss, pointer_part, shown
from api.grading.closeness import Closeness
from api.grading.compare import ATOL, RTOL, SECTIONS, closeness_of
from api.training.definition import Definition, define
from api.training.limits import Limits

Document = dict[str, Any]
FEEDBACK = ("score", "first_wrong", "values")
"""What a student is told: the score; also what is wrong first, and why; also every number."""
DEFAULTS: Document = {
    "title": None,
    "session": {},
    "cases": 3,
    "steps": 1,
    "ask": {"values": 20, "gradients": 60, "updated": 20},
    "rtol": None,
    "atol": None,
    "decimals": None,
    "feedback": "first_wrong",
    "follow_through": 1.0,
    "attempts": None,
    "students": None,
    "seed": None,
}
MOST = {"cases": 20, "steps": 20, "attempts": 1_000, "students": 1_000}
CODE_CHARACTERS = 100
SEED_CHARACTERS = 200


@dataclass(frozen=True, eq=False)
class Assignment:
    """A complete document and the definition of its session; ``document`` is fit to be posted again."""

    document: Document
    definition: Definition

    @staticmethod
    def of(body: Mapping[str, Any], limits: Limits = Limits(), *, seed: str | None = None) -> Assignment:  # noqa: B008
        """The assignment that a body asks for; ``seed`` is taken where it names none.

        Raises ``InvalidInput`` with a pointer to each field that has no meaning.
        """
        strange = [name for name in body if name not in DEFAULTS]
        if strange:
            known = tuple(DEFAULTS)
            faults = [FieldError(f"/{pointer_part(name)}", _unknown(name, known)) for name in strange]
            raise InvalidInput(faults[0].detail, errors=faults)
        given = {name: value for name, value in body.items() if value is not None}
        document = {**DEFAULTS, **given}
        for name, check in _CHECKS.items():
            if document[name] is not None:
                document[name] = check(document[name], name)
        document["seed"] = document["seed"] or seed or secrets.token_urlsafe(16)
        closeness_of(document, "")
        definition = _template(document["session"], limits)
        document["session"] = definition.document
        if document["title"] is None:
            document["title"] = definition.document["title"]
        return Assignment(document, definition)

    @staticmethod
    def load(document: Document) -> Assignment:
        """The assignment of a complete document; nothing is drawn and no limit counts."""
        return Assignment(document, Definition.load(document["session"]))

    @cached_property
    def closeness(self) -> Closeness:
        """When an answer is right."""
        return closeness_of(self.document, "")

    @property
    def tolerance(self) -> Document:
        """The fields of the tolerance, as a set of answers has them."""
        if self.document["decimals"] is not None:
            return {"decimals": self.document["decimals"]}
        rtol, atol = self.document["rtol"], self.document["atol"]
        return {"rtol": RTOL if rtol is None else rtol, "atol": ATOL if atol is None else atol}

    @property
    def title(self) -> str:
        """What it is called."""
        return self.document["title"] or "Assignment"

    @property
    def cases(self) -> int:
        """How many cases each student has."""
        count: int = self.document["cases"]
        return count

    @property
    def steps(self) -> int:
        """How many steps each case has."""
        count: int = self.document["steps"]
        return count

    @cached_property
    def weights(self) -> dict[str, float]:
        """The marks for each section that is asked, in the order of judging."""
        ask = self.document["ask"]
        return {section: float(ask[section]) for section in SECTIONS if ask.get(section)}

    @property
    def total(self) -> float:
        """All marks that there are."""
        return math.fsum(self.weights.values())

    @property
    def follow_through(self) -> float:
        """The share of the marks for the right rule on one's own wrong numbers."""
        share: float = self.document["follow_through"]
        return share

    @property
    def feedback(self) -> str:
        """What students are told, one of ``FEEDBACK``."""
        level: str = self.document["feedback"]
        return level

    @property
    def students(self) -> tuple[str, ...] | None:
        """The named students; None where anybody may say who they are."""
        names = self.document["students"]
        return None if names is None else tuple(names)


def _unknown(name: str, known: tuple[str, ...]) -> str:
    return f"an assignment has no field {shown(name)}{near_miss(name, known)}"


def _template(body: Mapping[str, Any], limits: Limits) -> Definition:
    """The definition that cases are drawn after; where it starts and what it holds out has no meaning here."""
    if not isinstance(body, Mapping):
        raise InvalidInput("session must be the body of a session", "/session")
    try:
        definition = define({**body, "start": None, "split": None}, limits=limits)
    except InvalidInput as error:
        error.errors = tuple(FieldError("/session" + fault.pointer, fault.detail) for fault in error.errors)
        raise
    if not definition.names:
        raise InvalidInput("there is nothing to train: the session needs a parameter", "/session/model")
    return definition


def _text(value: Any, name: str) -> str:
    longest = {"seed": SEED_CHARACTERS}.get(name, 200)
    if not isinstance(value, str) or len(value) > longest:
        raise InvalidInput(f"{name} must be a text of at most {longest} characters", f"/{name}")
    return value


def _count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < 2**31 or value % 1:
        raise InvalidInput(f"{name} must be a whole number from 1, not {shown(value)}", f"/{name}")
    if value > MOST[name]:
        raise LimitExceeded(f"at most {MOST[name]} {name} are allowed", MOST[name], f"/{name}")
    return int(value)


def _ask(value: Any, name: str) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{name} must say how many marks each of {', '.join(SECTIONS)} is worth", f"/{name}")
    for section, weight in value.items():
        pointer = f"/{name}/{pointer_part(str(section))}"
        if section not in SECTIONS:
            raise InvalidInput(f"ask has no {shown(section)}{near_miss(str(section), SECTIONS)}", pointer)
        if weight is not None and not _is_number(weight, 1e9):
            raise InvalidInput(f"marks are a finite number of at least 0, not {shown(weight)}", pointer)
    weights = {section: float(value.get(section) or 0) for section in SECTIONS}
    if not any(weights.values()):
        raise InvalidInput("nothing is asked: give marks to at least one of " + ", ".join(SECTIONS), f"/{name}")
    return {section: weight for section, weight in weights.items() if weight}


def _share(value: Any, name: str) -> float:
    if not _is_number(value, 1.0):
        raise InvalidInput(f"{name} must be a number from 0 to 1, not {shown(value)}", f"/{name}")
    return float(value)


def _is_number(value: Any, most: float) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value <= most


def _level(value: Any, name: str) -> str:
    if value not in FEEDBACK:
        hint = near_miss(value, FEEDBACK) if isinstance(value, str) else ""
        raise InvalidInput(f"feedback is one of {', '.join(FEEDBACK)}, not {shown(value)}{hint}", f"/{name}")
    return str(value)


def _codes(value: Any, name: str) -> list[str]:
    if not isinstance(value, list | tuple) or not value:
        raise InvalidInput("students must be a list of at least one name or code", f"/{name}")
    if len(value) > MOST[name]:
        raise LimitExceeded(f"at most {MOST[name]} students are allowed", MOST[name], f"/{name}")
    seen: set[str] = set()
    for place, code in enumerate(value):
        pointer = f"/{name}/{place}"
        if not isinstance(code, str) or not code.strip() or len(code) > CODE_CHARACTERS or not code.isprintable():
            raise InvalidInput(f"a student is a text of 1 to {CODE_CHARACTERS} printable characters", pointer)
        if code.strip() in seen:
            raise InvalidInput(f"{shown(code)} is listed twice", pointer)
        seen.add(code.strip())
    return [code.strip() for code in value]


_CHECKS: Mapping[str, Callable[[Any, str], Any]] = {
    "title": _text,
    "cases": _count,
    "steps": _count,
    "ask": _ask,
    "feedback": _level,
    "follow_through": _share,
    "attempts": _count,
    "students": _codes,
    "seed": _text,
}
