"""How well a model does on the rows it is not fed, at the end of each epoch.

Whoever comes to an epoch's end, by a step, a run or a replay, asks ``evaluated``; so all find the same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from api.engine.evaluation import Evaluator, evaluator
from api.training.classes import Array, Classes, classes_of, joined
from api.training.definition import Definition
from api.training.feeding import fed
from api.training.snapshot import Metrics, Progress, Snapshot, Value
from api.training.split import HELD_OUT

_NONE = (None, None)


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """The rows of one part, made ready to be evaluated again and again."""

    count: int
    evaluator: Evaluator
    fed: Any
    classes: Classes | None
    target: Array | None

    def __call__(self, parameters: Mapping[str, Value]) -> tuple[float, float | None]:
        """The loss over all of these rows as one batch, and the accuracy where there are classes."""
        loss, *outputs = self.evaluator(parameters, self.fed, self.count)
        classes, target = self.classes, self.target
        return float(loss), None if classes is None or target is None else classes.right(outputs, target)


def metrics(definition: Definition, parameters: Mapping[str, Value]) -> Metrics:
    """What the held-out rows say of a model with these parameters."""
    validation, test = (_held(definition, part) for part in HELD_OUT)
    return Metrics(*(validation(parameters) if validation else _NONE), *(test(parameters) if test else _NONE))


def evaluated(definition: Definition, snapshot: Snapshot) -> Snapshot:
    """A snapshot at an epoch's end with its metrics; as it is if no rows are held out."""
    if not definition.split.held_out:
        return snapshot
    before, found = snapshot.progress, metrics(definition, snapshot.parameters)
    progress = Progress(before.first_epoch_loss, before.last_epoch_loss, before.epoch_loss_sum, before.plateau, found)
    return Snapshot(snapshot.position, snapshot.parameters, snapshot.slots, progress)


@lru_cache(maxsize=32)
def _held(definition: Definition, part: str) -> _Held | None:
    rows, data, graph = getattr(definition.split, part), definition.data, definition.graph
    if not rows or data is None:
        return None
    classes = classes_of(definition)
    run = evaluator(graph, (graph.nodes[graph.loss].id, *(classes.outputs if classes else ())))
    inputs = {name: fed(data, definition.feeds, name, rows) for name in run.placeholders}
    targets = [fed(data, definition.feeds, name, rows) for name in (classes.targets if classes else ())]
    return _Held(len(rows), run, run.fed(inputs), classes, joined(targets) if targets else None)
