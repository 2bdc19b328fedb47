"""All paths between two quantities: their number, their order, and that they add up."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.engine.backward import backpropagate
from api.engine.builder import build
from api.engine.errors import InvalidInput
from api.engine.forward import forward
from api.engine.graph import Graph
from api.engine.paths import (
    Edge,
    Ways,
    assignments,
    carried,
    named_edges,
    named_partials,
    operation_edges,
    total_derivative,
)
from tests.engine.formulas import numbers, sources

TENSORS = (
    "L = sum(x*b) * sin(c) + sum(W*x) + sum(x)",
    "h = tanh(x @ W + b)\nL = sum(h*h) + max(W) + c*sum(b)",
    "h = W*x + b\ng = mean(h, axis=0)\nL = logsumexp(g) - c*sum(g*x)",
    "h = tanh(x)*b\ny = h*sum(h) + h\nL = sum(y*y*b)*c + sum(W)",
    "h = x*b\ny = sum(W*h, axis=1) + h\nL = sum(y*y)*mean(W*b) + c",
    "s = softmax(x @ W)\nL = -sum(b*log_softmax(x)*s) + sum(concat(b, s))*c",
)


def edges_of(graph: Graph, named: bool) -> list[Edge]:
    return named_edges(graph) if named else operation_edges(graph)


def brute(edges: list[Edge], goal: int, start: int) -> set[tuple[int, ...]]:
    if goal == start:
        return {(goal,)}
    onward = [edge.source for edge in edges if edge.target == goal]
    return {(goal, *rest) for source in onward for rest in brute(edges, source, start)}


@settings(deadline=None)
@given(sources())
def test_every_path_is_found_once_and_any_of_them_at_once(source: str) -> None:
    try:
        graph = build(source, ("x1", "x2"))
    except InvalidInput:
        return
    for named in (True, False):
        edges = edges_of(graph, named)
        for name in graph.parameters:
            ways = Ways.of(edges, graph.loss, graph.index[name])
            listed = list(ways.listed())
            assert set(listed) == brute(edges, graph.loss, graph.index[name])
            assert len(listed) == ways.count
            for first in (0, 1, len(listed) // 2, len(listed)):
                assert list(ways.listed(first)) == listed[first:]


def test_the_number_of_paths_is_exact_where_no_one_could_list_them() -> None:
    levels = 1500
    lines = [f"a{i} = sin(a{i - 1}) + b{i - 1}\nb{i} = cos(a{i - 1})*b{i - 1}" for i in range(1, levels)]
    graph = build("a0 = w\nb0 = 2*w\n" + "\n".join(lines) + f"\nL = a{levels - 1}*b{levels - 1}", {})
    ways = Ways.of(named_edges(graph), graph.loss, graph.index["w"])
    assert ways.count == 2**levels
    (last,) = list(ways.listed(2**levels - 1))
    assert (last[0], last[-1]) == (graph.loss, graph.index["w"])
    assert len(set(islice(ways.listed(2**900 + 12345), 5))) == 5


def test_between_what_is_not_connected_there_is_no_path() -> None:
    graph = build("L = w*x + v", {"x": ()})
    edges = named_edges(graph)
    assert Ways.of(edges, graph.index["w"], graph.index["v"]).count == 0
    assert list(Ways.of(edges, graph.index["w"], graph.loss).listed()) == []
    assert list(Ways.of(edges, graph.loss, graph.loss).listed()) == [(graph.loss,)]


@settings(deadline=None)
@given(source=sources(), data=st.data())
def test_over_all_paths_the_products_add_up_to_the_derivative(source: str, data: st.DataObject) -> None:
    try:
        graph = build(source, ("x1", "x2"))
    except InvalidInput:
        return
    inputs = {name: data.draw(st.lists(numbers, min_size=2, max_size=2)) for name in ("x1", "x2")}
    values = forward(graph, {name: data.draw(numbers) for name in graph.parameters}, inputs)
    for name in graph.parameters:
        adds_up(graph, values, graph.loss, graph.index[name])


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("source", TENSORS)
def test_over_tensors_too_row_by_row_and_from_any_node(source: str, rows: int) -> None:
    graph = build(source, {"x": (2,)}, shapes={"W": (2, 2), "b": (2,)})
    random = np.random.default_rng(rows)
    given_values = {"W": random.normal(size=(2, 2)), "b": random.normal(size=2), "c": 0.7}
    values = forward(graph, given_values, {"x": random.normal(size=(rows, 2))})
    for goal in graph.named:
        for start in graph.named[: goal.index]:
            adds_up(graph, values, goal.index, start.index)


def adds_up(graph: Graph, values: list[object], goal: int, start: int) -> None:
    total = np.asarray(total_derivative(graph, values, goal, start))
    for named in (True, False):
        inside = dict(assignments(graph)) if named else None
        ways = Ways.of(edges_of(graph, named), goal, start)
        with np.errstate(all="ignore"):
            products = [np.asarray(carried(graph, values, path, inside)) for path in islice(ways.listed(), 2000)]
        if len(products) < ways.count or not np.isfinite(total).all():
            return
        size = max((float(np.abs(one).max()) for one in products), default=0.0)
        if np.isfinite(size):
            np.testing.assert_allclose(sum(products, np.zeros_like(total)), total, rtol=1e-9, atol=1e-9 * size)


def test_the_derivative_of_the_loss_is_its_gradient() -> None:
    graph = build(TENSORS[1], {"x": (2,)}, shapes={"W": (2, 2), "b": (2,)})
    values = forward(graph, {"W": np.eye(2), "b": np.array([1.0, -1.0]), "c": 0.5}, {"x": np.ones((3, 2))})
    gradients = backpropagate(graph, values).of
    for name in graph.parameters:
        np.testing.assert_array_equal(
            total_derivative(graph, values, graph.loss, graph.index[name]), gradients[graph.index[name]]
        )


def test_partials_of_a_formula_that_mixes_rows_and_shapes_are_those_of_its_rows() -> None:
    """A name may stand in one formula in several shapes, and below what has rows where it has none itself."""
    graph = build("L = sum(W*x) + sum(x) + sum(x*b)*sin(c)", {"x": (2,)}, shapes={"W": (3, 2), "b": (2,)})
    x, w, b, c = np.array([[1.0, 2.0], [3.0, 4.0]]), np.arange(6.0).reshape(3, 2), np.array([5.0, 6.0]), 0.3
    values = forward(graph, {"W": w, "b": b, "c": c}, {"x": x})
    partials = {
        graph.nodes[source].id: value for (source, _), value in named_partials(graph, values).items()
    }  # fmt: skip
    np.testing.assert_allclose(partials["x"], np.tile((w.sum(axis=0) + 1 + b * np.sin(c)) / 2, (2, 1)), rtol=1e-15)
    np.testing.assert_allclose(partials["b"], x * np.sin(c) / 2, rtol=1e-15)
    np.testing.assert_allclose(partials["c"], (x @ b) * np.cos(c) / 2, rtol=1e-15)
    np.testing.assert_allclose(partials["W"], np.repeat(x[:, None, :], 3, axis=1) / 2, rtol=1e-15)


def test_where_a_sum_is_broadcast_afterwards_no_partial_is_elementwise_but_by_a_single_number() -> None:
    graph = build("y = x*sum(b) + b\nL = sum(y)*sum(b*b)", {"x": (2,)}, shapes={"b": (2,)})
    x, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 6.0])
    partials = named_partials(graph, forward(graph, {"b": b}, {"x": x}))
    index = graph.index
    assert partials[index["b"], index["y"]] is None
    assert np.asarray(partials[index["x"], index["y"]]).tolist() == [[11, 11], [11, 11]]
    sums = (x * 11 + b).sum(axis=1)
    np.testing.assert_allclose(partials[index["b"], index["L"]], sums[:, None] * 2 * b / 2, rtol=1e-15)
