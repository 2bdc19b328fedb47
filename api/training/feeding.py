"""How the rows become what a graph is fed: single columns, columns grouped into vectors, and one-hot classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.engine.errors import InvalidInput
from api.engine.wording import near_miss, pointer_part, shown
from api.training.data import Data

Array = NDArray[np.float64]
CLASSES = 1_000
"""Classes of a one-hot placeholder at most."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A placeholder that is more than a column: a vector of ``columns``, or one column's ``classes`` as one-hot."""

    columns: tuple[str, ...]
    classes: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return (len(self.columns) if self.classes is None else self.classes,)

    @property
    def document(self) -> Any:
        """As it stands in a definition."""
        return list(self.columns) if self.classes is None else {"one_hot": self.columns[0], "classes": self.classes}


def fed(data: Data, feeds: Mapping[str, Feed], name: str, rows: Sequence[int]) -> Array:
    """The numbers of placeholder ``name`` for these rows, rows first."""
    feed = feeds.get(name)
    if feed is None:
        column: Array = data.rows[list(rows), data.columns.index(name)]
        return column
    table = data.rows if feed.classes is None else data.given  # a class is not to be standardised
    places = {column: place for place, column in enumerate(data.columns)}
    numbers: Array = table[np.ix_(list(rows), [places[column] for column in feed.columns])]
    if feed.classes is None:
        return np.asarray(numbers)
    return np.asarray(numbers == np.arange(float(feed.classes)), dtype=np.float64)


def feeds_of(body: Mapping[str, Any], data: Data | None) -> dict[str, Feed]:
    """The groups that a model's ``placeholders`` asks for; raises ``InvalidInput`` below ``/model/placeholders``."""
    if body and data is None:
        raise InvalidInput("placeholders need data", "/model/placeholders")
    return {
        name: _feed(f"/model/placeholders/{pointer_part(name)}", given, data) for name, given in body.items() if data
    }


def _feed(pointer: str, given: Any, data: Data) -> Feed:
    if isinstance(given, Mapping):
        column = given.get("one_hot")
        strange = [name for name in given if name not in ("one_hot", "classes")]
        if strange or not isinstance(column, str):
            raise InvalidInput("a placeholder is a list of columns, or {one_hot: COLUMN, classes: COUNT}", pointer)
        return one_hot(_column(column, data, f"{pointer}/one_hot"), data, given.get("classes"), pointer)
    if not isinstance(given, list) or not given:
        raise InvalidInput("a placeholder is a list of at least one column", pointer)
    return Feed(tuple(_column(name, data, f"{pointer}/{place}") for place, name in enumerate(given)))


def _column(name: Any, data: Data, pointer: str) -> str:
    if not isinstance(name, str) or name not in data.columns:
        hint = near_miss(name, data.columns) if isinstance(name, str) else ""
        raise InvalidInput(
            f"there is no column {shown(name)}{hint or '; there are ' + ', '.join(data.columns[:8])}", pointer
        )
    return name


def one_hot(column: str, data: Data, classes: Any, pointer: str) -> Feed:
    """The classes of a column of whole numbers from 0."""
    values = data.given[:, data.columns.index(column)]
    wrong = np.flatnonzero((values != np.floor(values)) | (values < 0) | (values >= CLASSES))
    if wrong.size:
        row = int(wrong[0])
        raise InvalidInput(
            f"classes are whole numbers from 0; row {row} of {column} has {shown(float(values[row]))}", pointer
        )
    found = int(values.max()) + 1
    if classes is not None and (
        isinstance(classes, bool) or not isinstance(classes, int) or not found <= classes <= CLASSES
    ):
        raise InvalidInput(
            f"classes must be a whole number from {found} to {CLASSES}, not {shown(classes)}", f"{pointer}/classes"
        )
    return Feed((column,), max(found, 2) if classes is None else classes)
