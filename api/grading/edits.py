"""The ways in which one node of a graph can be done wrongly: what the tables of slips are built from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from api.engine.graph import Node, Role
from api.engine.kernels import Value
from api.grading.exercise import Exercise
from api.grading.numbers import ones, product, times
from api.grading.slip import Back, Forward, Pull, Slip, Values
from api.grading.working import Working

SITES = 40
"""Places in one graph at which a slip is tried by itself."""

At = tuple[int, int]
Change = Callable[[Node, Values], Mapping[int, Value]]
"""Which values are taken for others at a node."""


def alone_and_together(slips: Iterable[Slip], everywhere: str = "everywhere") -> Iterator[Slip]:
    """Each slip by itself, and where there are several, all of them at once."""
    found = list(slips)
    yield from found[:SITES]
    if len(found) > 1:
        yield joined(found, everywhere)


def joined(slips: Iterable[Slip], where: str) -> Slip:
    """Several slips of one kind made at once."""
    found = list(slips)
    forward = {index: rule for slip in found for index, rule in slip.forward.items()}
    backward = {at: pull for slip in found for at, pull in slip.backward.items()}
    notes = {slip.note for slip in found}
    return Slip(where=where, note=notes.pop() if len(notes) == 1 else "", forward=forward, backward=backward)


def both_ways(slip: Slip) -> Iterator[Slip]:
    """A slip that was made in the forward pass alone, the same followed consistently by the backward pass, and one made
    where the backward pass works things out again for itself."""
    if slip.backward:
        yield replace(slip, backward={})
    yield slip
    yield Slip(where=slip.where, note=slip.note, reads=lambda working: working.right.again(slip).values)


def place_of(exercise: Exercise, node: Node) -> str:
    """The name of the quantity in whose formula a node stands."""
    return exercise.plan.home.get(node.index, node.id)


def operations(exercise: Exercise, *names: str) -> list[Node]:
    """The nodes of these operations, the ones nearest to the loss first."""
    return [node for node in reversed(exercise.graph.nodes) if node.op in names]


def is_leaf(exercise: Exercise, node: Node, place: int) -> bool:
    """Whether an operand of a sum is one of its terms, and not a part of the sum itself."""
    operand = exercise.graph.nodes[node.operands[place]]
    inside = operand.op in ("add", "subtract") and place_of(exercise, operand) == place_of(exercise, node)
    return not inside or operand.role is not Role.OPERATION


def trained_places(exercise: Exercise, node: Node) -> list[At]:
    """The operands through which a gradient can reach a parameter."""
    trained = exercise.graph.trained
    return [(node.index, place) for place, operand in enumerate(node.operands) if operand in trained]


# forward


def as_node(node: Node) -> Forward:
    """The value that another node in its place would have."""
    return lambda working, values: working.exercise.use.evaluate(working.exercise.graph, node, values)


def with_others(node: Node, change: Change) -> Forward:
    """The value where some operands are taken for others."""

    def rule(working: Working, values: Values) -> Value:
        known = {index: values[index] for index in node.operands} | dict(change(node, values))
        return working.exercise.use.evaluate(working.exercise.graph, node, known)  # type: ignore[arg-type]

    return rule


def without(exercise: Exercise, node: Node, place: int) -> Forward:
    """The value of a sum in which the term at ``place`` is taken for 0."""
    operand = node.operands[place]
    zero = exercise.use.zero(exercise.graph.nodes[operand], exercise.rows)
    return with_others(node, lambda _node, _values: {operand: zero})


def as_ones(operand: int) -> Change:
    """A factor taken for 1."""
    return lambda _node, values: {operand: ones(values[operand])}


def made_of(node: Node, change: Callable[[Value], Value]) -> Forward:
    """The right value, changed."""
    return lambda working, values: change(as_node(node)(working, values))


# backward


def right(back: Back) -> Value:
    """As it should be."""
    return back.go()


def through(node: Node) -> Pull:
    """What goes back through another node in this one's place."""
    return lambda back: back.go(node=node)


def weighted(factor: float) -> Pull:
    """What should go back, times ``factor``."""

    def pull(back: Back) -> Value:
        share = back.go()
        return None if share is None else times(share, factor)

    return pull


nothing = weighted(0.0)


def reading(change: Change) -> Pull:
    """What goes back where some values are taken for others."""

    def pull(back: Back) -> Value:
        node, values = back.node, back.values
        return back.go(
            values={index: values[index] for index in (*node.operands, node.index)} | dict(change(node, values))
        )

    return pull


def upstream_as(change: Callable[[Back], Value]) -> Pull:
    """What goes back of another ∂L/∂node."""
    return lambda back: back.go(upstream=change(back))


def twice(back: Back) -> Value:
    """The derivative of a function of one operand, multiplied in twice."""
    share = back.go()
    return None if share is None else back.go(upstream=share)


def by_own_value(back: Back) -> Value:
    """The partial of a product taken for the factor itself instead of the other one."""
    own = back.node.operands[back.place]
    return back.go(node=replace(back.node, operands=(own, own)))


def times_value(index: int) -> Pull:
    """What should go back, times the value of a node."""

    def pull(back: Back) -> Value:
        share = back.go()
        return None if share is None else product(share, back.values[index])

    return pull


def each_alone(exercise: Exercise, node: Node, pull: Pull, note: str = "") -> Iterator[Slip]:
    """The slip at each single operand through which a gradient can reach a parameter."""
    for at in trained_places(exercise, node):
        yield Slip(where=place_of(exercise, node), note=note, backward={at: pull})


def edges_into(exercise: Exercise, node: Node, pull: Pull) -> dict[At, Pull]:
    """The same slip for each operand through which a gradient can reach a parameter."""
    return dict.fromkeys(trained_places(exercise, node), pull)


def uses_of(exercise: Exercise, name: str) -> tuple[At, ...]:
    """Where a parameter goes in."""
    return exercise.plan.uses.get(exercise.graph.index[name], ())
