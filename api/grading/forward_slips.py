"""Slips of the forward pass: for each mistake the places in a graph where it can be made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np

from api.engine.graph import Node, Role
from api.engine.kernels import Value
from api.grading.edits import (
    Change,
    alone_and_together,
    as_node,
    as_ones,
    both_ways,
    edges_into,
    is_leaf,
    nothing,
    operations,
    place_of,
    reading,
    through,
    trained_places,
    weighted,
    with_others,
    without,
)
from api.grading.exercise import Exercise
from api.grading.numbers import columns_swapped, times
from api.grading.slip import Back, Forward, Slip, Values
from api.grading.working import Working

ACTIVATIONS = ("tanh", "sigmoid", "relu", "softplus", "sin", "cos", "exp", "log", "sqrt", "abs")
OTHERS = ("tanh", "sigmoid", "relu", "softplus")
"""Functions that are likely to be taken for one another."""
PAIRS = 15
Slips = Iterator[Slip]


def _as(exercise: Exercise, node: Node, operation: str, note: str = "") -> Slip:
    """A node with another operation, in both passes."""
    other = replace(node, op=operation)
    pulls = edges_into(exercise, node, through(other))
    return Slip(where=place_of(exercise, node), note=note, forward={node.index: as_node(other)}, backward=pulls)


def _terms(exercise: Exercise, biases: bool) -> Slips:
    for node in operations(exercise, "add", "subtract"):
        for place, operand in enumerate(node.operands):
            term = exercise.graph.nodes[operand]
            if len(set(node.operands)) < 2 or not is_leaf(exercise, node, place):
                continue
            if biases is (term.id in exercise.plan.biases):
                rule, pulls = without(exercise, node, place), {(node.index, place): nothing}
                note = term.id if ":" not in term.id else "one of them"
                yield Slip(where=place_of(exercise, node), note=note, forward={node.index: rule}, backward=pulls)


def bias_left_out(exercise: Exercise) -> Slips:
    """z = x·w in place of x·w + b."""
    for slip in alone_and_together(_terms(exercise, True)):
        yield from both_ways(slip)


def term_left_out(exercise: Exercise) -> Slips:
    """A sum without one of its terms."""
    for slip in _terms(exercise, False):
        yield from both_ways(slip)


def activation_skipped(exercise: Exercise) -> Slips:
    """h = z in place of h = f(z)."""
    nodes = operations(exercise, *ACTIVATIONS, "softmax")
    for slip in alone_and_together(_as(exercise, node, "identity", str(node.op)) for node in nodes):
        yield from both_ways(slip)


def other_activation(exercise: Exercise) -> Slips:
    """h = g(z) in place of h = f(z)."""
    for other in OTHERS:
        nodes = [node for node in operations(exercise, *ACTIVATIONS) if node.op != other]
        for slip in alone_and_together(_as(exercise, node, other, other) for node in nodes):
            yield from both_ways(slip)


def softmax_not_normalised(exercise: Exercise) -> Slips:
    """eᶻ in place of eᶻ/Σeᶻ."""
    for node in operations(exercise, "softmax"):
        yield from both_ways(_as(exercise, node, "exp"))
        yield from both_ways(_as(exercise, node, "sigmoid"))


def softmax_over_rows(exercise: Exercise) -> Slips:
    """A softmax whose sum goes over the batch in place of the classes."""
    for node in operations(exercise, "softmax", "log_softmax"):
        if node.batched and exercise.rows > 1 and len(node.shape) == 1:
            for axis in (0, 1):  # of the largest, which is subtracted first
                rule = _over_rows(node.operands[0], node.op == "log_softmax", axis)
                yield Slip(where=place_of(exercise, node), forward={node.index: rule})


def _over_rows(operand: int, logarithm: bool, axis: int) -> Forward:
    def rule(_working: Working, values: Values) -> Value:
        low = values[operand] - values[operand].max(axis=axis, keepdims=True)
        total = np.exp(low).sum(axis=0, keepdims=True)
        return low - np.log(total) if logarithm else np.exp(low) / total

    return rule


def square_left_out(exercise: Exercise) -> Slips:
    """e in place of e²."""
    for node in operations(exercise, "square", "power"):
        yield from both_ways(_as(exercise, node, "identity"))


def sign_in_formula(exercise: Exercise) -> Slips:
    """a + b in place of a − b, or the reverse; a in place of −a."""
    for node in operations(exercise, "subtract", "add", "negative"):
        if node.op == "add" and (not is_leaf(exercise, node, 1) or len(set(node.operands)) < 2):
            continue
        other = {"subtract": "add", "add": "subtract", "negative": "identity"}[str(node.op)]
        yield from both_ways(_as(exercise, node, other))
    for node in operations(exercise, *OTHERS, "exp", "softmax"):
        turned = _negated(node.operands[0])

        def pull(back: Back, change: Change = turned) -> Value:
            return weighted(-1.0)(replace(back, values={**_known(back), **change(back.node, back.values)}))

        forward, pulls = {node.index: with_others(node, turned)}, edges_into(exercise, node, pull)
        yield from both_ways(Slip(where=place_of(exercise, node), forward=forward, backward=pulls))


def _negated(operand: int) -> Change:
    return lambda _node, values: {operand: times(values[operand], -1.0)}


def _known(back: Back) -> dict[int, Value]:
    return {index: back.values[index] for index in (*back.node.operands, back.node.index)}


def order_in_formula(exercise: Exercise) -> Slips:
    """b − a in place of a − b, b / a in place of a / b."""
    for node in operations(exercise, "subtract", "divide", "matmul"):
        turned = replace(node, operands=tuple(reversed(node.operands)))
        shapes = [exercise.graph.nodes[operand].shape for operand in node.operands]
        if node.op == "matmul" and (shapes[0] != shapes[1] or len(shapes[0]) < 2):
            continue

        def pull(back: Back, turned: Node = turned) -> Value:
            return back.go(node=turned, place=1 - back.place)

        pulls = edges_into(exercise, node, pull)
        yield from both_ways(
            Slip(where=place_of(exercise, node), forward={node.index: as_node(turned)}, backward=pulls)
        )


def other_operation(exercise: Exercise) -> Slips:
    """a · b in place of a / b, a + b in place of a · b, min in place of max."""
    others = {"divide": "multiply", "maximum": "minimum", "minimum": "maximum", "multiply": "add"}
    others |= {"mean": "sum", "sum": "mean", "max": "mean"}
    for node in operations(exercise, *others):
        if node.op in ("mean", "sum") and node.index in exercise.plan.of_loss:
            continue  # a reduction of the loss is another mistake
        yield from both_ways(_as(exercise, node, others[str(node.op)], others[str(node.op)]))


def factor_left_out(exercise: Exercise) -> Slips:
    """A product or quotient without one of its factors."""
    for node in operations(exercise, "multiply", "divide"):
        for place, operand in enumerate(node.operands):
            factor, at, other = exercise.graph.nodes[operand], (node.index, place), (node.index, 1 - place)
            plain = factor.op is None or factor.role is Role.MODEL
            if plain and (node.op == "multiply" or place == 1) and len(set(node.operands)) == 2:
                pulls = {at: nothing, other: reading(as_ones(operand))}
                yield from both_ways(
                    Slip(
                        where=place_of(exercise, node),
                        note=f"{factor.constant:g}" if factor.constant is not None else factor.id,
                        forward={node.index: with_others(node, as_ones(operand))},
                        backward={at: pull for at, pull in pulls.items() if at in trained_places(exercise, node)},
                    )
                )


def matrix_not_transposed(exercise: Exercise) -> Slips:
    """x·Wᵀ in place of x·W, where W is square; K in place of Kᵀ."""
    found: list[Slip] = []
    for node in operations(exercise, "matmul"):
        for operand in node.operands:
            factor = exercise.graph.nodes[operand]
            if square(factor):
                forward = {node.index: with_others(node, turning(operand))}
                pulls = edges_into(exercise, node, reading(turning(operand)))
                found.append(Slip(where=place_of(exercise, node), note=factor.id, forward=forward, backward=pulls))
    turned = [node for node in operations(exercise, "transpose") if square(node)]
    found += [_as(exercise, node, "identity", exercise.graph.nodes[node.operands[0]].id) for node in turned]
    for slip in alone_and_together(found):
        yield from both_ways(slip)


def square(node: Node) -> bool:
    """Whether it is a matrix of as many rows as columns."""
    return len(node.shape) == 2 and node.shape[0] == node.shape[1] > 1


def turning(operand: int) -> Change:
    """One operand transposed."""
    return lambda _node, values: {operand: np.swapaxes(values[operand], -1, -2)}


def inputs_swapped(exercise: Exercise) -> Slips:
    """x₂ for x₁ and x₁ for x₂, in single columns or in those of a vector."""
    graph, targets = exercise.graph, _targets(exercise)
    fed = [node for node in graph.nodes if node.role is Role.PLACEHOLDER and node.id not in targets]
    for first, second in list(combinations(fed, 2))[:PAIRS]:
        if first.shape == second.shape:
            names = f"{first.id} and {second.id}"
            yield Slip(note=names, forward={first.index: _input(second.id), second.index: _input(first.id)})
    for node in fed:
        if len(node.shape) == 1:
            for one, other in list(combinations(range(node.shape[0]), 2))[:PAIRS]:
                names = f"columns {one + 1} and {other + 1} of {node.id}"
                yield Slip(note=names, forward={node.index: _columns(node.id, one, other)})


def _columns(name: str, one: int, other: int) -> Forward:
    return lambda working, _values: columns_swapped(working.exercise.inputs[name], one, other)


def _input(name: str) -> Forward:
    return lambda working, _values: working.exercise.inputs[name]


def _targets(exercise: Exercise) -> set[str]:
    """The placeholders that only the loss reads."""
    nodes, loss = exercise.graph.nodes, exercise.graph.loss
    read: dict[int, set[int]] = {}
    for source, target in exercise.plan.edges:
        read.setdefault(source, set()).add(target)
    return {nodes[source].id for source, users in read.items() if users == {loss}}


def values_of_other(exercise: Exercise) -> Slips:
    """A formula worked out with another quantity of the same shape in place of one of its own."""
    graph, nodes = exercise.graph, exercise.graph.nodes
    named = [node for node in graph.named if node.index != graph.loss]
    count = 0
    for (source, target), edge in sorted(exercise.plan.edges.items(), key=lambda item: -item[0][1]):
        own = nodes[source]
        for other in named:
            alike = other.shape == own.shape and other.batched == own.batched
            if not alike or other.index in (source, target) or other.index > target or count >= 4 * PAIRS:
                continue
            if {own.role, other.role} == {Role.PARAMETER, Role.MODEL}:
                continue
            count += 1
            change = _instead(source, other.index)
            forward = {user: with_others(nodes[user], change) for user, _ in edge.uses}
            pulls = {
                (user, place): reading(change)
                for user, _ in edge.uses
                for _, place in trained_places(exercise, nodes[user])
            }
            slip = Slip(
                where=nodes[target].id, note=f"{other.id} in place of {own.id}", forward=forward, backward=pulls
            )
            yield from both_ways(slip)


def _instead(source: int, other: int) -> Change:
    def change(_node: Node, values: Values) -> dict[int, Value]:
        return {source: values[other]}

    return change
