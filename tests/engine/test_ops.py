"""Every row of the table: its partials against central differences, its texts against its formulas, its hard places."""

from __future__ import annotations

import math
import random

import pytest

from api.engine import ops
from api.engine.ops import ELEMENTWISE, FORWARD, PARTIALS, Operation
from api.engine.terms import Apply, Name, Number, Term

POSITIVE = {"log", "sqrt", "power", "divide"}
ROWS = [pytest.param(row, id=row.name) for row in ELEMENTWISE.values()]


def points(row: Operation) -> list[tuple[float, float]]:
    """Places away from kinks, where the operation is smooth."""
    chance = random.Random(row.name)
    low = 0.2 if row.name in POSITIVE else -3.0
    found = [(chance.uniform(low, 3.0), chance.uniform(low, 3.0)) for _ in range(40)]
    return [(a, b) for a, b in found if abs(a) > 0.05 and abs(a - b) > 0.05]


def central_difference(row: Operation, place: int, a: float, b: float, c: float) -> float:
    step = 1e-5
    up = (a + step, b) if place == 0 else (a, b + step)
    down = (a - step, b) if place == 0 else (a, b - step)
    return (FORWARD[row.name](*up, 0.0, c) - FORWARD[row.name](*down, 0.0, c)) / (2 * step)


def agrees(row: Operation, partial: object, place: int) -> bool:
    for a, b in points(row):
        for c in (3.0, -1.0, 0.5) if row.name == "power" else (0.0,):
            found = partial(a, b, FORWARD[row.name](a, b, 0.0, c), c)  # type: ignore[operator]
            if not math.isclose(found, central_difference(row, place, a, b, c), rel_tol=1e-6, abs_tol=1e-7):
                return False
    return True


@pytest.mark.parametrize("row", ROWS)
def test_each_partial_agrees_with_central_differences(row: Operation) -> None:
    assert len(points(row)) > 20
    assert all(agrees(row, PARTIALS[row.name][place], place) for place in range(row.arity))


def test_a_planted_wrong_partial_is_caught() -> None:
    assert not agrees(ELEMENTWISE["tanh"], lambda _a, _b, y, _c: 1.0 - y, 0)
    assert not agrees(ELEMENTWISE["multiply"], PARTIALS["multiply"][1], 0)


def evaluated(tree: Term, names: dict[str, float]) -> float:
    if isinstance(tree, Number):
        return tree.value
    if isinstance(tree, Name):
        return names[tree.name]
    assert isinstance(tree, Apply)
    arguments = [evaluated(one, names) for one in tree.arguments]
    if tree.operation in ("greater", "above", "below"):
        return float(arguments[0] < arguments[1] if tree.operation == "below" else arguments[0] > arguments[1])
    if tree.operation == "sign":
        return ops.sign(arguments[0])
    first, second = (*arguments, 0.0)[:2]
    return FORWARD[tree.operation](first, second, 0.0, tree.exponent or 0.0)


@pytest.mark.parametrize("row", ROWS)
def test_each_partial_as_a_formula_gives_the_same_numbers(row: Operation) -> None:
    for a, b in points(row):
        c = 1.5 if row.name == "power" else 0.0
        y = FORWARD[row.name](a, b, 0.0, c)
        static = (c,) if row.name == "power" else ()
        for place in range(row.arity):
            operands = [Name("a"), Name("b")][: row.arity]
            formula = row.derivatives[place](Name("y"), *operands, *static)
            expected = PARTIALS[row.name][place](a, b, y, c)
            assert evaluated(formula, {"a": a, "b": b, "y": y}) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "a", "value", "partial"),
    [
        ("tanh", 1000.0, 1.0, 0.0),
        ("tanh", -1000.0, -1.0, 0.0),
        ("sigmoid", 1000.0, 1.0, 0.0),
        ("sigmoid", -1000.0, 0.0, 0.0),
        ("sigmoid", -700.0, math.exp(-700), math.exp(-700)),
        ("softplus", 1000.0, 1000.0, 1.0),
        ("softplus", -1000.0, 0.0, 0.0),
        ("relu", 0.0, 0.0, 0.0),
        ("relu", -0.0, 0.0, 0.0),
        ("abs", 0.0, 0.0, 0.0),
        ("exp", 1000.0, math.inf, math.inf),
        ("exp", -1000.0, 0.0, 0.0),
        ("log", 0.0, -math.inf, math.inf),
        ("sqrt", 0.0, 0.0, math.inf),
        ("square", 1e200, math.inf, 2e200),
    ],
)
def test_hard_places_have_the_values_of_ieee_754(name: str, a: float, value: float, partial: float) -> None:
    y = FORWARD[name](a, 0.0, 0.0, 0.0)
    assert y == value
    assert PARTIALS[name][0](a, 0.0, y, 0.0) == partial


def test_division_and_powers_give_inf_and_nan_where_floats_would_raise() -> None:
    assert ops.divide(1.0, 0.0) == math.inf
    assert ops.divide(1.0, -0.0) == -math.inf
    assert math.isnan(ops.divide(0.0, 0.0))
    assert ops.power(0.0, -1.0) == math.inf
    assert ops.power(-0.0, -1.0) == -math.inf
    assert ops.power(0.0, -2.0) == math.inf
    assert math.isnan(ops.power(-2.0, 0.5))
    assert ops.power(-1e200, 3.0) == -math.inf
    assert ops.power(1e200, 2.5) == math.inf


@pytest.mark.parametrize("name", [row.name for row in ELEMENTWISE.values() if row.function])
def test_nothing_raises_and_nan_stays_nan(name: str) -> None:
    for a in (math.nan, math.inf, -math.inf, 0.0, -0.0, 1e308, -1e308, 5e-324):
        for b in (1.0, math.nan, math.inf):
            y = FORWARD[name](a, b, 0.0, 0.0)
            assert isinstance(y, float)
            if a != a:
                assert y != y
            for partial in PARTIALS[name]:
                assert isinstance(partial(a, b, y, 0.0), float)


def test_a_tie_of_maximum_gives_each_half() -> None:
    for name in ("maximum", "minimum"):
        assert [partial(2.0, 2.0, 2.0, 0.0) for partial in PARTIALS[name]] == [0.5, 0.5]
