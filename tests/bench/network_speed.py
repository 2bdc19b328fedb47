"""Networks: ``advance`` against the same training written by hand in NumPy, and the small one against PyTorch eager.

All of them take the same steps on the same batches from the same start, keep the loss of each, and must end at the same
weights.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.training.definition import Definition, define
from api.training.limits import Limits
from api.training.run import advance
from api.training.session import Session
from api.training.snapshot import Snapshot
from tests.bench.ratios import Ratio, medians

Array = NDArray[np.float64]
Weights = list[Array]
RATE = 0.1
SMALL, SMALL_ROWS, SMALL_BATCH, SMALL_STEPS = (2, 16, 16, 1), 256, 32, 2_000
LARGE, LARGE_ROWS, LARGE_BATCH, LARGE_STEPS = (784, 100, 10), 256, 64, 200


def measure() -> list[Ratio]:
    """2-16-16-1 (tanh, squared error) and 784-100-10 (relu, cross-entropy) ÷ NumPy by hand, PyTorch ÷ the former."""
    small, start = regression()
    inputs, targets = small.inputs(range(SMALL_ROWS))["x"], small.inputs(range(SMALL_ROWS))["y"]
    weights = [np.asarray(start.parameters[name]) for name in small.names]
    ways: dict[str, Callable[[], Weights]] = {
        "run": lambda: run(small, start, SMALL_STEPS),
        "hand": lambda: tanh_by_hand(weights, inputs, targets, SMALL_STEPS),
    }
    if importlib.util.find_spec("torch") is not None:
        ways["torch"] = lambda: tanh_by_torch(weights, inputs, targets, SMALL_STEPS // 10)
    agree([ways["run"](), ways["hand"]()])
    taken = medians(ways, repeats=9)
    found = [Ratio("2-16-16-1, batch 32 ÷ NumPy by hand", taken["run"] / taken["hand"], "at most 0.7")]
    if "torch" in ways:
        found.append(Ratio("PyTorch eager ÷ the same network", 10 * taken["torch"] / taken["run"], "at least 7"))
    large, begun = classification()
    fed = large.inputs(range(LARGE_ROWS))
    first = [np.asarray(begun.parameters[name]) for name in large.names]
    ways = {
        "run": lambda: run(large, begun, LARGE_STEPS),
        "hand": lambda: relu_by_hand(first, fed["x"], fed["y"], LARGE_STEPS),
    }
    agree([way() for way in ways.values()])
    taken = medians(ways, repeats=9)
    return [*found, Ratio("784-100-10, batch 64 ÷ NumPy by hand", taken["run"] / taken["hand"], "at most 1.0")]


def regression() -> tuple[Definition, Snapshot]:
    """Two features, one target, two hidden layers of 16."""
    rows = np.random.default_rng(0).normal(size=(SMALL_ROWS, 3)).round(3)
    layers = [{"units": units, "activation": "tanh"} for units in SMALL[1:-1]] + [{"units": 1}]
    return _begun(rows, ["x1", "x2", "y"], layers, {}, SMALL_BATCH)


def classification() -> tuple[Definition, Snapshot]:
    """As many features as MNIST has pixels, ten classes, one hidden layer of 100."""
    draw = np.random.default_rng(0)
    rows = np.hstack([draw.random((LARGE_ROWS, LARGE[0])).round(2), draw.integers(0, LARGE[-1], (LARGE_ROWS, 1))])
    names = [*(f"x{place}" for place in range(LARGE[0])), "y"]
    layers = [{"units": LARGE[1], "activation": "relu"}, {"units": LARGE[2]}]
    return _begun(rows, names, layers, {"loss": {"kind": "softmax_cross_entropy"}}, LARGE_BATCH)


def _begun(
    rows: Array, columns: Sequence[str], layers: Sequence[Any], more: dict[str, Any], size: int
) -> tuple[Definition, Snapshot]:
    body = {
        "model": {"kind": "mlp", "layers": layers},
        "data": {"columns": columns, "rows": rows.tolist()},
        "optimizer": {"learning_rate": RATE},
        "batch_size": size,
    }
    definition = define(body | more, limits=Limits(columns=len(columns)))
    return definition, Session.start(definition).snapshot


def run(definition: Definition, snapshot: Snapshot, steps: int) -> Weights:
    """As a session's run goes, without its store."""
    stretch = advance(definition, snapshot, steps=steps)
    assert len(stretch.losses) == steps
    return [np.asarray(stretch.end.parameters[name]) for name in definition.names]


