"""Messages stay short and safe, and guess what was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.engine.wording import counted, near_miss, pointer_part, shown

FIELDS = ("learning_rate", "momentum", "beta1", "House_size")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lr", "learning_rate"),
        ("learningRate", "learning_rate"),
        ("Momentum", "momentum"),
        ("momentun", "momentum"),
        ("house size", "House_size"),
    ],
)
def test_a_near_miss_is_suggested(name: str, meant: str) -> None:
    assert near_miss(name, FIELDS) == f", did you mean '{meant}'?"


@pytest.mark.parametrize("name", ["zzz", "", "_", "x" * 100_000])
def test_nothing_close_is_no_suggestion(name: str) -> None:
    assert near_miss(name, FIELDS) == ""


@given(st.text(st.characters(codec=None)) | st.integers() | st.floats() | st.booleans() | st.none())
def test_whatever_is_shown_is_short_and_can_be_sent(value: object) -> None:
    assert len(shown(value)) <= 40
    assert shown(value).encode().decode().isprintable()


def test_values_are_shown_as_in_json() -> None:
    values = [None, True, 1.5, "a", [1, 2], {"a": 1}, 10**5000, "\ud800"]
    assert [shown(value) for value in values] == [
        "null",
        "true",
        "1.5",
        "'a'",
        "a list of 2",
        "an object",
        "an integer of more than 60 digits",
        "'\\ud800'",
    ]


def test_a_part_of_a_pointer_is_escaped_and_short() -> None:
    assert pointer_part("a/b~c\ud800") == "a~1b~0c?"
    assert len(pointer_part("x" * 50)) == 40


def test_counts_agree_with_their_nouns() -> None:
    assert [counted(1, "row"), counted(2, "row")] == ["1 row", "2 rows"]
