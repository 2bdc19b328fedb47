"""Slips in an optimiser's rule and state: momentum, moments, their correction, and another rule in its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from api.engine import descent
from api.engine.kernels import Value
from api.engine.optimizers import OPTIMIZERS
from api.engine.rules import Line, Rule, Slots
from api.grading.exercise import Exercise
from api.grading.numbers import combined
from api.grading.slip import Slip
from api.grading.steps import rule_of_lines, stepping, with_field
from api.grading.working import Working
from api.training.snapshot import slots_of, value_of

Slips = Iterator[Slip]
Change = Callable[[str], str]
_DECAYS = ("beta1", "beta2", "momentum", "rho")
_COUNTED = "t"


def _rewritten(exercise: Exercise, change: Change, only: str = "") -> Rule | None:
    """The rule with each formula (or that of one symbol) changed; None if that is the same rule."""
    lines = tuple(
        Line(line.symbol, change(line.formula)) if only in ("", line.symbol) else line for line in exercise.rule.lines
    )
    return None if lines == exercise.rule.lines else rule_of_lines(lines, exercise.rule)


def _rules(exercise: Exercise, *patterns: tuple[str, str]) -> Slips:
    """An update by the rule with each pattern replaced by itself, and with all of them."""
    found: list[Rule] = []
    for chosen in [*([one] for one in patterns), list(patterns)]:

        def change(formula: str, chosen: Sequence[tuple[str, str]] = chosen) -> str:
            for pattern, other in chosen:
                formula = re.sub(pattern, other, formula)
            return formula

        rule = _rewritten(exercise, change)
        if rule is not None and all(rule.lines != other.lines for other in found):
            found.append(rule)
            yield stepping(exercise, rule=rule)


def momentum_missing(exercise: Exercise) -> Slips:
    """The present gradient alone in place of the running average."""
    yield from with_field(exercise, lambda _: 0.0, *_DECAYS)
    for weight in (r"\(1 - {0}\)\*", ""):
        yield from _rules(exercise, *((rf"^{name}\*\w+ \+ " + weight.format(name), "") for name in _DECAYS))


def one_minus_beta_missing(exercise: Exercise) -> Slips:
    """βm + g in place of βm + (1 − β)g."""
    yield from _rules(exercise, *((rf"\(1 - {name}\)\*", "") for name in _DECAYS))


def one_minus_beta_added(exercise: Exercise) -> Slips:
    """μm + (1 − μ)g in place of μm + g."""
    yield from _rules(
        exercise,
        (r"momentum\*buf \+ (?:\(1 - dampening\)\*)?g", "momentum*buf + (1 - momentum)*g"),
        (r"momentum\*m - learning_rate\*g$", "momentum*m - (1 - momentum)*learning_rate*g"),
        (r"^v \+ g\*\*2$", "0.9*v + 0.1*g**2"),
    )


def weights_exchanged(exercise: Exercise) -> Slips:
    """(1 − β)m + βg in place of βm + (1 − β)g."""
    yield from with_field(exercise, lambda beta: 1.0 - beta, *_DECAYS)
    yield from _rules(
        exercise, *((rf"{name}\*(\w+) \+ \(1 - {name}\)\*", rf"(1 - {name})*\1 + {name}*") for name in _DECAYS)
    )


def betas_swapped(exercise: Exercise) -> Slips:
    """β₂ for β₁ and β₁ for β₂."""
    fields = exercise.fields
    if "beta2" in fields:
        yield stepping(exercise, fields={**fields, "beta1": fields["beta2"], "beta2": fields["beta1"]})


def no_bias_correction(exercise: Exercise) -> Slips:
    """m in place of m/(1 − β₁ᵗ), v in place of v/(1 − β₂ᵗ)."""
    yield from _rules(
        exercise,
        (r"/\(1 - (?:beta1\*\*t|P\*mu_next|P)\)|\(1 - beta1\*\*t\)\*", ""),
        (r"/\(1 - beta2\*\*t\)|\*sqrt\(1 - beta2\*\*t\)", ""),
        (r"sqrt\(1 - beta2\*\*t\)/", "1/"),
    )


def step_count_off(exercise: Exercise) -> Slips:
    """t counted from 0, or from 2."""
    if _COUNTED in exercise.rule.slots:
        for by in (-1.0, 1.0):
            counts = {name: combined(value, 1.0, by) for name, value in exercise.slots[_COUNTED].items()}
            yield stepping(exercise, slots={**exercise.slots, _COUNTED: counts})


def epsilon_inside(exercise: Exercise) -> Slips:
    """√(v + ε) in place of √v + ε."""
    yield from _rules(exercise, (r"\(sqrt\((\w+)\) \+ epsilon\)", r"sqrt(\1 + epsilon)"))


def epsilon_outside(exercise: Exercise) -> Slips:
    """√v + ε in place of √(v + ε)."""
    yield from _rules(exercise, (r"sqrt\((\w+) \+ epsilon\)", r"(sqrt(\1) + epsilon)"))


def epsilon_missing(exercise: Exercise) -> Slips:
    """No ε at all."""
    yield from with_field(exercise, lambda _: 0.0, "epsilon")


def square_missing(exercise: Exercise) -> Slips:
    """g in place of g² in the second moment."""
    yield from _rules(exercise, (r"\b([gd])\*\*2", r"\1"))


def root_missing(exercise: Exercise) -> Slips:
    """v in place of √v."""
    yield from _rules(exercise, (r"sqrt\((\w+(?: \+ epsilon)?)\)", r"(\1)"))


def maximum_missing(exercise: Exercise) -> Slips:
    """The present v in place of the largest so far."""
    yield from _rules(exercise, (r"^maximum\(.+?, (.+)\)$", r"\1"))


def stale_state(exercise: Exercise) -> Slips:
    """The step made with the state as it was before this gradient."""
    states = [slot for slot in exercise.rule.slots if slot != _COUNTED]
    for chosen in [*([slot] for slot in states), *([states] if len(states) > 1 else [])]:
        lines = exercise.rule.lines
        kept = [line for line in lines if line.symbol not in chosen]
        moved = [line for line in lines if line.symbol in chosen]
        yield stepping(exercise, rule=rule_of_lines((*kept, *moved), exercise.rule), note=" and ".join(chosen))


def state_not_kept(exercise: Exercise) -> Slips:
    """The state started anew for this step."""
    fresh = slots_of(exercise.definition, {})
    if fresh:
        yield stepping(exercise, slots=fresh)
        if _COUNTED in fresh:
            yield stepping(exercise, slots={**fresh, _COUNTED: exercise.slots[_COUNTED]})


def moments_stored_corrected(exercise: Exercise) -> Slips:
    """m̂ and v̂ kept as the next step's m and v."""
    symbols = [line.symbol for line in exercise.rule.lines]
    kept = {slot: f"{slot}hat" for slot in ("m", "v") if f"{slot}hat" in symbols and slot in exercise.rule.slots}
    if not kept or not exercise.past or not exercise.whole_past:
        return

    def update(working: Working) -> Mapping[str, Value]:
        slots: Any = slots_of(exercise.definition, {})
        for gradients in exercise.past:
            step = working.stepped(exercise.rule, exercise.fields, gradients, slots)
            slots = {
                slot: {name: step.terms[name][symbols.index(kept[slot])] for name in values} if slot in kept else values
                for slot, values in step.slots.items()
            }
        return working.stepped(exercise.rule, exercise.fields, working.gone_on, slots).after

    yield Slip(update=update)


