"""``python -m tests.libraries.analysed``: what PyTorch's autograd makes of a few models, as JSON.

For each its Hessian over all rows, each row's own gradient, and the loss where the first number among the parameters is
another. All in float64.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

Body = dict[str, Any]
ROWS = [[0.5, -1.0, 0], [1.5, 0.25, 2], [-0.75, 2.0, 1], [0.1, 0.3, 1], [-1.2, -0.4, 0]]
CLASSES = {"columns": ["u", "v", "k"], "rows": ROWS}
TWO = {"columns": ["u", "v", "s", "t"], "rows": [[*row[:2], row[0] * row[1], row[0] - row[1]] for row in ROWS]}
W1, B1 = [[0.4, -0.3, 0.8], [-0.6, 0.2, 0.5]], [0.1, -0.2, 0.05]
W2, B2 = [[0.7, -0.4], [0.3, 0.9], [-0.5, 0.6]], [0.02, -0.01]
SHIFTS = [-1.0, -0.25, 0.0, 0.5, 2.0]


def _network(activation: str, last: str = "identity") -> Body:
    layers = [{"units": 3, "activation": activation}, {"units": 2, "activation": last}]
    return {"model": {"kind": "mlp", "layers": layers}, "parameters": {"W1": W1, "b1": B1, "W2": W2, "b2": B2}}


CASES: dict[str, Body] = {
    "article": {"parameters": {"w1": -0.017, "w2": -0.048, "b": 0.0}, "model": {"kind": "linear"}, "batch_size": 6},
    "tanh": {**_network("tanh"), "data": {**TWO, "targets": ["s", "t"]}, "batch_size": 5},
    "sum": {
        **_network("sigmoid", "tanh"),
        "data": {**TWO, "targets": ["s", "t"]},
        "batch_size": 5,
        "loss": {"kind": "squared_error", "reduction": "sum"},
    },
    "softmax": {
        "model": {"kind": "mlp", "layers": [{"units": 3}]},
        "parameters": {"W1": W1, "b1": B1},
        "data": CLASSES,
        "loss": {"kind": "softmax_cross_entropy"},
        "batch_size": 5,
    },
}
ARTICLE = ((4, 1, 2), (2, 8, -14), (1, 0, 1), (3, 2, -1), (1, 4, -7), (6, 7, -8))


def _losses(torch: Any, name: str) -> tuple[Callable[[Any, Any], Any], list[list[float]]]:
    """The losses of some rows as a function of all parameters in one vector, before they are reduced."""

    def article(vector: Any, rows: Any) -> Any:
        return (rows[:, :2] @ vector[:2] + vector[2] - rows[:, 2]) ** 2

    def network(vector: Any, rows: Any) -> Any:
        w1, b1, w2, b2 = (
            part.reshape(shape)
            for part, shape in zip(vector.split([6, 3, 6, 2]), ((2, 3), (3,), (3, 2), (2,)), strict=True)
        )
        inner = rows[:, :2] @ w1 + b1
        outer = (torch.tanh(inner) if name == "tanh" else torch.sigmoid(inner)) @ w2 + b2
        errors = ((outer if name == "tanh" else torch.tanh(outer)) - rows[:, 2:]) ** 2
        return errors.mean(dim=1) if name == "tanh" else errors.sum(dim=1)

    def softmax(vector: Any, rows: Any) -> Any:
        logits = rows[:, :2] @ vector[:6].reshape(2, 3) + vector[6:]
        return torch.nn.functional.cross_entropy(logits, rows[:, 2].long(), reduction="none")

    rows: list[list[float]] = {"article": [list(row) for row in ARTICLE], "softmax": ROWS}.get(name, TWO["rows"])  # type: ignore[assignment]
    return {"article": article, "softmax": softmax}.get(name, network), rows


def _flat(body: Body) -> list[float]:
    found: list[float] = []
    for value in body["parameters"].values():
        for row in value if isinstance(value, list) else [value]:
            found += row if isinstance(row, list) else [row]
    return found


def made() -> dict[str, Any]:
    """Every case by name."""
    torch: Any = importlib.import_module("torch")
    torch.set_default_dtype(torch.float64)
    found: dict[str, Any] = {}
    for name, body in CASES.items():
        losses, rows = _losses(torch, name)
        data = torch.tensor(rows, dtype=torch.float64)
        vector = torch.tensor(_flat(body), requires_grad=True)
        reduce = torch.sum if name == "sum" else torch.mean

        def whole(at: Any, losses: Any = losses, data: Any = data, reduce: Any = reduce) -> Any:
            return reduce(losses(at, data))

        each = torch.autograd.functional.jacobian(lambda at, losses=losses, data=data: losses(at, data), vector)
        unit = torch.zeros_like(vector)
        unit[0] = 1
        found[name] = {
            "hessian": torch.autograd.functional.hessian(whole, vector).tolist(),
            "examples": each.tolist(),
            "losses": losses(vector, data).tolist(),
            "along": [whole(vector + shift * unit).item() for shift in SHIFTS],
        }
    return found


if __name__ == "__main__":
    json.dump(made(), sys.stdout)
