"""Up to which learning rate a session's training settles, and where it stops being finite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from api.training.definition import define
from api.training.limits import Limits
from api.training.session import Session
from api.training.stability import Stability, stability

X = np.array([[4, 1, 1], [2, 8, 1], [1, 0, 1], [3, 2, 1], [1, 4, 1], [6, 7, 1]], dtype=float)
FULL = 2 * X.T @ X / 6


def looked(limits: Limits = Limits(), steps: int = 2000, **body: Any) -> Stability:  # noqa: B008 - frozen
    return stability(Session.start(define(body)), limits=limits, steps=steps)


def test_the_article_s_numbers() -> None:
    found = looked()
    assert found.full.eigenvalues == pytest.approx(np.linalg.eigvalsh(FULL)[::-1].tolist(), rel=1e-9)
    assert found.full.largest_rate == pytest.approx(0.0326, abs=5e-5)
    assert found.batch.eigenvalues == pytest.approx([2 * 18, 0, 0], abs=1e-8)
    assert found.batch.largest_rate == pytest.approx(2 / 36, rel=1e-9)
    assert found.epoch.largest_rate == pytest.approx(0.0270, abs=5e-5)
    assert found.epoch.radius is not None
    assert found.epoch.radius > 1
    assert found.constant is True
    assert (found.first.step, found.first.epoch, found.first.quantity) == (1296, 217, "L")
    assert found.first.searched == 1297


@pytest.mark.parametrize(("size", "rate"), [(1, None), (2, None), (4, None), (6, 0.0326)])
def test_training_settles_below_the_epoch_s_bound_and_diverges_above(size: int, rate: float | None) -> None:
    bound = looked(batch_size=size).epoch.largest_rate
    assert bound is not None
    if rate:
        assert bound == pytest.approx(rate, abs=5e-5)
    for factor in (0.98, 1.02):
        there = looked(batch_size=size, optimizer={"learning_rate": bound * factor}, steps=200_000)
        assert there.epoch.radius is not None
        assert (there.epoch.radius < 1) is (factor < 1)
        assert (there.first.step is None) is (factor < 1)


def test_a_run_of_momentum_settles_below_its_bound_and_diverges_above() -> None:
    for kind in ("momentum", "nesterov"):
        bound = looked(optimizer={"kind": kind}).epoch.largest_rate
        assert bound is not None
        for factor in (0.97, 1.03):
            there = looked(optimizer={"kind": kind, "learning_rate": bound * factor}, steps=300_000)
            assert (there.first.step is None) is (factor < 1)


def test_rows_held_out_have_no_part_in_it() -> None:
    kept = [1, 2, 3, 4]
    found = looked(split={"validation_rows": [0, 5]}, batch_size=2)
    right = np.linalg.eigvalsh(2 * X[kept].T @ X[kept] / 4)[::-1]
    assert found.full.eigenvalues == pytest.approx(right.tolist(), rel=1e-8)
    assert (found.full.rows, found.epoch.batches) == (4, 2)


def test_it_speaks_of_the_present_parameters_and_steps_count_from_the_beginning() -> None:
    session = Session.start(define({}))
    for _ in range(7):
        session = session.forward().backward().update()
    found = stability(session.forward(), limits=Limits(), steps=2000)
    assert (found.first.step, found.first.searched) == (1296, 1290)
    assert found.batch.rows == 1
    assert found.full.loss == pytest.approx(
        float(np.mean((X @ list(session.parameters.values()) - [2, -14, 1, -1, -7, -8]) ** 2))
    )


def test_a_curvature_that_varies_is_not_called_constant() -> None:
    body: dict[str, Any] = {"model": {"kind": "expression", "source": "L = w**4 + v*v"}, "data": None}
    found = looked(**body, parameters={"w": 2, "v": 1})
    assert found.full.eigenvalues == pytest.approx([48, 2], rel=1e-8)
    assert found.constant is False
    assert (found.full.rows, found.epoch.batches) == (0, 1)


def test_other_optimisers_have_curvature_but_no_bound() -> None:
    for optimizer in ({"kind": "adam"}, {"kind": "lion", "dialect": "keras"}, {"clip": {"value": 1.0}}):
        found = looked(optimizer=optimizer, steps=20)
        assert found.full.eigenvalues is not None
        assert (found.full.largest_rate, found.epoch.largest_rate, found.epoch.radius) == (None, None, None)
        assert found.reason == found.full.reason == found.epoch.reason
        assert found.reason


def test_shuffled_rows_have_no_epoch_map_but_all_at_once_have() -> None:
    assert "shuffled" in (looked(shuffle=True).epoch.reason or "")
    whole = looked(shuffle=True, batch_size=6).epoch
    assert whole.largest_rate == pytest.approx(2 / np.linalg.eigvalsh(FULL)[-1], rel=1e-8)


def test_where_the_loss_curves_downward_no_rate_settles() -> None:
    saddle: dict[str, Any] = {"model": {"kind": "expression", "source": "L = w*w - v*v"}, "data": None}
    found = looked(**saddle, parameters={"w": 1, "v": 1})
    assert found.full.eigenvalues == pytest.approx([2, -2], rel=1e-8)
    assert found.full.largest_rate == pytest.approx(1)
    assert found.epoch.largest_rate is None
    assert "downward" in (found.epoch.reason or "")
    straight = looked(model={"kind": "expression", "source": "L = w*3"}, data=None)
    assert straight.full.largest_rate is None
    assert "no direction curves upward" in (straight.full.reason or "")


def test_more_parameters_than_the_limit_have_the_largest_eigenvalue_alone() -> None:
    few = looked()
    many = looked(limits=Limits(hessian_parameters=2))
    assert many.full.eigenvalues is None
    assert many.full.largest == pytest.approx(few.full.largest, rel=1e-7)
    assert many.full.largest_rate == pytest.approx(few.full.largest_rate, rel=1e-7)
    assert "at most 2" in (many.full.reason or "")
    assert many.epoch.largest_rate is None
    assert many.epoch.reason


def test_what_takes_too_much_is_null_with_the_reason() -> None:
    found = looked(limits=Limits(analysis_operations=2000))
    assert (found.full.eigenvalues, found.full.largest_rate) == (None, None)
    assert "operations" in (found.full.reason or "")
    assert found.first.searched < 2000
    assert found.constant is None


def test_what_is_not_finite_has_no_curvature() -> None:
    body: dict[str, Any] = {"model": {"kind": "expression", "source": "L = exp(exp(w))"}, "data": None}
    found = looked(**body, parameters={"w": 10})
    assert found.full.loss == math.inf
    assert found.full.eigenvalues is None
    assert (found.first.step, found.first.quantity, found.first.searched) == (0, "L", 1)


def test_a_gradient_that_is_not_finite_is_named() -> None:
    body: dict[str, Any] = {"model": {"kind": "expression", "source": "L = sqrt(w) + v"}, "data": None}
    found = looked(**body, parameters={"w": 0, "v": 1})
    assert (found.first.step, found.first.quantity) == (0, "w")


def test_without_parameters_there_is_nothing_to_settle() -> None:
    found = looked(model={"kind": "expression", "source": "L = x1*x2"}, steps=5)
    assert found.full.largest_rate is None
    assert found.first.step is None
