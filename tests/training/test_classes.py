"""Which models tell classes apart, and which share of them is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from api.training.classes import Classes, classes_of
from api.training.definition import define

MOONS = {"data": {"dataset": "moons"}}
SIGNS = {"data": {"columns": ["x1", "x2", "y"], "rows": [[0, 1, -1], [1, 0, 1], [2, 2, 1]]}}
ONE_HOT = {
    "data": {
        "columns": ["x", "red", "green", "blue"], "targets": ["red", "green", "blue"],
        "rows": [[0, 1, 0, 0], [1, 0, 1, 0], [2, 0, 0, 1]],
    }
}  # fmt: skip
LABELS = {
    "data": {
        "columns": ["x", "wet", "cold"], "targets": ["wet", "cold"], "rows": [[0, 1, 1], [1, 0, 1], [2, 0, 0]],
    }
}  # fmt: skip


def mlp(units: int, activation: str = "identity", **more: Any) -> dict[str, Any]:
    return {"model": {"kind": "mlp", "layers": [{"units": units, "activation": activation}], **more}}


def formula(source: str, **more: Any) -> dict[str, Any]:
    return {"model": {"kind": "expression", "source": source, **more}}


def loss(kind: str) -> dict[str, Any]:
    return {"loss": {"kind": kind}}


SCORES = {"shapes": {"W": [2, 3]}, "placeholders": {"x": ["a", "b"], "t": {"one_hot": "k"}}}
KINDS = {"data": {"columns": ["a", "b", "k"], "rows": [[0, 1, 0], [1, 0, 2], [1, 1, 1]]}}
TWO = "a = sigmoid(w*x)\nb = sigmoid(v*x)"
LINE = "w*x1 + v*x2 + b"


@pytest.mark.parametrize(
    ("parts", "output", "labels"),
    [
        # by the loss's name
        ((MOONS, mlp(1, "sigmoid"), loss("binary_cross_entropy")), "probability", (0, 1)),
        ((MOONS, mlp(1, "sigmoid", scalars=True), loss("binary_cross_entropy")), "probability", (0, 1)),
        ((MOONS, mlp(1), loss("binary_cross_entropy_with_logits")), "logit", (0, 1)),
        ((MOONS, {"model": {"kind": "linear"}}, loss("binary_cross_entropy_with_logits")), "logit", (0, 1)),
        ((SIGNS, {"model": {"kind": "linear"}}, loss("hinge")), "margin", (-1, 1)),
        (({"data": {"dataset": "iris"}}, mlp(3), loss("softmax_cross_entropy")), "logits", (0, 1, 2)),
        ((ONE_HOT, mlp(3), loss("softmax_cross_entropy")), "logits", ("red", "green", "blue")),
        # by what makes the output
        ((MOONS, mlp(1, "sigmoid")), "probability", (0, 1)),
        ((SIGNS, mlp(1, "tanh")), "margin", (-1, 1)),
        ((ONE_HOT, mlp(3, "softmax")), "probabilities", ("red", "green", "blue")),
        ((ONE_HOT, mlp(3, "sigmoid"), loss("binary_cross_entropy")), "probabilities", ("red", "green", "blue")),
        ((ONE_HOT, mlp(3, "sigmoid", scalars=True)), "probabilities", ("red", "green", "blue")),
        ((ONE_HOT, mlp(3)), "scores", ("red", "green", "blue")),
        ((LABELS, mlp(2, "sigmoid"), loss("binary_cross_entropy")), "probability", (0, 1)),
        ((LABELS, mlp(2, "sigmoid", scalars=True)), "probability", (0, 1)),
        # by what a formula's loss makes of it
        ((MOONS, formula(f"p = sigmoid({LINE})\nL = (p - y)**2")), "probability", (0, 1)),
        ((MOONS, formula(f"p = 1/(1 + exp(-({LINE})))\nL = -y*log(p) - (1 - y)*log(1 - p)")), "probability", (0, 1)),
        ((MOONS, formula(f"z = {LINE}\nL = softplus(z) - z*y")), "logit", (0, 1)),
        ((SIGNS, formula(f"z = {LINE}\nL = softplus(-y*z)")), "logit", (-1, 1)),
        ((SIGNS, formula(f"z = {LINE}\nL = relu(1 - y*z)")), "margin", (-1, 1)),
        ((SIGNS, formula(f"z = {LINE}\nL = maximum(0, 1 - y*z)")), "margin", (-1, 1)),
        ((KINDS, formula("z = x @ W\nL = -sum(t*log_softmax(z))", **SCORES)), "logits", (0, 1, 2)),
        ((KINDS, formula("z = x @ W\nL = logsumexp(z) - sum(t*z)", **SCORES)), "logits", (0, 1, 2)),
        ((KINDS, formula("p = softmax(x @ W)\nL = -sum(t*log(p))", **SCORES)), "probabilities", (0, 1, 2)),
        ((KINDS, formula("z = x @ W\nL = sum((z - t)**2)", **SCORES)), "scores", (0, 1, 2)),
        (
            (LABELS, formula("a = sigmoid(w*x)\nb = sigmoid(v*x)\nL = (a - wet)**2 + (b - cold)**2")),
            "probability",
            (0, 1),
        ),
        (({"model": {"kind": "preset", "name": "encoder_decoder_attention"}},), "logits", (0, 1, 2, 3)),
    ],
)
def test_outputs_that_name_classes_are_found(
    parts: tuple[dict[str, Any], ...], output: str, labels: tuple[Any, ...]
) -> None:
    found = classes_of(define({name: value for part in parts for name, value in part.items()}))
    assert found is not None
    assert (found.output, found.labels) == (output, labels)


@pytest.mark.parametrize(
    "parts",
    [
        ({},),
        (MOONS, {"model": {"kind": "linear"}}),  # squared error of a plain sum, though the targets are 0 or 1
        (MOONS, mlp(1, "sigmoid"), loss("hinge")),  # margins speak of -1 and 1
        (SIGNS, mlp(1, "sigmoid")),
        ({"data": {"dataset": "linear_noise"}}, mlp(1, "sigmoid"), loss("binary_cross_entropy")),
        ({"model": {"kind": "preset", "name": "autoencoder"}},),
        (MOONS, formula("p = sigmoid(w*x1)\nL = (p - y)**2 + (p - x2)**2")),  # what is the target is not clear
        (MOONS, formula(f"L = ({LINE} - y)**2")),
        ({"model": {"kind": "preset", "name": "word2vec"}},),
        (LABELS, formula(f"{TWO}\nL = (a - wet)**2 + (b - wet)**2")),
        ({"data": None}, formula("p = sigmoid(w)\nL = (p - 1)**2")),
    ],
)
def test_where_outputs_name_no_classes_there_are_none(parts: tuple[dict[str, Any], ...]) -> None:
    assert classes_of(define({name: value for part in parts for name, value in part.items()})) is None


def test_the_share_of_right_classes() -> None:
    two = Classes(("p",), ("y",), "probability", (0, 1))
    assert two.right([[0.2, 0.5, 0.51, 1.0]], np.array([0.0, 0.0, 1.0, 0.0])) == 0.75
    assert two.right([[float("nan"), 0.4]], np.array([0.0, 0.0])) == 0.5
    signs = Classes(("z",), ("y",), "margin", (-1, 1))
    assert signs.right([np.array([[0.0], [3.0]])], np.array([[-1.0], [1.0]])) == 1.0
    three = Classes(("z",), ("t",), "logits", (0, 1, 2))
    logits = np.array([[1.0, 0.0, 0.0], [0.0, 5.0, 5.0], [np.nan, 9.0, 0.0], [-np.inf, -1e308, np.inf]])
    assert three.right([logits], np.array([[1.0, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])) == 0.75
    words = Classes(("a", "b"), ("s", "t"), "logits", (0, 1))
    first, second = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    target = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    assert words.right([first, second], target) == 0.75
    assert words.predicted([first, second]) == [[0, 0], [1, 0]]
    several = Classes(("a", "b"), ("s", "t"), "probability", (0, 1))
    assert several.right([[0.9, 0.1], [0.8, 0.8]], np.array([[1.0, 1.0], [0.0, 0.0]])) == 0.75


def test_labels_and_probabilities() -> None:
    two = Classes(("z",), ("y",), "logit", (-1, 1))
    assert two.predicted([[0.0, 2.0, float("nan")]]) == [-1, 1, None]
    assert two.probabilities([[0.0, 1000.0, -1000.0]]) == pytest.approx([0.5, 1.0, 0.0])
    colours = Classes(("z",), ("t",), "logits", ("red", "blue"))
    assert colours.predicted([np.array([[0.0, 1.0], [np.nan, 0.0]])]) == ["blue", None]
    shares = colours.probabilities([np.array([[0.0, 0.0], [1000.0, 0.0]])])
    assert shares is not None
    assert shares.tolist() == [[0.5, 0.5], [1.0, 0.0]]
    assert Classes(("z",), ("y",), "margin", (-1, 1)).probabilities([[0.3]]) is None
    assert Classes(("z",), ("t",), "scores", (0, 1)).probabilities([np.eye(2)]) is None
