"""Tensors as small tables."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from api.pages import grids
from api.pages.figures import to_float
from tests.documents.stored import traced
from tests.pages.documents import article, state


def read(markup: Any) -> tuple[str, list[list[str]], list[list[str]]]:
    """A grid's caption, its labels (of the columns, then of the rows) and its cells."""
    table = ElementTree.fromstring(str(markup))
    caption = table.find("caption")
    assert caption is not None
    heads = ["".join(cell.itertext()) for cell in table.findall("thead/tr/th")]
    rows = table.findall("tbody/tr")
    labels = ["".join(cell.itertext()) for row in rows for cell in row.findall("th")]
    return (
        "".join(caption.itertext()),
        [heads, labels],
        [[cell.text or "" for cell in row.findall("td")] for row in rows],
    )


def test_a_matrix_says_its_shape_and_every_number() -> None:
    caption, labels, cells = read(grids.grid([[1.0, -0.5, 0.25], [2.0, 1e-7, "NaN"]], "W"))
    assert caption == "W 2 × 3"
    assert labels == [["1", "2", "3"], ["1", "2"]]
    assert cells == [["1", "−0.5", "0.25"], ["2", "1e−7", "NaN"]]


def test_the_rows_of_a_batch_are_called_by_their_numbers_in_the_data() -> None:
    assert read(grids.grid([[1.0], [2.0], [3.0]], rows=[7, 0, 2]))[1] == [["1"], ["8", "1", "3"]]
    assert read(grids.grid([1.0, 2.0, 3.0], rows=[7, 0, 2]))[1][0] == ["8", "1", "3"]


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (6, 4), (7, 5), (100, 64)])
def test_of_a_large_matrix_the_first_rows_and_columns_are_shown(rows: int, columns: int) -> None:
    value = np.arange(rows * columns, dtype=float).reshape(rows, columns)
    caption, labels, cells = read(grids.grid(value.tolist()))
    assert caption == f"{rows} × {columns}"
    assert (labels[0][-1] == "…") is (columns > 4)
    assert (labels[1][-1] == "⋮") is (rows > 6)
    assert len({len(row) for row in cells} | {len(labels[0])}) == 1
    for i, row in enumerate(cells[: min(rows, 5)]):
        for j, cell in enumerate(row[: min(columns, 3)]):
            assert to_float(cell) == value[i, j]


def test_more_axes_show_their_first_matrix() -> None:
    value = np.arange(24, dtype=float).reshape(2, 3, 4).tolist()
    caption, _, cells = read(grids.grid(value))
    assert caption == "2 × 3 × 4, the first 3 × 4"
    assert cells[2] == ["8", "9", "10", "11"]


def test_where_all_numbers_are_the_same_one_is_said() -> None:
    assert "4 × 2, each 1" in str(grids.grid([[1.0, 1.0]] * 4))


def test_a_summary_is_told_in_words() -> None:
    summary = {
        "summary": True,
        "shape": [90, 80],
        "min": -1.5,
        "max": 2.0,
        "mean": 0.1,
        "norm": 9.0,
        "first": [1, 2, 3],
    }
    text = str(grids.grid(summary))
    assert "90 × 80, from −1.5 to 2, mean 0.1, norm 9" in text


def test_numbers_are_no_tensors() -> None:
    assert grids.tensors(state(article())) == []
    assert grids.tensors(state(traced(batch_size=4))) == []


def test_every_tensor_of_a_network_is_listed_with_value_and_gradient() -> None:
    document = state(traced(model={"kind": "preset", "name": "xor"}))
    listed = grids.tensors(document)
    assert [re.sub("<[^>]+>", "", str(one["name"])) for one in listed] == [
        node["id"].replace("yhat", "ŷ") for node in document["graph"]["nodes"] if node["id"] != "L"
    ]
    for one in listed:
        assert "value" in one["value"]
        assert "gradient" in one["gradient"]


def test_what_the_batch_has_rows_of_is_known() -> None:
    graph = state(traced(model={"kind": "preset", "name": "xor"}))["graph"]
    assert grids.batched(graph) == {"x", "z1", "h1", "z2", "yhat", "y"}
