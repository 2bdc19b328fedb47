"""A step worked out as a person or a program might: by the rules, with at most one slip, on numbers of one's own.

Without slip and own numbers it is the reference, from which every other working keeps whatever its slip does not
touch; ``working.values``, ``.partials``, ``.gradients`` and ``.updated`` are made when they are first looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from api.engine import forward as evaluator
from api.engine.backward import Gradients, backpropagate
from api.engine.graph import Node
from api.engine.kernels import Value
from api.engine.paths import named_partials
from api.engine.rules import Rule, Step
from api.grading.exercise import Exercise
from api.grading.slip import NOTHING, RIGHT, Back, Edges, How, Misfit, Own, Slip, Values


class Working:
    """An exercise worked out with ``slip`` on ``own`` numbers."""

    def __init__(
        self, exercise: Exercise, slip: Slip = RIGHT, own: Own = NOTHING, right: Working | None = None
    ) -> None:
        self.exercise = exercise
        self.slip = slip
        self.own = own
        self.right = right or self

    def again(self, slip: Slip = RIGHT, own: Own = NOTHING) -> Working:
        """The same exercise with another slip or other numbers."""
        return Working(self.exercise, slip, own, self.right)

    # forward

    @cached_property
    def values(self) -> Values:
        """Every node's value."""
        return self._forward[0]

    @cached_property
    def _forward(self) -> tuple[Values, frozenset[int], dict[int, Value]]:
        """Every node's value; which of them differ from the reference's; and, where one's own number stands in for it,
        what it would have been."""
        graph, use = self.exercise.graph, self.exercise.use
        if self.right is self:
            return evaluator.forward(graph, self.exercise.parameters, self.exercise.inputs), frozenset(), {}
        values, pinned, edits = list(self.right.values), self.own.values, self.slip.forward
        changed: set[int] = set()
        replaced: dict[int, Value] = {}
        for node in graph.nodes if pinned or edits else ():
            index = node.index
            if index in edits:
                value = edits[index](self, values)
            elif not changed.isdisjoint(node.operands):
                value = use.evaluate(graph, node, values)
            elif index not in pinned:
                continue
            else:
                value = values[index]
            if index in pinned:
                replaced[index], value = value, pinned[index]
            values[index] = value
            changed.add(index)
        return values, frozenset(changed), replaced

    # backward

    @cached_property
    def read(self) -> Values:
        """The values that backward looks at."""
        return self.values if self.slip.reads is None else self.slip.reads(self)

    def pull(self, node: Node, place: int, upstream: Value, how: How) -> Value:
        """What goes back through a node's operand, with the slip if it is there."""
        values, known = self.read, self._forward[2]
        if self.own.recomputed and node.index in known and node.op is not None:
            values = list(values)
            values[node.index] = known[node.index]
        edit = self.slip.backward.get((node.index, place))
        if edit is not None:
            return edit(Back(self, node, place, upstream, values, how))
        return how(self.exercise.graph, node, place, upstream, values)

    @cached_property
    def _edges(self) -> Edges:
        return {**self.own.partials, **(self.slip.partials(self) if self.slip.partials else {})}

    @cached_property
    def _stale(self) -> bool:
        """Whether backward has to be done again at all."""
        slip = self.slip
        return bool(
            self._forward[1]
            or slip.backward
            or slip.reads
            or slip.gather != "added"
            or slip.partials
            or self.own.partials
        )

    @cached_property
    def computed(self) -> Gradients:
        """∂L/∂node and the contributions to it."""
        exercise = self.exercise
        if self.right is self:
            return backpropagate(exercise.graph, self.values)
        return self._backpropagate() if self._stale else self.right.computed

    def _backpropagate(self) -> Gradients:
        """As in ``engine.backward``, but what the slip does not touch is taken from the reference."""
        exercise, slip = self.exercise, self.slip
        graph, use = exercise.graph, exercise.use
        changed, anew = self._forward[1], slip.reads is not None or slip.gather != "added"
        edges = self._edges
        instead = {use_: edge for edge in edges for use_ in exercise.plan.edges[edge].uses}
        before = self.right.computed
        gradients: dict[int, Value] = {graph.loss: use.constant(1.0)}
        contributions: dict[tuple[int, int], Value] = {}
        touched: set[int] = set()
        for node in reversed(graph.active):
            index = node.index
            above = gradients[index]
            for (source, target), partial in edges.items():
                if target == index:
                    self._gather(gradients, source, self._through(node, source, above, partial))
                    touched.add(source)
            stale = anew or index in touched or index in changed or not changed.isdisjoint(node.operands)
            for place, operand in enumerate(node.operands):
                at = (index, place)
                if at in instead:
                    gradients.setdefault(operand, use.zero(graph.nodes[operand], exercise.rows))
                    continue
                if stale or at in slip.backward:
                    share = self.pull(node, place, above, use.contribution)
                    touched.add(operand)
                else:
                    share = before.contributions[at]
                contributions[at] = share
                self._gather(gradients, operand, share)
        return Gradients(gradients, contributions)

    def _gather(self, gradients: dict[int, Value], operand: int, share: Value) -> None:
        if operand not in gradients or self.slip.gather == "last":
            gradients[operand] = share
        elif self.slip.gather == "added":
            gradients[operand] = self.exercise.use.added(gradients[operand], share)

    def _through(self, node: Node, source: int, above: Value, partial: Value) -> Value:
        """What a named quantity gets by a partial that is given."""
        use, graph = self.exercise.use, self.exercise.graph
        scaled = use.scaled(node, above, partial)
        if scaled is None:
            raise Misfit
        return use.collected(scaled, graph.nodes[source])

    @cached_property
    def partials(self) -> Mapping[tuple[int, int], Value]:
        """∂target/∂source between named quantities, by (source, target); None where it is not elementwise."""
        exercise = self.exercise
        graph, use = exercise.graph, exercise.use
        if self.right is self:
            return named_partials(graph, self.values)
        if not self._stale:
            return self.right.partials
        named = {node.index for node in graph.named}
        partials: dict[tuple[int, int], Value] = {}
        for target, inside in exercise.plan.formulas:
            gradients: dict[int, Value] = {target: use.constant(1.0)}
            for node in reversed(inside):
                for place, operand in enumerate(node.operands):
                    above = gradients[node.index]
                    share = None if above is None else self.pull(node, place, above, use.pulled)
                    if operand in named:
                        _add(self, partials, (operand, target), share)
                    else:
                        _add(self, gradients, operand, share)
        edges = {edge: value for edge, value in self._edges.items() if edge not in self.own.partials}
        return partials | edges

    @cached_property
    def gradients(self) -> Mapping[str, Value]:
        """∂L/∂parameter."""
        exercise, of = self.exercise, self.computed.of
        if self.right is not self and self.slip.gradients is None and self.computed is self.right.computed:
            return self.right.gradients
        nodes = [exercise.node(name) for name in exercise.names]
        found = {node.id: of[node.index] if node.index in of else exercise.use.zero(node, 0) for node in nodes}
        return found if self.slip.gradients is None else self.slip.gradients(self, found)

    @cached_property
    def gone_on(self) -> Mapping[str, Value]:
        """The gradients that the update starts from: one's own where there are any."""
        return {**self.gradients, **self.own.gradients} if self.own.gradients else self.gradients

    # update

    @cached_property
    def step(self) -> Step:
        """The optimiser's step by its right rule."""
        exercise = self.exercise
        if self.right is not self and self.gone_on is self.right.gradients:
            return self.right.step
        return self.stepped(exercise.rule, exercise.fields, self.gone_on, exercise.slots)

    def stepped(
        self,
        rule: Rule,
        fields: Mapping[str, Value],
        gradients: Mapping[str, Value],
        slots: Mapping[str, Mapping[str, Value]],
        before: Mapping[str, Value] | None = None,
    ) -> Step:
        """One step of any rule."""
        parameters = self.exercise.parameters if before is None else before
        return self.exercise.stepper(rule).step(fields, parameters, gradients, slots, self.gradients_at)

    def gradients_at(self, parameters: Mapping[str, Value]) -> Mapping[str, Value]:
        """The gradients where the parameters have other values, with the slip."""
        there = Working(self.exercise.at(parameters))
        return there.gradients if self.slip is RIGHT else there.again(self.slip).gradients

    @cached_property
    def updated(self) -> Mapping[str, Value]:
        """The parameters after the update."""
        return self.step.after if self.slip.update is None else self.slip.update(self)


