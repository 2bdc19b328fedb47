"""Gradients against central differences: the checker is right about right gradients, and catches wrong ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.engine import ops
from api.engine.builder import build
from api.engine.elements import every
from api.engine.errors import InvalidInput
from api.engine.gradcheck import STEP, Checked, Point, check
from api.engine.graph import Graph
from tests.engine.formulas import numbers, sources

Shapes = dict[str, tuple[int, ...]]


def point(graph: Graph, inputs: dict[str, Any] | None = None, **parameters: Any) -> Point:
    values = {name: np.array(value, dtype=float) if isinstance(value, list) else float(value)
              for name, value in parameters.items()}  # fmt: skip
    return Point.at(graph, values, inputs or {})


def checked(
    source: str, inputs: dict[str, Any] | None = None, shapes: Shapes | None = None, step: float = STEP, **given: Any
) -> list[Checked]:
    graph = build(source, dict.fromkeys(inputs or {}, ()), shapes=shapes)
    return check(point(graph, inputs, **given), list(every(graph)), step=step)


def verdicts(found: Sequence[Checked]) -> list[str]:
    return [one.verdict for one in found]


def test_the_article_agrees_and_every_number_can_be_worked_out_again() -> None:
    rows = {"x1": [4.0], "x2": [1.0], "y": [2.0]}
    found = checked("L = (w1*x1 + w2*x2 + b - y)**2", rows, w1=-0.017, w2=-0.048, b=0)
    assert verdicts(found) == ["agrees"] * 3
    for one, slope in zip(found, (-16.928, -4.232, -4.232), strict=True):
        assert one.analytic == slope
        assert one.h == STEP
        assert one.numeric is not None
        assert one.numeric == pytest.approx((one.loss_plus - one.loss_minus) / (2 * one.h), rel=1e-9)
        assert one.relative_error is not None
        assert one.relative_error == pytest.approx(abs(one.analytic - one.numeric) / abs(slope), rel=1e-6)
        assert one.relative_error < 1e-9


@pytest.mark.parametrize("name", ["tanh", "exp", "sigmoid", "square", "sin"])
def test_a_planted_wrong_rule_differs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = ops.PARTIALS[name]
    monkeypatch.setitem(ops.PARTIALS, name, (lambda a, b, y, c: 1.001 * right[0](a, b, y, c),))
    assert verdicts(checked(f"L = {name}(w)*3", w=0.4)) == ["differs"]
    monkeypatch.setitem(ops.PARTIALS, name, right)
    assert verdicts(checked(f"L = {name}(w)*3", w=0.4)) == ["agrees"]


def test_a_small_wrong_gradient_beside_a_large_loss_differs() -> None:
    graph = build("L = w + 0.001*v", {})
    here = point(graph, w=1, v=1)
    wrong = {**here.gradients.of, graph.index["v"]: 0.0011}
    spoilt = replace(here, gradients=here.gradients._replace(of=wrong))
    assert verdicts(check(spoilt, list(every(graph)))) == ["agrees", "differs"]


def test_a_gradient_of_zero_agrees_whatever_rounding_does() -> None:
    found = checked("L = (w - 3)**2 + 1000 + 0*v", w=3, v=0.1)
    assert verdicts(found) == ["agrees", "agrees"]
    assert [one.analytic for one in found] == [0, 0]


@pytest.mark.parametrize(
    ("source", "given", "operation", "node"),
    [
        ("L = relu(w)", {"w": 0}, "relu", "L"),
        ("L = relu(w) + w", {"w": 1e-7}, "relu", "L:1"),
        ("L = abs(w - 0.5)", {"w": 0.500000001}, "abs", "L"),
        ("L = maximum(w, 2*w)", {"w": 1e-7}, "maximum", "L"),
        ("a = minimum(w, 1)\nL = 3*a", {"w": 0.9999999}, "minimum", "a"),
        ("c = minimum(maximum(w, -1), 1)\nL = c*2", {"w": -1.0000001}, "maximum", "c:2"),
        ("L = 1/w", {"w": 1e-9}, "divide", "L"),
    ],
)
def test_a_kink_is_named_and_is_no_fault(source: str, given: dict[str, Any], operation: str, node: str) -> None:
    graph = build(source, {})
    (found,) = check(point(graph, **given), list(every(graph)))
    assert found.verdict == "kink"
    named = [(graph.nodes[kink.node].op, graph.nodes[kink.node].id, kink.row) for kink in found.kinks]
    assert named == [(operation, node, None)]
    before, _, after = found.kinks[0].sides
    assert before * after <= 0
    assert found.kink_count == 1


def test_a_kink_is_named_with_its_row_and_its_element() -> None:
    rows = {"x": [1.0, 0.0, 3.0]}
    (found,) = checked("L = relu(w*x - 1)", rows, w=1 / 3)
    assert [(kink.row, kink.index) for kink in found.kinks] == [(2, ())]
    graph = build("L = sum(relu(W*x))", {"x": (2,)}, shapes={"W": (3, 2)})
    inputs = {"x": np.array([[1.0, 2.0], [0.0, 1.0]])}
    here = point(graph, inputs, W=[[1, 1], [1, 0], [1, 1]])
    found_by = {one.element.label: one for one in check(here, list(every(graph)))}
    assert [one for one, each in found_by.items() if each.kinks] == ["W[1][1]"]
    assert [(kink.row, kink.index) for kink in found_by["W[1][1]"].kinks] == [(0, (1, 1)), (1, (1, 1))]


def test_another_largest_element_is_a_kink() -> None:
    found = checked("L = max(W)", shapes={"W": (3,)}, W=[1.0000001, 1, 0])
    assert verdicts(found) == ["kink", "kink", "agrees"]
    by_axis = checked("L = sum(max(W, axis=1))", shapes={"W": (2, 2)}, W=[[0, 1], [2, 2.0000001]])
    assert verdicts(by_axis) == ["agrees", "agrees", "kink", "kink"]
    assert by_axis[2].kinks[0].index == (1,)
    assert by_axis[2].kinks[0].sides[1] == pytest.approx(1e-7)


def test_no_kink_is_seen_where_the_difference_stays_on_one_side() -> None:
    found = checked("L = relu(w) + abs(v) + maximum(w, v) + relu(0*w)", w=0.5, v=-0.5)
    assert verdicts(found) == ["agrees", "agrees"]
    assert not any(one.kinks for one in found)


@pytest.mark.parametrize("source", ["L = abs(w)", "L = maximum(w, -w)", "L = minimum(w, 3*w)", "L = abs(w)*w*w"])
def test_a_kink_that_both_derivatives_take_alike_is_named_but_agrees(source: str) -> None:
    """At a tie each side counts half, by convention, and that is what a central difference gives."""
    (found,) = checked(source, w=0)
    assert found.verdict == "agrees"
    assert [kink.sides[1] for kink in found.kinks] == [0]


def test_a_difference_that_is_too_coarse_or_too_fine_is_inexact() -> None:
    assert verdicts(checked("L = sin(100000*w)", w=0.3)) == ["inexact"]
    assert verdicts(checked("L = sin(100000*w)", w=0.3, step=1e-9)) == ["agrees"]
    (lost,) = checked("L = w*w", w=1, step=1e-17)
    assert (lost.verdict, lost.numeric, lost.relative_error) == ("inexact", None, None)


@pytest.mark.parametrize(("source", "w"), [("L = sqrt(w)", 0), ("L = log(w)", 1e-9), ("L = exp(exp(w))", 10)])
def test_where_a_number_is_not_finite_nothing_is_compared(source: str, w: float) -> None:
    (found,) = checked(source, w=w)
    assert found.verdict == "undefined"
    assert found.relative_error is None


def test_values_far_from_one_are_checked_with_a_step_in_proportion() -> None:
    for w in (1e12, -1e6, 1e-12):
        (found,) = checked("L = w*w", w=w)
        assert found.verdict == "agrees"
        assert found.h == STEP * max(1, abs(w))


@settings(deadline=None)
@given(source=sources(), data=st.data())
def test_no_gradient_of_a_random_formula_is_called_wrong(source: str, data: st.DataObject) -> None:
    try:
        graph = build(source, ("x1", "x2"))
    except InvalidInput:
        return
    inputs = {name: data.draw(st.lists(numbers, min_size=2, max_size=2)) for name in ("x1", "x2")}
    here = point(graph, inputs, **{name: data.draw(numbers) for name in graph.parameters})
    for one in check(here, list(every(graph))):
        assert one.verdict != "differs", (source, one)
        if one.verdict == "agrees":
            assert math.isfinite(one.analytic)
