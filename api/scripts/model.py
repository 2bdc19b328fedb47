"""The model of a script whose library finds the gradients by itself: only the forward pass is written."""

from __future__ import annotations

from api.scripts.formulas import Forward
from api.scripts.names import Names
from api.scripts.pieces import beside
from api.scripts.repetition import Repetition
from api.scripts.sections import Lines, function, outputs
from api.scripts.target import Target


def model(repetition: Repetition, target: Target, names: Names) -> Lines:
    """The function ``forward``, which gives the loss and, beside it, the outputs."""
    graph = repetition.definition.graph
    forward = Forward(graph, target.name, target.scalar, names)
    results = f"{names[graph.nodes[graph.loss].id]}, {outputs(repetition, names)}"
    body = beside(forward.count() + forward.lines)
    return function(repetition, names, "forward", "The loss of a batch, and the outputs beside it.", body, results)


def names_of(repetition: Repetition, target: Target) -> Names:
    """The session's names as the target's script has them."""
    return Names([node.id for node in repetition.definition.graph.named], target.taken)
