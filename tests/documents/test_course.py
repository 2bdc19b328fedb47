"""The course document."""

from __future__ import annotations

import math

import pytest

from api.documents.course import course
from api.training.session import Session
from tests.documents.stored import started


def walk(session: Session, steps: int) -> list[Session]:
    found = [session]
    for _ in range(steps):
        found.append(found[-1].forward().backward().update())
    return found


def test_each_step_has_its_rate_its_gradient_and_its_parameters() -> None:
    sessions = walk(started(schedule={"kind": "exponential", "gamma": 0.5, "every": "update"}), 3)
    document = course(sessions)
    assert document["steps"] == [0, 1, 2, 3]
    assert document["learning_rate"] == pytest.approx([0.05, 0.025, 0.0125, 0.00625])
    assert document["parameters"]["w1"] == [session.parameters["w1"] for session in sessions]
    assert document["gradient_norm"][0] == pytest.approx(math.hypot(16.928, 4.232, 4.232))
    assert document["norms"] == []


def test_the_last_session_may_be_in_any_phase() -> None:
    first, last = walk(started(), 1)
    for there in (last, last.forward(), last.forward().backward()):
        assert course([first, there]) == course([first, last])


def test_tensors_are_told_by_their_norms() -> None:
    document = course(walk(started(model={"kind": "preset", "name": "xor"}), 1))
    assert document["norms"] == ["W1", "b1", "W2", "b2"]
    assert document["parameters"]["b1"][0] == 0
    assert document["parameters"]["b1"][1] > 0