def tanh_by_hand(weights: Weights, inputs: Array, targets: Array, steps: int) -> Weights:
    """What one would write who wants the weights and the losses and nothing else."""
    w1, b1, w2, b2, w3, b3 = (weight.copy() for weight in weights)
    losses = []
    for step in range(steps):
        at = step * SMALL_BATCH % SMALL_ROWS
        x, y = inputs[at : at + SMALL_BATCH], targets[at : at + SMALL_BATCH]
        h1 = np.tanh(x @ w1 + b1)
        h2 = np.tanh(h1 @ w2 + b2)
        error = h2 @ w3 + b3 - y
        losses.append(np.mean(error * error))
        slope = 2 * error / error.size
        slope2 = (slope @ w3.T) * (1 - h2 * h2)
        slope1 = (slope2 @ w2.T) * (1 - h1 * h1)
        w3 -= RATE * (h2.T @ slope)
        b3 -= RATE * slope.sum(axis=0)
        w2 -= RATE * (h1.T @ slope2)
        b2 -= RATE * slope2.sum(axis=0)
        w1 -= RATE * (x.T @ slope1)
        b1 -= RATE * slope1.sum(axis=0)
    assert len(losses) == steps
    return [w1, b1, w2, b2, w3, b3]


def relu_by_hand(weights: Weights, inputs: Array, targets: Array, steps: int) -> Weights:
    """The same for relu and softmax cross-entropy; ``targets`` are one-hot."""
    w1, b1, w2, b2 = (weight.copy() for weight in weights)
    losses = []
    for step in range(steps):
        at = step * LARGE_BATCH % LARGE_ROWS
        x, y = inputs[at : at + LARGE_BATCH], targets[at : at + LARGE_BATCH]
        h1 = np.maximum(x @ w1 + b1, 0)
        logits = h1 @ w2 + b2
        low = logits - logits.max(axis=1, keepdims=True)
        logs = low - np.log(np.exp(low).sum(axis=1, keepdims=True))
        losses.append(-np.sum(y * logs) / len(x))
        slope2 = (np.exp(logs) - y) / len(x)
        slope1 = (slope2 @ w2.T) * (h1 > 0)
        w2 -= RATE * (h1.T @ slope2)
        b2 -= RATE * slope2.sum(axis=0)
        w1 -= RATE * (x.T @ slope1)
        b1 -= RATE * slope1.sum(axis=0)
    assert len(losses) == steps
    return [w1, b1, w2, b2]


def tanh_by_torch(weights: Weights, inputs: Array, targets: Array, steps: int) -> Weights:
    """The same with autograd and ``torch.optim.SGD``."""
    torch = importlib.import_module("torch")  # not installed with the tests
    w1, b1, w2, b2, w3, b3 = parameters = [torch.tensor(weight, requires_grad=True) for weight in weights]
    optimizer = torch.optim.SGD(parameters, lr=RATE)
    rows, wanted = torch.tensor(inputs), torch.tensor(targets)
    losses = []
    for step in range(steps):
        at = step * SMALL_BATCH % SMALL_ROWS
        x, y = rows[at : at + SMALL_BATCH], wanted[at : at + SMALL_BATCH]
        loss = torch.nn.functional.mse_loss(torch.tanh(torch.tanh(x @ w1 + b1) @ w2 + b2) @ w3 + b3, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert len(losses) == steps
    return [parameter.detach().numpy() for parameter in parameters]


def agree(outcomes: Sequence[Weights]) -> None:
    """Raises ``AssertionError`` unless all trained the same: speed that errs is not compared."""
    first, *others = outcomes
    for other in others:
        for one, two in zip(first, other, strict=True):
            np.testing.assert_allclose(one, two.reshape(one.shape), rtol=1e-7, atol=1e-9)
