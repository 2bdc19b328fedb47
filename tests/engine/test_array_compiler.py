"""The compiled loops over arrays give what stepping with arrays gives, bit for bit."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from api.engine.array_compiler import array_trainer
from api.engine.backward import backpropagate
from api.engine.builder import build
from api.engine.descent import rule_of
from api.engine.flat import Flat
from api.engine.forward import forward
from api.engine.graph import Graph
from api.training.definition import define
from api.training.loops import train
from api.training.presets import PRESETS
from api.training.session import Session
from tests.engine.test_tensor_ops import ALL, A, B, C, numbers

RATE = 0.01


def stepped(graph: Graph, start: dict[str, Any], batches: list[dict[str, Any]]) -> tuple[dict[str, Any], list[float]]:
    parameters, losses = dict(start), []
    for batch in batches:
        values = forward(graph, parameters, batch)
        gradients = backpropagate(graph, values).of
        losses.append(float(values[graph.loss]))
        parameters = {name: value - RATE * gradients[graph.index[name]] for name, value in parameters.items()}
    return parameters, losses


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("batched", [("A",), ("C",), ("A", "C"), ("B", "s")], ids="-".join)
@pytest.mark.parametrize("formula", ALL)
def test_every_operation_trains_alike(formula: str, batched: tuple[str, ...], rows: int) -> None:
    shapes = {"A": A, "B": B, "C": C, "s": ()}
    used = [name for name in shapes if re.search(rf"\b{name}\b", formula)]
    fed = {name: shapes[name] for name in used if name in batched}
    trained = {name: shapes[name] for name in used if name not in batched} | {"scale": (), "shift": (2,)}
    graph = build(
        f"y = {formula}\nL = scale*sum(tanh(y*y)) + sum(shift**2*scale) + sum(sin(y))",
        fed,
        shapes={name: shape for name, shape in trained.items() if shape},
    )
    start = {name: numbers(shape, name) for name, shape in trained.items()}
    batches = [{name: numbers((rows, *shape), f"{name}{turn}") for name, shape in fed.items()} for turn in range(3)]
    parameters, losses = stepped(graph, start, batches)
    rule, ordered = rule_of("sgd", "torch"), [start[name] for name in graph.parameters]
    flat = Flat(rule, [np.shape(value) for value in ordered], ordered)
    loop = array_trainer(graph, rows, rule, flat.groups)
    kept: list[float] = []
    tuples = [tuple(batch[name] for name in loop.columns) for batch in batches]
    with np.errstate(all="ignore"):
        loop.bind(flat.vectors, flat.numbers)(tuples, kept.append, learning_rate=RATE)
    assert kept == losses
    for name, value in zip(graph.parameters, flat.values(), strict=True):
        assert np.asarray(value).tobytes() == np.asarray(parameters[name]).tobytes(), name


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_runs_as_it_steps(name: str) -> None:
    definition = define({"model": {"kind": "preset", "name": name}})
    session, losses = Session.start(definition), []
    for _ in range(11):
        session = session.forward().backward()
        losses.append(session.loss)
        session = session.update()
    end, found, _ = train(definition, Session.start(definition).snapshot, 11)
    assert found == losses
    assert end.position == session.position
    for parameter, value in session.parameters.items():
        assert np.asarray(value).tobytes() == np.asarray(end.parameters[parameter]).tobytes()
