"""Variants of a session, trained side by side."""

from __future__ import annotations

import math
from typing import Any

import pytest

from api.engine.errors import InvalidInput, LimitExceeded
from api.training.comparison import drawn_anew, epoch_losses, lap, loss_of_all, steps_of, variants_of, work_of
from api.training.definition import define
from api.training.limits import Limits
from api.training.run import Goal
from api.training.session import Session


def started(**body: Any) -> Session:
    return Session.start(define(body))


def variant(base: Session, **changes: Any) -> Session:
    return variants_of(base, [{"changes": changes}], Limits())[0]


def test_a_variant_starts_where_the_base_does_as_far_as_shapes_allow() -> None:
    base = started(model={"kind": "mlp", "layers": [{"units": 3, "activation": "tanh"}, {"units": 1}]}, seed=5)
    other = variant(base, optimizer={"kind": "adam"}, batch_size=3)
    assert {name: value.tolist() for name, value in other.parameters.items()} == {  # type: ignore[union-attr]
        name: value.tolist()  # type: ignore[union-attr]
        for name, value in base.parameters.items()
    }
    assert drawn_anew(base, other) == []
    deeper = variant(base, model={"kind": "mlp", "layers": [{"units": 3}, {"units": 4}, {"units": 1}]})
    assert drawn_anew(base, deeper) == ["W2", "b2", "W3", "b3"]  # of another shape, or new
    assert drawn_anew(base, variant(base, initializer={"kind": "ones"})) == ["W1", "W2"]


def test_an_epoch_s_loss_is_the_mean_of_its_batches() -> None:
    session = started(batch_size=4, optimizer={"learning_rate": 0.01})
    losses = []
    there = session
    for _ in range(6):
        there = there.forward().backward()
        losses.append(there.loss or 0.0)
        there = there.update()
    expected = [(losses[0] + losses[1]) / 2, (losses[2] + losses[3]) / 2, (losses[4] + losses[5]) / 2]
    assert epoch_losses(session.definition, session.snapshot, losses) == expected
    done = lap(session.definition, session.snapshot, Goal(epoch=4), math.inf)
    assert (done.epochs, done.steps, done.stopped_by) == (expected, 6, "completed")
    assert done.end.parameters == there.parameters
    assert done.end.progress.last_epoch_loss == expected[-1]


def test_an_epoch_begun_before_counts_with_all_its_batches() -> None:
    session = started()
    for _ in range(2):
        session = session.forward().backward().update()
    done = lap(session.definition, session.snapshot, Goal(epoch=2), math.inf)
    whole = lap(started().definition, started().snapshot, Goal(epoch=2), math.inf)
    assert done.epochs == whole.epochs
    assert steps_of(session, 2) == 4 + 6


def test_without_data_every_step_is_an_epoch() -> None:
    session = started(model={"kind": "expression", "source": "L = w*w"}, data=None, parameters={"w": 1.0})
    done = lap(session.definition, session.snapshot, Goal(epoch=4), math.inf)
    assert done.epochs == pytest.approx([1, 0.81, 0.6561])
    assert steps_of(session, 3) == 3
    assert loss_of_all(session.definition, done.end) == pytest.approx(0.531441)


def test_the_loss_of_all_rows_is_that_of_the_whole_data() -> None:
    session = started()
    assert loss_of_all(session.definition, session.snapshot) == pytest.approx(49.00193383333334)


def test_a_variant_s_fault_is_told_with_its_place() -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"changes": {"optimizer": {"learning_rate": 1.0}}},
        {"changes": {"optimizer": {"kind": "adm"}}},
    ]
    with pytest.raises(InvalidInput) as caught:
        variants_of(started(), asked, Limits())
    assert [fault.pointer for fault in caught.value.errors] == ["/variants/2/changes/optimizer/kind"]


def test_more_steps_than_one_run_may_do_are_refused() -> None:
    sessions = [started(), started(batch_size=6)]
    assert work_of(sessions, 10, Limits(run_steps=70)) > 0
    with pytest.raises(LimitExceeded) as caught:
        work_of(sessions, 10, Limits(run_steps=69))
    assert caught.value.errors[0].pointer == "/epochs"
