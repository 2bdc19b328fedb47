"""Each example's own gradient, and what it adds to the batch's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from api.engine.backward import backpropagate, of_parameters
from api.engine.forward import forward
from api.engine.graph import Graph
from api.engine.kernels import kernels
from api.engine.losses import LOSSES
from api.training.definition import Definition
from api.training.session import Session
from api.training.snapshot import Value


@dataclass(frozen=True, slots=True)
class Reduction:
    """How the losses of ``rows`` examples become one: their ``mean`` or ``sum``, each counting ``weight``.

    ``outputs`` is the number of outputs that each example's own loss is itself a mean over, 1 where it is none.
    """

    kind: str
    rows: int
    outputs: int

    @property
    def weight(self) -> float:
        """∂L/∂Lᵢ."""
        return 1.0 / self.rows if self.kind == "mean" else 1.0


@dataclass(frozen=True, slots=True)
class Example:
    """One row of the batch: its own loss and gradient, and the ``contribution`` to the batch's, which is
    the gradient times the reduction's weight."""

    row: int
    loss: float
    gradient: Mapping[str, Value]
    contribution: Mapping[str, Value]


def reduction(session: Session) -> Reduction | None:
    """The present batch's reduction; None where the loss does not depend on any row."""
    definition = session.definition
    if definition.graph.rows is None:
        return None
    return Reduction(definition.graph.reduction, len(session.batch_rows), _outputs(definition))


def _outputs(definition: Definition) -> int:
    kind, graph = definition.document["loss"].get("kind"), definition.graph
    if kind is None or graph.reduction == "sum" or LOSSES[kind].targets == "classes":
        return 1  # a formula of one's own says itself what it divides by
    return sum(math.prod(graph.nodes[graph.index[name]].shape) for name in graph.outputs)


def examples(session: Session, first: int, count: int) -> Iterator[Example]:
    """The batch's examples from place ``first`` on, each computed by itself."""
    found = reduction(session)
    if found is None:
        return
    definition = session.definition
    use, graph = kernels(definition.graph), definition.graph
    for row in session.batch_rows[first : first + count]:
        values = forward(graph, session.parameters, definition.inputs((row,)))
        gradient = of_parameters(graph, backpropagate(graph, values).of)
        share = {graph.loss: use.constant(found.weight)}
        contribution = gradient if found.weight == 1 else of_parameters(graph, backpropagate(graph, values, share).of)
        yield Example(row, float(values[graph.loss]), gradient, contribution)


def added(graph: Graph, parts: list[Mapping[str, Value]]) -> dict[str, Value]:
    """Contributions added up from the first to the last."""
    total = dict(parts[0])
    for part in parts[1:]:
        total = {name: value + part[name] for name, value in total.items()}
    return {name: total[name] for name in graph.parameters}
