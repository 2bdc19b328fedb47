"""The program of a training, and where a session stands in it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from api.pages.algorithm import algorithm
from api.training.session import Session
from tests.documents.stored import started, traced
from tests.pages.documents import article, state


def told(session: Session) -> list[tuple[str, bool]]:
    return [(re.sub(r"<[^>]+>", "", str(line.text)), line.current) for line in algorithm(state(session))]


def current(session: Session) -> list[str]:
    return [text for text, now in told(session) if now]


def test_one_line_is_current_in_each_phase() -> None:
    assert current(article("ready")) == ["feed the next row to the inputs"]
    assert current(article("forward")) == ["forward: compute ŷ, L"]
    assert current(article("backward")) == ["backward: compute ∂L/∂ of w1, w2, b"]
    assert current(article().update()) == ["update w1, w2, b against the gradient, rate 0.05"]
    assert current(article().update().forward()) == ["forward: compute ŷ, L"]


def test_the_program_has_the_session_s_own_sizes() -> None:
    lines = [text for text, _ in told(started(batch_size=4))]
    assert lines[2:4] == ["for each of 2 batches", "feed the next 4 rows to the inputs"]
    assert [text for text, _ in told(started(batch_size=6))][2] == "for the one batch"


@pytest.mark.parametrize(
    ("optimizer", "text"),
    [
        ({"kind": "adam"}, "by adam, rate 0.001"),
        ({"kind": "adadelta", "dialect": "article"}, "by adadelta"),
    ],
)
def test_the_rule_is_named(optimizer: dict[str, Any], text: str) -> None:
    assert told(started(optimizer=optimizer))[-1][0].endswith(text)


def test_many_parameters_are_counted_and_no_data_is_said() -> None:
    session = traced(model={"kind": "preset", "name": "lstm"})
    assert told(session)[0][0].endswith("13 more") or re.search(r"\d+ more$", told(session)[0][0])
    alone = traced(model={"kind": "expression", "source": "L = (w - 3)**2"}, data=None, parameters={"w": 1.0})
    assert told(alone)[3][0] == "take the parameters as they are"
