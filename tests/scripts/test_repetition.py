"""Where a script begins, and how much room it leaves for rounding."""

from __future__ import annotations

from typing import Any

import pytest

from api.scripts.repetition import Beginning, Repetition, most_steps, repetition
from api.training.definition import define
from api.training.session import Session
from tests.scripts.cases import ODD, Case
from tests.scripts.running import session_of


def repetition_of(case: Case) -> Repetition:
    session = session_of(case)
    return repetition(session, Session.start(session.definition).snapshot, Beginning.CREATED)


def test_a_repetition_has_every_loss_and_ends_where_the_session_stands() -> None:
    found = repetition_of(Case({"optimizer": {"kind": "adam"}, "shuffle": True}, 50))
    assert (found.start.position.step, found.steps, found.beginning) == (0, 50, Beginning.CREATED)
    session, losses = Session.start(found.definition), []
    for _ in range(50):
        session = session.forward().backward()
        losses.append(session.loss)
        session = session.update()
    assert found.losses == losses
    assert list(found.kept.values()) == [losses[step] for step in found.kept]
    assert list(found.kept) == sorted({0, 7, 42, 49, *found.kept})
    assert len(found.kept) == 24


@pytest.mark.parametrize("name", ["weights that begin alike", "diverging", "without data", "a wide table"])
def test_most_training_is_repeated_from_its_beginning(name: str) -> None:
    found = repetition_of(ODD[name])
    assert (found.beginning, found.start.position.step) == (Beginning.CREATED, 0)


@pytest.mark.parametrize("name", ["the sign of nothing", "a network that magnifies rounding"])
def test_training_that_magnifies_rounding_is_repeated_from_where_it_no_longer_does(name: str) -> None:
    found = repetition_of(ODD[name])
    assert found.beginning is Beginning.SENSITIVE
    assert found.start.position.step > 0
    assert found.steps + found.start.position.step == found.session.position.step


@pytest.mark.parametrize("operand", [1.25, -1.0, 0.0])
def test_a_session_that_begins_at_a_kink_is_repeated_from_there(operand: float) -> None:
    source = f"L = relu(a - {operand})*3 + maximum(a, b) + abs(a - b)*2 + max(concat(reshape(a, 1), reshape(b, 1)))"
    body: dict[str, Any] = {"model": {"kind": "expression", "source": source}, "data": None}
    body |= {"parameters": {"a": operand, "b": operand}, "optimizer": {"learning_rate": 0.01}}
    assert repetition_of(Case(body, 1)).start.position.step == 0


def test_room_is_small_beside_the_numbers() -> None:
    room = repetition_of(Case({"optimizer": {"learning_rate": 0.01}}, 60)).room
    assert 0 < room.parameters <= 1e-10
    assert 0 < room.losses <= 1e-6
    assert 0 < room.gradients <= 1e-9


def test_larger_models_are_repeated_for_fewer_steps() -> None:
    small = define({})
    large = define({
        "model": {"kind": "mlp", "layers": [{"units": 100, "activation": "relu"}, {"units": 10}]},
        "data": {"dataset": "digits"}, "loss": {"kind": "softmax_cross_entropy"}, "batch_size": 64,
    })  # fmt: skip
    assert most_steps(small) == 10_000
    assert 100 < most_steps(define({"model": {"kind": "preset", "name": "lstm"}})) < 10_000
    assert most_steps(large) <= 10_000
    drawn = define({"data": {"columns": ["x", "y"], "rows": [[k, k] for k in range(500)]}, "batch_size": 500,
                    "model": {"kind": "linear"}, "shuffle": True})  # fmt: skip
    assert most_steps(drawn) == 200
