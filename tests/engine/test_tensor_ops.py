"""Every tensor operation against central differences on random shapes, with and without a batch."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from api.engine.backward import backpropagate
from api.engine.builder import build
from api.engine.forward import forward
from api.engine.graph import Graph
from api.engine.ops import ELEMENTWISE
from api.engine.tensor_ops import TENSOR

Array = NDArray[np.float64]
A, B, C = (3, 4), (4, 2), (4,)
# operation → formulas in A [3, 4], B [4, 2], C [4] and the scalar s
FORMULAS = {
    "matmul": ["A @ B", "A @ C", "C @ B", "C @ C", "transpose(B) @ transpose(A)"],
    "transpose": ["transpose(A)*2", "transpose(C)"],
    "sum": ["sum(A)", "sum(A, axis=0)", "sum(A, axis=-1)", "sum(C)"],
    "mean": ["mean(A)", "mean(A, axis=1)", "mean(C, axis=0)"],
    "max": ["max(A)", "max(A, axis=0)", "max(C)"],
    "logsumexp": ["logsumexp(A)", "logsumexp(A, axis=1)"],
    "softmax": ["softmax(A)", "softmax(A, axis=0)", "softmax(C)"],
    "log_softmax": ["log_softmax(A)", "log_softmax(A, axis=0)"],
    "concat": ["concat(A, A*s)", "concat(A, A, transpose(B), axis=0)[1:5]", "concat(C, C*2, axis=-1)"],
    "reshape": ["reshape(A, 2, 6)", "reshape(A, -1)*s", "reshape(C, 2, 2)"],
    "index": ["A[1]", "A[-1, 2]", "A[0:2, 1:]", "A[:, 3]*C[0:3]"],
}
BROADCAST = ["A + C", "A*s + C", "C*A[0] - s", "maximum(A, C)", "A/(1 + C**2)", "tanh(A)*sigmoid(s)"]
ALL = [formula for formulas in FORMULAS.values() for formula in formulas] + BROADCAST


def test_every_row_has_its_formulas() -> None:
    assert FORMULAS.keys() == TENSOR.keys()


def numbers(shape: tuple[int, ...], seed: str) -> Array:
    return np.random.default_rng(zlib.crc32(seed.encode())).uniform(-1.5, 1.5, shape)


def agrees(graph: Graph, values: dict[str, Array], inputs: dict[str, Array]) -> bool:
    """Whether each gradient is what central differences give."""
    recorded = forward(graph, values, inputs)
    gradients = backpropagate(graph, recorded).of
    fed = values | inputs
    for name, value in fed.items():
        if name not in graph.index:
            continue
        gradient = np.asarray(gradients[graph.index[name]])
        assert gradient.shape == value.shape, name
        for place in np.ndindex(value.shape):
            numeric = central_difference(graph, values, inputs, name, place)
            if not np.isclose(gradient[place], numeric, rtol=1e-5, atol=1e-7):
                return False
    return True


def central_difference(
    graph: Graph, values: dict[str, Array], inputs: dict[str, Array], name: str, place: tuple[int, ...]
) -> float:
    step, losses = 1e-5, []
    for sign in (1, -1):
        moved = {key: value.copy() for key, value in (values | inputs).items()}
        moved[name][place] += sign * step
        recorded = forward(graph, {k: moved[k] for k in values}, {k: moved[k] for k in inputs})
        losses.append(float(recorded[graph.loss]))
    return (losses[0] - losses[1]) / (2 * step)


@pytest.mark.parametrize("batched", [(), ("A",), ("C",), ("A", "C"), ("A", "B", "C", "s")], ids="-".join)
@pytest.mark.parametrize("formula", ALL)
def test_gradients_agree_with_central_differences(formula: str, batched: tuple[str, ...]) -> None:
    shapes = {"A": A, "B": B, "C": C, "s": ()}
    used = [name for name in shapes if re.search(rf"\b{name}\b", formula)]
    source = f"y = {formula}\nL = sum(y*y) + sum(sin(y))"
    fed = {name: shapes[name] for name in used if name in batched}
    trained = {name: shapes[name] for name in used if name not in batched}
    graph = build(source, fed, shapes={name: shape for name, shape in trained.items() if shape}, reduction="mean")
    values = {name: numbers(shape, name) for name, shape in trained.items()}
    inputs = {name: numbers((3, *shape), name) for name, shape in fed.items()}
    assert agrees(graph, values, inputs)


def test_a_planted_wrong_rule_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = build("L = sum(softmax(A)**2)", (), shapes={"A": A})
    right = TENSOR["softmax"].vjp

    def wrong(*arguments: object) -> tuple[Array, ...]:
        return tuple(share * 1.001 for share in right(*arguments))

    assert agrees(graph, {"A": numbers(A, "A")}, {})
    monkeypatch.setitem(TENSOR, "softmax", replace(TENSOR["softmax"], vjp=wrong))
    assert not agrees(graph, {"A": numbers(A, "A")}, {})


@pytest.mark.parametrize("name", [row.name for row in ELEMENTWISE.values() if row.function])
def test_elementwise_operations_give_the_same_numbers_on_arrays(name: str) -> None:
    arguments = "a, b" if ELEMENTWISE[name].arity == 2 else "a"
    scalar = build(f"L = {name}({arguments})", ())
    tensor = build(
        f"L = sum({name}({arguments}))", (), shapes={"a": (5,), "b": (5,)} if "b" in arguments else {"a": (5,)}
    )
    a, b = np.array([0.3, 1.7, 2.5, 1000.0, 0.0]), np.array([1.0, 0.2, 2.5, -1000.0, 0.0])
    gradients = backpropagate(tensor, forward(tensor, {"a": a, "b": b}, {})).of
    for place in range(5):
        values = forward(scalar, {"a": float(a[place]), "b": float(b[place])}, {})
        one = backpropagate(scalar, values).of
        expected, found = one[scalar.index["a"]], gradients[tensor.index["a"]][place]
        assert found == pytest.approx(expected, rel=1e-14, nan_ok=True), (name, place)


STABLE: list[tuple[str, Callable[[Array], bool]]] = [
    ("softmax(A)", lambda y: bool(np.allclose(y.sum(axis=-1), 1))),
    ("log_softmax(A)", lambda y: bool(np.isfinite(y).all())),
    ("logsumexp(A, axis=1)", lambda y: bool((np.abs(y) > 990).all())),
]


@pytest.mark.parametrize(("formula", "holds"), STABLE)
@pytest.mark.parametrize("size", [1000.0, -1000.0])
def test_sums_of_exponentials_are_stable_at_1000(formula: str, holds: Callable[[Array], bool], size: float) -> None:
    graph = build(f"y = {formula}\nL = sum(y)", (), shapes={"A": A})
    values = forward(graph, {"A": np.full(A, size) + np.eye(3, 4)}, {})
    assert holds(values[graph.index["y"]])
    assert np.isfinite(backpropagate(graph, values).of[graph.index["A"]]).all()


def test_a_tie_of_max_shares_the_gradient() -> None:
    graph = build("L = max(v)", (), shapes={"v": (4,)})
    values = forward(graph, {"v": np.array([1.0, 3.0, 3.0, 0.0])}, {})
    assert backpropagate(graph, values).of[graph.index["v"]].tolist() == [0, 0.5, 0.5, 0]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("L = sum(A @ A)", "do not fit: 4 is not 3"),
        ("L = sum(A + B)", "do not fit each other"),
        ("L = sum(A, axis=2)", "no axis 2 in shape [3, 4]"),
        ("L = A", "shape [3, 4] for each example"),
        ("L = sum(concat(A, B))", "do not fit along axis 0"),
        ("L = sum(reshape(A, 5, 2))", "12 numbers do not fill shape [5, 2]"),
        ("L = A[3, 0]", "index 3 is outside"),
        ("L = sum(A[2:2])", "empty"),
        ("L = A[0, 0, 0]", "too many indices"),
    ],
)
def test_shapes_that_do_not_fit_are_named(source: str, says: str) -> None:
    with pytest.raises(Exception, match="line 1, column") as caught:
        build(source, (), shapes={"A": A, "B": B} if "B" in source else {"A": A})
    assert says in str(caught.value)
