from __future__ import annotations

import pytest

from api.pages.text import state_text
from tests.documents.stored import Kept, started, traced
from tests.pages.documents import BODIES, article, state


@pytest.mark.parametrize("detail", ["named", "ops"])
@pytest.mark.parametrize("name", BODIES)
def test_no_line_is_longer_than_80_columns(name: str, detail: str) -> None:
    session = traced(**BODIES[name])
    for document in (state(session, detail), state(session.update(), detail), state(session, title="x")):
        assert max(map(len, state_text(document).splitlines())) <= 80


def test_the_articles_numbers_are_there() -> None:
    text = state_text(state(article()))
    assert text.startswith("BACKWARD   update 0 · epoch 1 · batch 1 of 6 · revision 2\n")
    for part in ("ŷ", "−0.116", "4.477", "−16.93", "yhat = w1*x1 + w2*x2 + b", "next: update, run, undo"):
        assert part in text


def test_what_is_trained_is_counted_in_three_lines_at_most() -> None:
    assert "3 parameters: w1, w2: 2; b: 1" in state_text(state(article())).splitlines()
    model = {"kind": "expression", "source": "L = " + " + ".join(f"quantity_{chr(97 + k)}" for k in range(26))}
    lines = state_text(state(started(model=model, data=None))).splitlines()
    assert lines[1].startswith("26 parameters: quantity_a: 1; ")
    assert lines[4] == ""


def test_an_update_says_what_it_changed() -> None:
    text = state_text(state(article().update()))
    assert "w₁: −0.017 → 0.8294" in text


def test_a_terminal_is_not_steered() -> None:
    text = state_text(state(started(title="\x1b[31mred\x07")))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "red" in text


def test_a_reader_is_told_why_nothing_can_be_done() -> None:
    assert "read-only" in state_text(state(Kept(article(), read_only=True)))


def test_warnings_are_there() -> None:
    session = started(parameters={"w1": 1e200, "w2": -1e200, "b": 1e300}).forward().backward()
    assert "! diverged:" in state_text(state(session))
