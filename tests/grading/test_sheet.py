"""A sheet of questions: how answers are read and tries are counted."""

from __future__ import annotations

from typing import Any

import pytest

from api.engine.errors import InvalidInput
from api.grading.sheet import Question, Sheet, Unreadable, read_numbers, sheet_of


def question(*shape: int) -> Question:
    return Question("values", "yhat", None, shape)


@pytest.mark.parametrize(
    ("text", "shape", "numbers"),
    [
        ("-4.232", (), -4.232),
        (" −4,232 ", (1,), [-4.232]),
        ("[.5]", (1,), [0.5]),
        ("+1e-3", (), 0.001),
        ("1, 2;3", (3,), [1.0, 2.0, 3.0]),
        ("1,5 2", (3,), [1.0, 5.0, 2.0]),
        ("[[1 2 3]\n[4, 5, 6]]", (2, 3), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        ("inf −∞ NaN 1e999", (4,), ["Infinity", "-Infinity", "NaN", "Infinity"]),
    ],
)
def test_numbers_are_read_as_people_type_them(text: str, shape: tuple[int, ...], numbers: Any) -> None:
    assert read_numbers(text, question(*shape)) == numbers


@pytest.mark.parametrize(
    ("text", "shape", "reason"),
    [
        ("", (), "Type a number"),
        (" , ", (), "Type a number"),
        ("four", (), "“four” is no number"),
        ("<b>" * 30, (), "…” is no number"),
        ("0x10", (), "no number"),
        ("1_000", (), "no number"),
        ("٤", (), "no number"),
        ("1 2", (), "one number is asked for; this is 2"),
        ("1", (6,), "6 numbers are asked for; this is 1"),
        ("1 2 3", (2, 2), "4 numbers are asked for"),
    ],
)
def test_what_cannot_be_read_is_told_so(text: str, shape: tuple[int, ...], reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read_numbers(text, question(*shape))


def test_an_answer_is_right_at_one_of_three_tries_or_shown() -> None:
    sheet = Sheet().after(right=True)
    assert sheet == Sheet("1")
    sheet = sheet.after(right=False)
    assert sheet == Sheet("1", 1)
    sheet = sheet.after(right=True)
    assert sheet == Sheet("12")
    for _ in range(3):
        sheet = sheet.after(right=False)
    assert sheet == Sheet("120")
    assert sheet.shown() == Sheet("1200")
    assert sheet.shown().score == {"asked": 4, "right": 2, "first_try": 1}


def test_a_sheet_that_comes_back_must_be_one_of_these_questions() -> None:
    three = [question()] * 3
    assert sheet_of("", 2, three) == Sheet("", 2)
    assert sheet_of("103", 2, three) == Sheet("103")
    for done in ("1111", "4", "x", "١", "-1", "1 "):
        with pytest.raises(InvalidInput, match="at most 3 digits from 0 to 3"):
            sheet_of(done, 0, three)
