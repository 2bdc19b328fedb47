"""Slips in local derivatives and in how they are multiplied: where in a graph each can be made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from api.engine.graph import Node
from api.engine.kernels import Value
from api.grading.edits import (
    alone_and_together,
    by_own_value,
    each_alone,
    edges_into,
    joined,
    operations,
    place_of,
    reading,
    through,
    times_value,
    trained_places,
    twice,
    upstream_as,
    uses_of,
    weighted,
)
from api.grading.exercise import Exercise
from api.grading.forward_slips import ACTIVATIONS, OTHERS, square, turning
from api.grading.numbers import ones, positive, product, times
from api.grading.slip import Back, Pull, Slip

Slips = Iterator[Slip]
Gradients = dict[str, Value]
MASKS = ("relu", "abs", "maximum", "minimum")


def _at(exercise: Exercise, node: Node, pull: Pull, note: str = "") -> Slip:
    return Slip(where=place_of(exercise, node), note=note, backward=edges_into(exercise, node, pull))


def _each(exercise: Exercise, operations_: Sequence[str], pull: Callable[[Node], Pull], note: str = "") -> Slips:
    nodes = operations(exercise, *operations_)
    return alone_and_together(_at(exercise, node, pull(node), note or str(node.op)) for node in nodes)


# derivatives of functions


def derivative_skipped(exercise: Exercise) -> Slips:
    """∂h/∂z taken for 1."""
    yield from _each(exercise, (*ACTIVATIONS, "softmax"), lambda node: through(replace(node, op="identity")))


def derivative_twice(exercise: Exercise) -> Slips:
    """∂h/∂z multiplied in twice."""
    yield from _each(exercise, (*ACTIVATIONS, "softmax"), lambda _node: twice)


def derivative_of_other(exercise: Exercise) -> Slips:
    """The derivative of another function, of the same operand or by the formula that takes the result."""
    for other in OTHERS:
        of_others = [name for name in ACTIVATIONS if name != other]
        yield from _each(exercise, of_others, _of_operand(other), other)
        if other in ("tanh", "sigmoid"):
            yield from _each(exercise, of_others, _of_result(other), other)


def _of_result(other: str) -> Callable[[Node], Pull]:
    """Through another function, of whose formula only the result is needed."""
    return lambda node: through(replace(node, op=other))


def _of_operand(other: str) -> Callable[[Node], Pull]:
    """Through another function, whose result is worked out from the operand."""

    def of(own: Node) -> Pull:
        node = replace(own, op=other)

        def pull(back: Back) -> Value:
            exercise = back.working.exercise
            result = exercise.use.evaluate(exercise.graph, node, back.values)
            known = {index: back.values[index] for index in node.operands}
            return back.go(node=node, values=known | {node.index: result})

        return pull

    return of


def derivative_at_operand(exercise: Exercise) -> Slips:
    """1 − z² in place of 1 − tanh(z)²: the result's formula with the pre-activation put in."""
    yield from _each(
        exercise,
        ("tanh", "sigmoid", "exp", "sqrt", "softmax"),
        lambda node: reading(lambda _node, values: {node.index: values[node.operands[0]]}),
    )


def derivative_at_result(exercise: Exercise) -> Slips:
    """f′(h) in place of f′(z)."""
    yield from _each(exercise, ACTIVATIONS, _at_result)


def _at_result(node: Node) -> Pull:
    def pull(back: Back) -> Value:
        exercise = back.working.exercise
        once = {node.operands[0]: back.values[node.index]}
        again = exercise.use.evaluate(exercise.graph, node, once)  # type: ignore[arg-type]
        return back.go(values=once | {node.index: again})

    return pull


def mask_on_gradient(exercise: Exercise) -> Slips:
    """∂L/∂h where ∂L/∂h > 0, in place of where z > 0."""
    found = []
    for node in operations(exercise, "relu"):
        masked = through(replace(node, op="identity"))

        def pull(back: Back, masked: Pull = masked) -> Value:
            return masked(replace(back, upstream=product(back.upstream, positive(back.upstream))))

        found.append(_at(exercise, node, pull))
    yield from alone_and_together(found)


def mask_on_other_array(exercise: Exercise) -> Slips:
    """The mask of another array of the same shape."""
    nodes = exercise.graph.nodes
    for node in operations(exercise, *MASKS):
        own = nodes[node.operands[0]]
        alike = [
            one
            for one in nodes[: node.index + 6]
            if one.batched and one.shape == own.shape and one.index not in (own.index, node.index)
        ]
        for other in alike[-8:]:
            yield _at(exercise, node, _masked_by(own.index, other.index), other.id)


def _masked_by(own: int, other: int) -> Pull:
    def pull(back: Back) -> Value:
        known = {index: back.working.values[index] for index in (*back.node.operands, back.node.index)}
        return back.go(values=known | {own: back.working.values[other]})

    return pull


