"""Networks of layers: the same as neuron by neuron, trained to a stated loss, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from api.engine.errors import InvalidInput
from api.engine.losses import LOSSES
from api.training.definition import Definition, define
from api.training.fork import fork
from api.training.run import Goal, advance
from api.training.session import Phase, Session
from api.training.snapshot import listed

XOR = {"columns": ["x1", "x2", "y"], "rows": [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]}
HIDDEN = [{"units": 4, "activation": "tanh"}, {"units": 1, "activation": "sigmoid"}]


def body(**more: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"model": {"kind": "mlp", "layers": HIDDEN}, "data": XOR, "batch_size": 4}
    return base | {"optimizer": {"learning_rate": 1.0}, "loss": {"kind": "binary_cross_entropy"}} | more


def walked(definition: Definition, steps: int) -> Session:
    session = Session.start(definition)
    for _ in range(steps):
        session = session.forward().backward().update()
    return session


def test_the_default_network_has_its_names_and_shapes() -> None:
    definition = define({"model": {"kind": "mlp"}})
    assert definition.shapes == {"W1": (2, 3), "b1": (3,), "W2": (3, 1), "b2": (1,)}
    assert definition.parameter_count == 13
    assert definition.graph.placeholders == ("x", "y")
    assert [node.id for node in definition.graph.named if node.op] == ["z1", "h1", "z2", "yhat", "L"]
    assert definition.document["initializer"] == {"kind": "glorot_uniform"}
    assert definition.document["parameters"]["b1"] == [0.0, 0.0, 0.0]
    assert Definition.load(definition.document).document == definition.document


def test_layers_and_neurons_written_out_train_alike() -> None:
    tensors = define(body())
    given: dict[str, float] = {}
    below = {1: 2, 2: 4}
    for layer, inputs in below.items():
        weights, biases = tensors.document["parameters"][f"W{layer}"], tensors.document["parameters"][f"b{layer}"]
        for unit, bias in enumerate(biases, 1):
            given[f"b{layer}_{unit}"] = bias
            given |= {f"w{layer}_{source}_{unit}": weights[source - 1][unit - 1] for source in range(1, inputs + 1)}
    scalars = define(body(model={"kind": "mlp", "layers": HIDDEN, "scalars": True}, parameters=given))
    assert scalars.graph.scalar
    assert not tensors.graph.scalar
    one, other = walked(tensors, 50).forward(), walked(scalars, 50).forward()
    assert one.loss == pytest.approx(other.loss, rel=1e-12)
    weights_after = listed(one.parameters["W1"])
    assert weights_after[1][2] == pytest.approx(other.parameters["w1_2_3"], rel=1e-12)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"model": {"kind": "mlp", "layers": HIDDEN, "scalars": True}, "seed": 2},
        {"model": {"kind": "mlp", "layers": [{"units": 8, "activation": "relu"}, {"units": 2}]}, "seed": 1,
         "loss": {"kind": "softmax_cross_entropy"}, "optimizer": {"learning_rate": 0.5}},
        {"model": {"kind": "mlp", "layers": [{"units": 6, "activation": "tanh"}, {"units": 1}]}, "seed": 1,
         "loss": {"kind": "binary_cross_entropy_with_logits"}},
    ],
)  # fmt: skip
def test_networks_learn_xor(more: dict[str, Any]) -> None:
    definition = define(body(**more))
    stretch = advance(definition, Session.start(definition).snapshot, steps=2000)
    assert stretch.losses[0] > 0.5
    assert stretch.losses[-1] < 0.01


def test_a_run_of_a_network_is_bit_for_bit_what_stepping_gives() -> None:
    definition = define(body(batch_size=3, shuffle=True, seed=3))
    session = walked(definition, 23)
    stretch = advance(definition, Session.start(definition).snapshot, goal=Goal(step=23), seconds=math.inf)
    assert stretch.end.position == session.position
    for name, value in session.parameters.items():
        assert np.array_equal(np.asarray(value), np.asarray(stretch.end.parameters[name]))


def test_restoring_patching_and_forking_keep_tensors() -> None:
    session = walked(define(body()), 5)
    again = Session.restore(session.definition, session.snapshot, Phase.BACKWARD, None)
    expected = session.forward().backward()
    assert listed((again.gradients or {})["W1"]) == listed((expected.gradients or {})["W1"])
    patched = session.patch({"parameters": {"b2": [7.0]}})
    assert listed(patched.parameters["b2"]) == [7.0]
    other = fork(session, {"optimizer": {"learning_rate": 0.1}})
    assert listed(other.parameters["W1"]) == listed(session.parameters["W1"])


def test_an_expression_with_tensors_trains() -> None:
    model = {
        "kind": "expression",
        "source": "z = x @ W + b\nL = -sum(t*log_softmax(z))",
        "shapes": {"W": [2, 2], "b": [2]},
        "placeholders": {"x": ["x1", "x2"], "t": {"one_hot": "y"}},
    }
    rows = [[0, 0, 0], [0, 1, 0], [1, 0, 1], [1, 1, 1]]
    definition = define(
        {"model": model, "data": XOR | {"rows": rows}, "batch_size": 4, "optimizer": {"learning_rate": 1}}
    )
    assert definition.document["model"]["placeholders"]["t"] == {"one_hot": "y", "classes": 2}
    assert Session.start(definition).inputs["t"].tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]
    assert advance(definition, Session.start(definition).snapshot, steps=300).losses[-1] < 0.02


# at p = (.2, .9), t = (0, 1), mean: R. Karim's and PyTorch's printed numbers
PRINTED = {
    "squared_error": (0.025, (0.2, -0.1)),
    "binary_cross_entropy": (0.164252, (0.625, -0.555556)),
}


@pytest.mark.parametrize("kind", PRINTED)
def test_losses_at_a_published_place(kind: str) -> None:
    model = {"kind": "mlp", "layers": [{"units": 1}]}
    data = {"columns": ["x1", "x2", "y"], "rows": [[1, 0, 0], [0, 1, 1]]}
    start = {"W1": [[0.2], [0.9]], "b1": [0.0]}
    session = Session.start(
        define({"model": model, "data": data, "batch_size": 2, "loss": {"kind": kind}, "parameters": start})
    )
    session = session.forward().backward()
    loss, gradient = PRINTED[kind]
    assert session.loss == pytest.approx(loss, abs=1e-6)
    index = session.definition.graph.index
    assert session.computed is not None
    assert session.computed.of[index["yhat"]].ravel() == pytest.approx(gradient, abs=1e-6)


def test_a_mean_divides_by_rows_and_outputs_but_for_softmax_by_rows() -> None:
    data = {"columns": ["x", "u", "v"], "rows": [[1, 1, 0], [2, 0, 1]], "targets": ["u", "v"]}
    start = {"W1": [[0.5, -1.0]], "b1": [0.0, 0.0]}

    def loss(kind: str, reduction: str) -> float:
        given = {"model": {"kind": "mlp", "layers": [{"units": 2}]}, "data": data, "batch_size": 2, "parameters": start}
        return Session.start(define(given | {"loss": {"kind": kind, "reduction": reduction}})).forward().loss or 0.0

    assert loss("squared_error", "sum") == pytest.approx(4 * loss("squared_error", "mean"))
    assert loss("softmax_cross_entropy", "sum") == pytest.approx(2 * loss("softmax_cross_entropy", "mean"))


@pytest.mark.parametrize("kind", [kind for kind, row in LOSSES.items() if row.targets != "classes"])
def test_every_loss_has_the_gradient_of_its_formula(kind: str) -> None:
    for target in (0.0, 1.0):
        for start in (0.3, 0.8):
            data = {"columns": ["x", "y"], "rows": [[1, target]]}
            given = {"data": data, "loss": {"kind": kind}, "parameters": {"w1": start, "b": 0.0}}
            numeric = []
            for step in (1e-6, -1e-6):
                moved = given | {"parameters": {"w1": start + step, "b": 0.0}}
                numeric.append(Session.start(define(moved)).forward().loss or 0.0)
            session = Session.start(define(given)).forward().backward()
            expected = (numeric[0] - numeric[1]) / 2e-6
            assert (session.gradients or {})["w1"] == pytest.approx(expected, rel=1e-6, abs=1e-8), (target, start)


@pytest.mark.parametrize(
    ("model", "more", "pointer"),
    [
        ({"layers": []}, {}, "/model/layers"),
        ({"layers": [{"units": 0}]}, {}, "/model/layers/0/units"),
        ({"layers": [{"units": 2, "activation": "rleu"}, {"units": 1}]}, {}, "/model/layers/0/activation"),
        ({"layers": [{"unit": 2}]}, {}, "/model/layers/0/unit"),
        ({"layers": [{"units": 2}]}, {}, "/model/layers/0/units"),
        ({"depth": 2}, {}, "/model/depth"),
        ({}, {"data": None}, "/data"),
        ({"scalars": True, "layers": [{"units": 2}]}, {"loss": {"kind": "softmax_cross_entropy"}}, "/model/scalars"),
        ({}, {"parameters": {"W1": [1, 2]}}, "/parameters/W1"),
        ({}, {"parameters": {"W1": 3}}, "/parameters/W1"),
        ({}, {"loss": {"kind": "huber", "delta": 0}}, "/loss/delta"),
        ({}, {"loss": {"kind": "squared_error", "delta": 1}}, "/loss/delta"),
        ({}, {"loss": {"kind": "softmax_cross_entropy"}, "data": XOR | {"rows": [[0, 0, 0.5]]}}, "/data/targets"),
    ],
)
def test_networks_without_meaning_are_refused(model: dict[str, Any], more: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        define({"model": {"kind": "mlp", **model}, "data": XOR, **more})
    assert caught.value.errors[0].pointer == pointer
