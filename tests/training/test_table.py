"""A table's columns get usable names, and CSV of every dialect is read or refused with line and column."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.engine.errors import InvalidInput
from api.training.data import Data, from_body, number_text, to_csv
from api.training.limits import Limits

LIMITS = Limits()
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


# Names


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["House size", "price"], ["House_size", "price"]),
        (["a b", "a_b", "a-b"], ["a_b_2", "a_b", "a_b_3"]),
        (["x₁", "ŷ", "Größe (m²)"], ["x1", "y", "Grosse_m2"]),
        (["1st", "价格", "_x", "__"], ["column_1st", "column_2", "_x", "column_4"]),
        (["log", "mean", "class"], ["log_", "mean_", "class"]),
        (["x", "X"], ["x", "X"]),
    ],
)
def test_names_become_unique_ascii_identifiers_and_labels_are_kept(labels: list[str], names: list[str]) -> None:
    table = data(columns=labels, rows=[[0] * len(labels)])
    assert list(table.columns) == names
    assert list(table.labels) == labels
    assert same(table, again(table))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20), min_size=1))
def test_whatever_columns_are_called_their_names_are_unique_identifiers(labels: list[str]) -> None:
    try:
        table = data(columns=labels[:64], rows=[[0] * len(labels[:64])])
    except InvalidInput:
        return  # empty or twice once spaces are trimmed
    assert len(set(table.columns)) == len(table.columns)
    assert all(name.isidentifier() and name.isascii() for name in table.columns)
    assert same(table, again(table))


# CSV


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n1,2\n3,4.5\n",
        "x;y\r\n1;2\r\n3;4.5\r\n",
        "x\ty\n1\t2\n3\t4.5",
        "\ufeffx,y\n1,2\n3,4.5\n",
        '"x","y"\n"1","2"\n"3","4.5"\n',
        "x , y\n\n 1 , 2 \n   \n+3,.45e1\n\n",
        "x;y\n1;2\n3;4,5\n",
        "x\ty\n1\t2\n3\t4,5\n",
        "x,y\r1,2\r3,4.5\r",
    ],
)
def test_csv_of_every_dialect_is_the_same_table(text: str) -> None:
    table = data(csv=text)
    assert table.columns == ("x", "y")
    assert table.rows.tolist() == [[1, 2], [3, 4.5]]
    assert table.kind == "csv"
    assert same(table, again(table))


def test_csv_keeps_the_labels_and_takes_targets_by_them() -> None:
    table = data(csv='"House size, m²";Price\n70;1.5\n', targets=["House size, m²"])
    assert table.columns == ("House_size_m2", "Price")
    assert table.labels == ("House size, m²", "Price")
    assert table.targets == ("House_size_m2",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("a,b\n", "no rows"),
        ("1,2\n3,4\n", "line 1 holds only numbers"),
        ("a,b,a\n1,2,3", "line 1, column 3 has the name of column 1, 'a'"),
        (",a\n0,1\n", "line 1, column 1 has no name; with pandas write to_csv(index=False)"),
        ("a,,b\n1,2,3\n", "line 1, column 2 has no name"),
        ("a,b\n1,2\n\n3\n", "line 4 has 1 field, the header 2"),
        ("a,b\n1,2\n\n3,4,5\n", "line 4 has 3 fields, the header 2"),
        ("a,b\n1,2\n3,abc\n", "line 3, column 2 ('b'): 'abc' is not a number"),
        ("a,b\n1,2\n3,\n", "line 3, column 2 ('b'): the cell is empty"),
        ("a,b\n1,2\nNaN,3\n", "line 3, column 1 ('a'): 'NaN' is not a finite number"),
        ("a,b\n1,-inf\n", "line 2, column 2 ('b'): '-inf' is not a finite number"),
        ("a,b\n1,1e999\n", "'1e999' is too large"),
        ("a,b\n1,1_000\n", "'1_000' is not a number"),
        ("a,b\n1,٣\n", "is not a number"),
        ("a;b\n1;1,500\n", "decimal point"),
        ("a;b\n1.5;1,5\n", "decimal point"),
        ('a,b\n1,"1,5"\n', "decimal point"),
        ('a,b\n1,"2\n3,4\n', "line 2: a quoted field does not end"),
        ('a,b\n1,"2"x\n', "line 2: "),
        ("a,b\n1," + "x" * 100, "…"),
        ('"a",b\n"1",2\n"3\n",4\n5,x\n', "line 5, column 2"),
    ],
)
def test_a_bad_csv_says_line_and_column(text: str, said: str) -> None:
    found = faults(csv=text)
    assert found[0][0] == "/data/csv"
    assert said in found[0][1]


@given(st.text(alphabet='ab1.;,\t"\n\r -e\ufeff\x00٣'))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        table = data(csv=text)
    except InvalidInput:
        return
    assert np.isfinite(table.rows).all()
    assert same(table, again(table))


@given(st.lists(st.tuples(finite, finite), min_size=1))
def test_csv_out_and_in_again_is_the_same_to_the_last_bit(rows: list[tuple[float, float]]) -> None:
    table = data(columns=["a; b", "y"], rows=[list(row) for row in rows])
    back = data(csv=to_csv(table))
    assert back.labels == table.labels
    assert back.rows.tobytes() == table.rows.tobytes()


def test_csv_out_is_short_and_safe_in_a_spreadsheet() -> None:
    table = data(columns=["=cmd()", "y"], rows=[[4, -0.5]])
    assert list(csv.reader(io.StringIO(to_csv(table)))) == [["cmd", "y"], ["4", "-0.5"]]
    assert [number_text(value) for value in (4.0, -0.0, 1e300, 0.1)] == ["4", "-0.0", "1e+300", "0.1"]
