from __future__ import annotations

import pytest

from api.pages import notation


@pytest.mark.parametrize(
    ("name", "text", "html"),
    [
        ("yhat", "ŷ", "<i>ŷ</i>"),
        ("w1", "w₁", "<i>w</i><sub>1</sub>"),
        ("w1_2_3", "w₁,₂,₃", "<i>w</i><sub>1,2,3</sub>"),
        ("b", "b", "<i>b</i>"),
        ("L", "L", "<i>L</i>"),
        ("alpha", "α", "<i>α</i>"),
        ("House_size", "House_size", "House_size"),
    ],
)
def test_names_are_set_as_mathematics_sets_them(name: str, text: str, html: str) -> None:
    assert notation.text(name) == text
    assert notation.html(name) == html


def test_a_subscript_in_a_picture_returns_to_the_line() -> None:
    assert notation.svg("w1") == (
        '<tspan class="v">w</tspan><tspan class="sub" dy="4">1</tspan><tspan dy="-4">&#8203;</tspan>'
    )


def test_hostile_names_are_text() -> None:
    for write in (notation.html, notation.svg):
        assert "<script" not in write("<script>alert(1)</script>")


def test_operations_have_signs_or_keep_their_name() -> None:
    assert notation.operation_sign("multiply") == "×"
    assert notation.operation_sign("tanh") == "tanh"
