"""The rows that a prediction is asked for: listed, as CSV, or on a grid; checked, and fed as the model wants them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from api.engine.errors import FieldError, InvalidInput, LimitExceeded
from api.engine.evaluation import evaluator
from api.engine.wording import counted, near_miss, pointer_part, shown
from api.training.data import Data, number_text, rows_of
from api.training.definition import Definition
from api.training.feeding import Feed, fed
from api.training.limits import Limits
from api.training.scaling import Array, standardized
from api.training.table import identifiers, raise_all, read_csv

FORMS = ("rows", "csv", "grid")


@dataclass(frozen=True, slots=True)
class Asked:
    """``rows`` of numbers for these ``columns`` of the data; of a grid also the values along each column, where the
    last column's change fastest from row to row."""

    columns: tuple[str, ...]
    rows: Array
    axes: Mapping[str, list[float]] = field(default_factory=dict)


def asked(definition: Definition, body: Mapping[str, Any], limits: Limits) -> Asked:
    """What a body asks for. Raises ``InvalidInput`` or ``LimitExceeded`` with pointers into it."""
    forms = [name for name in FORMS if body.get(name) is not None]
    data = definition.data
    if data is None:
        if body:
            where = next(iter(body))
            raise InvalidInput(
                "this session has no data, so there are no rows to give; leave the body empty", f"/{where}"
            )
        return Asked((), np.zeros((0, 0)))
    if len(forms) != 1:
        what = (
            "rows, csv or grid is needed" if not forms else f"give one of {', '.join(FORMS)}, not {' and '.join(forms)}"
        )
        raise InvalidInput(what, f"/{forms[1]}" if forms else "")
    if body.get("columns") is not None and forms != ["rows"]:
        raise InvalidInput(f"columns go with rows; {forms[0]} names its own", "/columns")
    limits = replace(limits, rows=limits.predictions)
    if forms == ["grid"]:
        return _grid(data, body["grid"], limits)
    if forms == ["csv"]:
        labels, numbers = read_csv(body["csv"], limits, "/csv")
        return Asked(_columns(data, labels, ["/csv"] * len(labels)), np.array(numbers, dtype=np.float64))
    columns = _columns_of_rows(definition, data, body)
    return Asked(columns, rows_of(body["rows"], len(columns), limits, "/rows"))


def _columns(data: Data, names: Sequence[str], pointers: Sequence[str]) -> tuple[str, ...]:
    """The data's columns that go by these names or labels."""
    found: list[str] = []
    faults: list[FieldError] = []
    for name, plain, pointer in zip(names, identifiers(names), pointers, strict=True):
        column = _column(data, name) or _column(data, plain)
        if column is None:
            hint = near_miss(name, dict.fromkeys((*data.columns, *data.labels)))
            there_are = f"; there are {', '.join(data.columns[:8])}"
            faults.append(FieldError(pointer, f"there is no column {shown(name)}{hint or there_are}"))
        elif column in found:
            faults.append(FieldError(pointer, f"the column {shown(name)} is there twice"))
        else:
            found.append(column)
    raise_all(faults)
    return tuple(found)


def _column(data: Data, name: str) -> str | None:
    if name in data.columns:
        return name
    return data.columns[data.labels.index(name)] if name in data.labels else None