def look_ahead_missing(exercise: Exercise) -> Slips:
    """Plain momentum in place of Nesterov's."""
    lines = exercise.rule.lines
    if exercise.rule.looks_ahead:
        kept = tuple(line for line in lines if line.symbol != "ahead" and line.together != "gradient")
        yield stepping(exercise, rule=rule_of_lines(kept, exercise.rule))
    yield from _rules(exercise, (r"^g \+ momentum\*buf$", "buf"), (r"w \+ momentum\*m - learning_rate\*g", "w + m"))


def other_optimizer(exercise: Exercise) -> Slips:
    """The rule of another optimiser, or of this one in another dialect, with the same numbers where it has them."""
    optimizer = exercise.definition.optimizer
    for kind, row in OPTIMIZERS.items():
        for dialect in row.dialects:
            rule = descent.rule_of(kind, dialect)
            if rule.lines != exercise.rule.lines:
                own = {name: value for name, value in optimizer.items() if name in row.dialects[dialect].defaults}
                numbers = descent.numbers({"kind": kind, "dialect": dialect, **own})
                fields = {**numbers, **({"learning_rate": exercise.rate} if "learning_rate" in numbers else {})}
                same = dialect == optimizer["dialect"]
                note = row.title if same else f"{row.title} as in {dialect}"
                yield stepping(exercise, rule=rule, fields=fields, slots=_state(exercise, rule), note=note)


def _state(exercise: Exercise, rule: Rule) -> Slots:
    """The state for another rule: the own where it has the same name and shape, else a new one."""
    shapes = exercise.definition.shapes

    def of(slot: str, name: str) -> Value:
        shape = () if slot in rule.single else shapes[name]
        kept = exercise.slots.get(slot, {}).get(name)
        return (
            kept if kept is not None and np.shape(kept) == shape else value_of(np.full(shape, rule.born(slot)).tolist())
        )

    return {slot: {name: of(slot, name) for name in exercise.names} for slot in rule.slots}
