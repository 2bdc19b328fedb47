"""What a trained model says of rows that it is asked about; nothing is changed by asking."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.engine.errors import InvalidInput, LimitExceeded
from api.engine.evaluation import evaluator
from api.training.asking import Asked, asked, inputs, needed, placeholders
from api.training.classes import Classes, classes_of, joined
from api.training.definition import Definition
from api.training.feeding import Feed
from api.training.limits import Limits
from api.training.snapshot import Value

MOST_WORK = 100_000_000
"""Rows × operations of a prediction at most: some seconds."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Each output's value, rows first, or None for one that needs a column which was not given.

    ``loss`` is over all rows as one batch, ``accuracy`` the share of right classes; None without the targets' columns.
    """

    asked: Asked
    outputs: Mapping[str, Any]
    classes: Classes | None
    loss: float | None
    accuracy: float | None

    @property
    def named(self) -> Sequence[Any] | None:
        """The values of the outputs that name classes; None where there are none."""
        if self.classes is None or any(self.outputs[name] is None for name in self.classes.outputs):
            return None
        return [self.outputs[name] for name in self.classes.outputs]


def predict(
    definition: Definition, parameters: Mapping[str, Value], body: Mapping[str, Any], limits: Limits
) -> Prediction:
    """The outputs for the rows that a body asks for.

    Raises ``InvalidInput`` or ``LimitExceeded`` with pointers into the body.
    """
    ask = asked(definition, body, limits)
    outputs = _possible(definition, ask)
    graph, classes = definition.graph, classes_of(definition)
    loss = graph.nodes[graph.loss].id
    wanted = [*outputs, loss] if _is_possible(definition, ask, loss) else outputs
    run = evaluator(graph, tuple(wanted))
    _check_size(definition, outputs, len(ask.rows), limits)
    values = run(parameters, run.fed(inputs(definition, ask, run.placeholders)), len(ask.rows))
    found = dict(zip(wanted, values, strict=True))
    done = Prediction(
        ask,
        {name: found.get(name) for name in graph.outputs},
        classes,
        float(found[loss]) if loss in found else None,
        None,
    )
    return done if done.named is None or classes is None else _judged(definition, done, classes)


def _judged(definition: Definition, done: Prediction, classes: Classes) -> Prediction:
    """A prediction with its accuracy, if the targets were given with it."""
    columns = {column for name in classes.targets for column in definition.feeds.get(name, Feed((name,))).columns}
    if not columns <= set(done.asked.columns):
        return done
    given = inputs(definition, done.asked, classes.targets)
    accuracy = classes.right(done.named or (), joined([given[name] for name in classes.targets]))
    return Prediction(done.asked, done.outputs, classes, done.loss, accuracy)


def _is_possible(definition: Definition, ask: Asked, name: str) -> bool:
    return placeholders(definition, name) is not None and set(needed(definition, [name])) <= set(ask.columns)


def _possible(definition: Definition, ask: Asked) -> list[str]:
    """The outputs that the columns are enough for; raises ``InvalidInput`` if a feature is missing, or none is left."""
    outputs = definition.graph.outputs
    if not outputs:
        raise InvalidInput("this model has no outputs: give the prediction a name of its own in the formula")
    data = definition.data
    possible = [name for name in outputs if _is_possible(definition, ask, name)]
    missing = [name for name in needed(definition, outputs) if name not in ask.columns]
    needed_now = missing if not possible else [name for name in missing if data and name not in data.targets]
    if needed_now:
        listed = ", ".join(needed_now[:8]) + (", …" if len(needed_now) > 8 else "")
        what = "column" if len(needed_now) == 1 else "columns"
        raise InvalidInput(f"{', '.join(outputs[:4])} cannot be predicted without the {what} {listed}")
    if not possible:
        raise InvalidInput(f"{', '.join(outputs[:4])} is computed from the loss, so there is nothing to predict")
    return possible


def _check_size(definition: Definition, outputs: Sequence[str], rows: int, limits: Limits) -> None:
    nodes = definition.graph.nodes
    numbers = sum(math.prod(nodes[definition.graph.index[name]].shape) for name in outputs)
    most = max(1, min(limits.predictions // max(1, numbers), MOST_WORK // len(nodes)))
    if rows > most:
        raise LimitExceeded(f"{rows} rows; of this model at most {most} are predicted at once", most)
