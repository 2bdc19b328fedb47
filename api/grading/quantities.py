"""What a quantity may be called: ``gradients.w1``, ``dL/dw1``, ``yhat``."""

from __future__ import annotations

import re

from api.engine.graph import Role
from api.engine.wording import near_miss, shown
from api.grading.compare import SECTIONS, Malformed
from api.grading.exercise import Exercise

_DERIVATIVE = re.compile(r"(?:d|∂)(\w+)\s*/\s*(?:d|∂)(\w+)")


def quantity_of(exercise: Exercise, text: str) -> tuple[str, str]:
    """The section and the name that a text calls; ``Malformed`` says what would do."""
    text = text.strip()
    section, dot, name = text.partition(".")
    if dot and section in SECTIONS:
        return section, _checked(exercise, section, name)
    derivative = _DERIVATIVE.fullmatch(text)
    if derivative:
        above, below = derivative.groups()
        if above == exercise.graph.nodes[exercise.graph.loss].id and below in exercise.names:
            return "gradients", below
        return "partials", _checked(exercise, "partials", f"{above}/{below}")
    index = exercise.graph.index.get(text)
    if index is not None and exercise.graph.nodes[index].role is Role.PARAMETER:
        raise Malformed(f"say which of {text} it is: gradients.{text} or updated.{text}")
    if "/" in text:
        return "partials", _checked(exercise, "partials", text)
    return "values", _checked(exercise, "values", text)


def names_of(exercise: Exercise, section: str) -> list[str]:
    """Every name that a section may have."""
    nodes = exercise.graph.nodes
    if section == "values":
        return [node.id for node in exercise.graph.named]
    if section == "partials":
        return [f"{nodes[target].id}/{nodes[source].id}" for source, target in exercise.plan.edges]
    return list(exercise.names)


def _checked(exercise: Exercise, section: str, name: str) -> str:
    known = names_of(exercise, section)
    if name not in known:
        raise Malformed(f"there is no {shown(f'{section}.{name}')}{near_miss(name, known)}")
    return name
