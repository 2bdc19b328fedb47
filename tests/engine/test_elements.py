"""Single numbers among the parameters by name, and all of them in one vector."""

from __future__ import annotations

import numpy as np
import pytest

from api.engine.builder import build
from api.engine.elements import Element, Value, element_of, every, packed, parameter_of, unpacked
from api.engine.errors import InvalidInput

GRAPH = build("L = sum(W) + w*sum(v) + x", {"x": ()}, shapes={"W": (2, 3), "v": (1,)})


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("w", Element("w")),
        (" w ", Element("w")),
        ("W[1][2]", Element("W", (1, 2))),
        ("W[1, 2]", Element("W", (1, 2))),
        ("W[-1][ -3 ]", Element("W", (1, 0))),
        ("v", Element("v", (0,))),
        ("v[0]", Element("v", (0,))),
    ],
)
def test_an_element_is_read_as_it_is_written(text: str, element: Element) -> None:
    assert element_of(GRAPH, text, "x") == element


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("W", "has shape [2, 3]: write W[1][2]"),
        ("W[0]", "has shape [2, 3]: write W[1][2]"),
        ("W[0][0][0]", "write W[1][2]"),
        ("W[2][0]", "there is no 'W[2][0]'"),
        ("W[0][-4]", "there is no 'W[0][-4]'"),
        ("w[0]", "single number"),
        ("x", "no parameter but a placeholder"),
        ("L", "no parameter but a loss"),
        ("W[0", "write W[1][2]"),
        ("W[a]", "write W[1][2]"),
        ("W[99999999999999999999]", "write W[1][2]"),
        ("", "there is no parameter ''"),
        ("w2", "there is no parameter 'w2'"),
        ("W[٣][0]", "write W[1][2]"),
        ("nothing" * 1000, "there is no parameter 'noth"),
    ],
)
def test_what_is_no_element_is_told_with_what_would_be(text: str, part: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        element_of(GRAPH, text, "query parameter x")
    assert caught.value.detail.startswith("query parameter x: ")
    assert part in caught.value.detail
    assert len(caught.value.detail) < 200


def test_a_near_miss_is_suggested() -> None:
    graph = build("L = weight*2", {})
    with pytest.raises(InvalidInput, match="did you mean 'weight'"):
        parameter_of(graph, "weigth", "x")
    with pytest.raises(InvalidInput, match="the formula has none"):
        parameter_of(build("L = x*2", {"x": ()}), "w", "x")


def test_a_vector_holds_every_element_in_the_order_of_their_labels() -> None:
    values: dict[str, Value] = {"W": np.arange(6.0).reshape(2, 3), "w": 7.0, "v": np.array([8.0])}
    vector = packed(GRAPH, values)
    elements = list(every(GRAPH))
    assert [element.label for element in elements][:4] == ["W[0][0]", "W[0][1]", "W[0][2]", "W[1][0]"]
    assert vector.tolist() == [element.of(values) for element in elements]
    again = unpacked(GRAPH, vector)
    assert packed(GRAPH, again).tolist() == vector.tolist()
    assert isinstance(again["w"], float)


def test_a_moved_element_leaves_the_others_and_the_original_alone() -> None:
    values: dict[str, Value] = {"W": np.zeros((2, 3)), "w": 1.0, "v": np.array([2.0])}
    moved = Element("W", (1, 0)).moved(values, 5.0)
    assert Element("W", (1, 0)).of(moved) == 5.0
    assert np.asarray(moved["W"]).sum() == 5.0
    assert np.asarray(values["W"]).sum() == 0.0
    assert Element("w").moved(values, 3.0)["w"] == 3.0
