"""The compiled loops give what the recording evaluators give, bit for bit."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.engine.backward import backpropagate
from api.engine.builder import build
from api.engine.compiler import UNROLLED, trainer
from api.engine.descent import rule_of
from api.engine.errors import FormulaError
from api.engine.forward import forward
from api.engine.graph import Graph
from tests.engine.formulas import numbers, sources

SGD = rule_of("sgd", "torch")


def bits(values: Sequence[float]) -> list[bytes]:
    return [b"nan" if value != value else struct.pack("<d", value) for value in values]


def stepped(
    graph: Graph, start: dict[str, float], batches: list[dict[str, list[float]]]
) -> tuple[list[float], list[float]]:
    parameters, losses = dict(start), []
    for batch in batches:
        values = forward(graph, parameters, batch)
        gradients = backpropagate(graph, values).of
        losses.append(float(values[graph.loss]))
        for name in parameters:
            parameters[name] -= 0.01 * float(gradients.get(graph.index[name], 0.0))
    return list(parameters.values()), losses


def compiled(
    graph: Graph, start: dict[str, float], batches: list[dict[str, list[float]]]
) -> tuple[list[float], list[float]]:
    size = len(batches[0]["x1"])
    loop = trainer(graph, size, SGD)
    rows = [[[batch[name][row] for name in loop.columns] for row in range(size)] for batch in batches]
    fed: list[object] = [[one for row in batch for one in row] for batch in rows] if loop.unrolled else list(rows)
    losses: list[float] = []
    return list(loop.train(*start.values(), fed, losses.append, learning_rate=0.01)), losses


def same(graph: Graph, rows: int, parameters: list[float], cells: list[float]) -> None:
    start = {name: parameters[place % len(parameters)] for place, name in enumerate(graph.parameters)}
    cell = iter(cells * (6 * rows))
    batches = [{name: [next(cell) for _ in range(rows)] for name in ("x1", "x2")} for _ in range(3)]
    one, other = stepped(graph, start, batches), compiled(graph, start, batches)
    assert bits(one[0]) == bits(other[0])
    assert bits(one[1]) == bits(other[1])


@given(
    sources(),
    st.sampled_from([1, 2, 5, UNROLLED + 1]),
    st.sampled_from(["mean", "sum"]),
    st.lists(numbers, min_size=3, max_size=3),
    st.lists(numbers, min_size=7, max_size=7),
)
@settings(max_examples=150, deadline=None)
def test_random_formulas_train_alike(
    source: str, rows: int, reduction: str, parameters: list[float], cells: list[float]
) -> None:
    try:
        graph = build(source, ("x1", "x2"), reduction=reduction)
    except FormulaError:  # a constant that is not finite, such as log(-2)
        return
    same(graph, rows, parameters, cells)


@pytest.mark.parametrize("rows", [1, 2, 3, 700])
def test_a_two_layer_network_written_out_trains_alike(rows: int) -> None:
    source = """
        h1 = tanh(a11*x1 + a12*x2 + c1)
        h2 = tanh(a21*x1 + a22*x2 + c2)
        yhat = sigmoid(v1*h1 + v2*h2 + d)
        L = (yhat - 0.5)**2 + 0.01*(v1**2 + v2**2)
    """
    same(build(source, ("x1", "x2")), rows, [0.3, -0.2, 0.7, 0.1], [0.5, -1.5, 0.25, 2.0, 1.0])


def test_a_gradient_that_is_another_parameter_is_read_before_it_changes() -> None:
    same(build("L = w1*w2 + 0*x1", ("x1", "x2")), 1, [2.0, 5.0], [1.0])


@pytest.mark.parametrize("source", ["L = w" + " + w" * 3000 + " + x1", "L = x1*" + "sin(" * 3000 + "w" + ")" * 3000])
def test_long_formulas_compile(source: str) -> None:
    same(build(source, ("x1", "x2")), 1, [0.25], [1.0, 2.0])


def test_a_formula_without_data_trains_without_batches() -> None:
    graph = build("k = a*a\nL = (k - 2)**2 + a", ())
    losses: list[float] = []
    after = trainer(graph, 0, SGD).train(0.5, range(3), losses.append, learning_rate=0.1)
    a, expected = 0.5, []
    for _ in range(3):
        k = a * a
        expected.append((k - 2) * (k - 2) + a)
        share = 2.0 * (k - 2)
        a = a - 0.1 * ((1.0 + share * a) + share * a)
    assert losses == expected
    assert after == pytest.approx((a,), rel=1e-15)
