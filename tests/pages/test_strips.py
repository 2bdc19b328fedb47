"""The course of a training, drawn."""

from __future__ import annotations

import itertools
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from api.pages import strips

SVG = "{http://www.w3.org/2000/svg}"


def document(**changed: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "steps": [0, 1, 2, 3],
        "learning_rate": [0.1] * 4,
        "gradient_norm": [1000.0, 10.0, 1.0, 0.1],
        "parameters": {"w1": [0.0, 1.0, 2.0, 4.0], "W2": [1.0, 2.0, 2.0, 3.0]},
        "norms": ["W2"],
    }
    return found | changed


def parsed(given: dict[str, Any]) -> ElementTree.Element:
    text = strips.course(given)
    assert not re.search(r"<script|\son\w+=|\sstyle=", text)
    return ElementTree.fromstring(text)


def lines(root: ElementTree.Element) -> list[list[tuple[float, float]]]:
    return [
        [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)", line.get("points", ""))]
        for line in root.iter(f"{SVG}polyline")
    ]


def texts(root: ElementTree.Element, kind: str) -> list[str]:
    found = ["".join(text.itertext()) for text in root.iter(f"{SVG}text") if text.get("class") == kind]
    return [text.replace("\N{ZERO WIDTH SPACE}", "") for text in found]


def test_each_quantity_has_a_strip_with_its_last_number() -> None:
    root = parsed(document())
    assert texts(root, "name") == ["η", "‖∇‖", "w1", "‖W2‖"]
    assert texts(root, "lastl") == ["0.1", "0.1", "4", "3"]
    assert len(lines(root)) == 4


def test_numbers_are_heights_and_wide_ranges_are_logarithmic() -> None:
    _, norms, weights, _ = lines(parsed(document()))
    heights = [y for _, y in weights]
    assert heights[0] - heights[3] == pytest.approx(4 * (heights[0] - heights[1]), abs=0.3)
    slopes = [y for _, y in norms]
    assert slopes[1] - slopes[0] == pytest.approx(2 * (slopes[2] - slopes[1]), abs=0.3)


def test_strips_do_not_touch_each_other() -> None:
    found = lines(parsed(document()))
    for above, below in itertools.pairwise(found):
        assert max(y for _, y in above) < min(y for _, y in below)


def test_what_is_not_finite_breaks_the_line() -> None:
    found = lines(parsed(document(gradient_norm=[1.0, 2.0, float("inf"), 3.0])))
    assert len(found[1]) == 2
    text = strips.course(document(gradient_norm=[float("nan")] * 4))
    assert "nan" not in re.sub(r"<text.*?</text>|<desc.*?</desc>", "", text).lower()


def test_a_session_at_its_beginning_and_one_of_many_parameters_are_drawn() -> None:
    one = document(steps=[7], learning_rate=[0.1], gradient_norm=[1.0], parameters={"w": [1.0]})
    assert texts(parsed(one), "lastl") == ["0.1", "1", "1"]
    many = document(parameters={f"w{i}": [float(i)] * 4 for i in range(40)})
    root = parsed(many)
    assert len(texts(root, "name")) == 2 + strips.MOST
    assert "16 more parameters" in texts(root, "tick")


def test_the_course_is_told_in_words() -> None:
    words = parsed(document()).find(f"{SVG}desc")
    assert words is not None
    assert words.text is not None
    assert words.text.startswith("Update 0 to 3: learning rate from 0.1 to 0.1; norm of the gradients from 1000 to 0.1")
    assert "norm of W₂ from 1 to 3" in words.text
