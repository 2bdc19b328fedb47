from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.pages import figures


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-0.116, "−0.116"),
        (4.477456, "4.477"),
        (-16.928, "−16.93"),
        (0.16360000000000002, "0.1636"),
        (0.1 + 0.2, "0.3"),
        (4.0, "4"),
        (-14, "−14"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.00012344, "0.0001234"),
        (0.000012344, "1.234×10⁻⁵"),
        (123456.7, "123457"),
        (1234567.0, "1.235×10⁶"),
        (-1e-300, "−1×10⁻³⁰⁰"),
        ("NaN", "NaN"),
        ("Infinity", "∞"),
        ("-Infinity", "−∞"),
        (math.inf, "∞"),
        (None, "·"),
    ],
)
def test_numbers_read_as_people_write_them(value: Any, shown: str) -> None:
    assert figures.number(value) == shown


@given(st.floats(-1e300, 1e300), st.integers(1, 8))
@example(9.9995, 4)
@example(5e-324, 4)
def test_a_number_shown_is_the_number_rounded(value: float, digits: int) -> None:
    shown = float(figures.number(value, digits, compact=True).replace("−", "-"))
    assert math.isclose(shown, value, rel_tol=0.51 * 10.0 ** (1 - digits), abs_tol=0)


def test_large_and_small_numbers_are_short_where_room_is_scarce() -> None:
    assert figures.number(-1.2345e-7, compact=True) == "−1.235e−7"


def test_a_column_has_one_count_of_decimals() -> None:
    assert figures.column([1, 2.5, -0.25]) == ["1.00", "2.50", "−0.25"]
    assert figures.column([4, 2, -0.0]) == ["4", "2", "0"]
    assert figures.column([]) == []


def test_a_column_never_shows_a_false_zero() -> None:
    shown = figures.column([27316.4302, 0.0141, 1e-9])
    assert shown == ["27316.43", "0.0141", "1×10⁻⁹"]


def test_what_a_column_cannot_align_stands_as_it_is() -> None:
    assert figures.column([1.5, "Infinity", None]) == ["1.5", "∞", "·"]


@given(st.lists(st.floats(-1e5, 1e5), min_size=1, max_size=20))
def test_a_column_shows_the_numbers_rounded(values: list[float]) -> None:
    for value, text in zip(values, figures.column(values), strict=True):
        if "×" not in text:
            decimals = len(text.partition(".")[2])
            assert abs(float(text.replace("−", "-")) - value) <= 0.5000001 * 10.0**-decimals


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-0.5, "−0.5"),
        ([4.0], "4"),
        ([4.0, 2.0], "4, 2"),
        ([float(i) for i in range(64)], "0, 1, 2, 3, … (64)"),
        ([[1.0, 2.0], [3.0, 4.0]], "1, 2, 3, 4 (2×2)"),
        ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "1, 2, 3, 4, … (2×3)"),
        ({"summary": True, "shape": [500], "first": [1.0, 2.0, 3.0, 4.0, 5.0]}, "1, 2, 3, 4, … (500)"),
        ([], ""),
    ],
)
def test_many_numbers_are_folded(value: Any, shown: str) -> None:
    assert figures.values(value) == shown


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=70), st.sampled_from([60.0, 90.0, 120.0]))
def test_a_value_is_fitted_to_its_room_where_that_can_be(values: list[float], room: float) -> None:
    text = figures.fitted(values, room, 11.0)
    shortest = figures.values(values, 1, 1, compact=True)
    assert figures.text_width(text, 11.0) <= max(room, figures.text_width(shortest, 11.0))
