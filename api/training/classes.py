"""Which class an output names, where a model tells classes apart: for accuracies, and for whoever asks for predictions.

What an output is follows from the loss, if that has a name; in a formula, from how the output is made and what the
loss makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.engine.graph import Graph, Node, Role
from api.engine.losses import LOSSES
from api.engine.tensor_ops import TENSOR, Call
from api.training.data import Data
from api.training.definition import Definition
from api.training.feeding import Feed, fed

Array = NDArray[np.float64]
THRESHOLDS = {"probability": 0.5, "logit": 0.0, "margin": 0.0}
"""The output above which the higher of two classes is meant."""
_MADE_BY = {"sigmoid": "probability", "tanh": "margin"}
"""What an output is that an operation has made."""
_TAKEN_BY = {"log_softmax": "logits", "logsumexp": "logits", "softmax": "logits", "log": "probability"}
"""What an output is that the loss begins with such an operation on."""
_ON_THE_WAY = {"softplus": "logit", "sigmoid": "logit", "relu": "margin", "maximum": "margin"}
"""What an output is on whose way to the loss there is such an operation."""


@dataclass(frozen=True, slots=True)
class Classes:
    """``outputs`` are matched by the placeholders ``targets``, several standing for one vector. ``output`` says what
    they are: one of ``THRESHOLDS``, or ``logits``, ``probabilities`` or ``scores`` of which the largest names the
    class; ``labels`` what the classes are called: two, the lower first, or one for each place of the vector."""

    outputs: tuple[str, ...]
    targets: tuple[str, ...]
    output: str
    labels: tuple[float | str, ...]

    def right(self, outputs: Sequence[Any], target: Array) -> float:
        """The share of predictions that name the target's class; a prediction that is not a number names none."""
        output, threshold = joined(outputs), THRESHOLDS.get(self.output)
        if threshold is None:
            hit = (output.argmax(axis=-1) == target.argmax(axis=-1)) & ~np.isnan(output).any(axis=-1)
        else:
            high = target == self.labels[1]
            hit = np.where(high, output > threshold, output <= threshold)  # neither holds for what is not a number
        return float(np.count_nonzero(hit) / hit.size)

    def predicted(self, outputs: Sequence[Any]) -> Any:
        """The label that each prediction names; None for what is not a number."""
        output, threshold = joined(outputs), THRESHOLDS.get(self.output)
        spoilt = np.isnan(output)
        place = output.argmax(axis=-1) if threshold is None else (output > threshold).astype(int)
        named = np.array(self.labels, dtype=object)[place]
        named[spoilt.any(axis=-1) if threshold is None else spoilt] = None
        return named.tolist()

    def probabilities(self, outputs: Sequence[Any]) -> Array | None:
        """The probability of the higher class, or of each class; None where the outputs say nothing of it."""
        output = joined(outputs)
        with np.errstate(all="ignore"):
            if self.output == "logit":
                return np.asarray(1.0 / (1.0 + np.exp(-output)))
            if self.output == "logits":
                return np.asarray(TENSOR["softmax"].forward(Call((output.shape[1:],), (), 1), output))
        return output if self.output in ("probability", "probabilities") else None


def joined(values: Sequence[Any]) -> Array:
    """One quantity, or several of each row as one with an axis more: numbers as a vector, vectors as a matrix."""
    arrays = [np.asarray(value, dtype=np.float64) for value in values]
    return arrays[0] if len(arrays) == 1 else np.stack(arrays, axis=1)


@lru_cache(maxsize=256)
def classes_of(definition: Definition) -> Classes | None:
    """How the outputs of a definition's model name classes; None where they do not."""
    graph, data = definition.graph, definition.data
    kind = definition.document["loss"].get("kind")
    outputs, targets = ((), ()) if data is None else _pairs(graph) if kind is None else _named(definition, data)
    nodes = [(graph.nodes[graph.index[a]], graph.nodes[graph.index[b]]) for a, b in zip(outputs, targets, strict=True)]
    if data is None or not nodes or any(output.shape != target.shape for output, target in nodes):
        return None
    found = {_output(graph, output, kind) for output, _ in nodes}
    output = found.pop() if len(found) == 1 else None
    target = joined([fed(data, definition.feeds, name, range(data.row_count)) for name in targets])
    places = _places(definition, data, targets, target)
    if places:
        same = {"logits": "logits", "probability": "probabilities", "probabilities": "probabilities"}
        return Classes(outputs, targets, same.get(str(output), "scores"), places)
    two = _two(target, output) if output in THRESHOLDS else None
    return Classes(outputs, targets, str(output), two) if two else None


