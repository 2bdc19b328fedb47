"""The rows a session learns from, a built-in data set or the caller's own, and the order in which they are fed."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from api.engine.draws import Draws, Stream
from api.engine.errors import FieldError, InvalidInput
from api.engine.wording import counted, near_miss, pointer_part, shown
from api.training.datasets import DATASETS, Dataset
from api.training.limits import Limits
from api.training.scaling import Array, Scale, scales_of, standardized
from api.training.split import Split, split_of
from api.training.table import FAULTS_LISTED, check_labels, check_size, identifiers, raise_all, read_csv

FORMS = {
    "dataset": ("dataset", "targets", "standardize"),
    "rows": ("kind", "columns", "labels", "rows", "targets", "standardize"),
    "csv": ("csv", "targets", "standardize"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Rows of float64 numbers, shape (row_count, columns), read-only.

    ``columns`` are ASCII identifiers, ``labels`` the same columns as the caller wrote them, ``targets`` some of the
    columns, ``split`` says which rows train. ``rows`` is what a model is fed, ``given`` what the caller sent; they
    differ only where ``scales``, by column, says how a column was standardised.
    """

    kind: str
    name: str | None
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    rows: Array
    targets: tuple[str, ...]
    given: Array
    split: Split
    scales: Mapping[str, Scale] = field(default_factory=dict)
    standardize: bool = False

    @property
    def row_count(self) -> int:
        """How many rows there are, at least 1."""
        return int(self.rows.shape[0])

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that are no targets, in order."""
        return tuple(name for name in self.columns if name not in self.targets)

    @property
    def document(self) -> dict[str, object]:
        """The canonical body: posted again it gives the same ``Data``, to the last bit."""
        document: dict[str, object]
        if self.kind == "dataset":
            document = {"dataset": self.name}
            if self.targets != DATASETS[str(self.name)].targets:
                document["targets"] = list(self.targets)
        else:
            document = {"kind": "csv"} if self.kind == "csv" else {}
            document["columns"] = list(self.columns)
            if self.labels != self.columns:
                document["labels"] = list(self.labels)
            document |= {"rows": self.given.tolist(), "targets": list(self.targets)}
        if self.standardize:
            document["standardize"] = True
        return document

    @property
    def summary(self) -> dict[str, object]:
        """What a state says of its data: everything but the rows."""
        return {
            "kind": self.kind,
            "dataset": self.name,
            "columns": list(self.columns),
            "labels": list(self.labels),
            "targets": list(self.targets),
            "row_count": self.row_count,
            "split": self.split.counts,
            "standardize": {name: {"mean": scale.mean, "stddev": scale.stddev} for name, scale in self.scales.items()}
            if self.standardize
            else None,
        }


def from_body(
    body: Mapping[str, object], *, limits: Limits, split: Mapping[str, object] | None = None, seed: int = 0
) -> Data:
    """The data that a body's ``data`` object describes, in one of its three forms or as ``Data.document`` gives it.

    ``targets`` defaults to the last column, or to the data set's own; ``split`` is the body's. Raises ``InvalidInput``
    with pointers below ``/data`` or ``/split``, ``LimitExceeded`` for too many rows or columns.
    """
    form = _form(body)
    kind, name = form, None
    if form == "dataset":
        dataset = _dataset(body["dataset"])
        name, columns, default = dataset.name, dataset.columns, dataset.targets
        labels, rows = columns, np.array(dataset.rows, dtype=np.float64)
    elif form == "csv":
        read, numbers = read_csv(_text(body["csv"]), limits, "/data/csv")
        columns, labels, default = identifiers(read), tuple(read), None
        rows = np.array(numbers, dtype=np.float64)
    else:
        kind = _origin(body.get("kind", "rows"))
        columns, labels = _columns(body, limits)
        rows, default = rows_of(body["rows"], len(columns), limits, "/data/rows"), None
    targets = _targets(body.get("targets"), columns, labels, default or columns[-1:])
    standardize = body.get("standardize") or False
    if not isinstance(standardize, bool):
        raise InvalidInput(f"standardize must be true or false, not {shown(standardize)}", "/data/standardize")
    parts = split_of(split, len(rows), seed)
    scales = scales_of(columns, rows[list(parts.train)], targets) if standardize else {}
    scaled = standardized(columns, rows, scales)
    rows.setflags(write=False)
    scaled.setflags(write=False)
    return Data(kind, name, columns, labels, scaled, targets, rows, parts, scales, standardize)


@lru_cache(maxsize=16)
def epoch_order(row_count: int, epoch: int, seed: int, shuffle: bool) -> tuple[int, ...] | range:
    """The 0-based rows in the order in which epoch ``epoch`` (from 1) feeds them: as listed, or shuffled anew for each
    epoch by ``seed`` and the epoch's number alone."""
    return Draws(seed, Stream.ORDER, epoch).shuffled(row_count) if shuffle else range(row_count)


def batch_rows(order: Sequence[int], offset: int, batch_size: int) -> tuple[int, ...]:
    """The rows of the batch that starts ``offset`` rows into the epoch; an epoch's last batch may be shorter."""
    return tuple(order[offset : offset + batch_size])


def to_csv(data: Data) -> str:
    """The rows as the caller gave them, under their labels: comma-separated, the shortest numbers that round-trip.

    Where rows are held out, a last column says which part each row is in.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = [[number_text(value) for value in row] for row in data.given.tolist()]
    if not data.split.held_out:
        writer.writerow(headings(data))
        writer.writerows(rows)
        return text.getvalue()
    name = "split" if "split" not in data.labels else "split_"
    writer.writerow([*headings(data), name])
    writer.writerows([*row, part] for row, part in zip(rows, data.split.parts, strict=True))
    return text.getvalue()


def headings(data: Data) -> list[str]:
    """The columns' labels for a table; a spreadsheet would run one that starts like a formula."""
    return [name if label[0] in "=+-@" else label for name, label in zip(data.columns, data.labels, strict=True)]


