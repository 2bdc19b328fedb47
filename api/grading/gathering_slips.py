"""Slips where contributions become gradients: paths, rows, biases, layers left out, steps mixed up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import numpy as np

from api.engine.kernels import Value
from api.grading.edits import (
    At,
    nothing,
    place_of,
    upstream_as,
    uses_of,
)
from api.grading.exercise import Exercise
from api.grading.forward_slips import PAIRS
from api.grading.numbers import averaged, combined, row_masked, times
from api.grading.slip import Back, Pull, Slip, Values
from api.grading.working import Working

Slips = Iterator[Slip]
Gradients = dict[str, Value]
WAYS = 60
"""Edges of a graph at which a missing contribution is looked for."""
MASKS = ("relu", "abs", "maximum", "minimum")


def path_missing(exercise: Exercise) -> Slips:
    """One of several contributions to a gradient left out."""
    nodes, plan = exercise.graph.nodes, exercise.plan
    for source, target, uses in _ways(exercise):
        if len(uses) < len(plan.uses[source]):
            yield Slip(where=nodes[source].id, note=nodes[target].id, backward=dict.fromkeys(uses, nothing))
    for index, visited in plan.uses.items():
        if index in exercise.graph.trained and len(visited) > 1:
            for use in visited[:8]:
                where, note = place_of(exercise, nodes[index]), place_of(exercise, nodes[use[0]])
                yield Slip(where=where, note=note, backward={use: nothing})


def way_cut(exercise: Exercise) -> Slips:
    """Nothing sent back from one quantity to another that feeds only it."""
    nodes, plan = exercise.graph.nodes, exercise.plan
    for source, target, uses in _ways(exercise):
        if len(uses) == len(plan.uses[source]) and target != exercise.graph.loss:
            yield Slip(where=nodes[source].id, note=nodes[target].id, backward=dict.fromkeys(uses, nothing))


def _ways(exercise: Exercise) -> Iterator[tuple[int, int, list[At]]]:
    """The edges between named quantities along which a gradient reaches a parameter, and where they go in."""
    found = 0
    for (source, target), edge in exercise.plan.edges.items():
        uses = [use for use in edge.uses if use in exercise.plan.uses.get(source, ())]
        if source in exercise.graph.trained and uses and found < WAYS:
            found += 1
            yield source, target, uses


def gradients_overwritten(exercise: Exercise) -> Slips:
    """= in place of +=: of several contributions the last counts, or the first."""
    if any(len(uses) > 1 for index, uses in exercise.plan.uses.items() if index in exercise.graph.trained):
        yield Slip(gather="last")
        yield Slip(gather="first")
    for last in (True, False):
        dropped: dict[At, Pull] = {}
        for name in exercise.names:
            uses = uses_of(exercise, name)
            homes = [exercise.plan.home[user] for user, _ in uses]
            kept = homes[-1] if last and homes else homes[0] if homes else ""
            dropped |= {use: nothing for use, home in zip(uses, homes, strict=True) if home != kept}
        if dropped:
            yield Slip(backward=dropped)
            if last and exercise.rows > 1:
                left = [use for use in _row_sums(exercise, exercise.names) if use not in dropped]
                alone = upstream_as(lambda back: row_masked(back.upstream, -1) if back.gathers else back.upstream)
                yield Slip(backward=dropped | dict.fromkeys(left, alone))


def gradients_not_zeroed(exercise: Exercise) -> Slips:
    """The gradients of the steps before still in the sum."""
    for past in dict.fromkeys((1, len(exercise.past))):
        if exercise.past and past:

            def added(_working: Working, found: Gradients, past: int = past) -> Gradients:
                for before in exercise.past[-past:]:
                    found = {name: combined(value, before[name]) for name, value in found.items()}
                return found

            yield Slip(gradients=added)


def updated_weight_in_backward(exercise: Exercise) -> Slips:
    """The backward pass of a layer on weights that have just been updated."""

    def reads(working: Working) -> Values:
        after = working.right.updated
        new = {exercise.graph.index[name]: exercise.use.given(after[name]) for name in exercise.names}
        return [new.get(index, value) for index, value in enumerate(working.values)]

    yield Slip(reads=reads)
    yield Slip(gradients=lambda working, _found: dict(Working(exercise.at(working.right.updated)).gradients))


def gradients_exchanged(exercise: Exercise) -> Slips:
    """One parameter's gradient given for another's."""
    shapes = {name: exercise.node(name).shape for name in exercise.names}
    for one, other in list(combinations(exercise.names, 2))[: 2 * PAIRS]:
        if shapes[one] == shapes[other]:
            yield Slip(note=f"{one} and {other}", gradients=_exchanged(one, other))


def _exchanged(one: str, other: str) -> Callable[[Working, Gradients], Gradients]:
    return lambda _working, found: found | {one: found[other], other: found[one]}


def _row_sums(exercise: Exercise, names: Sequence[str]) -> list[At]:
    """Where gradients of parameters are added up over the rows."""
    nodes = exercise.graph.nodes
    return [use for name in names for use in uses_of(exercise, name) if nodes[use[0]].batched]


def product_of_means(exercise: Exercise) -> Slips:
    """mean(∂L/∂ŷ) · mean(x) in place of mean(∂L/∂ŷ · x)."""
    if exercise.rows < 2:
        return

    def pull(back: Back) -> Value:
        if not back.gathers:
            return back.go()
        nodes = back.working.exercise.graph.nodes
        known = {
            index: averaged(back.values[index]) if nodes[index].batched else back.values[index]
            for index in (*back.node.operands, back.node.index)
        }
        return back.go(upstream=averaged(back.upstream), values=known)

    yield Slip(backward=dict.fromkeys(_row_sums(exercise, exercise.names), pull))


def bias_first_row(exercise: Exercise) -> Slips:
    """∂L/∂b of the first row in place of the sum over the rows."""
    yield from _bias_row(exercise, 0)


def bias_last_row(exercise: Exercise) -> Slips:
    """∂L/∂b of the last row."""
    yield from _bias_row(exercise, -1)


def _bias_row(exercise: Exercise, row: int) -> Slips:
    if exercise.rows < 2:
        return
    for factor in (1.0, float(exercise.rows)):

        def one(back: Back, factor: float = factor) -> Value:
            return row_masked(back.upstream, row, factor) if back.gathers else back.upstream

        for where, names in _each_bias(exercise):
            yield Slip(where=where, backward=dict.fromkeys(_row_sums(exercise, names), upstream_as(one)))


def _each_bias(exercise: Exercise) -> Iterator[tuple[str, Sequence[str]]]:
    """All biases together, and where there are several each by itself."""
    biases = exercise.plan.biases
    if biases:
        yield "", biases
    for name in biases if len(biases) > 1 else ():
        yield name, (name,)


def bias_averaged(exercise: Exercise) -> Slips:
    """The mean over the rows in place of their sum, where the loss has its 1/n already."""
    for where, names in _each_bias(exercise) if exercise.rows > 1 else ():
        yield Slip(where=where, gradients=_scaled(names, 1.0 / exercise.rows))


def _scaled(names: Sequence[str], factor: float) -> Callable[[Working, Gradients], Gradients]:
    return lambda _working, found: found | {name: times(found[name], factor) for name in names}


def bias_units_mixed(exercise: Exercise) -> Slips:
    """One sum over all units in place of one for each, or their mean."""
    wide = [name for name in exercise.plan.biases if math.prod(exercise.node(name).shape) > 1]
    for mean in (False, True):

        def mixed(_working: Working, found: Gradients, mean: bool = mean) -> Gradients:
            return found | {
                name: np.full_like(found[name], found[name].mean() if mean else found[name].sum()) for name in wide
            }

        if wide:
            yield Slip(gradients=mixed)


def bias_frozen(exercise: Exercise) -> Slips:
    """∂L/∂b = 0."""
    for where, names in _each_bias(exercise):
        yield Slip(where=where, gradients=_scaled(names, 0.0))


def only_last_layer(exercise: Exercise) -> Slips:
    """Gradients of 0 everywhere but in the layer next to the loss."""
    levels = exercise.plan.levels
    yield from _frozen([name for name in exercise.names if levels[name] > min(levels.values())])


def gradient_zero(exercise: Exercise) -> Slips:
    """Nothing goes back at all."""
    yield from _frozen(exercise.names)


def _frozen(names: Sequence[str]) -> Slips:
    if names:
        yield Slip(gradients=_scaled(names, 0.0))
