"""Every row of the table draws what its formula says, and wrong fields are named."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from api.engine.draws import Draws, Stream
from api.engine.errors import InvalidInput
from api.engine.initializers import INITIALIZERS, draw, numbers, resolve

GIVEN: dict[str, dict[str, Any]] = {"constant": {"value": 0.25}}
# kind → (mean, standard deviation, smallest, largest) of the values with default fields
STATISTICS = {
    "zeros": (0.0, 0.0, 0.0, 0.0),
    "ones": (1.0, 0.0, 1.0, 1.0),
    "constant": (0.25, 0.0, 0.25, 0.25),
    "uniform": (0.0, 0.1 / 12**0.5, -0.05, 0.05),
    "normal": (0.0, 0.05, -0.5, 0.5),
    "truncated_normal": (0.0, 0.05 * 0.87962566, -0.1, 0.1),
    # of a weight [100, 200]
    "glorot_uniform": (0.0, (2 / 300) ** 0.5, -((6 / 300) ** 0.5), (6 / 300) ** 0.5),
    "glorot_normal": (0.0, (2 / 300) ** 0.5, -1.0, 1.0),
    "he_uniform": (0.0, (2 / 100) ** 0.5, -((6 / 100) ** 0.5), (6 / 100) ** 0.5),
    "he_normal": (0.0, (2 / 100) ** 0.5, -1.0, 1.0),
    "lecun_uniform": (0.0, (1 / 100) ** 0.5, -((3 / 100) ** 0.5), (3 / 100) ** 0.5),
    "lecun_normal": (0.0, (1 / 100) ** 0.5, -1.0, 1.0),
    "orthogonal": (0.0, (1 / 200) ** 0.5, -1.0, 1.0),
}


def fields_of(kind: str) -> dict[str, float]:
    return numbers(resolve({"kind": kind, **GIVEN.get(kind, {})}))


def test_every_row_of_the_table_has_statistics_here() -> None:
    assert set(STATISTICS) == set(INITIALIZERS)


@pytest.mark.parametrize("kind", INITIALIZERS)
def test_the_values_have_the_mean_the_spread_and_the_bounds_of_the_formula(kind: str) -> None:
    values = draw(kind, fields_of(kind), (100, 200), Draws(9))
    mean, stddev, smallest, largest = STATISTICS[kind]
    assert isinstance(values, np.ndarray)
    assert values.dtype == np.float64
    assert values.shape == (100, 200)
    assert values.mean() == pytest.approx(mean, abs=4 * stddev / 20_000**0.5)
    assert values.std() == pytest.approx(stddev, rel=0.03)
    assert smallest <= values.min() <= values.max() <= largest


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (2, 3, 4), (6,)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape: tuple[int, ...]) -> None:
    values = draw("orthogonal", {"gain": 2.0}, shape, Draws(3))
    assert isinstance(values, np.ndarray)
    matrix = values.reshape(-1, shape[-1])
    few = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    assert few @ few.T == pytest.approx(4 * np.eye(few.shape[0]), abs=1e-12)


@pytest.mark.parametrize("kind", [kind for kind in INITIALIZERS if kind != "orthogonal"])
def test_a_scalar_is_a_plain_float_and_the_first_of_an_array(kind: str) -> None:
    scalar = draw(kind, fields_of(kind), (), Draws(1, Stream.PARAMETERS, 0), fan_in=4, fan_out=2)
    array = draw(kind, fields_of(kind), (3,), Draws(1, Stream.PARAMETERS, 0), fan_in=4, fan_out=2)
    assert type(scalar) is float
    assert isinstance(array, np.ndarray)
    assert scalar == array[0]


@pytest.mark.parametrize("kind", INITIALIZERS)
def test_every_row_has_a_formula_a_source_and_resolves_to_itself(kind: str) -> None:
    row = INITIALIZERS[kind]
    resolved = resolve({"kind": kind, **GIVEN.get(kind, {})})
    assert row.formula
    assert row.source
    assert list(resolved) == ["kind", *row.defaults]
    assert resolve(json.loads(json.dumps(resolved))) == resolved


def test_test_vectors_of_the_defaults() -> None:
    assert draw("uniform", fields_of("uniform"), (), Draws(0)) == 0.013696168732145436
    assert draw("normal", fields_of("normal"), (), Draws(0)) == pytest.approx(0.8078330832224515 * 0.05, rel=1e-15)
    assert draw("truncated_normal", {"mean": 1.0, "stddev": 0.0}, (2,), Draws(0)) == pytest.approx([1.0, 1.0])


def test_no_kind_is_the_default_kind() -> None:
    assert resolve({"stddev": 0.1}) == {"kind": "truncated_normal", "mean": 0.0, "stddev": 0.1}


@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        ({"kind": "truncated_norml"}, "/initializer/kind", "did you mean 'truncated_normal'?"),
        ({"kind": 3}, "/initializer/kind", "no initializer 3"),
        ({"kind": None}, "/initializer/kind", "no initializer null"),
        ({"kind": "constant"}, "/initializer/value", "constant needs value"),
        ({"kind": "constant", "value": "1"}, "/initializer/value", "must be a number, not '1'"),
        ({"kind": "constant", "value": True}, "/initializer/value", "must be a number, not true"),
        ({"kind": "constant", "value": float("nan")}, "/initializer/value", "finite"),
        ({"kind": "constant", "value": 10**400}, "/initializer/value", "finite"),
        ({"kind": "normal", "std": 1}, "/initializer/std", "did you mean 'stddev'?"),
        ({"kind": "normal", "a/b~": 1}, "/initializer/a~1b~0", "has no field"),
        ({"kind": "zeros", "value": 1}, "/initializer/value", "zeros has no field 'value'"),
        ({"kind": "normal", "stddev": -1}, "/initializer/stddev", "at least 0, not -1"),
        ({"kind": "uniform", "low": 1}, "/initializer/high", "at least low"),
        ({"kind": "uniform", "low": -1e308, "high": 1e308}, "/initializer/high", "finite"),
    ],
)
def test_a_wrong_field_is_named(body: dict[str, Any], pointer: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve(body)
    assert [error.pointer for error in caught.value.errors] == [pointer]
    assert said in caught.value.detail


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve({"kind": "normal", "mean": "x", "stddev": -2, "low": 0})
    assert {error.pointer for error in caught.value.errors} == {
        "/initializer/mean",
        "/initializer/stddev",
        "/initializer/low",
    }


def test_fields_that_overflow_are_refused() -> None:
    with pytest.raises(InvalidInput, match="not finite"):
        draw("normal", {"mean": 0.0, "stddev": 1.7e308}, (100,), Draws(0))
