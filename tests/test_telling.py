"""What takes long at a terminal says so; elsewhere, and what is quick, says nothing."""

from __future__ import annotations

import io
import time

import pytest

from api import telling
from api.telling import Telling


class Terminal(io.StringIO):
    """Text that thinks it is a terminal."""

    def isatty(self) -> bool:
        """It does."""
        return True


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "PATIENCE", 0.1)
    monkeypatch.setattr(telling, "EVERY", 0.02)


def test_what_takes_long_says_how_far_it_is_and_then_is_silent() -> None:
    terminal = Terminal()
    with Telling("copying", terminal) as told:
        for share in (0.25, 0.5):
            told.at(share)
            time.sleep(0.15)
    said = terminal.getvalue().split("\r\x1b[K")
    assert said[0] == said[-1] == ""
    assert "stepgrad: copying: 25%" in said
    assert "stepgrad: copying: 50%" in said


def test_where_the_end_is_not_known_the_seconds_are_told() -> None:
    terminal = Terminal()
    with Telling("looking", terminal):
        time.sleep(0.15)
    assert "stepgrad: looking: 0 s" in terminal.getvalue()


def test_what_is_quick_or_at_no_terminal_says_nothing() -> None:
    terminal, file = Terminal(), io.StringIO()
    with Telling("copying", terminal):
        pass
    with Telling("copying", file):
        time.sleep(0.15)
    assert terminal.getvalue() == file.getvalue() == ""
