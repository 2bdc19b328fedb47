"""A definition told in few words, and got back from them in full."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.engine.errors import InvalidInput
from api.engine.initializers import INITIALIZERS
from api.engine.losses import LOSSES
from api.engine.optimizers import DIALECTS, OPTIMIZERS
from api.training.datasets import DATASETS
from api.training.definition import define
from api.training.presets import PRESETS
from api.training.recipe import recipe

SHORT: dict[str, dict[str, Any]] = {
    "the article's": {},
    **{name: {"model": {"kind": "preset", "name": name}} for name in PRESETS},
    "linear, drawn": {"model": {"kind": "linear"}},
    "a smaller rate": {"optimizer": {"learning_rate": 0.01}},
    "defaults of another object": {"optimizer": {"kind": "sgd"}},
    "another dialect": {"optimizer": {"kind": "adam", "dialect": "keras", "beta1": 0.8}},
    "a clipped rule": {"optimizer": {"kind": "momentum", "clip": {"norm": 1.0}}},
    "a schedule": {"schedule": {"kind": "step", "step_size": 3}},
    "an initializer": {"initializer": {"kind": "zeros"}},
    "data": {"data": {"dataset": "moons", "standardize": True}},
    "a network": {"model": {"kind": "mlp"}, "seed": 3},
    "layers": {"model": {"kind": "mlp", "layers": [{"units": 2, "activation": "relu"}, {"units": 1}]}},
    "a loss": {"loss": {"kind": "huber", "delta": 2.0}},
    "a preset, changed": {
        "model": {"kind": "preset", "name": "xor"},
        "optimizer": {"learning_rate": 0.1},
        "seed": 5,
        "start": {"phase": "backward"},
    },
    "a formula without data": {
        "model": {"kind": "expression", "source": "q = x + y\nL = q*z"},
        "data": None,
        "parameters": {"x": 1.0, "y": 2.0, "z": 3.0},
    },
    "plain fields": {"title": "x", "batch_size": 3, "shuffle": True, "start": {"step": 3}},
}


@pytest.mark.parametrize("name", SHORT)
def test_a_recipe_says_no_more_than_the_caller_did(name: str) -> None:
    body = SHORT[name]
    assert recipe(define(body)) == body


LONG: dict[str, dict[str, Any]] = {
    "one parameter given": {"parameters": {"w1": 1}},
    "columns and rows": {"data": {"columns": ["House size", "Price"], "rows": [[1, 2], [3, 5]]}},
    "a table": {"data": {"csv": "size,price\n1,2\n3,5\n", "standardize": True}},
    "a sum": {"loss": {"reduction": "sum"}},
    "another preset's data": {"model": {"kind": "preset", "name": "xor"}, "data": {"dataset": "or"}},
    "a preset's formula summed": {"model": {"kind": "preset", "name": "rnn"}, "loss": {"reduction": "sum"}},
    "shapes and placeholders": {
        "model": {
            "kind": "expression",
            "source": "yhat = sum(x*w)\nL = (yhat - y)**2",
            "shapes": {"w": [2]},
            "placeholders": {"x": ["x1", "x2"]},
        }
    },
}


@pytest.mark.parametrize("body", [*SHORT.values(), *LONG.values()])
def test_what_a_recipe_makes_is_the_same_to_the_last_bit(body: dict[str, Any]) -> None:
    definition = define(body)
    again = define(recipe(definition))
    assert again.document == definition.document
    assert repr(again.document["parameters"]) == repr(definition.document["parameters"])


BODIES = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(
            [{"kind": "linear"}, {"kind": "mlp"}, *({"kind": "preset", "name": name} for name in PRESETS)]
        ),
        "data": st.sampled_from([{"dataset": name} for name in DATASETS]),
        "loss": st.sampled_from([{"kind": kind} for kind in LOSSES]),
        "optimizer": st.builds(
            lambda kind, dialect: {"kind": kind, "dialect": dialect},
            st.sampled_from(list(OPTIMIZERS)),
            st.sampled_from(DIALECTS),
        ),
        "initializer": st.sampled_from([{"kind": kind} for kind in INITIALIZERS]),
        "seed": st.integers(0, 3),
        "batch_size": st.integers(1, 8),
    },
)


@settings(max_examples=60, deadline=None)
@given(BODIES)
def test_any_definition_comes_back_from_its_recipe(body: dict[str, Any]) -> None:
    try:
        definition = define(body)
    except InvalidInput:
        return
    assert define(recipe(definition)).document == definition.document
