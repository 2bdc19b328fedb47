"""What the number of parameters is made up of."""

from __future__ import annotations

from typing import Any

import pytest

from api.documents.counts import parameter_counts
from api.training.definition import define
from api.training.presets import PRESETS

LAYERS = [{"units": 16, "activation": "tanh"}, {"units": 1}]


def told(**body: Any) -> list[tuple[str, int, int, str]]:
    entries = parameter_counts(define(body).graph)
    return [(one["name"], one["parameters"], one["count"], one["text"]) for one in entries]


def test_a_tensor_tells_its_sides() -> None:
    assert told(model={"kind": "mlp", "layers": LAYERS}) == [
        ("W1", 1, 32, "2·16 = 32"),
        ("b1", 1, 16, "16"),
        ("W2", 1, 16, "16·1 = 16"),
        ("b2", 1, 1, "1"),
    ]


def test_a_layer_written_out_tells_the_same() -> None:
    assert told(model={"kind": "mlp", "layers": LAYERS, "scalars": True}) == [
        ("w1_1_1 … w1_2_16", 32, 32, "2·16 = 32"),
        ("b1_1 … b1_16", 16, 16, "16"),
        ("w2_1_1 … w2_16_1", 16, 16, "16·1 = 16"),
        ("b2_1", 1, 1, "1"),
    ]


def test_numbers_of_other_names_stand_by_themselves() -> None:
    source = "L = a*b1 + b3 + c_1 + c_2_2 + v1_1 + v1_2 + v2_1 + W[0] + w + w_x + x" + "9" * 5000
    assert told(data=None, model={"kind": "expression", "source": source, "shapes": {"W": [2]}}) == [
        ("a", 1, 1, "1"),
        ("b1, b3", 2, 2, "2"),
        ("c_1", 1, 1, "1"),
        ("c_2_2", 1, 1, "1"),
        ("v1_1, v1_2", 2, 2, "2"),
        ("v2_1", 1, 1, "1"),
        ("W", 1, 2, "2"),
        ("w", 1, 1, "1"),
        ("w_x", 1, 1, "1"),
        ("x" + "9" * 5000, 1, 1, "1"),
    ]


def test_numbers_that_fill_no_rectangle_are_only_counted() -> None:
    source = "L = w_1_1 + w_1_2 + w_2_2"
    assert told(data=None, model={"kind": "expression", "source": source}) == [("w_1_1 … w_2_2", 3, 3, "3")]


def test_a_formula_without_parameters_has_no_entries() -> None:
    assert told(model={"kind": "expression", "source": "L = (x1 - y)**2"}) == []


@pytest.mark.parametrize("name", PRESETS)
def test_the_shares_add_up_to_the_count(name: str) -> None:
    definition = define({"model": {"kind": "preset", "name": name}})
    entries = parameter_counts(definition.graph)
    assert sum(one["count"] for one in entries) == definition.parameter_count
    assert sum(one["parameters"] for one in entries) == len(definition.names)
