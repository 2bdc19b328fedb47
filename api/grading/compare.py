"""Answers by hand or by program, compared with a reference trace: what is right, what is wrong first, and why.

A quantity is named ``section.name``: ``values.yhat``, ``partials.yhat/w1`` (target/source), ``gradients.w1``,
``updated.w1``. Verdicts: ``right``; ``wrong``, with the mistake where it is known; ``follow_through`` (the right rule
on one's own wrong numbers before it); ``missing`` (given as null); ``malformed`` (no such quantity, not numbers, or
numbers of another shape).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.engine.errors import FieldError, InvalidInput
from api.engine.wording import near_miss, pointer_part, shown
from api.grading.closeness import Closeness
from api.grading.diagnosis import Diagnosis, Item
from api.grading.shapes import misshapen

RTOL = 1e-6
ATOL = 1e-8
ALL_DECIMALS = range(16)
STUDENT_CHARACTERS = 200

SECTIONS = ("values", "partials", "gradients", "updated")  # the order of judging
FIELDS = (*SECTIONS, "rtol", "atol", "decimals", "student")
NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

Answers = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reference:
    """The right numbers of one step, each section in the order in which it is judged.

    ``values`` by node id in graph order, ``partials`` by ``target/source``, ``gradients`` and ``updated`` by parameter.
    A number is a float, an array or a nested list; None where there is none to compare with (the partial of a matrix
    product). With a ``diagnosis``, what is wrong is followed up.
    """

    values: Mapping[str, Any]
    partials: Mapping[str, Any]
    gradients: Mapping[str, Any]
    updated: Mapping[str, Any]
    diagnosis: Diagnosis | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """A number or a rectangular nested list of them, as its shape and its elements in row-major order."""

    shape: tuple[int, ...]
    elements: tuple[float, ...]


class Malformed(Exception):
    """An answer that cannot be compared; ``str()`` says why. Caught here, it becomes a verdict."""


def check(reference: Reference, answers: Answers | list[Answers]) -> dict[str, Any] | list[dict[str, Any]]:
    """The verdicts on one set of answers, or, for a list of them, a list of verdicts with the ``student`` of each.

    ``answers`` holds any part of ``values``, ``partials``, ``gradients``, ``updated``; only what is given is judged. An
    element is right if ``|given − expected| ≤ atol + rtol·|expected|``, or, with ``decimals``, ``≤ 10^-decimals``; a
    quantity is, if each element is. A single number may be given with or without brackets, and non-finite ones as
    ``"NaN"``, ``"Infinity"``, ``"-Infinity"``.

    ``score`` is the share of right quantities among those given, null ones included, and 0 if nothing is given;
    ``first_wrong`` the first that is not right, or None. ``InvalidInput`` points below ``/answers``.
    """
    if isinstance(answers, list):
        return [
            {"student": _dict(one, f"/answers/{place}").get("student"), **_judged(reference, one, f"/answers/{place}")}
            for place, one in enumerate(answers)
        ]
    student = _dict(answers, "/answers").get("student")
    named = {} if student is None else {"student": student}
    return named | _judged(reference, answers, "/answers")


def _judged(reference: Reference, answers: Answers, pointer: str) -> dict[str, Any]:
    validate(answers, pointer)
    closeness = closeness_of(answers, pointer)
    quantities: list[dict[str, Any]] = []
    items: list[tuple[dict[str, Any], Item]] = []
    for section in SECTIONS:
        given = answers.get(section) or {}
        expected: Mapping[str, Any] = getattr(reference, section)
        for name in _in_order(given, expected):
            quantity, item = _quantity(reference, section, name, given[name], closeness)
            quantities.append(quantity)
            if item is not None:
                items.append((quantity, item))
    if reference.diagnosis is not None and any(item.verdict == "wrong" for _, item in items):
        reference.diagnosis.explain([item for _, item in items], closeness)
        for quantity, item in items:
            _tell(quantity, item)
    right = sum(quantity["verdict"] == "right" for quantity in quantities)
    return {
        "correct": 0 < right == len(quantities),
        "score": right / len(quantities) if quantities else 0.0,
        "first_wrong": next((one["quantity"] for one in quantities if one["verdict"] != "right"), None),
        "quantities": quantities,
    }


def _quantity(
    reference: Reference, section: str, name: str, given: Any, closeness: Closeness
) -> tuple[dict[str, Any], Item | None]:
    """The verdict on one quantity, and the quantity as an item to be followed up, if its numbers can be compared."""
    expected: Mapping[str, Any] = getattr(reference, section)
    verdict, detail, echo, wanted, item, mistake = "right", None, given, expected.get(name), None, None
    try:
        if wanted is None:
            raise Malformed(_unknown(section, name, expected))
        right = flat(wanted)
        if given is None:
            verdict = "missing"
        else:
            numbers = flat(given)
            mistake = _misshapen(reference, section, name, numbers, right, closeness)
            _must_fit(numbers, right)
            verdict = "right" if closeness.agree(numbers.elements, right.elements) else "wrong"
            item = Item(section, name, numbers.elements, right.elements, verdict)
    except Malformed as reason:
        verdict, detail, echo = "malformed", str(reason), _echo(given)
    return {
        "quantity": f"{section}.{name if name in expected else _short(name)}",
        "verdict": verdict,
        "given": echo,
        "expected": wanted.tolist() if isinstance(wanted, np.ndarray) else wanted,
        "mistake": mistake,
        "detail": detail,
    }, item


def _misshapen(
    reference: Reference, section: str, name: str, given: Numbers, right: Numbers, closeness: Closeness
) -> dict[str, Any] | None:
    """The mistake that numbers of the wrong shape give away."""
    if reference.diagnosis is None or fits(given, right):
        return None
    exercise = reference.diagnosis.exercise
    bias = section == "gradients" and name in exercise.plan.biases
    found = misshapen(given.elements, given.shape, right.elements, right.shape, exercise.rows, bias, closeness)
    return found.document() if found else None


def _tell(quantity: dict[str, Any], item: Item) -> None:
    """Put what was found out about an item into its quantity."""
    quantity["verdict"] = item.verdict
    if item.verdict == "follow_through":
        quantity["detail"] = "right from your own numbers before it"
    elif item.verdict == "right" and item.single:
        quantity["detail"] = "right within single precision"
    if item.named is not None:
        quantity["mistake"] = item.named.document | {"also": [one.document for one in item.also]}


def flat(value: Any) -> Numbers:
    """A number, array or nested list as its shape and elements; ``Malformed`` if ragged or not made of numbers."""
    level: list[Any] = [value.tolist() if isinstance(value, np.ndarray) else value]
    shape: list[int] = []
    while any(isinstance(item, list) for item in level):
        lengths = {len(item) if isinstance(item, list) else -1 for item in level}
        if len(lengths) > 1:
            raise Malformed("the list is ragged: its parts have different lengths")
        shape.append(lengths.pop())
        level = [item for part in level for item in part]
    return Numbers(tuple(shape), tuple(map(_number, level)))


def _number(value: Any) -> float:
    if isinstance(value, str) and value in NON_FINITE:
        return NON_FINITE[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(f"{shown(value)} is not a number")
    try:
        return float(value)
    except OverflowError:
        raise Malformed(f"{shown(value)} is too large for a float64") from None


def fits(given: Numbers, expected: Numbers) -> bool:
    """Whether the shapes agree; a single number may have brackets."""
    single = len(given.elements) == len(expected.elements) == 1
    return given.shape == expected.shape or single


def _must_fit(given: Numbers, expected: Numbers) -> None:
    if not fits(given, expected):
        raise Malformed(f"{_shaped(given)} given, {_shaped(expected)} expected")


def _shaped(numbers: Numbers) -> str:
    return f"shape {shown(str(list(numbers.shape)))[1:-1]}" if numbers.shape else "a single number"


def _unknown(section: str, name: str, expected: Mapping[str, Any]) -> str:
    if name in expected:
        return f"{shown(name)} has no value to compare with: it is not taken element by element"
    if section == "partials":
        target, slash, source = name.partition("/")
        if f"{source}/{target}" in expected:
            return f"there is no partial {shown(name)}, did you mean {shown(f'{source}/{target}')} (target/source)?"
        if not slash:
            return f"there is no partial {shown(name)}; partials are named target/source{near_miss(name, expected)}"
    one = {"values": "node", "partials": "partial"}.get(section, "parameter")
    return f"there is no {one} {shown(name)}{near_miss(name, expected)}"


def closeness_of(answers: Answers, pointer: str) -> Closeness:
    """The tolerance that answers ask for. Raises ``InvalidInput`` below ``pointer``."""
    decimals = answers.get("decimals")
    if decimals is not None:
        for other in ("rtol", "atol"):
            if answers.get(other) is not None:
                raise InvalidInput(f"decimals and {other} exclude each other", f"{pointer}/decimals")
        if isinstance(decimals, bool) or not isinstance(decimals, int | float) or decimals not in ALL_DECIMALS:
            raise InvalidInput(
                f"decimals must be a whole number from 0 to {ALL_DECIMALS[-1]}, not {shown(decimals)}",
                f"{pointer}/decimals",
            )
        return Closeness(decimals=int(decimals))
    return Closeness(_tolerance(answers, "rtol", RTOL, pointer), _tolerance(answers, "atol", ATOL, pointer))


def _tolerance(answers: Answers, name: str, default: float, pointer: str) -> float:
    value = answers.get(name)
    if value is None:
        return default
    number = not isinstance(value, bool) and isinstance(value, int | float)
    if not number or not 0 <= value < 2**1023:  # an integer may be too large even to ask whether it is finite
        raise InvalidInput(f"{name} must be a finite number of at least 0, not {shown(value)}", f"{pointer}/{name}")
    return float(value)


def _in_order(given: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterable[str]:
    """The given names in the reference's order, the unknown ones behind."""
    yield from (name for name in expected if name in given)
    yield from (name for name in given if name not in expected)


