"""Slips where predictions become one number: factors, reductions, rows, and another loss in its place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from api.engine import forward as evaluator
from api.engine.backward import backpropagate
from api.engine.builder import build
from api.engine.graph import Graph, Node, Role
from api.engine.kernels import Value
from api.engine.losses import LOSSES
from api.grading.edits import edges_into, made_of, operations, place_of, weighted
from api.grading.exercise import Exercise
from api.grading.numbers import elements, row_masked, shaped, times
from api.grading.slip import Back, Edges, Pull, Slip, Values
from api.grading.working import Working

Slips = Iterator[Slip]


def _loss(exercise: Exercise) -> Node:
    return exercise.graph.nodes[exercise.graph.loss]


def _at_loss(exercise: Exercise, pull: Pull) -> Slip:
    """A slip in what goes back from the loss."""
    return Slip(backward=edges_into(exercise, _loss(exercise), pull))


def _scaled(exercise: Exercise, factor: float, note: str = "") -> Slips:
    """The loss times a factor: in the forward pass, in both, and in the backward pass alone."""
    node = _loss(exercise)
    forward = {node.index: made_of(node, lambda value: times(value, factor))} if node.op else {}
    backward = replace(_at_loss(exercise, weighted(factor)), note=note)
    yield Slip(note=note, forward=forward)
    yield replace(backward, forward=forward)
    yield backward


def _outputs(exercise: Exercise) -> int:
    """Over how many outputs of one example the loss is a mean or a sum."""
    nodes = exercise.graph.nodes
    for index in exercise.plan.of_loss:
        node = nodes[index]
        if node.op in ("mean", "sum"):
            return max(1, math.prod(nodes[node.operands[0]].shape))
    return max(1, len(pairs(exercise)))


def _counts(exercise: Exercise) -> list[tuple[int, str]]:
    """The numbers that one could divide by."""
    rows, outputs = max(1, exercise.rows), _outputs(exercise)
    found = [(rows, "the rows"), (outputs, "the outputs"), (rows * outputs, "rows and outputs")]
    return [(count, what) for place, (count, what) in enumerate(found) if count > 1 and count not in
            [earlier for earlier, _ in found[:place]]]  # fmt: skip


def sum_for_mean(exercise: Exercise) -> Slips:
    """Σ in place of Σ/n."""
    if exercise.graph.reduction == "mean":
        for count, what in _counts(exercise):
            yield from _scaled(exercise, float(count), what)


def mean_for_sum(exercise: Exercise) -> Slips:
    """Σ/n in place of Σ."""
    if exercise.graph.reduction == "sum":
        for count, what in _counts(exercise):
            yield from _scaled(exercise, 1.0 / count, what)


def averaged_twice(exercise: Exercise) -> Slips:
    """Σ/n² in place of Σ/n."""
    if exercise.graph.reduction == "mean":
        for count, what in _counts(exercise):
            yield from _scaled(exercise, 1.0 / count, what)


def missing_factor_2(exercise: Exercise) -> Slips:
    """∂e²/∂e = e in place of 2e: of the loss, of a square somewhere; c·aᶜ⁻¹ without its c."""
    squares = operations(exercise, "square", "power")
    if any(node.index in exercise.plan.of_loss and node.op == "square" for node in squares):
        yield _at_loss(exercise, weighted(0.5))
    for node in squares:
        factor = 0.5 if node.op == "square" else 1.0 / (node.constant or 1.0)
        yield Slip(where=place_of(exercise, node), backward=edges_into(exercise, node, weighted(factor)))


def doubled_factor_2(exercise: Exercise) -> Slips:
    """4e in place of 2e, 2e in place of e."""
    yield _at_loss(exercise, weighted(2.0))
    for node in operations(exercise, "square"):
        yield Slip(where=place_of(exercise, node), backward=edges_into(exercise, node, weighted(2.0)))


def loss_halved(exercise: Exercise) -> Slips:
    """½e² in place of e²."""
    yield from list(_scaled(exercise, 0.5))[:2]


def loss_doubled(exercise: Exercise) -> Slips:
    """e² in place of ½e²."""
    yield from list(_scaled(exercise, 2.0))[:2]


def error_sign(exercise: Exercise) -> Slips:
    """Every gradient with the other sign."""
    yield _at_loss(exercise, weighted(-1.0))


def loss_sign(exercise: Exercise) -> Slips:
    """−L in place of L."""
    yield from list(_scaled(exercise, -1.0))[:2]


def root_taken(exercise: Exercise) -> Slips:
    """√L in place of L."""
    node = _loss(exercise)
    if node.op:
        yield Slip(forward={node.index: made_of(node, lambda value: shaped([abs(elements(value)[0]) ** 0.5], value))})


def last_example_only(exercise: Exercise) -> Slips:
    """A loss or gradients of the last row only, divided by n or not."""
    yield from _one_row(exercise, -1)


def first_example_only(exercise: Exercise) -> Slips:
    """The same of the first row."""
    yield from _one_row(exercise, 0)


def _one_row(exercise: Exercise, row: int) -> Slips:
    rows, node = exercise.graph.rows, _loss(exercise)
    if rows is None or exercise.rows < 2 or node.op not in ("mean_rows", "sum_rows"):
        return
    count = float(exercise.rows) if node.op == "mean_rows" else 1.0
    for factor in dict.fromkeys((count, 1.0)):

        def pull(back: Back, factor: float = factor) -> Value:
            return row_masked(back.go(), row, factor)

        def value(_working: Working, values: Values, factor: float = factor) -> Value:
            return shaped([elements(values[rows])[row] * factor / count], values[node.index])

        back_only = _at_loss(exercise, pull)
        yield back_only
        yield replace(back_only, forward={node.index: value})
        yield Slip(forward={node.index: value})


def pairs(exercise: Exercise) -> list[tuple[int, int]]:
    """The predictions and targets that the loss compares, as node indices; none if it is no plain comparison."""
    nodes, loss = exercise.graph.nodes, exercise.graph.loss
    sources = [source for source, target in exercise.plan.edges if target == loss]
    fed = [index for index in sources if nodes[index].role is Role.PLACEHOLDER]
    made = [index for index in sources if nodes[index].role is not Role.PLACEHOLDER]
    model = exercise.definition.document["model"]
    if model["kind"] != "expression" and exercise.definition.data is not None:
        made = [exercise.graph.index[name] for name in exercise.graph.outputs]
        order = {name: place for place, name in enumerate(exercise.definition.data.targets)}
        fed.sort(key=lambda index: order.get(nodes[index].id, 0))
    alike = len(fed) == len(made) and all(
        nodes[one].shape == nodes[other].shape and nodes[one].batched for one, other in zip(made, fed, strict=True)
    )
    plain = alike and all(nodes[index].role is Role.MODEL for index in made)
    return list(zip(made, fed, strict=True)) if plain else []


@lru_cache(maxsize=256)
def _compared(kind: str, shapes: tuple[tuple[int, ...], ...], reduction: str, delta: float) -> Graph | None:
    """The graph of a loss by itself, of predictions p0, p1, … and targets t0, t1, …"""
    row = LOSSES[kind]
    if row.targets == "classes" and (len(shapes) > 1 or math.prod(shapes[0]) < 2):
        return None
    fields = dict.fromkeys(row.fields, f"{delta:.17g}")
    shares = [row.formula.format(yhat=f"p{place}", y=f"t{place}", **fields) for place in range(len(shapes))]
    if shapes[0] and row.targets != "classes":
        shares = [f"{reduction}({share})" for share in shares]
    total = " + ".join(shares)
    source = f"L = ({total})/{len(shares)}" if reduction == "mean" else f"L = {total}"
    names = {f"{letter}{place}": shape for place, shape in enumerate(shapes) for letter in "pt"}
    return build(source, names, reduction=reduction)


def _other(exercise: Exercise, kind: str, turned: bool) -> Slips:
    """Another loss in place of the own one, or the own one with predictions and targets exchanged."""
    compared = pairs(exercise)
    nodes, loss = exercise.graph.nodes, exercise.graph.loss
    if not compared or exercise.graph.rows is None:
        return
    own = exercise.definition.document["loss"]
    graph = _compared(
        kind, tuple(nodes[one].shape for one, _ in compared), exercise.graph.reduction, own.get("delta", 1.0)
    )
    if graph is None:
        return
    letters = "tp" if turned else "pt"

    def fed(values: Values) -> list[Value]:
        inputs = {f"{letter}{place}": values[index] for place, pair in enumerate(compared)
                  for letter, index in zip(letters, pair, strict=True)}  # fmt: skip
        if graph.scalar:
            inputs = {name: list(elements(value)) for name, value in inputs.items()}
        return evaluator.forward(graph, {}, inputs)

    def value(_working: Working, values: Values) -> Value:
        return shaped(elements(fed(values)[graph.loss]), values[loss])

    def edges(working: Working) -> Edges:
        of = backpropagate(graph, fed(working.values)).of
        return {
            (one, loss): shaped(elements(of[graph.index[f"{letters[0]}{place}"]]), working.values[one])
            for place, (one, _) in enumerate(compared)
        }

    note = "" if turned else kind
    yield Slip(note=note, partials=edges)
    yield Slip(note=note, forward={loss: value}, partials=edges)
    yield Slip(note=note, forward={loss: value})


def other_loss(exercise: Exercise) -> Slips:
    """The value or the derivative of another loss."""
    own = exercise.definition.document["loss"].get("kind")
    for kind in LOSSES:
        if kind != own:
            yield from _other(exercise, kind, False)


def target_and_prediction_swapped(exercise: Exercise) -> Slips:
    """ℓ(y, ŷ) in place of ℓ(ŷ, y)."""
    own = exercise.definition.document["loss"].get("kind")
    if own is not None:
        yield from _other(exercise, own, True)
