"""Forks: what is kept, what is changed."""

from __future__ import annotations

import pytest

from api.engine.errors import InvalidInput
from api.training.definition import define
from api.training.fork import fork
from api.training.session import Phase, Session


def walked() -> Session:
    session = Session.start(define({}))
    for _ in range(3):
        session = session.forward().backward().update()
    return session


def test_a_fork_without_changes_stands_where_its_origin_stands() -> None:
    origin = walked().forward()
    other = fork(origin, {})
    assert (other.snapshot, other.phase, other.loss) == (origin.snapshot, origin.phase, origin.loss)
    assert other.definition.document["parameters"] == dict(origin.parameters)


def test_another_learning_rate_keeps_phase_and_gradients() -> None:
    origin = walked().forward().backward()
    other = fork(origin, {"optimizer": {"learning_rate": 0.01}})
    assert (other.phase, other.gradients, other.learning_rate) == (Phase.BACKWARD, origin.gradients, 0.01)
    assert other.update().parameters != origin.update().parameters


def test_parameters_given_replace_the_present_ones() -> None:
    other = fork(walked(), {"parameters": {"w1": 7}})
    assert other.parameters["w1"] == 7.0
    assert other.parameters["w2"] == walked().parameters["w2"]


def test_another_model_keeps_the_parameters_it_shares() -> None:
    source = "yhat = w1*x1 + w2*x2 + v*x1*x2 + b\nL = abs(yhat - y)"
    other = fork(walked().forward(), {"model": {"kind": "expression", "source": source}})
    assert other.phase is Phase.READY
    assert other.parameters["w1"] == walked().parameters["w1"]
    assert set(other.parameters) == {"w1", "w2", "v", "b"}


def test_other_data_starts_at_its_first_row() -> None:
    other = fork(walked(), {"data": {"columns": ["x1", "x2", "y"], "rows": [[1, 2, 3]]}})
    assert (other.position.step, other.position.batch, other.batch_rows) == (3, 1, (0,))


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"start": {"step": 1}}, "/changes/start"),
        ({"optimizer": {"lr": 1}}, "/changes/optimizer/lr"),
        ({"q": 1}, "/changes/q"),
    ],
)
def test_changes_without_meaning_are_refused(changes: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        fork(walked(), changes)
    assert caught.value.errors[0].pointer == pointer
