"""Evaluating rows without recording gives what the forward pass records, bit for bit."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.engine.builder import build
from api.engine.errors import FormulaError
from api.engine.evaluation import evaluator
from api.engine.forward import forward
from api.engine.graph import Graph
from tests.engine.formulas import numbers, sources
from tests.engine.test_tensor_ops import ALL, A, B, C
from tests.engine.test_tensor_ops import numbers as tensor


def bits(value: Any) -> list[bytes]:
    return [b"nan" if one != one else struct.pack("<d", one) for one in np.ravel(value).tolist()]


def same(graph: Graph, wanted: tuple[str, ...], parameters: dict[str, Any], inputs: dict[str, Any], rows: int) -> None:
    run = evaluator(graph, wanted)
    recorded = forward(graph, parameters, inputs)
    found = run(parameters, run.fed(inputs), rows)
    for name, value in zip(wanted, found, strict=True):
        expected = recorded[graph.index[name]]
        assert np.shape(value) == np.shape(expected), name
        assert bits(value) == bits(expected), name


@given(
    sources(),
    st.sampled_from([1, 2, 5]),
    st.sampled_from(["mean", "sum"]),
    st.lists(numbers, min_size=3, max_size=3),
    st.lists(numbers, min_size=10, max_size=10),
)
@settings(max_examples=150, deadline=None)
def test_random_formulas_are_evaluated_alike(
    source: str, rows: int, reduction: str, parameters: list[float], cells: list[float]
) -> None:
    try:
        graph = build(source, ("x1", "x2"), reduction=reduction)
    except FormulaError:  # a constant that is not finite, such as log(-2)
        return
    start = {name: parameters[place % 3] for place, name in enumerate(graph.parameters)}
    inputs = {"x1": cells[:rows], "x2": cells[5 : 5 + rows]}
    names = tuple(node.id for node in graph.named if node.op is not None)
    same(graph, names, start, inputs, rows)


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("batched", [("A",), ("C",), ("A", "C"), ("B", "s")], ids="-".join)
@pytest.mark.parametrize("formula", ALL)
def test_every_tensor_operation_is_evaluated_alike(formula: str, batched: tuple[str, ...], rows: int) -> None:
    shapes = {"A": A, "B": B, "C": C, "s": ()}
    used = [name for name in shapes if re.search(rf"\b{name}\b", formula)]
    fed = {name: shapes[name] for name in used if name in batched}
    trained = {name: shapes[name] for name in used if name not in batched} | {"scale": ()}
    graph = build(
        f"y = {formula}\nL = scale*sum(tanh(y*y)) + sum(sin(y))",
        fed,
        shapes={name: shape for name, shape in trained.items() if shape},
    )
    start = {name: tensor(shape, name) if shape else 0.75 for name, shape in trained.items()}
    same(graph, ("y", "L"), start, {name: tensor((rows, *shape), name) for name, shape in fed.items()}, rows)


def test_rows_in_pieces_are_the_rows_at_once() -> None:
    graph = build("h = tanh(x @ W)\nk = sum(W)\nL = sum((h - y)**2)", {"x": (3,), "y": (2,)}, shapes={"W": (3, 2)},
                  outputs=["h", "k"])  # fmt: skip
    inputs = {"x": tensor((11, 3), "x"), "y": tensor((11, 2), "y")}
    run = evaluator(graph, ("L", "h", "k"))
    whole = run({"W": tensor((3, 2), "W")}, run.fed(inputs), 11)
    parts = replace(run, piece=4)({"W": tensor((3, 2), "W")}, run.fed(inputs), 11)
    assert [np.shape(part) for part in parts] == [(), (11, 2), ()]
    for one, other in zip(whole, parts, strict=True):
        assert np.allclose(one, other, rtol=1e-14, atol=0)


def test_only_what_is_needed_is_fed() -> None:
    graph = build("yhat = w*x + b\nL = (yhat - y)**2*v", ("x", "y", "z"))
    output = evaluator(graph, ("yhat",))
    assert (output.placeholders, output.parameters) == (("x",), ("w", "b"))
    assert evaluator(graph, ("L",)).placeholders == ("x", "y")
    assert output({"w": 2.0, "b": 1.0}, output.fed({"x": [1.0, 3.0]}), 2) == [[3.0, 7.0]]


def test_a_formula_without_data_is_evaluated_without_rows() -> None:
    graph = build("q = a*a\nL = q - 1", ())
    run = evaluator(graph, ("q", "L"))
    assert run({"a": 3.0}, run.fed({}), 0) == [9.0, 8.0]


def test_what_depends_on_the_loss_of_all_rows_is_refused() -> None:
    graph = build("L = (w*x - y)**2\nroot = sqrt(L)", ("x", "y"), outputs=["root"], loss="L")
    with pytest.raises(ValueError, match="loss of all rows"):
        evaluator(graph, ("root",))