def mask_inverted(exercise: Exercise) -> Slips:
    """∂L/∂h where z < 0."""
    yield from _each(
        exercise,
        ("relu",),
        lambda node: reading(lambda _node, values: {node.operands[0]: times(values[node.operands[0]], -1.0)}),
    )


def softmax_diagonal(exercise: Exercise) -> Slips:
    """p(1 − p) in place of the whole Jacobian, or the sum in it left out."""

    def diagonal(node: Node) -> Pull:
        def pull(back: Back) -> Value:
            if not back.gathers:
                return None
            y = back.values[node.index]
            return back.upstream * (y * (1.0 - y) if node.op == "softmax" else 1.0 - np.exp(y))

        return pull

    def without_sum(node: Node) -> Pull:
        def pull(back: Back) -> Value:
            if not back.gathers:
                return None
            return back.upstream * (back.values[node.index] if node.op == "softmax" else 1.0)

        return pull

    yield from _each(exercise, ("softmax", "log_softmax"), diagonal)
    yield from _each(exercise, ("softmax", "log_softmax"), without_sum)


def softmax_skipped(exercise: Exercise) -> Slips:
    """z − y in place of softmax(z) − y."""

    def logits(node: Node) -> Pull:
        def pull(back: Back) -> Value:
            if not back.gathers:
                return None
            z, total = back.values[node.operands[0]], back.upstream.sum(axis=-1, keepdims=True)
            return back.upstream - z * total

        return pull

    yield from _each(exercise, ("log_softmax",), logits)


# products and quotients


def wrong_factor(exercise: Exercise) -> Slips:
    """∂(ab)/∂a taken for a."""
    for node in operations(exercise, "multiply"):
        if len(set(node.operands)) == 2:
            yield from each_alone(exercise, node, by_own_value)


def local_factor_left_out(exercise: Exercise) -> Slips:
    """∂(ab)/∂a taken for 1."""
    nodes = operations(exercise, "multiply", "divide")
    for node in nodes:
        yield from each_alone(exercise, node, through(replace(node, op="add")))
    if nodes:
        yield joined([_at(exercise, node, through(replace(node, op="add"))) for node in nodes], "everywhere")


def inner_sign(exercise: Exercise) -> Slips:
    """∂(a − b)/∂b, ∂(−a)/∂a, ∂cos/∂a or ∂(a/b)/∂b with the other sign."""
    for node in operations(exercise, "subtract", "negative", "cos", "divide", "sin"):
        places = [place for place in trained_places(exercise, node) if place[1] == 1 or len(node.operands) == 1]
        if places:
            yield Slip(where=place_of(exercise, node), backward=dict.fromkeys(places, weighted(-1.0)))


def quotient_rule(exercise: Exercise) -> Slips:
    """∂(a/b)/∂b taken for −a/b."""
    for node in operations(exercise, "divide"):
        places = [place for place in trained_places(exercise, node) if place[1] == 1]
        if places:
            yield Slip(where=place_of(exercise, node), backward=dict.fromkeys(places, times_value(node.operands[1])))


def power_rule(exercise: Exercise) -> Slips:
    """∂a²/∂a taken for 2a²."""
    for node in operations(exercise, "square", "power"):
        yield _at(exercise, node, times_value(node.operands[0]))


def upstream_left_out(exercise: Exercise) -> Slips:
    """∂L/∂w taken for ∂ŷ/∂w: the chain rule not begun."""
    uses = [(user, place) for name in exercise.names for user, place in uses_of(exercise, name)]
    for scale in dict.fromkeys((1.0, 1.0 / max(1, exercise.rows))):

        def unit(back: Back, scale: float = scale) -> Value:
            return times(ones(back.upstream), scale)

        yield Slip(backward=dict.fromkeys(uses, upstream_as(unit)))


def matrix_not_transposed_backward(exercise: Exercise) -> Slips:
    """g @ W in place of g @ Wᵀ, or gᵀ @ x in place of xᵀ @ g, where the matrix is square."""
    found = []
    for node in operations(exercise, "matmul"):
        for place, operand in enumerate(node.operands):
            other = node.operands[1 - place]
            at = (node.index, place)
            if square(exercise.graph.nodes[other]) and operand in exercise.graph.trained:
                pull = reading(turning(other))
                found.append(
                    Slip(where=place_of(exercise, node), note=exercise.graph.nodes[other].id, backward={at: pull})
                )
    yield from alone_and_together(found)
    turned = [name for name in exercise.names if square(exercise.node(name))]
    if turned:
        yield Slip(gradients=lambda _working, found: found | {name: found[name].T for name in turned})


# gathering


# rows


# frozen
