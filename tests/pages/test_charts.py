from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from api.pages import charts

SVG = "{http://www.w3.org/2000/svg}"


def parsed(losses: list[tuple[int, Any]]) -> ElementTree.Element:
    text = charts.loss(losses, standalone=True)
    assert not re.search(r"<script|\son\w+=|\sstyle=", text)
    return ElementTree.fromstring(text)


def heights(root: ElementTree.Element) -> list[float]:
    return [float(y) for line in root.iter(f"{SVG}polyline") for y in re.findall(r",([\d.]+)", line.get("points", ""))]


def ticks(root: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text") if text.get("class") == "tick"]


def test_equal_factors_are_equal_heights() -> None:
    a, b, c = heights(parsed([(0, 100.0), (1, 10.0), (2, 1.0)]))
    assert b - a == pytest.approx(c - b, abs=0.11)
    assert a < b < c


def test_the_axes_say_what_they_count() -> None:
    root = parsed([(step, 10.0**-step) for step in range(4)])
    assert ticks(root)[-1] == "update"
    assert {"1", "0.1", "0.01"} <= set(ticks(root))
    assert {"1", "2", "3", "4"} <= set(ticks(root))  # a step's loss is known with the update that ends it


def test_what_is_not_finite_is_a_cross_and_no_line() -> None:
    root = parsed([(0, 1.0), (1, 2.0), (2, "Infinity"), (3, 4.0), (4, 5.0), (5, "NaN")])
    assert len([path for path in root.iter(f"{SVG}path") if path.get("class") == "bad"]) == 2
    assert len(list(root.iter(f"{SVG}polyline"))) == 2
    assert root.findtext(f"{SVG}desc") == "Update 1 to 6: first 1, last NaN, lowest 1."


def test_a_loss_of_zero_lies_on_the_lower_edge() -> None:
    first, last = heights(parsed([(0, 1.0), (1, 0.0)]))
    assert first < last == charts._BOTTOM


@pytest.mark.parametrize(
    "losses",
    [[(7, 1.0)], [(0, 0.0), (1, 0.0)], [(0, "NaN")], [(0, 1e-320), (1, 1e308)], [(i, 2.0) for i in range(400)], []],
)
def test_every_curve_stays_within_its_picture(losses: list[tuple[int, Any]]) -> None:
    root = parsed(losses)
    assert all(0 <= y <= 180 for y in heights(root))
    for text in root.iter(f"{SVG}text"):
        assert 8 <= float(text.get("y", "0")) <= 180


def test_axes_hold_few_round_numbers() -> None:
    root = parsed([(step, 1.5) for step in range(0, 98_765, 500)])
    steps = [int(text) for text in ticks(root) if text.isdigit() and len(text) > 2]
    assert 2 <= len(steps) <= 7
    assert all(step % 10_000 == 0 for step in steps)


def test_the_validation_rows_have_a_curve_and_a_legend() -> None:
    text = charts.loss([(step, 2.0**-step) for step in range(9)], [(3, 5.0), (7, 50.0)], standalone=True)
    root = ElementTree.fromstring(text)
    (curve,) = [line for line in root.iter(f"{SVG}polyline") if line.get("class") == "held"]
    assert curve.get("points", "").count(",") == 2
    assert "validation" in ticks(root)
    assert root.findtext(f"{SVG}desc", "").endswith("Validation rows: Update 4 to 8: first 5, last 50, lowest 5.")
    assert all(0 <= y <= 180 for y in heights(root)), "both curves have the same axes"
    alone = parsed([(0, 1.0), (1, 2.0)])
    assert "validation" not in ticks(alone)


@pytest.mark.parametrize("validation", [[(0, "NaN")], [(0, "Infinity"), (1, 0.0)], [(i, 1e300) for i in range(400)]])
def test_odd_validation_losses_stay_within_the_picture(validation: list[tuple[int, Any]]) -> None:
    root = ElementTree.fromstring(charts.loss([(0, 1.0), (1, 2.0)], validation, standalone=True))
    assert all(0 <= y <= 180 for y in heights(root))
