"""The cases of one student: drawn by a seed after an assignment's session, with batches of distinct sizes.

A case is a starting point, parameters and the optimiser's state, and a batch for each of its steps. The first begins
with a new state, so that what is special about the first step is seen; the others with one that has a past.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from api.engine.draws import Draws
from api.engine.kernels import Value, kernels
from api.engine.losses import LOSSES
from api.grading.assignment import Assignment
from api.grading.exercise import Exercise
from api.grading.numbers import elements
from api.grading.working import Working
from api.training.data import Data
from api.training.definition import Definition
from api.training.feeding import fed
from api.training.snapshot import finite, slots_of, value_of

TRIES = 60
"""Draws of a case until one lies away from kinks and is finite."""
MARGIN = 0.02
"""How far from a kink a case must be."""
LARGEST = 1e6
"""Larger numbers than this are no exercise."""


@dataclass(frozen=True, eq=False)
class Case:
    """``number`` counts from 1; ``inputs`` has each placeholder's batch for each step, ``rows`` the same as rows of the
    data's columns; ``step`` is how many updates the optimiser's state has behind it."""

    number: int
    definition: Definition
    parameters: Mapping[str, Value]
    slots: Mapping[str, Mapping[str, Value]]
    inputs: tuple[Mapping[str, Value], ...]
    rows: tuple[list[list[float]], ...]
    step: int

    @property
    def label(self) -> str:
        """What a report calls it."""
        return f"case {self.number}"

    def exercise(
        self,
        step: int,
        parameters: Mapping[str, Value] | None = None,
        slots: Mapping[str, Mapping[str, Value]] | None = None,
        past: tuple[Mapping[str, Value], ...] = (),
    ) -> Exercise:
        """Its step number ``step`` (from 0), at these parameters and this state, or where the case begins."""
        definition, there = self.definition, self.step + step
        rates = {place: definition.rate(place, place + 1, None) for place in (there, there + 1, max(0, there - 1))}
        base = definition.optimizer.get("learning_rate", 1.0)
        return Exercise(
            definition,
            self.parameters if parameters is None else parameters,
            self.inputs[step],
            self.slots if slots is None else slots,
            rates[there],
            (base, *rates.values()) if definition.scheduled else (),
            past,
            self.step == 0 and len(past) == step,
        )


def drawn(assignment: Assignment, student: str, trial: int = 0, *, fresh: bool = False) -> tuple[Case, ...]:
    """The cases of ``student``; another ``trial`` gives others, ``fresh`` the same with new states of the optimiser."""
    text = f"{assignment.document['seed']}\0{student}\0{trial}".encode("utf-8", "surrogatepass")
    seed = int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
    sizes = list(_sizes(assignment))
    cases = (_case(assignment, number, size, seed) for number, size in enumerate(sizes, 1))
    new = slots_of(assignment.definition, {})
    return tuple(replace(case, slots=new, step=0) if fresh else case for case in cases)


def _sizes(assignment: Assignment) -> Iterator[int]:
    """The sizes of the batches: the session's own, and from there upwards such as neither a tensor's axis has nor is
    the factor in the derivative of a square."""
    definition = assignment.definition
    axes = {size for node in definition.graph.nodes for size in node.shape} | {2}
    size = definition.batch_size
    for number in range(assignment.cases):
        while number and size in axes:
            size += 1
        yield size
        size += 1


def _case(assignment: Assignment, number: int, size: int, seed: int) -> Case:
    """The first of some draws that is finite and away from kinks; the last one, if none is."""
    found: Case | None = None
    for attempt in range(TRIES):
        draws = Draws(seed, number, attempt)
        found = _draw(assignment, number, size, draws, fresh=attempt % 4 != 3)
        if _is_fit(assignment, found):
            break
    assert found is not None
    return found


def _draw(assignment: Assignment, number: int, size: int, draws: Draws, *, fresh: bool) -> Case:
    definition = assignment.definition
    digits = 1 if assignment.document["decimals"] is not None else 2
    parameters = _parameters(definition, draws, digits, fresh)
    batches = [_rows(definition, size, draws, digits) for _ in range(assignment.steps)]
    use = kernels(definition.graph)
    inputs = tuple({name: use.given(value) for name, value in _fed(definition, rows).items()} for rows in batches)
    step = 0 if number == 1 and assignment.cases > 1 else 1 + number % 3
    slots = slots_of(definition, {})
    rows = tuple(batch.tolist() if batch is not None else [] for batch in batches)
    case = Case(number, definition, parameters, slots, inputs, rows, 0)
    if not slots and not definition.scheduled:
        return case
    return replace(case, slots=_warmed(case, step, draws), step=step)


def _uniform(draws: Draws, low: float, high: float, digits: int) -> float:
    return round(low + (high - low) * draws.uniform(), digits)


def _parameters(definition: Definition, draws: Draws, digits: int, fresh: bool) -> dict[str, Value]:
    """Values well away from 0, wide layers smaller; or the session's own, each up to a third larger or smaller."""
    found: dict[str, Value] = {}
    for name, shape in definition.shapes.items():
        own = elements(value_of(definition.document["parameters"][name]))
        wide = math.sqrt(shape[0]) if len(shape) > 1 else 1.0
        numbers = []
        for value in own:
            if fresh or not value:
                size = _uniform(draws, 0.3, 1.2, 8) / max(1.0, wide / 1.5)
                numbers.append(round(size * (1 if draws.below(2) else -1), digits + 1) or 0.1)
            else:
                numbers.append(float(f"{value * _uniform(draws, 0.7, 1.3, 8):.3g}"))
        found[name] = np.array(numbers).reshape(shape) if shape else numbers[0]
    return found