def number_text(value: float) -> str:
    """``value`` in its shortest form that round-trips: ``4`` rather than ``4.0``."""
    text = repr(value)
    return text[:-2] if text.endswith(".0") and text != "-0.0" else text


def _form(body: Mapping[str, object]) -> str:
    given = [form for form in ("dataset", "csv", "rows") if body.get(form) is not None]
    if not given and body.get("columns") is not None:
        raise InvalidInput("columns need rows, a list of lists of numbers", "/data/rows")
    if not given:
        hint = next((near for key in body if (near := near_miss(key, FORMS))), "")
        raise InvalidInput("data needs a dataset, rows with their columns, or csv" + hint, "/data")
    if len(given) > 1:
        raise InvalidInput(f"data takes one of dataset, rows and csv, not {' and '.join(given)}", f"/data/{given[1]}")
    form, known = given[0], FORMS[given[0]]
    strange = [key for key, value in body.items() if key not in known and value is not None]
    details = [f"data with {form} has no field {shown(key)}{near_miss(key, known)}" for key in strange]
    raise_all([FieldError(f"/data/{pointer_part(key)}", detail) for key, detail in zip(strange, details, strict=True)])
    return form


def _dataset(name: object) -> Dataset:
    dataset = DATASETS.get(name) if isinstance(name, str) else None
    if dataset is None:
        hint = near_miss(name, DATASETS) if isinstance(name, str) else ""
        there_are = "; there are " + ", ".join(DATASETS)
        raise InvalidInput(f"there is no dataset {shown(name)}{hint or there_are}", "/data/dataset")
    return dataset


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"csv must be text, not {shown(value)}", "/data/csv")
    return value


def _origin(kind: object) -> str:
    if kind not in ("rows", "csv"):
        raise InvalidInput(f"the kind of data with rows is rows or csv, not {shown(kind)}", "/data/kind")
    return str(kind)


def _columns(body: Mapping[str, object], limits: Limits) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = _labels(body.get("columns"), "columns", limits)
    columns = identifiers(names)
    if body.get("labels") is None:
        return columns, tuple(names)
    labels = _labels(body["labels"], "labels", limits)
    if len(labels) != len(columns):
        raise InvalidInput(f"{counted(len(labels), 'label')} for {counted(len(columns), 'column')}", "/data/labels")
    return columns, tuple(labels)


def _labels(value: object, key: str, limits: Limits) -> list[str]:
    if not isinstance(value, list | tuple) or not value:
        raise InvalidInput(f"{key} must be a list with the name of each column", f"/data/{key}")
    check_size(0, len(value), limits, f"/data/{key}")
    for place, label in enumerate(value):
        if not isinstance(label, str):
            raise InvalidInput(f"a column's name must be text, not {shown(label)}", f"/data/{key}/{place}")
    labels = [" ".join(label.split(" ")).strip() for label in value]
    check_labels(labels, [f"/data/{key}/{place}" for place in range(len(labels))])
    return labels


def rows_of(value: object, width: int, limits: Limits, place: str) -> Array:
    """Rows of ``width`` numbers each from lists; raises ``InvalidInput`` with pointers below ``place``."""
    if not isinstance(value, list | tuple) or not value:
        raise InvalidInput("rows must be a list of at least one row, each a list of numbers", place)
    check_size(len(value), width, limits, place)
    rows: list[list[float]] = []
    faults: list[FieldError] = []
    for number, row in enumerate(value):
        pointer = f"{place}/{number}"
        if not isinstance(row, list | tuple):
            faults.append(FieldError(pointer, f"a row must be a list of numbers, not {shown(row)}"))
        elif len(row) != width:
            faults.append(FieldError(pointer, f"{counted(len(row), 'cell')} for {counted(width, 'column')}"))
        else:
            cells = [_cell(cell) for cell in row]
            faults += [FieldError(f"{pointer}/{at}", cell) for at, cell in enumerate(cells) if isinstance(cell, str)]
            rows.append([cell for cell in cells if not isinstance(cell, str)])
        if len(faults) >= FAULTS_LISTED:
            break
    raise_all(faults[:FAULTS_LISTED])
    return np.array(rows, dtype=np.float64)


def _cell(value: object) -> float | str:
    """The number, or what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"a cell must be a number, not {shown(value)}"
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    return number if math.isfinite(number) else "a cell must be a finite number"


def _targets(
    value: object, columns: tuple[str, ...], labels: tuple[str, ...], default: tuple[str, ...]
) -> tuple[str, ...]:
    if value is None:
        return default
    if not isinstance(value, list | tuple):
        raise InvalidInput("targets must be a list of column names", "/data/targets")
    targets: list[str] = []
    for place, name in enumerate(value):
        pointer = f"/data/targets/{place}"
        if not isinstance(name, str) or (name not in columns and name not in labels):
            hint = near_miss(name, labels) if isinstance(name, str) else ""
            raise InvalidInput(f"there is no column {shown(name)}{hint}", pointer)
        column = name if name in columns else columns[labels.index(name)]
        if column in targets:
            raise InvalidInput(f"{shown(name)} is a target twice", pointer)
        targets.append(column)
    return tuple(targets)