def _named(definition: Definition, data: Data) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The outputs and targets of a linear model or a network."""
    outputs = definition.graph.outputs
    targets = ("y",) if "y" in definition.feeds else data.targets
    return (outputs, targets) if len(outputs) == len(targets) else ((), ())


def _pairs(graph: Graph) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A formula's one output, and the one placeholder that the loss needs besides what the output is made from; or
    several outputs, each with the placeholder that the loss compares it with."""
    if len(graph.outputs) != 1:
        found = [_compared(graph, graph.index[output]) for output in graph.outputs]
        partners = tuple(name for name in found if name is not None)
        return (graph.outputs, partners) if len(set(partners)) == len(found) else ((), ())
    beside = _below(graph, graph.loss) - _below(graph, graph.index[graph.outputs[0]])
    targets = tuple(name for name in graph.placeholders if graph.index[name] in beside)
    return (graph.outputs, targets) if len(targets) == 1 else ((), ())


def _compared(graph: Graph, index: int) -> str | None:
    """The placeholder that an output, or what functions of it alone have made of it, meets first; None if there is
    none."""
    reached = {index}
    for node in graph.active:
        others = [graph.nodes[place] for place in node.operands if place not in reached]
        if len(others) == len(node.operands):
            continue
        if len(others) == 1 and others[0].role is Role.PLACEHOLDER:
            return others[0].id
        if all(other.role is Role.CONSTANT for other in others):
            reached.add(node.index)
    return None


def _below(graph: Graph, index: int) -> set[int]:
    """Everything that a node is computed from, and itself."""
    reached = {index}
    for node in reversed(graph.nodes[: index + 1]):
        if node.index in reached:
            reached.update(node.operands)
    return reached


def _output(graph: Graph, output: Node, kind: str | None) -> str | None:
    """What an output is."""
    if output.op == "softmax":
        return "probabilities"
    if kind is not None and LOSSES[kind].output != "value":
        return LOSSES[kind].output
    if output.op in _MADE_BY:
        return _MADE_BY[str(output.op)]
    if kind is not None:
        return None
    taken = [_TAKEN_BY.get(str(node.op)) for node in graph.nodes if output.index in node.operands]
    way, reached = [], {output.index}
    for node in graph.active:
        if reached.intersection(node.operands):
            reached.add(node.index)
            way.append(_ON_THE_WAY.get(str(node.op)))
    return next((found for found in (*taken, *way) if found is not None), None)


def _places(
    definition: Definition, data: Data, targets: Sequence[str], target: Array
) -> tuple[float | str, ...] | None:
    """The class of each place of a one-hot vector: a whole number from 0, or the label of a column."""
    feeds = [definition.feeds.get(name, Feed((name,))) for name in targets]
    if feeds[0].classes is not None and {feed.classes for feed in feeds} == {feeds[0].classes}:
        return tuple(range(feeds[0].classes))
    if target.ndim != 2 or target.shape[1] < 2:
        return None
    one_hot = bool(((target == 0) | (target == 1)).all() and (target.sum(axis=1) == 1).all())
    columns = [column for feed in feeds for column in feed.columns]
    return tuple(data.labels[data.columns.index(column)] for column in columns) if one_hot else None


def _two(target: Array, output: str | None) -> tuple[float | str, ...] | None:
    """The two classes of targets that are all 0 or 1, or all −1 or 1."""
    found = set(np.unique(target).tolist())
    allowed: tuple[tuple[int, int], ...] = ((0, 1), (-1, 1)) if output == "logit" else ((0, 1),)
    allowed = ((-1, 1),) if output == "margin" else allowed
    return next((labels for labels in allowed if found <= set(labels)), None)
