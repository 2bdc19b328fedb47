"""Worked examples by other authors, over HTTP, against the numbers that they printed.

Each test names its source. A printed number is met to its last digit, unless a comment says why not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

Document = dict[str, Any]


def printed(value: Any, text: str) -> bool:
    """Whether a number is the one that was printed, to its last digit; a list, number by number."""
    if isinstance(value, list):
        texts = text.replace("[", " ").replace("]", " ").replace(",", " ").split()
        flat = np.asarray(value, dtype=float).ravel().tolist()
        return len(texts) == len(flat) and all(map(printed, flat, texts))
    mantissa, _, exponent = text.partition("e")
    digits = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return abs(float(value) - float(text)) <= 0.5000001 * 10.0**-digits


def evaluated(client: TestClient, source: str, parameters: Document, **more: Any) -> Document:
    """The state of a formula after backward."""
    model = {"kind": "expression", "source": source, **more.pop("model", {})}
    answer = client.post("/v1/evaluate", json={"data": None, "model": model, "parameters": parameters, **more})
    assert answer.status_code == 200, answer.text
    state: Document = answer.json()
    return state


def created(client: TestClient, **body: Any) -> str:
    answer = client.post("/v1/sessions", json=body)
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["location"]
    return location


def act(client: TestClient, here: str, *actions: str, **body: Any) -> Document:
    for action in actions:
        answer = client.post(f"{here}/{action}", json=body)
        assert answer.status_code == 200, answer.text
    state: Document = answer.json()
    return state


def value(state: Document, name: str) -> Any:
    return next(node["value"] for node in state["graph"]["nodes"] if node["id"] == name)


def gradient(state: Document, name: str) -> Any:
    return next(node["gradient"] for node in state["graph"]["nodes"] if node["id"] == name)


# networks, step by step

MAZUR = """
h1 = sigmoid(w1*i1 + w2*i2 + 0.35)
h2 = sigmoid(w3*i1 + w4*i2 + 0.35)
o1 = sigmoid(w5*h1 + w6*h2 + 0.60)
o2 = sigmoid(w7*h1 + w8*h2 + 0.60)
E = 0.5*(t1 - o1)**2 + 0.5*(t2 - o2)**2
"""


def test_the_network_of_matt_mazur(client: TestClient) -> None:
    # M. Mazur, A Step by Step Backpropagation Example, 2015,
    # https://mattmazur.com/2015/03/17/a-step-by-step-backpropagation-example/ (his biases are not trained)
    here = created(
        client,
        model={"kind": "expression", "source": MAZUR},
        data={"columns": ["i1", "i2", "t1", "t2"], "rows": [[0.05, 0.1, 0.01, 0.99]]},
        parameters={f"w{n}": w for n, w in enumerate((0.15, 0.2, 0.25, 0.3, 0.4, 0.45, 0.5, 0.55), 1)},
        optimizer={"learning_rate": 0.5},
    )
    state = act(client, here, "forward")
    assert printed(state["loss"], "0.298371109")
    assert printed(value(state, "h1"), "0.593269992")
    assert printed(value(state, "h2"), "0.596884378")
    assert printed(state["outputs"]["o1"], "0.75136507")
    assert printed(state["outputs"]["o2"], "0.772928465")
    state = act(client, here, "backward")
    assert printed(state["gradients"]["w5"], "0.082167041")
    assert printed(state["gradients"]["w1"], "0.000438568")
    state = act(client, here, "update")
    after = "0.149780716 0.19956143 0.24975114 0.29950229 0.35891648 0.408666186 0.511301270 0.561370121"
    assert printed(list(state["parameters"].values()), after)
    # the last digits of these are not those of float64 arithmetic, as others who redid them found as well
    assert act(client, here, "forward")["loss"] == pytest.approx(0.291027924, abs=2e-7)
    assert act(client, here, "run", steps=9999)["step"] == 10_000
    last = client.get(f"{here}/history?after=9998").json()["items"][0]
    assert (last["step"], printed(last["loss"], "0.0000351085")) == (9999, True)
    outputs = act(client, here, "forward")["outputs"]
    assert [outputs["o1"][0], outputs["o2"][0]] == pytest.approx([0.015912196, 0.984065734], abs=2e-6)


def test_the_neurons_of_michael_nielsen(client: TestClient) -> None:
    # M. Nielsen, Neural Networks and Deep Learning, 2015, chapter 3: one neuron learns to turn 1 into 0 with the
    # quadratic cost at rate 0.15 in 300 epochs, from a good start and from a bad one
    for start, first, last in (({"w": 0.6, "b": 0.9}, "0.82", "0.09"), ({"w": 2.0, "b": 2.0}, "0.98", "0.20")):
        here = created(
            client,
            model={"kind": "expression", "source": "a = sigmoid(w*x + b)\nC = (y - a)**2/2"},
            data={"columns": ["x", "y"], "rows": [[1, 0]]},
            parameters=start,
            optimizer={"learning_rate": 0.15},
        )
        assert printed(act(client, here, "forward")["outputs"]["a"], first)
        assert act(client, here, "run", epochs=300)["epoch"] == 301
        assert printed(act(client, here, "forward")["outputs"]["a"], last)


def test_the_lstm_of_aidan_gomez(client: TestClient) -> None:
    # A. Gomez, Backpropogating an LSTM: A Numerical Example, 2016: two steps, rate 0.1,
    # https://blog.aidangomez.ca/2016/04/17/Backpropogating-an-LSTM-A-Numerical-Example/
    gates = {"a": "tanh", "i": "sigmoid", "f": "sigmoid", "o": "sigmoid"}
    lines = []
    for t, before in ((0, "0"), (1, "out0")):
        lines += [f"{g}{t} = {f}(x{t} @ W{g} + U{g}*{before} + b{g})" for g, f in gates.items()]
        lines += [f"state{t} = a{t}*i{t}" + " + f1*state0" * t, f"out{t} = tanh(state{t})*o{t}"]
    source = "\n".join([*lines, "L = 0.5*(out0 - y0)**2 + 0.5*(out1 - y1)**2"]).replace("f0 = sigmoid", "# f0 = ")
    here = created(
        client,
        model={"kind": "expression", "source": source, "shapes": {f"W{g}": [2] for g in gates},
               "placeholders": {"x0": ["p0", "q0"], "x1": ["p1", "q1"]}},
        data={"columns": ["p0", "q0", "p1", "q1", "y0", "y1"], "rows": [[1, 2, 0.5, 3, 0.5, 1.25]]},
        parameters={"Wa": [0.45, 0.25], "Ua": 0.15, "ba": 0.2, "Wi": [0.95, 0.8], "Ui": 0.8, "bi": 0.65,
                    "Wf": [0.7, 0.45], "Uf": 0.1, "bf": 0.15, "Wo": [0.6, 0.4], "Uo": 0.25, "bo": 0.1},
        optimizer={"learning_rate": 0.1},
    )  # fmt: skip
    state = act(client, here, "forward")
    seen = {"a0": 0.81775, "i0": 0.96083, "o0": 0.81757, "state0": 0.78572, "out0": 0.53631, "a1": 0.84980,
            "i1": 0.98118, "f1": 0.87030, "o1": 0.84993, "state1": 1.51763, "out1": 0.77198}  # fmt: skip
    # he carries five digits from step to step, so that a last one may differ
    for name, number in seen.items():
        assert value(state, name) == pytest.approx([number], abs=2e-5), name
    state = act(client, here, "backward", "update")
    after = {"Wa": [0.45267, 0.25922], "Ua": 0.15104, "ba": 0.20364, "Wi": [0.95022, 0.80067], "Ui": 0.80006,
             "bi": 0.65028, "Wf": [0.70031, 0.45189], "Uf": 0.10034, "bf": 0.15063, "Wo": [0.60259, 0.41626],
             "Uo": 0.25297, "bo": 0.10536}  # fmt: skip
    for name, updated in after.items():
        assert state["parameters"][name] == pytest.approx(updated, abs=2e-5), name


def test_the_skip_grams_of_stanfords_assignment(client: TestClient) -> None:
    # Stanford CS224n, 2019, assignment 2, word2vec.py: the sanity check of its negative sampling loss, which prints
    # these; its vectors and its twice ten negatives are drawn by Python's and NumPy's generators from fixed seeds
    vectors = np.random.RandomState(9265).randn(10, 3)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [[2, 0, 3, 2, 2, 4, 1, 3, 1, 3, 1, 1], [2, 1, 2, 4, 0, 0, 0, 0, 4, 4, 2, 4]]
    columns = ["center", "context", *(f"n{k}" for k in range(10))]
    source = "v = center @ V\nu = context @ U\n" + "".join(f"u{k} = n{k} @ U\n" for k in range(10))
    source += "L = -log(sigmoid(u @ v))" + "".join(f" - log(sigmoid(-(u{k} @ v)))" for k in range(10))
    state = evaluated(
        client,
        source,
        {"V": vectors[:5].tolist(), "U": vectors[5:].tolist()},
        model={
            "shapes": {"V": [5, 3], "U": [5, 3]},
            "placeholders": {name: {"one_hot": name, "classes": 5} for name in columns},
        },
        data={"columns": columns, "rows": rows},
        batch_size=2,
        loss={"reduction": "sum"},
    )
    assert printed(state["loss"], "16.15119285363322")
    center = [[0] * 3] * 2 + [[-4.54650789, -1.85942252, 0.76397441]] + [[0] * 3] * 2
    outside = """[[-0.69148188  0.31730185  2.41364029] [-0.22716495  0.10423969  0.79292674]
                  [-0.45528438  0.20891737  1.58918512] [-0.31602611  0.14501561  1.10309954]
                  [-0.80620296  0.36994417  2.81407799]]"""
    np.testing.assert_allclose(state["gradients"]["V"], center, atol=5e-9)
    assert printed(state["gradients"]["U"], outside)


def test_the_self_attention_of_raimi_karim(client: TestClient) -> None:
    # R. Karim, Illustrated: Self-Attention, Towards Data Science, 2019 (scores not scaled)
    weights = {"Wk": [[0, 0, 1], [1, 1, 0], [0, 1, 0], [1, 1, 0]], "Wq": [[1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 1]],
               "Wv": [[0, 2, 0], [0, 3, 0], [1, 0, 3], [1, 1, 0]],
               "X": [[1, 0, 1, 0], [0, 2, 0, 2], [1, 1, 1, 1]]}  # fmt: skip
    source = "K = X @ Wk\nQ = X @ Wq\nV = X @ Wv\nS = Q @ transpose(K)\nA = softmax(S)\nO = A @ V\nL = sum(O)"
    shapes = {name: [len(rows), len(rows[0])] for name, rows in weights.items()}
    state = evaluated(client, source, weights, model={"shapes": shapes})
    assert value(state, "K") == [[0, 1, 1], [4, 4, 0], [2, 3, 1]]
    assert value(state, "Q") == [[1, 0, 2], [2, 2, 2], [2, 1, 3]]
    assert value(state, "V") == [[1, 2, 3], [2, 8, 0], [2, 6, 3]]
    assert value(state, "S") == [[2, 4, 4], [4, 16, 12], [4, 12, 10]]
    softmax = """[[6.3379e-02, 4.6831e-01, 4.6831e-01], [6.0337e-06, 9.8201e-01, 1.7986e-02],
                  [2.9539e-04, 8.8054e-01, 1.1917e-01]]"""
    assert printed(value(state, "A"), softmax)
    outputs = "[[1.9366, 6.6831, 1.5951], [2.0000, 7.9640, 0.0540], [1.9997, 7.7599, 0.3584]]"
    assert printed(value(state, "O"), outputs)


# formulas and their derivatives

MICROGRAD = """
c1 = a + b
d1 = a*b + b**3
c2 = c1 + c1 + 1
c3 = c2 + 1 + c2 + (-a)
d2 = d1 + d1*2 + relu(b + a)
d3 = d2 + 3*d2 + relu(b - a)
e = c3 - d3
f = e**2
g = f/2.0 + 10.0/f
"""
NEURON = "n = x1*w1 + x2*w2 + b\no = tanh(n)"
CIRCUIT = "f = 1/(1 + exp(-(w0*x0 + w1*x1 + w2)))"
FORMULAS: dict[str, tuple[str, Document, str, Document]] = {
    # A. Karpathy, README of micrograd, https://github.com/karpathy/micrograd
    "micrograd": (MICROGRAD, {"a": -4, "b": 2}, "24.7041", {"a": "138.8338", "b": "645.5773"}),
    # A. Karpathy, The spelled-out intro to neural networks and backpropagation, 2022
    "karpathy-expression": ("e = a*b\nd = e + c\nL = d*f", {"a": 2, "b": -3, "c": 10, "f": -2}, "-8.0000",
                            {"a": "6.0000", "b": "-4.0000", "c": "-2.0000", "f": "4.0000"}),
    "karpathy-neuron": (NEURON, {"x1": 2, "x2": 0, "w1": -3, "w2": 1, "b": 6.8813735870195432}, "0.7071",
                        {"x1": "-1.5000", "w1": "1.0000", "x2": "0.5000", "w2": "0.0000"}),
    # Stanford CS231n, Backpropagation, Intuitions, https://cs231n.github.io/optimization-2/
    "cs231n-product": ("q = x + y\nf = q*z", {"x": -2, "y": 5, "z": -4}, "-12", {"x": "-4", "y": "-4", "z": "3"}),
    "cs231n-neuron": (CIRCUIT, {"w0": 2, "x0": -1, "w1": -3, "x1": -2, "w2": -3}, "0.73",
                      {"w0": "-0.20", "x0": "0.39", "w1": "-0.39", "x1": "-0.59", "w2": "0.20"}),
    "cs231n-gates": ("f = 2*(x*y + maximum(z, w))", {"x": 3, "y": -4, "z": 2, "w": -1}, "-20.00",
                     {"x": "-8.00", "y": "6.00", "z": "2.00", "w": "0.00"}),
    # C. Olah, Calculus on Computational Graphs: Backpropagation, 2015
    "olah": ("c = a + b\nd = b + 1\ne = c*d", {"a": 2, "b": 1}, "6", {"a": "2", "b": "5"}),
    # A. Ng, Neural Networks and Deep Learning, Derivatives with a Computation Graph, 2017
    "ng-graph": ("u = b*c\nv = a + u\nJ = 3*v", {"a": 5, "b": 3, "c": 2}, "33", {"a": "3", "b": "6", "c": "9"}),
    # JAX documentation, The Autodiff Cookbook (in float32, to whose precision it is met)
    "jax-tanh": ("L = tanh(x)", {"x": 2.0}, "0.9640276", {"x": "0.0706508"}),
    # JAX documentation, Quickstart: grad(sum_logistic)(jnp.arange(3.))
    "jax-logistic": ("L = sum(1/(1 + exp(-x)))", {"x": [0, 1, 2]}, "2.111856", {"x": "[0.25 0.1966119 0.1049936]"}),
    # PyTorch tutorials, A Gentle Introduction to torch.autograd: 9a² and −2b
    "torch-autograd": ("L = sum(3*a**3 - b**2)", {"a": [2, 3], "b": [6, 4]}, "53", {"a": "[36 81]", "b": "[-12 -8]"}),
    # PyTorch tutorials, Autograd: Automatic Differentiation
    "torch-mean": ("y = x + 2\nL = mean(y*y*3)", {"x": [[1, 1], [1, 1]]}, "27.",
                   {"x": "[[4.5000, 4.5000], [4.5000, 4.5000]]"}),
    # A. Zhang et al., Dive into Deep Learning, 2.5 Automatic Differentiation
    "d2l-autograd": ("y = 2*(x @ x)", {"x": [0, 1, 2, 3]}, "28.", {"x": "[ 0.,  4.,  8., 12.]"}),
    # Stanford CS231n, Putting it together: probabilities (.2, .3, .5) whose second class is right
    "cs231n-softmax": ("L = -log_softmax(f)[1]", {"f": [-1.6094379124341003, -1.2039728043259361, -0.6931471805599453]},
                       "1.203973", {"f": "[0.2, -0.7, 0.5]"}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_has_the_derivatives_that_were_printed(name: str, client: TestClient) -> None:
    source, parameters, loss, gradients = FORMULAS[name]
    shapes = {key: list(np.shape(one)) for key, one in parameters.items() if np.ndim(one)}
    state = evaluated(client, source, parameters, model={"shapes": shapes})
    assert printed(state["loss"], loss)
    for key, text in gradients.items():
        assert printed(state["gradients"][key], text), key


LOSSES: dict[str, tuple[list[float], list[float], str]] = {
    # the examples of keras.losses: targets, predictions and what they come to
    "squared_error": ([1.0, 0.0, 1.0], [0.9, 0.1, 0.8], "0.02"),
    "absolute_error": ([1.0, 0.3, 1.0], [1.9, 0.3, 1.8], "0.5666667"),
    "huber": ([0, 1, 0, 0], [0.6, 0.4, 0.4, 0.6], "0.155"),
    "log_cosh": ([0, 1, 0, 0], [1, 1, 0, 0], "0.108"),
    "binary_cross_entropy": ([0, 1], [0.6, 0.4], "0.916"),
    "binary_cross_entropy_with_logits": ([0, 1, 0, 0], [-18.6, 0.51, 2.94, -12.8], "0.865"),
    "hinge": ([-1, 1, -1, -1], [0.6, 0.4, 0.4, 0.6], "1.3"),
    # the second output of M. Mazur, as above
    "half_squared_error": ([0.99], [0.772928465], "0.023560026"),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_a_loss_is_as_printed(kind: str, client: TestClient) -> None:
    targets, predictions, text = LOSSES[kind]
    rows = [list(pair) for pair in zip(predictions, targets, strict=True)]
    body = {"model": {"kind": "linear"}, "data": {"columns": ["p", "y"], "rows": rows}, "batch_size": len(rows)}
    body |= {"parameters": {"w1": 1, "b": 0}, "loss": {"kind": kind}}
    assert printed(client.post("/v1/evaluate", json=body).json()["loss"], text)


def test_a_cross_entropy_of_classes_is_as_printed(client: TestClient) -> None:
    # the example of keras.losses.SparseCategoricalCrossentropy: probabilities, here by their logarithms
    rows = [[np.log(0.05), np.log(0.95), -50, 1], [np.log(0.1), np.log(0.8), np.log(0.1), 2]]
    body = {
        "model": {"kind": "mlp", "layers": [{"units": 3}]},
        "data": {"columns": ["a", "b", "c", "y"], "rows": rows},
        "parameters": {"W1": np.eye(3).tolist(), "b1": [0, 0, 0]},
        "loss": {"kind": "softmax_cross_entropy"},
        "batch_size": 2,
    }
    assert printed(client.post("/v1/evaluate", json=body).json()["loss"], "1.177")