def validate(answers: Answers, pointer: str) -> None:
    """Raises ``InvalidInput`` below ``pointer`` for what is no set of answers."""
    faults = [
        FieldError(f"{pointer}/{pointer_part(name)}", f"answers have no field {shown(name)}{near_miss(name, FIELDS)}")
        for name in answers
        if name not in FIELDS
    ]
    for section in SECTIONS:
        part = answers.get(section)
        if part is not None and not isinstance(part, dict):
            faults.append(FieldError(f"{pointer}/{section}", f"{section} must be an object of names and numbers"))
    student = answers.get("student")
    if student is not None and (not isinstance(student, str) or len(student) > STUDENT_CHARACTERS):
        faults.append(
            FieldError(f"{pointer}/student", f"student must be a text of at most {STUDENT_CHARACTERS} characters")
        )
    if faults:
        raise InvalidInput(faults[0].detail, errors=faults[:10])


def _dict(answers: Any, pointer: str) -> Answers:
    if not isinstance(answers, dict):
        raise InvalidInput(f"answers must be an object, or a list of them, not {shown(answers)}", pointer)
    return answers


def _short(name: str) -> str:
    clipped = name if len(name) <= 40 else name[:39] + "…"
    return clipped.encode("utf-8", "replace").decode()


def _echo(given: Any) -> Any:
    """What was given if it is made of numbers, otherwise a short text that shows it."""
    try:
        flat(given)
    except Malformed:
        return None if given is None else shown(given)
    return given