def _add(working: Working, into: dict[Any, Value], place: Any, share: Value | None) -> None:
    if place not in into:
        into[place] = share
    else:
        old = into[place]
        into[place] = None if old is None or share is None else working.exercise.use.added(old, share)


def number(working: Working, section: str, name: str) -> Value:
    """A quantity as a working has it; None where there is none, or where its slip cannot be made."""
    graph = working.exercise.graph
    try:
        if section == "values":
            return working.values[graph.index[name]]
        if section == "partials":
            target, _, source = name.partition("/")
            return working.partials.get((graph.index[source], graph.index[target]))
        return (working.gradients if section == "gradients" else working.updated)[name]
    except (Misfit, ValueError, IndexError, ArithmeticError):
        return None


def asked(right: Working, section: str) -> list[str]:
    """The quantities of a section that an exercise asks for: outputs and loss, each elementwise partial, and all
    parameters' gradients and new values."""
    exercise = right.exercise
    nodes = exercise.graph.nodes
    if section == "values":
        return [*exercise.graph.outputs, nodes[exercise.graph.loss].id]
    if section == "partials":
        edges = [edge for edge, value in right.partials.items() if value is not None]
        return [f"{nodes[target].id}/{nodes[source].id}" for source, target in edges]
    return list(exercise.names)
