"""Tensors as small tables that say their shape; of long ones the first rows and columns.

A value comes as the JSON has it: a nested list, a summary, or null where there is none yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from markupsafe import Markup, escape

from api.pages import figures, notation
from api.pages.svg import reached

ROWS, COLUMNS = 6, 4
"""Rows and columns up to which all are shown; of more, one less than that and dots."""
_ROOM = (62, 12)  # for a number, in pixels, and the size of its type: four columns fit the narrowest window
LISTED = 60
"""Tensors that a page lists."""

_TABLE = Markup('<table class="grid"><caption>{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>')
_HEAD = Markup('<th scope="col">{}</th>')
_LABEL = Markup('<th scope="row">{}</th>')
_ROW = Markup("<tr>{}{}</tr>")
_CELL = Markup("<td>{}</td>")


def is_tensor(value: Any) -> bool:
    """Whether a value is more than a number, or a number for each row of a batch."""
    return isinstance(value, dict) or (isinstance(value, list) and bool(value))


def shape_of(value: Any) -> str:
    """``2 × 4``."""
    return " × ".join(map(str, figures.flat(value)[1]))


def grid(value: Any, caption: Markup | str = "", rows: Sequence[int] = ()) -> Markup:
    """The table of a tensor. ``rows`` are the numbers of a batch's rows, if the first axis is the batch."""
    told = Markup("{} ").format(caption) if caption else Markup("")
    if isinstance(value, dict):
        text = f"{shape_of(value)}, from {figures.number(value['min'])} to {figures.number(value['max'])}"
        more = f", mean {figures.number(value['mean'])}, norm {figures.number(value['norm'])}"
        return Markup('<p class="grid">{}{}</p>').format(told, text + more)
    told += shape_of(value)
    entries = figures.flat(value)[0]
    if len(entries) > 1 and all(entry == entries[0] for entry in entries):
        return Markup('<p class="grid">{}, each {}</p>').format(told, figures.number(entries[0]))
    matrix, depth = value, 0
    while matrix and isinstance(matrix[0], list) and matrix[0] and isinstance(matrix[0][0], list):
        matrix, depth = matrix[0], depth + 1
    if depth:
        told += Markup(", the first {}").format(shape_of(matrix))
        rows = ()
    numbers = [place + 1 for place in rows]
    if not (matrix and isinstance(matrix[0], list)):  # a vector lies on its side
        return _TABLE.format(told, _heads(numbers or range(1, len(matrix) + 1)), _line("", matrix))
    labels = numbers or range(1, len(matrix) + 1)
    width, kept = len(matrix[0]), _kept(matrix, ROWS)
    lines = Markup("").join(_line(_LABEL.format(label), row) for label, row in zip(labels, kept, strict=False))
    if len(kept) < len(matrix):
        lines += _ROW.format(
            _LABEL.format("⋮"), _CELL.format("") * (len(_kept(matrix[0], COLUMNS)) + (width > COLUMNS))
        )
    return _TABLE.format(told, _CELL.format("") + _heads(range(1, width + 1)), lines)


def _kept(entries: Sequence[Any], most: int) -> Sequence[Any]:
    return entries if len(entries) <= most else entries[: most - 1]


def _heads(labels: Sequence[int]) -> Markup:
    heads = [str(label) for label in _kept(labels, COLUMNS)] + ["…"] * (len(labels) > COLUMNS)
    return Markup("").join(_HEAD.format(head) for head in heads)


def _line(label: Markup | str, entries: Sequence[Any]) -> Markup:
    cells = [figures.fitted(entry, *_ROOM) for entry in _kept(entries, COLUMNS)] + [""] * (len(entries) > COLUMNS)
    return _ROW.format(label, Markup("").join(_CELL.format(cell) for cell in cells))


def batched(graph: dict[str, Any]) -> set[str]:
    """The nodes whose first axis is the batch: all that depends on a placeholder, but for the loss."""
    down: dict[str, list[str]] = {}
    for edge in graph["edges"]:
        down.setdefault(edge["source"], []).append(edge["target"])
    fed = reached((node["id"] for node in graph["nodes"] if node["role"] == "placeholder"), down)
    return fed - {node["id"] for node in graph["nodes"] if node["role"] == "loss"}


def tensors(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Every named tensor of a graph of tensors: what it is, its value and its gradient as grids."""
    graph, rows = state["graph"], state["batch_rows"]
    if not any(
        (isinstance(one, list) and one and isinstance(one[0], list)) or isinstance(one, dict)
        for one in chain.from_iterable((node["value"], node["gradient"]) for node in graph["nodes"])
    ):
        return []  # numbers, at most one for each row of the batch: the picture and the table say them all
    fed = batched(graph)
    return [
        {
            "name": notation.html(node["id"]),
            "role": node["role"],
            "value": grid(node["value"], "value", rows if node["id"] in fed else ()),
            "gradient": grid(node["gradient"], "gradient", rows if node["id"] in fed else ())
            if is_tensor(node["gradient"])
            else escape(""),
        }
        for node in graph["nodes"]
        if is_tensor(node["value"])
    ]
