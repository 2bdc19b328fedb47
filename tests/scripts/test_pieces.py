"""Text put together without a bracket missing, and without a way out of a comment."""

from __future__ import annotations

import pytest

from api.engine.notation import ATOM, POWER, PRODUCT, SUM
from api.scripts.pieces import Piece, beside, comment, filled


@pytest.mark.parametrize(
    ("template", "a", "written"),
    [
        ("{a:product} * 2", Piece("b + c", SUM), "(b + c) * 2"),
        ("{a:product} * 2", Piece("b * c", PRODUCT), "b * c * 2"),
        ("2 / {a:unary}", Piece("b * c", PRODUCT), "2 / (b * c)"),
        ("{a:atom}**2", Piece("b**3", POWER), "(b**3)**2"),
        ("f({a})", Piece("b + c", SUM), "f(b + c)"),
        ("{a:atom}[0]", Piece("f(b)", ATOM), "f(b)[0]"),
        ("f({a:tensor})", Piece("2", ATOM, "array(2)"), "f(array(2))"),
        ("{a:sum} - 1", Piece("2", ATOM, "array(2)"), "2 - 1"),
    ],
)
def test_a_piece_has_brackets_where_it_binds_less_than_its_place_needs(template: str, a: Piece, written: str) -> None:
    assert filled(template, a=a).text == written


@pytest.mark.parametrize(
    ("template", "binds"), [("{a} + 1", SUM), ("{a} @ {a}", PRODUCT), ("{a}**2", POWER), ("f({a} + 1)", ATOM)]
)
def test_a_template_binds_as_its_outermost_sign(template: str, binds: int) -> None:
    assert filled(template, a=Piece("x")).binds == binds


@pytest.mark.parametrize(
    "sign", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00", "\u202e"]
)
def test_a_comment_is_one_line_whatever_it_says(sign: str) -> None:
    found = comment(f"a{sign}import os")
    assert found == "a import os"
    assert len(found.splitlines()) == 1


def test_a_comment_is_not_longer_than_asked_for() -> None:
    assert comment("x" * 500, 20) == "x" * 19 + "…"


def test_comments_stand_one_below_the_other() -> None:
    assert beside([("a = 1", "one"), ("long = 2", "two"), ("b = 3", "")]) == [
        "a = 1     # one",
        "long = 2  # two",
        "b = 3",
    ]
