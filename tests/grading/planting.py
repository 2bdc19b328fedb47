"""Exercises to plant mistakes in, and the sheets of answers of whoever makes them."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from api.grading.compare import check
from api.grading.diagnosis import Diagnosis
from api.grading.exercise import Exercise
from api.grading.reference import reference_of
from api.grading.working import Working
from api.training.definition import define
from api.training.session import Session

Json = dict[str, Any]


def exercise(body: Json, steps: int = 1, seed: int = 0) -> Exercise:
    """The step after ``steps`` of a session with parameters that are all well away from 0."""
    draws = random.Random(seed)
    shapes = define(body).shapes
    parameters = {name: _drawn(draws, shape) for name, shape in shapes.items()}
    session = Session.start(define({**body, "parameters": parameters}))
    for _ in range(steps):
        session = session.forward().backward().update()
    return Exercise.of(session.forward().backward())


def _drawn(draws: random.Random, shape: tuple[int, ...]) -> Any:
    if not shape:
        return draws.choice((-1, 1)) * draws.uniform(0.2, 1)
    return [_drawn(draws, shape[1:]) for _ in range(shape[0])]


def plain(value: Any, decimals: int | None = None) -> Any:
    """Numbers as JSON has them."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list):
        return [plain(one, decimals) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value if decimals is None else round(value, decimals)


def sheet(working: Working, sections: str = "vgu", decimals: int | None = None) -> Json:
    """What somebody hands in who works like this: outputs and loss, gradients, the parameters after the update."""
    graph = working.exercise.graph
    names = [*graph.outputs, graph.nodes[graph.loss].id]
    parts: dict[str, Mapping[str, Any]] = {}
    if "v" in sections:
        parts["values"] = {name: working.values[graph.index[name]] for name in names}
    if "g" in sections:
        parts["gradients"] = working.gradients
    if "u" in sections:
        parts["updated"] = working.updated
    answers: Json = {
        part: {name: plain(value, decimals) for name, value in each.items()} for part, each in parts.items()
    }
    return answers if decimals is None else {**answers, "decimals": decimals}


def checked(diagnosis: Diagnosis, answers: Json) -> Json:
    """The verdicts."""
    found = check(reference_of(diagnosis), answers)
    assert isinstance(found, dict)
    return found


def first_wrong(found: Json) -> Json:
    """The first quantity that is not right."""
    quantity: Json = next(one for one in found["quantities"] if one["verdict"] != "right")
    assert quantity["quantity"] == found["first_wrong"]
    return quantity


def codes(quantity: Json) -> list[str]:
    """The mistakes named for a quantity, the best first."""
    mistake = quantity["mistake"]
    return [] if mistake is None else [mistake["code"], *(one["code"] for one in mistake["also"])]
