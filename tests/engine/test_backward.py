"""Gradients against the printed numbers of other authors, and against the awkward shapes of graphs."""

from __future__ import annotations

import math

import pytest

from api.engine.backward import backpropagate
from api.engine.builder import build
from api.engine.forward import forward
from api.engine.graph import Graph

Numbers = dict[str, float]


def trace(source: str, given: Numbers | None = None, **more: float) -> tuple[Numbers, Numbers]:
    """Values and gradients by node id of a formula without data."""
    graph = build(source, ())
    values = forward(graph, (given or {}) | more, {})
    gradients = backpropagate(graph, values).of
    index = graph.index
    return (
        {name: float(values[place]) for name, place in index.items()},
        {name: float(gradients[place]) for name, place in index.items() if place in gradients},
    )


def test_the_article_to_the_last_bit() -> None:
    graph = build("yhat = w1*x1 + w2*x2 + b\nL = (yhat - y)**2", ("x1", "x2", "y"))
    values = forward(graph, {"w1": -0.017, "w2": -0.048, "b": 0.0}, {"x1": [4.0], "x2": [1.0], "y": [2.0]})
    gradients = backpropagate(graph, values).of
    at = graph.index
    assert (values[at["yhat"]], values[at["L"]]) == ([-0.116], 4.477456)
    assert [gradients[at[name]] for name in ("w1", "w2", "b")] == [-16.928, -4.232, -4.232]


def test_micrograd_readme() -> None:
    """A. Karpathy, micrograd, README: g = 24.7041, dg/da = 138.8338, dg/db = 645.5773."""
    source = """
        c = a + b
        d = a*b + b**3
        c2 = c + c + 1
        c3 = c2 + 1 + c2 + (-a)
        d2 = d + d*2 + relu(b + a)
        d3 = d2 + 3*d2 + relu(b - a)
        e = c3 - d3
        f = e**2
        g = f/2.0
        L = g + 10.0/f
    """
    values, gradients = trace(source, a=-4.0, b=2.0)
    assert (round(values["L"], 4), round(gradients["a"], 4), round(gradients["b"], 4)) == (24.7041, 138.8338, 645.5773)


def test_karpathy_neuron() -> None:
    """A. Karpathy, The spelled-out intro to neural networks: o = 0.7071 and the gradients −1.5, 1, 0.5, 0."""
    start = {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.8813735870195432}
    values, gradients = trace("o = tanh(x1*w1 + x2*w2 + b)\nL = o", start)
    assert round(values["o"], 4) == 0.7071
    assert [round(gradients[name], 4) for name in ("x1", "w1", "x2", "w2")] == [-1.5, 1.0, 0.5, 0.0]


def test_cs231n_examples() -> None:
    """Stanford CS231n, Backpropagation, Intuitions: f = (x + y)z, and the sigmoid of a two-dimensional neuron."""
    values, gradients = trace("q = x + y\nL = q*z", x=-2.0, y=5.0, z=-4.0)
    assert (values["L"], gradients["x"], gradients["y"], gradients["z"]) == (-12.0, -4.0, -4.0, 3.0)
    values, gradients = trace("L = sigmoid(w0*x0 + w1*x1 + w2)", w0=2.0, x0=-1.0, w1=-3.0, x1=-2.0, w2=-3.0)
    assert round(values["L"], 2) == 0.73
    rounded = [round(gradients[name], 2) for name in ("w0", "x0", "w1", "x1", "w2")]
    assert rounded == [-0.20, 0.39, -0.39, -0.59, 0.20]


def test_mazur_two_layer_network() -> None:
    """M. Mazur, A Step by Step Backpropagation Example: E = 0.298371109, and the new weights at learning rate 0.5."""
    source = """
        h1 = sigmoid(w1*0.05 + w2*0.10 + b1)
        h2 = sigmoid(w3*0.05 + w4*0.10 + b1)
        o1 = sigmoid(w5*h1 + w6*h2 + b2)
        o2 = sigmoid(w7*h1 + w8*h2 + b2)
        E1 = 0.5*(0.01 - o1)**2
        E2 = 0.5*(0.99 - o2)**2
        E = E1 + E2
    """
    weights = [0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55]
    start = {f"w{place}": weight for place, weight in enumerate(weights, 1)} | {"b1": 0.35, "b2": 0.60}
    values, gradients = trace(source, start)
    assert (round(values["o1"], 8), round(values["o2"], 8)) == (0.75136507, 0.77292847)
    assert round(values["E"], 9) == 0.298371109
    updated = {name: start[name] - 0.5 * gradients[name] for name in start}
    printed = {"w5": 0.35891648, "w6": 0.408666186, "w7": 0.511301270, "w8": 0.561370121}
    printed |= {"w1": 0.149780716, "w2": 0.19956143, "w3": 0.24975114, "w4": 0.29950229}
    for name, number in printed.items():
        assert updated[name] == pytest.approx(number, abs=5e-9), name


def test_a_diamond_adds_up_both_ways() -> None:
    _, gradients = trace("a = w*w\nb = 3*a\nc = sin(a)\nL = b*c", w=0.7)
    a = 0.49
    assert gradients["w"] == pytest.approx((3 * math.sin(a) + 3 * a * math.cos(a)) * 1.4, rel=1e-15)


def test_backward_twice_gives_the_same_twice() -> None:
    graph = build("L = tanh(w*w) + w", ())
    values = forward(graph, {"w": 0.3}, {})
    assert backpropagate(graph, values) == backpropagate(graph, values)


def deep(graph: Graph, w: float) -> float:
    values = forward(graph, {"w": w}, {})
    gradient = backpropagate(graph, values).of[graph.index["w"]]
    assert isinstance(gradient, float)
    return gradient


def test_five_thousand_operations_deep() -> None:
    assert deep(build("L = " + "sin(" * 5000 + "w" + ")" * 5000, ()), 1.0) > 0
    assert deep(build("L = w" + " + w" * 5000, ()), 2.0) == 5001
    assert deep(build("L = " + "(0.5*" * 5000 + "w" + ")" * 5000, ()), 2.0) == 0.5**5000


def test_rows_add_up_where_a_quantity_has_none() -> None:
    """mean(∂L/∂ŷ·x), not mean(∂L/∂ŷ)·mean(x): at the article's start the full batch gives these."""
    rows = {"x1": [4.0, 2, 1, 3, 1, 6], "x2": [1.0, 8, 0, 2, 4, 7], "y": [2.0, -14, 1, -1, -7, -8]}
    graph = build("yhat = w1*x1 + w2*x2 + b\nL = (yhat - y)**2", tuple(rows))
    values = forward(graph, {"w1": -0.017, "w2": -0.048, "b": 0.0}, rows)
    gradients = backpropagate(graph, values).of
    found = [round(float(gradients[graph.index[name]]), 4) for name in ("w1", "w2", "b")]
    assert found == [24.135, 62.7813, 8.5517]
