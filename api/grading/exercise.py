"""One training step as something to be worked out: what is given, and how its graph is made up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from api.engine.graph import Graph, Node, Role
from api.engine.kernels import Kernels, Value, kernels
from api.engine.paths import Edge, assignments, named_edges
from api.engine.rules import Rule, Stepper
from api.training.definition import Definition
from api.training.session import Session

Uses = tuple[tuple[int, int], ...]
_PLUS = ("add", "subtract")


@dataclass(frozen=True, eq=False)
class Plan:
    """What can be said of a graph without its numbers."""

    graph: Graph

    @cached_property
    def edges(self) -> dict[tuple[int, int], Edge]:
        """The edges between named quantities, by (source, target)."""
        return {(edge.source, edge.target): edge for edge in named_edges(self.graph)}

    @cached_property
    def formulas(self) -> list[tuple[int, list[Node]]]:
        """Each assigned quantity with its own operations."""
        return assignments(self.graph)

    @cached_property
    def home(self) -> dict[int, str]:
        """For each operation the name of the quantity whose formula it stands in."""
        nodes = self.graph.nodes
        return {node.index: nodes[target].id for target, inside in self.formulas for node in inside}

    @cached_property
    def uses(self) -> dict[int, Uses]:
        """For each node where it goes in on the way to the loss, in the order in which backward visits."""
        found: dict[int, list[tuple[int, int]]] = {}
        for node in reversed(self.graph.active):
            for place, operand in enumerate(node.operands):
                found.setdefault(operand, []).append((node.index, place))
        return {index: tuple(uses) for index, uses in found.items()}

    @cached_property
    def of_loss(self) -> frozenset[int]:
        """The operations of the loss's own formula."""
        return frozenset(node.index for target, inside in self.formulas if target == self.graph.loss for node in inside)

    @cached_property
    def biases(self) -> tuple[str, ...]:
        """Parameters that are only ever added to what has rows."""
        return tuple(name for name in self.graph.parameters if self._is_bias(self.graph.index[name]))

    def _is_bias(self, index: int) -> bool:
        nodes = self.graph.nodes
        uses = self.uses.get(index, ())
        return bool(uses) and all(
            nodes[user].op in _PLUS and nodes[user].batched and len(set(nodes[user].operands)) == 2 for user, _ in uses
        )

    @cached_property
    def levels(self) -> dict[str, int]:
        """For each parameter how many layers with parameters lie between it and the loss."""
        nodes, home = self.graph.nodes, self.home
        own: dict[str, set[int]] = {}
        for node in self.graph.nodes:
            if node.role is Role.PARAMETER:
                for user, _ in self.uses.get(node.index, ()):
                    own.setdefault(home[user], set()).add(node.index)
        depth: dict[int, int] = {self.graph.loss: 0}
        for (source, target), _ in sorted(self.edges.items(), key=lambda item: -item[0][1]):
            if target in depth:
                deeper = depth[target] + (nodes[target].id in own)
                depth[source] = max(depth.get(source, 0), deeper)
        return {name: depth.get(self.graph.index[name], 1) - 1 for name in self.graph.parameters}


@lru_cache(maxsize=512)
def plan(graph: Graph) -> Plan:
    """The plan of ``graph``, made once."""
    return Plan(graph)


@dataclass(frozen=True, eq=False)
class Exercise:
    """A step: parameters, one batch, and the optimiser with its state.

    ``rate`` is the learning rate in force; ``rates`` are those that one could take for it: the base rate, the next
    step's, the last step's. ``past`` are the gradients of the steps before, oldest first; ``whole_past`` says that none
    is missing since the optimiser's state began.
    """

    definition: Definition
    parameters: Mapping[str, Value]
    inputs: Mapping[str, Value]
    slots: Mapping[str, Mapping[str, Value]]
    rate: float
    rates: tuple[float, ...] = ()
    past: tuple[Mapping[str, Value], ...] = ()
    whole_past: bool = False

    @staticmethod
    def of(session: Session) -> Exercise:
        """The step that a session is in."""
        position, definition = session.position, session.definition
        last = session.last_update
        known = last is not None and set(last.gradients) == set(definition.names)
        plateau = session.snapshot.progress.plateau
        epochs = {
            0: position.epoch,
            1: position.epoch + (position.batch == session.batches_per_epoch),
            -1: position.epoch,
        }
        steps = [step for step in (1, -1) if position.step + step >= 0 and definition.scheduled]
        near = [definition.rate(position.step + step, max(1, epochs[step]), plateau) for step in steps]
        return Exercise(
            definition,
            session.parameters,
            session.inputs,
            session.slots,
            session.learning_rate,
            (definition.optimizer.get("learning_rate", 1.0), *near) if definition.scheduled else (),
            (last.gradients,) if last is not None and known else (),
            position.step == (1 if known else 0),
        )

    @property
    def graph(self) -> Graph:
        """The graph."""
        return self.definition.graph

    @property
    def plan(self) -> Plan:
        """How the graph is made up."""
        return plan(self.definition.graph)

    @property
    def use(self) -> Kernels:
        """The graph's kernels."""
        return kernels(self.definition.graph)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters, in order."""
        return self.definition.names

    @cached_property
    def rows(self) -> int:
        """Rows of the batch; 0 without data."""
        return len(next(iter(self.inputs.values()))) if self.inputs else 0

    @cached_property
    def fields(self) -> dict[str, float]:
        """The numbers of the optimiser's rule, with the learning rate in force."""
        fields = self.definition.fields
        return fields | ({"learning_rate": self.rate} if "learning_rate" in fields else {})

    @property
    def rule(self) -> Rule:
        """The optimiser's rule."""
        return self.definition.rule

    def stepper(self, rule: Rule) -> Stepper:
        """``rule`` over this graph's kind of numbers."""
        return rule.floats if self.graph.scalar else rule.arrays

    def node(self, name: str) -> Node:
        """The node with this id."""
        return self.graph.nodes[self.graph.index[name]]

    def at(self, parameters: Mapping[str, Value]) -> Exercise:
        """The same step where the parameters have other values."""
        return replace(self, parameters=parameters)

    def named(self, nodes: Iterable[int]) -> list[str]:
        """The ids of nodes."""
        return [self.graph.nodes[index].id for index in nodes]
