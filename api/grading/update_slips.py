"""Slips of the update: the rate, the direction, what is updated, weight decay, clipping."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

from api.engine import descent
from api.engine.kernels import Value
from api.engine.rules import Line
from api.grading.exercise import Exercise
from api.grading.forward_slips import PAIRS
from api.grading.numbers import combined, times
from api.grading.slip import Slip
from api.grading.steps import rule_of_lines, stepping, with_field
from api.grading.working import Working

Slips = Iterator[Slip]
Change = Callable[[str], str]
_DECAYS = ("beta1", "beta2", "momentum", "rho")
_COUNTED = "t"


# the rate, and which way


def rate_missing(exercise: Exercise) -> Slips:
    """w − g in place of w − αg."""
    yield from with_field(exercise, lambda _: 1.0, "learning_rate")


def rate_squared(exercise: Exercise) -> Slips:
    """α² in place of α."""
    yield from with_field(exercise, lambda rate: rate * rate, "learning_rate")


def rate_divided(exercise: Exercise) -> Slips:
    """α/n in place of α, though the loss has its 1/n."""
    if exercise.rows > 1:
        yield from with_field(exercise, lambda rate: rate / exercise.rows, "learning_rate")


def rate_multiplied(exercise: Exercise) -> Slips:
    """αn in place of α."""
    if exercise.rows > 1:
        yield from with_field(exercise, lambda rate: rate * exercise.rows, "learning_rate")


def other_rate(exercise: Exercise) -> Slips:
    """The base rate, or the rate of the step before or after, in place of the schedule's present one."""
    for rate in dict.fromkeys(exercise.rates):
        if rate != exercise.rate and "learning_rate" in exercise.fields:
            yield stepping(exercise, fields={**exercise.fields, "learning_rate": rate})


def ascent(exercise: Exercise) -> Slips:
    """w + αg in place of w − αg."""
    yield Slip(update=lambda working: _from_before(working, -1.0))
    yield stepping(exercise, gradients=lambda working: {name: times(g, -1.0) for name, g in working.gone_on.items()})


def _from_before(working: Working, factor: float) -> dict[str, Value]:
    """The step taken ``factor`` times."""
    before, after = working.exercise.parameters, working.step.after
    return {name: combined(before[name], combined(after[name], before[name], -1.0), factor) for name in after}


def step_alone(exercise: Exercise) -> Slips:
    """The change of the parameter in place of its new value."""
    before = exercise.parameters
    yield Slip(
        update=lambda working: {name: combined(value, before[name], -1.0) for name, value in working.step.after.items()}
    )
    yield Slip(
        update=lambda working: {name: combined(before[name], value, -1.0) for name, value in working.step.after.items()}
    )


def updated_twice(exercise: Exercise) -> Slips:
    """Two steps with one gradient."""
    yield Slip(update=lambda working: working.stepped(
        exercise.rule, exercise.fields, working.gone_on, working.step.slots, working.step.after).after)  # fmt: skip


# what is updated


def _unchanged(exercise: Exercise, names: Sequence[str]) -> Slips:
    if names:
        kept = {name: exercise.parameters[name] for name in names}
        yield Slip(update=lambda working: {**working.step.after, **kept})


def not_updated(exercise: Exercise) -> Slips:
    """w as it was."""
    yield from _unchanged(exercise, exercise.names)


def bias_not_updated(exercise: Exercise) -> Slips:
    """b as it was."""
    yield from _unchanged(exercise, exercise.plan.biases)


def only_last_layer_updated(exercise: Exercise) -> Slips:
    """The parameters further from the loss as they were."""
    levels = exercise.plan.levels
    yield from _unchanged(exercise, [name for name in exercise.names if levels[name] > min(levels.values())])


def one_after_another(exercise: Exercise) -> Slips:
    """Each gradient worked out with the parameters before it already updated."""
    if len(exercise.names) > 6:
        return
    for names in (exercise.names, exercise.names[::-1]):

        def update(working: Working, names: Sequence[str] = names) -> Mapping[str, Value]:
            now = dict(exercise.parameters)
            for name in names:
                gradients = working.gradients_at(now)
                now[name] = working.stepped(exercise.rule, exercise.fields, gradients, exercise.slots).after[name]
            return now

        yield Slip(update=update)


def step_of_other(exercise: Exercise) -> Slips:
    """One parameter's step made with another's gradient."""
    for one, other in list(combinations(exercise.names, 2))[:PAIRS]:
        if exercise.node(one).shape == exercise.node(other).shape:

            def exchanged(working: Working, one: str = one, other: str = other) -> Mapping[str, Value]:
                found = working.gone_on
                return {**found, one: found[other], other: found[one]}

            yield stepping(exercise, gradients=exchanged, note=f"{one} and {other}")


# momentum and moments


# weight decay, clipping


def weight_decay_missing(exercise: Exercise) -> Slips:
    """No weight decay."""
    yield from with_field(exercise, lambda _: 0.0, "weight_decay")


def weight_decay_sign(exercise: Exercise) -> Slips:
    """Weights that grow in place of weights that decay."""
    yield from with_field(exercise, lambda decay: -decay, "weight_decay")


def weight_decay_doubled(exercise: Exercise) -> Slips:
    """2λw in place of λw, or the reverse."""
    yield from with_field(exercise, lambda decay: 2.0 * decay, "weight_decay")
    yield from with_field(exercise, lambda decay: 0.5 * decay, "weight_decay")


def weight_decay_moved(exercise: Exercise) -> Slips:
    """λw in the gradient in place of in the weight, or the reverse; or without the learning rate."""
    lines = exercise.rule.lines
    for place, line in enumerate(lines):
        if "weight_decay" in line.formula:
            coupled = Line("g", "g + weight_decay*w")
            apart = Line("w", "w - learning_rate*weight_decay*w")
            for other in (coupled, apart, Line("w", "w - weight_decay*w")):
                if other != line:
                    yield stepping(
                        exercise, rule=rule_of_lines((*lines[:place], other, *lines[place + 1 :]), exercise.rule)
                    )


def clip_missing(exercise: Exercise) -> Slips:
    """Gradients that are not clipped."""
    optimizer = exercise.definition.optimizer
    if "clip" in optimizer:
        plain = descent.rule({name: value for name, value in optimizer.items() if name != "clip"})
        yield stepping(exercise, rule=plain)


def clip_each(exercise: Exercise) -> Slips:
    """Each parameter's gradient clipped by its own norm in place of the norm of all; or by value in place of norm."""
    clip = exercise.definition.optimizer.get("clip", {})
    if not clip:
        return

    def each(working: Working) -> Mapping[str, Value]:
        found: dict[str, Value] = {}
        for name in exercise.names:
            slots = {slot: {name: values[name]} for slot, values in exercise.slots.items()}
            before, gradient = {name: exercise.parameters[name]}, {name: working.gone_on[name]}
            found |= working.stepped(exercise.rule, exercise.fields, gradient, slots, before).after
        return found

    if "norm" in clip and not exercise.rule.looks_ahead:
        yield Slip(update=each)
    other, bound = ("value", clip["norm"]) if "norm" in clip else ("norm", clip["value"])
    turned = descent.rule({**exercise.definition.optimizer, "clip": {other: bound}})
    yield stepping(exercise, rule=turned, fields={**exercise.fields, descent.CLIPS[other]: bound})


# another rule