def _rows(definition: Definition, size: int, draws: Draws, digits: int) -> np.ndarray | None:
    """A batch after the session's data: numbers within each column's range, classes and the like among its own."""
    data = definition.data
    if data is None:
        return None
    columns = [_column(definition, data, place, size, draws, digits) for place in range(len(data.columns))]
    return np.array(columns, dtype=np.float64).T.reshape(size, len(columns))


def _column(definition: Definition, data: Data, place: int, size: int, draws: Draws, digits: int) -> list[float]:
    name = data.columns[place]
    values = data.rows[:, place]
    few = sorted(set(values.tolist()))
    hot = any(feed.classes is not None and name in feed.columns for feed in definition.feeds.values())
    kind = definition.document["loss"].get("kind")
    named = kind is not None and LOSSES[kind].targets != "numbers"
    if hot or (name in data.targets and (named or len(few) <= 2)):
        few = sorted(set(data.given[:, place].tolist())) if hot else few
        return [few[draws.below(len(few))] for _ in range(size)]
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = min(low, -1.0), max(high, 1.0)
    digits += max(0, -math.floor(math.log10(high - low)))
    return [_uniform(draws, low, high, digits) or high for _ in range(size)]


def _fed(definition: Definition, rows: np.ndarray | None) -> dict[str, Any]:
    data = definition.data
    if data is None or rows is None:
        return {}
    here = replace(data, rows=rows, given=rows)
    return {name: fed(here, definition.feeds, name, range(len(rows))) for name in definition.graph.placeholders}


def _warmed(case: Case, steps: int, draws: Draws) -> Mapping[str, Mapping[str, Value]]:
    """The optimiser's state after some steps on gradients drawn for that, cut to six digits."""
    definition, slots = case.definition, case.slots
    for step in range(steps):
        gradients: dict[str, Value] = {}
        for name, shape in definition.shapes.items():
            count = math.prod(shape)
            numbers = [(_uniform(draws, 0.2, 1.5, 6)) * (1 if draws.below(2) else -1) for _ in range(count)]
            gradients[name] = np.array(numbers).reshape(shape) if shape else numbers[0]
        here = replace(case, step=step)
        working = Working(here.exercise(0, slots=slots))
        slots = working.stepped(definition.rule, working.exercise.fields, gradients, slots).slots
    return {slot: {name: _cut(value) for name, value in each.items()} for slot, each in slots.items()}


def _cut(value: Value) -> Value:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return np.array([float(f"{one:.6g}") for one in elements(value)]).reshape(np.shape(value))


def _is_fit(assignment: Assignment, case: Case) -> bool:
    """Whether every step is finite, of a size to be written down, and away from kinks."""
    parameters, slots = case.parameters, case.slots
    margin = max(MARGIN, 4 * 10.0 ** -(assignment.document["decimals"] or 9))
    for step in range(len(case.inputs)):
        working = Working(case.exercise(step, parameters, slots))
        numbers = [*working.values, *working.gradients.values(), *working.updated.values()]
        if not all(finite(np.asarray(value)) and max(map(abs, elements(value))) < LARGEST for value in numbers):
            return False
        if not _away_from_kinks(working, margin):
            return False
        parameters, slots = working.updated, working.step.slots
    return True


def _away_from_kinks(working: Working, margin: float) -> bool:
    for node in working.exercise.graph.nodes:
        operands = [np.asarray(working.values[operand]) for operand in node.operands]
        if node.op in ("relu", "abs", "maximum", "minimum"):
            gaps = operands[0] - (operands[1] if len(operands) > 1 else 0.0)
            if gaps.size and float(np.abs(gaps).min()) < margin:
                return False
    return True
