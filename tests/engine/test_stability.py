"""Curvature against closed forms, and bounds of the learning rate against what the optimisers then really do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from api.engine import descent
from api.engine.builder import build
from api.engine.curvature import eigenvalues, gradient_of, hessian, largest_eigenvalue
from api.engine.stability import FORMULAS, LINEAR, LinearStep, largest_epoch_rate, largest_rate, unbounded_reason
from tests.engine.article import ROWS

X = np.array([[x1, x2, 1.0] for x1, x2, _ in ROWS])
CURVATURES = [2 * np.outer(row, row) for row in X]
FULL = 2 * X.T @ X / 6
INPUTS = {"x1": X[:, 0].tolist(), "x2": X[:, 1].tolist(), "y": [float(y) for _, _, y in ROWS]}
ARTICLE = build("L = (w1*x1 + w2*x2 + b - y)**2", tuple(INPUTS))
DIALECTS = [(kind, dialect) for kind in LINEAR for dialect in ("torch", "keras", "article")]


def optimizer(**body: Any) -> dict[str, Any]:
    return descent.resolve(body)


def test_the_article_s_curvature_is_two_xtx_over_n() -> None:
    found = hessian(gradient_of(ARTICLE, INPUTS), np.array([-0.017, -0.048, 0.0]))
    np.testing.assert_allclose(found, FULL, rtol=1e-9)
    assert eigenvalues(found) == pytest.approx(np.linalg.eigvalsh(FULL)[::-1].tolist(), rel=1e-9)


def test_a_curvature_that_varies_is_that_of_the_point() -> None:
    graph = build("L = exp(v)*sin(w) + w**4", {})
    v, w = 0.3, 0.7
    found = hessian(gradient_of(graph, {}), np.array([v, w]))
    right = [
        [math.exp(v) * math.sin(w), math.exp(v) * math.cos(w)],
        [math.exp(v) * math.cos(w), 12 * w**2 - math.exp(v) * math.sin(w)],
    ]
    np.testing.assert_allclose(found, right, rtol=1e-8)
    assert eigenvalues(np.array([[math.nan]])) is None
    assert eigenvalues(np.zeros((0, 0))) == []


def test_the_largest_eigenvalue_is_found_without_the_matrix() -> None:
    random = np.random.default_rng(3)
    base = random.normal(size=(300, 300))
    matrix = base @ base.T / 300 - np.eye(300)
    at = random.normal(size=300)
    found = largest_eigenvalue(lambda vector: matrix @ vector, at)
    assert found == pytest.approx(float(np.linalg.eigvalsh(matrix)[-1]), rel=1e-7)
    assert largest_eigenvalue(lambda vector: -3 * vector, at) == pytest.approx(-3, rel=1e-8)
    assert largest_eigenvalue(lambda vector: 0 * vector, at) == 0
    assert largest_eigenvalue(lambda vector: vector * math.inf, at) is None


def test_the_article_s_largest_rates_are_those_known() -> None:
    """0.0270 for batches of one row in the listed order, 0.0326 for all rows at once."""
    plain = optimizer()
    assert largest_rate(plain, float(np.linalg.eigvalsh(FULL)[-1])) == 2 / np.linalg.eigvalsh(FULL)[-1]
    assert largest_rate(plain, float(np.linalg.eigvalsh(FULL)[-1])) == pytest.approx(0.0326, abs=5e-5)
    assert largest_epoch_rate(plain, [FULL]) == pytest.approx(2 / np.linalg.eigvalsh(FULL)[-1], rel=1e-9)
    assert largest_epoch_rate(plain, CURVATURES) == pytest.approx(0.0270, abs=5e-5)
    other = [CURVATURES[place] for place in (0, 3, 1, 4, 2, 5)]
    assert largest_epoch_rate(plain, other) != pytest.approx(0.0270, abs=5e-5)


@pytest.mark.parametrize(("kind", "dialect"), DIALECTS)
def test_each_bound_is_that_of_its_published_formula(kind: str, dialect: str) -> None:
    mu, top = 0.8, 61.4
    body = {"kind": kind, "dialect": dialect} | ({} if kind == "sgd" else {"momentum": mu})
    heavy = 2 * (1 + mu) / top
    expected = {
        "sgd": 2 / top,
        "momentum": heavy / (1 - mu) if dialect == "article" else heavy,
        "nesterov": heavy / (3 * (1 - mu)) if dialect == "article" else heavy / (1 + 2 * mu),
    }[kind]
    assert largest_rate(optimizer(**body), top) == pytest.approx(expected, rel=1e-10)
    assert (kind, dialect) in FORMULAS


def test_dampening_and_weight_decay_enter_the_bound() -> None:
    top = 61.4
    dampened = optimizer(kind="momentum", momentum=0.8, dampening=0.5)
    assert largest_rate(dampened, top) == pytest.approx(2 * 1.8 / (0.5 * top), rel=1e-10)
    for dialect in ("torch", "keras"):
        assert largest_rate(optimizer(dialect=dialect, weight_decay=0.5), top) == pytest.approx(2 / (top + 0.5))
    assert largest_rate(optimizer(momentum=0.8), top) == pytest.approx(2 * 1.8 / top, rel=1e-10)
    assert largest_rate(optimizer(momentum=0.8, nesterov=True), top) == pytest.approx(2 * 1.8 / (2.6 * top), rel=1e-10)


@pytest.mark.parametrize(("kind", "dialect"), DIALECTS)
def test_steps_of_the_rule_itself_settle_below_the_bound_and_not_above(kind: str, dialect: str) -> None:
    body = {"kind": kind, "dialect": dialect}
    whole = largest_epoch_rate(optimizer(**body), CURVATURES)
    single = largest_rate(optimizer(**body), 5.0)
    assert whole is not None
    assert single is not None
    for rate, settles in ((single * 0.98, True), (single * 1.02, False)):
        assert (walked(optimizer(**body, learning_rate=rate), [np.array([[5.0]])], 3000) < 1e-3) is settles
    for rate, settles in ((whole * 0.97, True), (whole * 1.03, False)):
        radius = LinearStep.of(optimizer(**body)).radius(CURVATURES, rate)
        assert (radius < 1) is settles
        end = walked(optimizer(**body, learning_rate=rate), CURVATURES, 20_000)
        assert (end < 10) is settles, (rate, end)


def walked(chosen: dict[str, Any], curvatures: list[np.ndarray[Any, Any]], steps: int) -> float:
    """How far from 0 the optimiser's own rule is after so many steps with g = H·w, of a start at (1, 1, …)."""
    rule, fields = descent.rule(chosen), descent.numbers(chosen)
    size = len(curvatures[0])
    names = [f"w{place}" for place in range(size)]
    parameters: dict[str, Any] = dict.fromkeys(names, 1.0)
    slots: dict[str, dict[str, Any]] = {slot: dict.fromkeys(names, rule.born(slot)) for slot in rule.slots}
    for step in range(steps):
        matrix = curvatures[step % len(curvatures)]

        def gradients(at: Any, matrix: Any = matrix) -> dict[str, Any]:
            return dict(zip(names, (matrix @ np.array([at[name] for name in names])).tolist(), strict=True))

        done = rule.floats.step(fields, parameters, gradients(parameters), slots, gradients)
        parameters, slots = dict(done.after), done.slots
        if not all(abs(value) < 1e9 for value in parameters.values()):
            return math.inf
    return max(abs(float(value)) for value in parameters.values())


def test_where_no_rate_is_stable_or_every_one_is_none_is_given() -> None:
    plain = optimizer()
    assert largest_rate(plain, 0.0) is None
    assert largest_rate(plain, -2.0) is None
    assert largest_epoch_rate(plain, [np.zeros((2, 2))]) is None
    assert largest_epoch_rate(plain, [np.diag([2.0, -1.0])]) is None
    assert largest_epoch_rate(plain, [np.diag([2.0, 0.0])]) == pytest.approx(1.0, rel=1e-6)
    assert LinearStep.of(plain).radius([np.diag([1e308, 1.0])] * 2, 1e10) == math.inf


def test_for_other_optimisers_no_bound_holds_and_it_is_said_why() -> None:
    for kind in ("adam", "rmsprop", "adagrad", "adadelta", "nadam", "radam"):
        assert kind in (unbounded_reason(optimizer(kind=kind)) or "")
    assert "clipped" in (unbounded_reason(optimizer(clip={"norm": 1.0})) or "")
    assert unbounded_reason(optimizer(momentum=0.9)) is None
