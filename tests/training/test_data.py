"""Data sets and rows become the same checked data, which can be posted again; epochs and batches cut it up."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.engine.errors import InvalidInput, LimitExceeded
from api.training.data import Data, batch_rows, epoch_order, from_body
from api.training.datasets import DATASETS
from api.training.limits import Limits

LIMITS = Limits()
ARTICLE = [[4, 1, 2], [2, 8, -14], [1, 0, 1], [3, 2, -1], [1, 4, -7], [6, 7, -8]]
finite = st.floats(allow_nan=False, allow_infinity=False)


def data(**body: Any) -> Data:
    return from_body(body, limits=LIMITS)


def again(given_data: Data) -> Data:
    return from_body(json.loads(json.dumps(given_data.document)), limits=LIMITS)


def faults(**body: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        data(**body)
    assert all(len(error.detail) < 200 for error in caught.value.errors)
    return [(error.pointer, error.detail) for error in caught.value.errors]


def same(one: Data, two: Data) -> bool:
    facts = one.document == two.document and one.summary == two.summary
    return facts and one.rows.tobytes() == two.rows.tobytes() and one.given.tobytes() == two.given.tobytes()


# The built-in data sets


def test_the_article_has_its_six_rows() -> None:
    article = data(dataset="article")
    assert article.columns == ("x1", "x2", "y")
    assert article.targets == ("y",)
    assert article.features == ("x1", "x2")
    assert article.rows.tolist() == ARTICLE
    assert article.document == {"dataset": "article"}


def test_the_article_gives_the_published_losses_and_gradient() -> None:
    w1, w2, b, losses = -0.017, -0.048, 0.0, []
    x1, x2, y = data(dataset="article").rows.T
    error = w1 * x1 + w2 * x2 + b - y
    gradient = [float(np.mean(2 * error * x)) for x in (x1, x2, np.ones(6))]
    for row in data(dataset="article").rows.tolist():
        residual = w1 * row[0] + w2 * row[1] + b - row[2]
        losses.append(residual * residual)
        slope = 0.05 * 2 * residual
        w1, w2, b = w1 - slope * row[0], w2 - slope * row[1], b - slope
    assert gradient == pytest.approx([24.135, 62.7813, 8.5517], abs=5e-5)
    assert losses == pytest.approx([4.477, 295.1, 26.14, 1118, 105.7, 2090], rel=4e-4)


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_can_be_posted_again(name: str) -> None:
    assert same(data(dataset=name), again(data(dataset=name)))


def test_other_targets_of_a_data_set_are_kept() -> None:
    other = data(dataset="article", targets=["x1"])
    assert other.targets == ("x1",)
    assert same(other, again(other))


# Rows


def test_rows_are_float64_and_read_only_and_the_last_column_is_the_target() -> None:
    rows = data(columns=["a", "b"], rows=[[1, 2.5], [2**60 + 1, -0.0]])
    assert rows.rows.dtype == np.float64
    assert rows.rows[1, 0] == float(2**60)
    assert rows.targets == ("b",)
    assert rows.summary == {
        "kind": "rows",
        "dataset": None,
        "columns": ["a", "b"],
        "labels": ["a", "b"],
        "targets": ["b"],
        "row_count": 2,
        "split": {"train": 2, "validation": 0, "test": 0},
        "standardize": None,
    }
    with pytest.raises(ValueError, match="read-only"):
        rows.rows[0, 0] = 5


def test_no_targets_at_all_are_allowed_if_said() -> None:
    assert data(columns=["a"], rows=[[1]], targets=[]).targets == ()


def test_a_target_may_be_given_by_its_label() -> None:
    assert data(columns=["House size", "price"], rows=[[1, 2]], targets=["House size"]).targets == ("House_size",)


@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(finite, min_size=n, max_size=n), min_size=1)))
def test_a_document_of_rows_posted_again_is_the_same_to_the_last_bit(rows: list[list[float]]) -> None:
    first = data(columns=[f"c{place}" for place in range(len(rows[0]))], rows=rows)
    assert same(first, again(first))


@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        ({}, "/data", "needs a dataset"),
        ({"datset": "article"}, "/data", "did you mean 'dataset'?"),
        ({"dataset": "articles"}, "/data/dataset", "did you mean 'article'?"),
        ({"dataset": 7}, "/data/dataset", "no dataset 7"),
        ({"dataset": "article", "csv": "a\n1"}, "/data/csv", "one of dataset, rows and csv"),
        ({"dataset": "article", "columns": ["a"]}, "/data/columns", "has no field 'columns'"),
        ({"columns": ["a"]}, "/data/rows", "columns need rows"),
        ({"rows": [[1]]}, "/data/columns", "name of each column"),
        ({"columns": [], "rows": [[]]}, "/data/columns", "name of each column"),
        ({"columns": ["a", 1], "rows": [[1, 2]]}, "/data/columns/1", "must be text, not 1"),
        ({"columns": ["a", " "], "rows": [[1, 2]]}, "/data/columns/1", "column 2 has no name"),
        ({"columns": ["a", "a"], "rows": [[1, 2]]}, "/data/columns/1", "name of column 1"),
        ({"columns": ["a", "b\ud800"], "rows": [[1, 2]]}, "/data/columns/1", "surrogate"),
        ({"columns": ["a" * 101], "rows": [[1]]}, "/data/columns/0", "100 characters"),
        ({"columns": ["a"], "labels": ["x", "y"], "rows": [[1]]}, "/data/labels", "2 labels for 1 column"),
        ({"columns": ["a"], "rows": []}, "/data/rows", "at least one row"),
        ({"columns": ["a"], "rows": "1"}, "/data/rows", "at least one row"),
        ({"columns": ["a"], "rows": [1]}, "/data/rows/0", "a list of numbers, not 1"),
        ({"columns": ["a", "b"], "rows": [[1, 2], [3]]}, "/data/rows/1", "1 cell for 2 columns"),
        ({"columns": ["a", "b"], "rows": [[1, 2], [3, "4"]]}, "/data/rows/1/1", "a number, not '4'"),
        ({"columns": ["a", "b"], "rows": [[1, 2], [True, 4]]}, "/data/rows/1/0", "a number, not true"),
        ({"columns": ["a", "b"], "rows": [[1, None]]}, "/data/rows/0/1", "a number, not null"),
        ({"columns": ["a", "b"], "rows": [[1, float("nan")]]}, "/data/rows/0/1", "finite"),
        ({"columns": ["a", "b"], "rows": [[1, 10**400]]}, "/data/rows/0/1", "finite"),
        ({"columns": ["a", "b"], "rows": [[1, 2]], "targets": ["c"]}, "/data/targets/0", "no column 'c'"),
        ({"columns": ["a", "b"], "rows": [[1, 2]], "targets": ["b", "b"]}, "/data/targets/1", "twice"),
        ({"columns": ["a", "b"], "rows": [[1, 2]], "targets": "b"}, "/data/targets", "list of column names"),
        ({"columns": ["price", "b"], "rows": [[1, 2]], "targets": ["Price"]}, "/data/targets/0", "mean 'price'?"),
        ({"columns": ["a"], "rows": [[1]], "standardize": 1}, "/data/standardize", "true or false, not 1"),
        ({"columns": ["a"], "rows": [[1]], "kind": "excel"}, "/data/kind", "rows or csv"),
        ({"csv": 5}, "/data/csv", "must be text"),
        ({"csv": "a\n1", "labels": ["a"]}, "/data/labels", "has no field 'labels'"),
    ],
)
def test_a_fault_has_its_place(body: dict[str, Any], pointer: str, said: str) -> None:
    found = faults(**body)
    assert [where for where, _ in found] == [pointer]
    assert said in found[0][1]


def test_several_faults_are_listed_but_not_all_of_thousands() -> None:
    assert len(faults(columns=["a"], rows=[["x"]] * 5_000)) == 10


@pytest.mark.parametrize(
    ("body", "limit", "pointer"),
    [
        ({"columns": ["a"], "rows": [[1]] * 10_001}, 10_000, "/data/rows"),
        ({"columns": [f"c{place}" for place in range(65)], "rows": [[1]]}, 64, "/data/columns"),
        ({"csv": "a\n" + "1\n" * 10_001}, 10_000, "/data/csv"),
        ({"csv": ",".join(f"c{place}" for place in range(65)) + "\n1"}, 64, "/data/csv"),
    ],
)
def test_too_much_names_the_limit(body: dict[str, Any], limit: int, pointer: str) -> None:
    with pytest.raises(LimitExceeded, match=f"at most {limit}") as caught:
        data(**body)
    assert caught.value.limit == limit
    assert caught.value.errors[0].pointer == pointer


# Standardising


def test_standardize_gives_features_mean_0_and_standard_deviation_1_and_leaves_targets() -> None:
    table = data(csv="a,b,y\n1,5,10\n2,5,20\n6,5,30\n", standardize=True)
    assert table.rows[:, 0].mean() == pytest.approx(0, abs=1e-15)
    assert table.rows[:, 0].std() == pytest.approx(1)
    assert table.rows[:, 1].tolist() == [0, 0, 0]
    assert table.rows[:, 2].tolist() == [10, 20, 30]
    assert table.given[:, 0].tolist() == [1, 2, 6]
    assert table.summary["standardize"] == {
        "a": {"mean": 3.0, "stddev": pytest.approx((14 / 3) ** 0.5)},
        "b": {"mean": 5.0, "stddev": 1.0},
    }
    assert same(table, again(table))


def test_numbers_too_large_to_standardize_are_refused() -> None:
    body: dict[str, Any] = {"columns": ["a", "y"], "rows": [[1e308, 1], [-1e308, 1]], "standardize": True}
    assert faults(**body)[0][0] == "/data/standardize"


# Epochs and batches


def test_unshuffled_epochs_feed_the_rows_as_listed() -> None:
    assert list(epoch_order(6, 3, 0, False)) == [0, 1, 2, 3, 4, 5]


def test_each_epoch_is_shuffled_anew_and_the_same_again() -> None:
    orders = [tuple(epoch_order(6, epoch, 0, True)) for epoch in range(1, 20)]
    assert orders[:2] == [(5, 4, 0, 1, 3, 2), (0, 1, 3, 4, 2, 5)]  # test vectors of seed 0
    assert all(sorted(order) == list(range(6)) for order in orders)
    assert len(set(orders)) > 15
    epoch_order.cache_clear()
    assert epoch_order(6, 5, 0, True) == orders[4]
    assert epoch_order(6, 5, 1, True) != orders[4]


@given(st.integers(1, 50), st.integers(1, 60))
def test_batches_cut_an_epoch_into_every_row_once(rows: int, size: int) -> None:
    order = epoch_order(rows, 1, 0, True)
    batches = [batch_rows(order, offset, size) for offset in range(0, rows, size)]
    assert [row for batch in batches for row in batch] == list(order)
    assert all(len(batch) == size for batch, _ in pairwise(batches))