def _columns_of_rows(definition: Definition, data: Data, body: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of the rows: those named, else those that the outputs need, all features, or all columns."""
    if body.get("columns") is not None:
        names = body["columns"]
        return _columns(data, names, [f"/columns/{place}" for place in range(len(names))])
    rows = body["rows"]
    width = len(rows[0]) if rows and isinstance(rows[0], list | tuple) else -1
    wanted = needed(definition, definition.graph.outputs)
    choices = [wanted, data.features, data.columns]
    columns = next((each for each in choices if len(each) == width and width), wanted or data.features)
    if width >= 0 and width != len(columns):
        told = f"{counted(width, 'cell')} for {counted(len(columns), 'column')}, {', '.join(columns[:8])}"
        raise InvalidInput(told + ("; name them in columns" if width > len(columns) else ""), "/rows/0")
    return columns


def needed(definition: Definition, outputs: Sequence[str]) -> tuple[str, ...]:
    """The data's columns that these quantities are computed from, in order."""
    names = [name for output in outputs for name in placeholders(definition, output) or ()]
    columns = {column for name in names for column in definition.feeds.get(name, Feed((name,))).columns}
    return tuple(name for name in (definition.data.columns if definition.data else ()) if name in columns)


def placeholders(definition: Definition, output: str) -> tuple[str, ...] | None:
    """What a quantity is computed from; None if it depends on the loss over all rows."""
    try:
        return evaluator(definition.graph, (output,)).placeholders
    except ValueError:
        return None


# grids


def _grid(data: Data, body: Mapping[str, Any], limits: Limits) -> Asked:
    """The Cartesian product of ``[min, max, points]`` for each column, or of one number that stays."""
    if not body:
        raise InvalidInput('a grid needs columns, such as {"x": [-1, 1, 50]}', "/grid")
    named = list(body)
    columns = _columns(data, named, [f"/grid/{pointer_part(name)}" for name in named])
    given = dict(zip(columns, named, strict=True))
    ordered = tuple(name for name in data.columns if name in given)
    ranges = {name: _range(body[given[name]], f"/grid/{pointer_part(given[name])}") for name in ordered}
    points = math.prod(count for _, _, count in ranges.values())
    if points > limits.predictions:
        most = limits.predictions
        raise LimitExceeded(f"a grid of {shown(points)} points; at most {most} are allowed", most, "/grid")
    axes = {name: _axis(one, f"/grid/{pointer_part(given[name])}") for name, one in ranges.items()}
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    rows = np.stack([one.ravel() for one in mesh], axis=-1)
    return Asked(ordered, rows, {name: axis.tolist() for name, axis in axes.items()})


def _range(given: Any, pointer: str) -> tuple[float, float, int]:
    """``[min, max, points]``, or a number as a range of one point."""
    if _is_number(given):
        return float(given), float(given), 1
    if not isinstance(given, list) or len(given) != 3 or not all(map(_is_number, given)):
        raise InvalidInput(f"a column of a grid is [min, max, points] or one number, not {shown(given)}", pointer)
    low, high, points = given
    if points < 1 or points != int(points):
        raise InvalidInput(f"points are a whole number from 1, not {shown(points)}", f"{pointer}/2")
    return float(low), float(high), int(points)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1.7976931348623157e308


def _axis(given: tuple[float, float, int], pointer: str) -> Array:
    low, high, points = given
    with np.errstate(all="ignore"):
        axis = np.linspace(low, high, points)
    if not np.isfinite(axis).all():
        raise InvalidInput("min and max are too far apart for float64", pointer)
    return axis


# what a model is fed


def inputs(definition: Definition, ask: Asked, names: Sequence[str]) -> dict[str, Any]:
    """What these placeholders are fed for the rows asked for, standardised as the data is.

    Raises ``InvalidInput`` for a number that is none of a one-hot placeholder's classes.
    """
    data = definition.data
    if data is None:
        return {}
    places = [data.columns.index(name) for name in ask.columns]
    given = np.zeros((len(ask.rows), len(data.columns)))
    given[:, places] = ask.rows
    rows = given.copy()
    rows[:, places] = standardized(ask.columns, ask.rows, data.scales)
    for name in names:
        feed = definition.feeds.get(name)
        if feed is not None and feed.classes is not None:
            _check_classes(feed, feed.classes, given[:, data.columns.index(feed.columns[0])])
    table = replace(data, rows=rows, given=given)
    return {name: fed(table, definition.feeds, name, range(len(rows))) for name in names}


def _check_classes(feed: Feed, classes: int, values: Array) -> None:
    wrong = np.flatnonzero((values != np.floor(values)) | (values < 0) | (values >= classes))
    if wrong.size:
        row, what = int(wrong[0]), f"{feed.columns[0]} is a class from 0 to {classes - 1}"
        raise InvalidInput(f"{what}; row {row} has {number_text(float(values[row]))}")
