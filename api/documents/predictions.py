"""Predictions on the wire: what may be asked, and the answer as a document or as a table."""

from __future__ import annotations

import csv
import io
import math
from typing import Annotated, Any

import numpy as np
from pydantic import Field, WithJsonSchema

from api.documents.bodies import Body, Rows
from api.documents.schemas import Document, NonFinite, Tensor
from api.engine.graph import Graph
from api.training.data import headings, number_text
from api.training.definition import Definition
from api.training.prediction import Prediction

_RANGE: dict[str, Any] = {
    "description": "min, max and the number of points between them, both included; or one number that stays.",
    "anyOf": [
        {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3},
        {"type": "number"},
    ],
}
Range = Annotated[Any, WithJsonSchema(_RANGE)]


class PredictBody(Body):
    """The rows to predict for, in one of three forms: ``rows``, ``csv`` or ``grid``; nothing for a session without
    data."""

    rows: Rows | None = None
    """Without `columns`: the columns that the outputs need, in the data's order, or all features, or all columns."""
    columns: list[str] | None = None
    """What the numbers of a row are; with the targets among them, loss and accuracy are told as well."""
    csv: str | None = None
    """A table's text with a header line that names columns."""
    grid: dict[str, Range] | None = None
    """Every combination of the columns' values; rows run through those of the last column fastest."""


class NamedClasses(Document):
    """The classes that outputs name."""

    labels: list[int | float | str]
    """The lower and the higher of two classes, or one for each place of a vector."""
    predicted: list[Any]
    """For each row a label; null for an output that is not a number."""
    probabilities: list[Any] | None
    """For each row the higher class's, or each class's; null where the outputs say nothing of it."""


class Predictions(Document):
    """What the model says of rows, with its parameters at this revision."""

    revision: int
    step: int
    row_count: int
    columns: list[str]
    """What was given of each row, in the data's names."""
    grid: dict[str, list[float]] | None
    """The values along each column of a grid; the first column's change slowest from row to row, the last's fastest."""
    outputs: dict[str, Tensor | None]
    """Rows first; null for an output that needs a column which was not given."""
    classes: NamedClasses | None
    loss: Annotated[float | NonFinite | None, Field()]
    """Of all rows as one batch, if the targets were given; else null."""
    accuracy: float | None
    """The share of rows whose class is right, if the targets were given."""


def predictions(revision: int, step: int, done: Prediction) -> dict[str, Any]:
    """The document of a prediction by the parameters of a revision, which is at a step."""
    classes, named = done.classes, done.named
    told = None
    if classes is not None and named is not None:
        probabilities = classes.probabilities(named)
        told = {
            "labels": list(classes.labels),
            "predicted": classes.predicted(named),
            "probabilities": None if probabilities is None else probabilities.tolist(),
        }
    return {
        "revision": revision,
        "step": step,
        "row_count": len(done.asked.rows),
        "columns": list(done.asked.columns),
        "grid": dict(done.asked.axes) or None,
        "outputs": {name: _plain(value) for name, value in done.outputs.items()},
        "classes": told,
        "loss": done.loss,
        "accuracy": done.accuracy,
    }


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def predictions_csv(definition: Definition, done: Prediction) -> str:
    """A line for each row: the columns that were given under their labels, each number of the outputs, and the class
    that they name. A session without data has one line."""
    data, count = definition.data, max(1, len(done.asked.rows))
    labels = dict(zip(data.columns, headings(data), strict=True)) if data else {}
    head = [labels[name] for name in done.asked.columns]
    columns = [done.asked.rows[:, place].tolist() for place in range(len(head))]
    for name, value in done.outputs.items():
        if value is not None:
            numbers = np.asarray(value, dtype=np.float64)
            rows = numbers if _has_rows(definition.graph, name) else np.broadcast_to(numbers, (count, *numbers.shape))
            head += _names(name, rows.shape[1:])
            columns += rows.reshape(count, -1).T.tolist()
    if done.classes is not None and done.named is not None:
        predicted = np.array(done.classes.predicted(done.named), dtype=object).reshape(count, -1)
        head += ["predicted"] if predicted.shape[1] == 1 else _names("predicted", predicted.shape[1:])
        columns += predicted.T.tolist()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in zip(*columns, strict=True))
    return text.getvalue()


def _has_rows(graph: Graph, name: str) -> bool:
    return graph.nodes[graph.index[name]].batched


def _names(name: str, shape: tuple[int, ...]) -> list[str]:
    """``h[0]``, ``h[1]``, … for the numbers of a vector, as a formula picks them."""
    return [f"{name}[{', '.join(map(str, place))}]" if place else name for place in np.ndindex(*shape)]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        if math.isfinite(value):
            return number_text(value)
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in "=+@" and text else text
