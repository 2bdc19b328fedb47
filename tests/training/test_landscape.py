"""The loss along one parameter or over two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from api.engine.elements import Element
from api.engine.errors import LimitExceeded
from api.training.definition import define
from api.training.landscape import Axis, Walked, landscape, points_of
from api.training.limits import Limits
from api.training.session import Session

W1, W2 = Element("w1"), Element("w2")


def started(**body: Any) -> Session:
    return Session.start(define(body))


def test_along_a_parameter_the_article_s_loss_is_its_parabola() -> None:
    session = started()
    found = landscape(session, [Axis(W1)], 41, "batch")
    right = [(w1 * 4 - 0.048 - 2) ** 2 for w1 in found.values[0]]
    assert found.loss == pytest.approx(right, rel=1e-12)
    assert (found.current, found.slopes) == (4.477456, (-16.928,))
    low, high = found.values[0][0], found.values[0][-1]
    assert low < -0.017 < 0.512 < high  # the lowest point of the parabola is in sight
    assert len(found.values[0]) == 41


def test_over_two_parameters_each_list_is_one_value_of_the_second() -> None:
    found = landscape(started(), [Axis(W1, -1, 1), Axis(W2, -3, 1)], 5, "batch")
    assert found.values == ([-1, -0.5, 0, 0.5, 1], [-3, -2, -1, 0, 1])
    right = [[(4 * w1 + w2 - 2) ** 2 for w1 in found.values[0]] for w2 in found.values[1]]
    assert np.allclose(found.loss, right, rtol=1e-12)
    assert found.slopes == (-16.928, -4.232)


def test_of_all_rows_it_is_their_loss() -> None:
    found = landscape(started(), [Axis(W1, 0, 1)], 2, "all")
    assert found.rows == (0, 1, 2, 3, 4, 5)
    assert found.current == pytest.approx(49.00193383333334)
    assert found.slopes[0] == pytest.approx(24.135, abs=1e-4)


def test_of_all_rows_those_held_out_are_none() -> None:
    session = started(split={"validation_rows": [0, 5]})
    found = landscape(session, [Axis(W1, 0, 1)], 2, "all")
    assert found.rows == (1, 2, 3, 4)
    right = [(-0.017 * x1 - 0.048 * x2 - y) ** 2 for x1, x2, y in ((2, 8, -14), (1, 0, 1), (3, 2, -1), (1, 4, -7))]
    assert found.current == pytest.approx(sum(right) / 4)


def test_the_range_covers_the_path_and_the_path_has_the_loss_where_it_was() -> None:
    session = started()
    places = [Walked(step, {"w1": w1, "w2": 1.0, "b": 0.5}) for step, w1 in ((0, -7.0), (1, 9.0))]
    found = landscape(session, [Axis(W1)], 3, "batch", places)
    assert found.values[0][0] < -7
    assert found.values[0][-1] > 9
    assert [loss for _, loss in found.path] == [(-28 + 1 + 0.5 - 2) ** 2, (36 + 1 + 0.5 - 2) ** 2]


def test_one_end_given_is_kept_and_the_other_lies_beyond_it() -> None:
    for low, high in ((50.0, None), (None, -50.0), (None, 3.0), (-3.0, None)):
        found = landscape(started(), [Axis(W1, low, high)], 3, "batch")
        assert found.values[0][0] < found.values[0][-1]
        if low is not None:
            assert found.values[0][0] == low
        if high is not None:
            assert found.values[0][-1] == high


def test_an_element_of_a_tensor_moves_alone() -> None:
    model = {"kind": "expression", "source": "L = sum(W*W)", "shapes": {"W": [2, 2]}}
    session = started(model=model, data=None, parameters={"W": [[1, 2], [3, 4]]})
    found = landscape(session, [Axis(Element("W", (1, 0)), 0, 10)], 11, "batch")
    assert found.loss == [21 + float(w) ** 2 for w in range(11)]
    assert found.slopes == (6,)


@pytest.mark.parametrize("value", [0.0, 1e300, -1e308, 1e-300])
def test_numbers_of_any_size_have_a_range_of_numbers(value: float) -> None:
    session = started(model={"kind": "expression", "source": "L = abs(w)"}, data=None, parameters={"w": value})
    values = landscape(session, [Axis(Element("w"))], 9, "batch").values[0]
    assert np.isfinite(values).all()
    assert values == sorted(set(values))


def test_points_are_as_many_as_asked_for_or_as_there_is_time_for() -> None:
    session, limits = started(), Limits()
    assert points_of(session, "batch", 1, None, limits) == 101
    assert points_of(session, "batch", 2, None, limits) == 31
    assert points_of(session, "batch", 2, 100, limits) == 100
    with pytest.raises(LimitExceeded) as caught:
        points_of(session, "batch", 2, 101, limits)
    assert caught.value.limit == 100
    tight = Limits(analysis_operations=8000)
    assert 5 <= points_of(session, "all", 2, None, tight) < 31
    with pytest.raises(LimitExceeded, match="no landscape"):
        points_of(session, "all", 1, None, Limits(analysis_operations=100))
