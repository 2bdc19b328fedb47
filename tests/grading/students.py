"""Programs as students write them, for models of their own, and the same with one mistake each.

They are written from the textbook and share nothing with the service: lists and ``math`` here, NumPy there. A mistake
is a piece of text and what stands in its place; beside it the codes by which it may be called.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Student:
    """A right program for a session, and its mistakes: ``old``, ``new``, codes."""

    name: str
    session: Body
    source: str
    mistakes: tuple[tuple[str, str, str], ...]

    def programs(self) -> Iterator[tuple[str, str, set[str]]]:
        """Each wrong program: what was put in, its text, its codes."""
        for old, new, codes in self.mistakes:
            assert self.source.count(old) >= 1, (self.name, old)
            yield f"{old.strip()} → {new.strip()}", self.source.replace(old, new), set(codes.split())


_SGD = """

def update(parameters, gradients, optimizer, state):
    rate = optimizer["learning_rate"]
    return {name: parameters[name] - rate * gradients[name] for name in parameters}, state
"""
_SGD_MISTAKES = (
    ("- rate * gradients[name]", "+ rate * gradients[name]", "ascent"),
    ("- rate * gradients[name]", "- gradients[name]", "rate_missing"),
    ("- rate * gradients[name]", "- rate ** 2 * gradients[name]", "rate_squared"),
    ("parameters[name] - rate * gradients[name]", "- rate * gradients[name]", "step_alone"),
    ("parameters[name] - rate * gradients[name]", "parameters[name]", "not_updated"),
)

LINEAR = Student(
    "linear regression in plain Python",
    {"batch_size": 3, "optimizer": {"learning_rate": 0.05}},
    """
def forward(parameters, inputs):
    yhat = []
    for x1, x2 in zip(inputs["x1"], inputs["x2"]):
        yhat.append(parameters["w1"] * x1 + parameters["w2"] * x2 + parameters["b"])
    total = 0
    for p, y in zip(yhat, inputs["y"]):
        total += (p - y) ** 2
    return {"yhat": yhat, "L": total / len(yhat)}


def backward(parameters, inputs, values):
    yhat, n = values["yhat"], len(values["yhat"])
    dw1 = dw2 = db = 0
    for x1, x2, y, p in zip(inputs["x1"], inputs["x2"], inputs["y"], yhat):
        error = p - y
        dw1 += 2 * error * x1 / n
        dw2 += 2 * error * x2 / n
        db += 2 * error / n
    return {"w1": dw1, "w2": dw2, "b": db}
"""
    + _SGD,
    (
        *_SGD_MISTAKES,
        ('parameters["w2"] * x2 + parameters["b"]', 'parameters["w2"] * x2', "bias_left_out"),
        ('parameters["w1"] * x1 + parameters', 'parameters["w1"] * x2 + parameters', "inputs_swapped other_quantity"),
        (
            'parameters["w1"] * x1 + parameters["w2"] * x2',
            'parameters["w1"] * x2 + parameters["w2"] * x1',
            "inputs_swapped",
        ),
        ('parameters["w1"] * x1 + ', "", "term_left_out"),
        ("(p - y) ** 2", "(p + y) ** 2", "sign_in_formula"),
        ("(p - y) ** 2", "abs(p - y)", "other_loss"),
        ("(p - y) ** 2", "(p - y)", "square_left_out"),
        ("(p - y) ** 2", "(p - y) ** 2 / 2", "loss_halved other_loss"),
        ("total / len(yhat)", "total", "sum_for_mean"),
        ("total += (p", "total = (p", "last_example_only"),
        ("2 * error", "error", "missing_factor_2"),
        ("2 * error", "4 * error", "doubled_factor_2"),
        ("2 * error * x1 / n", "error * x1 / n", "missing_factor_2"),
        ("error = p - y", "error = y - p", "error_sign"),
        (" / n", "", "sum_for_mean"),
        (" / n", " / n / n", "averaged_twice"),
        ("2 * error * x2 / n", "2 * error * x1 / n", "other_quantity gradients_exchanged"),
        ("2 * error * x2 / n", "2 * error / n", "local_factor_left_out"),
        ("dw1 += 2", "dw1 = 2", "last_example_only"),
        ("db += 2", "db = 2", "last_example_only bias_last_row"),
        ("db += 2 * error / n", "db += 2 * error / n / n", "averaged_twice bias_averaged"),
        ("db += 2 * error / n", "pass", "bias_frozen gradient_zero"),
        ("error = p - y", "error = y", "other_loss term_left_out other_quantity"),
        (
            '    return {"w1": dw1',
            "    mean = sum(a - b for a, b in zip(yhat, inputs['y'])) / n\n"
            "    dw1 = 2 * mean * sum(inputs['x1']) / n\n    return {\"w1\": dw1",
            "product_of_means",
        ),
        ('{"w1": dw1, "w2": dw2', '{"w1": dw2, "w2": dw1', "gradients_exchanged"),
        ('{"w1": dw1', '{"w1": sum(inputs["x1"]) / n', "upstream_left_out"),
    ),
)

_MLP = """
import numpy as np


def layers(parameters, inputs):
    x = np.array(inputs["x"])
    z1 = x @ parameters["W1"] + parameters["b1"]
    h1 = np.tanh(z1)
    yhat = h1 @ parameters["W2"] + parameters["b2"]
    return x, z1, h1, yhat


def forward(parameters, inputs):
    x, z1, h1, yhat = layers(parameters, inputs)
    return {"yhat": yhat, "L": ((yhat - inputs["y"]) ** 2).mean()}


def backward(parameters, inputs, values):
    x, z1, h1, yhat = layers(parameters, inputs)
    y = np.array(inputs["y"])
    dyhat = 2 * (yhat - y) / y.size
    dW2 = h1.T @ dyhat
    db2 = dyhat.sum(axis=0)
    dh1 = dyhat @ parameters["W2"].T
    dz1 = dh1 * (1 - h1 ** 2)
    dW1 = x.T @ dz1
    db1 = dz1.sum(axis=0)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
"""
_ADAM = """

def update(parameters, gradients, optimizer, state):
    b1, b2, eps, rate = (optimizer[name] for name in ("beta1", "beta2", "epsilon", "learning_rate"))
    new, m, v, steps = {}, {}, {}, {}
    for name, w in parameters.items():
        g = gradients[name]
        t = steps[name] = state["t"][name] + 1
        m[name] = b1 * state["m"][name] + (1 - b1) * g
        v[name] = b2 * state["v"][name] + (1 - b2) * g ** 2
        mhat = m[name] / (1 - b1 ** t)
        vhat = v[name] / (1 - b2 ** t)
        new[name] = w - rate * mhat / (np.sqrt(vhat) + eps)
    return new, {"m": m, "v": v, "t": steps}
"""
MLP = Student(
    "a network of two layers in NumPy, with Adam",
    {
        "model": {"kind": "mlp", "layers": [{"units": 4, "activation": "tanh"}, {"units": 2}]},
        "data": {
            "columns": ["a", "b", "c", "p", "q"],
            "targets": ["p", "q"],
            "rows": [
                [0.3, -1.2, 0.8, 0.5, -0.4],
                [1.1, 0.4, -0.7, 0.2, 1.3],
                [-0.6, 0.9, 0.2, -1.1, 0.6],
                [0.7, -0.3, -1.4, 0.9, -0.2],
                [-1.3, 0.5, 0.6, -0.7, 0.1],
            ],
        },
        "batch_size": 5,
        "optimizer": {"kind": "adam", "learning_rate": 0.01},
    },
    _MLP + _ADAM,
    (
        ('z1 = x @ parameters["W1"] + parameters["b1"]', 'z1 = x @ parameters["W1"]', "bias_left_out"),
        ('+ parameters["b2"]', "", "bias_left_out"),
        ("h1 = np.tanh(z1)", "h1 = z1", "activation_skipped"),
        ("h1 = np.tanh(z1)", "h1 = np.maximum(z1, 0)", "other_activation"),
        ("h1 = np.tanh(z1)", "h1 = 1 / (1 + np.exp(-z1))", "other_activation"),
        ("** 2).mean()", "** 2).sum()", "sum_for_mean"),
        ("** 2).mean()", "** 2).mean() / len(yhat)", "averaged_twice"),
        ("** 2).mean()", "** 2).sum() / len(yhat)", "sum_for_mean"),
        ('((yhat - inputs["y"]) ** 2)', 'np.abs(yhat - inputs["y"])', "other_loss"),
        ("2 * (yhat - y)", "(yhat - y)", "missing_factor_2"),
        ("2 * (yhat - y)", "2 * (y - yhat)", "error_sign"),
        ("/ y.size", "/ len(y)", "sum_for_mean"),
        ("/ y.size", "", "sum_for_mean"),
        ("2 * (yhat - y)", "np.sign(yhat - y)", "other_loss"),
        ("dW2 = h1.T @ dyhat", "dW2 = z1.T @ dyhat", "other_quantity activation_skipped"),
        ("dW2 = h1.T @ dyhat", "dW2 = h1.T @ dyhat / len(y)", "averaged_twice"),
        ("dW2 = h1.T @ dyhat", "dW2 = len(y) * np.outer(h1.mean(axis=0), dyhat.mean(axis=0))", "product_of_means"),
        ("dW2 = h1.T @ dyhat", "dW2 = h1[-1:].T @ dyhat[-1:]", "last_example_only"),
        ("db2 = dyhat.sum(axis=0)", "db2 = dyhat.mean(axis=0)", "bias_averaged averaged_twice"),
        ("db2 = dyhat.sum(axis=0)", "db2 = dyhat", "bias_not_summed"),
        ("db2 = dyhat.sum(axis=0)", "db2 = dyhat[0]", "bias_first_row first_example_only"),
        ("db2 = dyhat.sum(axis=0)", "db2 = dyhat[-1]", "bias_last_row last_example_only"),
        ("db1 = dz1.sum(axis=0)", "db1 = dz1.sum()", "bias_units_mixed"),
        ("db1 = dz1.sum(axis=0)", 'db1 = 0 * parameters["b1"]', "bias_frozen gradient_zero"),
        ("db1 = dz1.sum(axis=0)", "db1 = dh1.sum(axis=0)", "derivative_skipped"),
        ("dz1 = dh1 * (1 - h1 ** 2)", "dz1 = dh1", "derivative_skipped"),
        ("dz1 = dh1 * (1 - h1 ** 2)", "dz1 = dh1 * (1 - z1 ** 2)", "derivative_at_operand"),
        ("dz1 = dh1 * (1 - h1 ** 2)", "dz1 = dh1 * (1 - np.tanh(h1) ** 2)", "derivative_at_result"),
        ("dz1 = dh1 * (1 - h1 ** 2)", "dz1 = dh1 * h1 * (1 - h1)", "derivative_of_other"),
        ("dz1 = dh1 * (1 - h1 ** 2)", "dz1 = dh1 * (z1 > 0)", "derivative_of_other"),
        ("dz1 = dh1 * (1 - h1 ** 2)", "dz1 = dh1 * (1 - h1 ** 2) ** 2", "derivative_twice"),
        ('return {"W1": dW1, "b1": db1', 'return {"W1": 0 * dW1, "b1": 0 * db1', "only_last_layer"),
        ('return {"W1": dW1, "b1"', 'return {"W1": dW1.T, "b1"', "matrix_not_transposed"),
        ("g = gradients[name]", "g = -gradients[name]", "ascent"),
        ('b1 * state["m"][name] + (1 - b1) * g', 'b1 * state["m"][name] + g', "one_minus_beta_missing"),
        ('b1 * state["m"][name] + (1 - b1) * g', '(1 - b1) * state["m"][name] + b1 * g', "weights_exchanged"),
        ('b1 * state["m"][name] + (1 - b1) * g', "g", "momentum_missing other_optimizer"),
        ('b2 * state["v"][name] + (1 - b2) * g ** 2', 'b2 * state["v"][name] + (1 - b2) * g', "square_missing"),
        ("m[name] / (1 - b1 ** t)", "m[name]", "no_bias_correction"),
        ("v[name] / (1 - b2 ** t)", "v[name]", "no_bias_correction"),
        ('("beta1", "beta2"', '("beta2", "beta1"', "betas_swapped"),
        ('state["t"][name] + 1', 'state["t"][name] + 2', "step_count_off"),
        ("np.sqrt(vhat) + eps", "vhat + eps", "root_missing"),
        ("rate * mhat", "mhat", "rate_missing"),
        ("rate * mhat / (np.sqrt(vhat) + eps)", "rate * g", "other_optimizer"),
        ("mhat = m[name] /", 'mhat = state["m"][name] /', "stale_state"),
        ("vhat = v[name] /", 'vhat = state["v"][name] /', "stale_state"),
    ),
)

CLASSIFIER = Student(
    "a relu network with softmax cross-entropy in NumPy, with momentum",
    {
        "model": {"kind": "mlp", "layers": [{"units": 5, "activation": "relu"}, {"units": 3}]},
        "data": {
            "columns": ["a", "b", "kind"],
            "targets": ["kind"],
            "rows": [[0.3, -1.2, 0], [1.1, 0.4, 2], [-0.6, 0.9, 1], [0.7, -0.3, 1]],
        },
        "loss": {"kind": "softmax_cross_entropy"},
        "batch_size": 4,
        "optimizer": {"kind": "momentum", "learning_rate": 0.1},
    },
    """
import numpy as np


def layers(parameters, inputs):
    x = np.array(inputs["x"])
    z1 = x @ parameters["W1"] + parameters["b1"]
    h1 = np.maximum(z1, 0)
    yhat = h1 @ parameters["W2"] + parameters["b2"]
    e = np.exp(yhat - yhat.max(axis=1, keepdims=True))
    return x, z1, h1, yhat, e / e.sum(axis=1, keepdims=True)


def forward(parameters, inputs):
    x, z1, h1, yhat, p = layers(parameters, inputs)
    y = np.array(inputs["y"])
    return {"yhat": yhat, "L": -(y * np.log(p)).sum(axis=1).mean()}


def backward(parameters, inputs, values):
    x, z1, h1, yhat, p = layers(parameters, inputs)
    y, n = np.array(inputs["y"]), len(yhat)
    dyhat = (p - y) / n
    dW2 = h1.T @ dyhat
    db2 = dyhat.sum(axis=0)
    dh1 = dyhat @ parameters["W2"].T
    dz1 = dh1 * (z1 > 0)
    return {"W1": x.T @ dz1, "b1": dz1.sum(axis=0), "W2": dW2, "b2": db2}


def update(parameters, gradients, optimizer, state):
    mu, rate = optimizer["momentum"], optimizer["learning_rate"]
    new, buf, steps = {}, {}, {}
    for name, w in parameters.items():
        steps[name] = state["t"][name] + 1
        old = state["buf"][name]
        buf[name] = mu * old + gradients[name] if steps[name] > 1 else gradients[name]
        new[name] = w - rate * buf[name]
    return new, {"buf": buf, "t": steps}
""",
    (
        ("h1 = np.maximum(z1, 0)", "h1 = z1", "activation_skipped"),
        ("e.sum(axis=1, keepdims=True)", "e.sum(axis=0, keepdims=True)", "softmax_over_rows"),
        (".sum(axis=1).mean()", ".sum()", "sum_for_mean"),
        (".sum(axis=1).mean()", ".mean()", "averaged_twice"),
        ("-(y * np.log(p))", "(y * np.log(p))", "loss_sign sign_in_formula"),
        ("(p - y) / n", "(y - p) / n", "error_sign"),
        ("(p - y) / n", "(p - y)", "sum_for_mean"),
        ("(p - y) / n", "(p - y) / n / n", "averaged_twice"),
        ("(p - y) / n", "(yhat - y) / n", "softmax_skipped"),
        ("(p - y) / n", "2 * (p - y) / n", "doubled_factor_2"),
        ("(p - y) / n", "-y / n", "softmax_diagonal derivative_skipped"),
        ("dz1 = dh1 * (z1 > 0)", "dz1 = dh1", "derivative_skipped"),
        ("dz1 = dh1 * (z1 > 0)", "dz1 = dh1 * (dh1 > 0)", "mask_on_gradient"),
        ("dz1 = dh1 * (z1 > 0)", "dz1 = dh1 * (z1 < 0)", "mask_inverted"),
        ("dz1 = dh1 * (z1 > 0)", "dz1 = dh1 * (1 - h1 ** 2)", "derivative_of_other"),
        ("x.T @ dz1", "x.T @ dh1", "derivative_skipped"),
        ("mu * old + gradients[name] if", "mu * old + (1 - mu) * gradients[name] if", "one_minus_beta_added"),
        ("mu * old + gradients[name] if", "gradients[name] if", "momentum_missing other_optimizer"),
        ("w - rate * buf[name]", "w - rate * old", "stale_state"),
        ("w - rate * buf[name]", "w - rate * (gradients[name] + mu * buf[name])", "other_optimizer"),
    ),
)

FAN_OUT = Student(
    "an expression whose parameters are used several times",
    {
        "model": {
            "kind": "expression",
            "source": "u = a*x + c\nv = sigmoid(u)\ns = u*v\nyhat = s + a*v\nL = (yhat - y)**2",
        },
        "data": {"columns": ["x", "y"], "rows": [[0.4, 1.1], [-0.9, 0.3], [1.6, -0.5]]},
        "parameters": {"a": 0.7, "c": -0.3},
        "batch_size": 3,
        "optimizer": {"learning_rate": 0.1},
    },
    """
import math


def forward(parameters, inputs):
    a, c = parameters["a"], parameters["c"]
    made = {"u": [], "v": [], "s": [], "yhat": []}
    loss = 0
    for x, y in zip(inputs["x"], inputs["y"]):
        u = a * x + c
        v = 1 / (1 + math.exp(-u))
        s = u * v
        yhat = s + a * v
        loss += (yhat - y) ** 2
        for name, value in (("u", u), ("v", v), ("s", s), ("yhat", yhat)):
            made[name].append(value)
    return {**made, "L": loss / len(inputs["x"])}


def backward(parameters, inputs, values):
    a, n = parameters["a"], len(inputs["x"])
    da = dc = 0
    for x, y, u, v, yhat in zip(inputs["x"], inputs["y"], values["u"], values["v"], values["yhat"]):
        dyhat = 2 * (yhat - y) / n
        ds = dyhat
        dv = dyhat * a
        dv += ds * u
        du = ds * v
        du += dv * v * (1 - v)
        da += dyhat * v
        da += du * x
        dc += du
    return {"a": da, "c": dc}
"""
    + _SGD,
    (
        ("a * x + c", "a * x", "bias_left_out"),
        ("u = a * x + c", "u = a + c", "factor_left_out other_quantity"),
        ("s = u * v", "s = u + v", "other_operation"),
        ("yhat = s + a * v", "yhat = s - a * v", "sign_in_formula"),
        ("yhat = s + a * v", "yhat = s", "term_left_out"),
        ("yhat = s + a * v", "yhat = s + a * u", "other_quantity activation_skipped"),
        ("dv += ds * u", "dv = ds * u", "path_missing gradients_overwritten"),
        ("dv += ds * u", "pass", "path_missing"),
        ("du += dv * v * (1 - v)", "du = dv * v * (1 - v)", "path_missing gradients_overwritten"),
        ("du += dv * v * (1 - v)", "pass", "path_missing"),
        ("du += dv * v * (1 - v)", "du += dv", "derivative_skipped"),
        ("du += dv * v * (1 - v)", "du += dv * (1 - v * v)", "derivative_of_other"),
        ("du += dv * v * (1 - v)", "du += dv * u * (1 - u)", "derivative_at_operand"),
        ("da += dyhat * v", "pass", "path_missing"),
        ("da += du * x", "da = du * x", "gradients_overwritten last_example_only path_missing"),
        ("du = ds * v", "du = ds * u", "wrong_factor other_quantity"),
        ("dv += ds * u", "dv += ds", "local_factor_left_out"),
        ("ds = dyhat", "ds = 0", "path_missing"),
        ("2 * (yhat - y) / n", "(yhat - y) / n", "missing_factor_2"),
        ("2 * (yhat - y) / n", "2 * (yhat - y)", "sum_for_mean"),
        ("dc += du", "dc = du", "last_example_only bias_last_row"),
        *_SGD_MISTAKES,
    ),
)

LOGISTIC = Student(
    "logistic regression in plain Python, with RMSprop",
    {
        "model": {
            "kind": "expression",
            "source": "z = u*p + v*q + c\nyhat = sigmoid(z)\nL = -(y*log(yhat) + (1 - y)*log(1 - yhat))",
        },
        "data": {"columns": ["p", "q", "y"], "rows": [[0.4, 1.1, 1], [-0.9, 0.3, 0], [1.6, -0.5, 1], [0.2, -1.4, 0]]},
        "parameters": {"u": 0.7, "v": -0.4, "c": 0.2},
        "batch_size": 4,
        "optimizer": {"kind": "rmsprop", "learning_rate": 0.1},
    },
    """
from math import exp, log, sqrt


def forward(parameters, inputs):
    rows = list(zip(inputs["p"], inputs["q"], inputs["y"]))
    z = [parameters["u"] * p + parameters["v"] * q + parameters["c"] for p, q, y in rows]
    yhat = [1 / (1 + exp(-one)) for one in z]
    loss = sum(-(y * log(a) + (1 - y) * log(1 - a)) for a, (p, q, y) in zip(yhat, rows))
    return {"z": z, "yhat": yhat, "L": loss / len(rows)}


def backward(parameters, inputs, values):
    n = len(values["yhat"])
    dz = [(a - y) / n for a, y in zip(values["yhat"], inputs["y"])]
    return {
        "u": sum(d * p for d, p in zip(dz, inputs["p"])),
        "v": sum(d * q for d, q in zip(dz, inputs["q"])),
        "c": sum(dz),
    }


def update(parameters, gradients, optimizer, state):
    rho, eps, rate = optimizer["rho"], optimizer["epsilon"], optimizer["learning_rate"]
    new, v = {}, {}
    for name, w in parameters.items():
        g = gradients[name]
        v[name] = rho * state["v"][name] + (1 - rho) * g * g
        new[name] = w - rate * g / (sqrt(v[name]) + eps)
    return new, {"v": v}
""",
    (
        ("1 / (1 + exp(-one))", "one", "activation_skipped"),
        ("1 / (1 + exp(-one))", "1 / (1 + exp(one))", "sign_in_formula other_activation"),
        (" + (1 - y) * log(1 - a)", "", "term_left_out"),
        ("sum(-(y * log", "sum((y * log", "loss_sign sign_in_formula"),
        ("loss / len(rows)", "loss", "sum_for_mean"),
        ("(a - y) / n", "(a - y)", "sum_for_mean"),
        ("(a - y) / n", "(y - a) / n", "error_sign"),
        ("(a - y) / n", "(a - y) * a * (1 - a) / n", "derivative_twice other_loss"),
        ("(a - y) / n", "2 * (a - y) / n", "doubled_factor_2"),
        ('"c": sum(dz)', '"c": sum(dz) / n', "bias_averaged averaged_twice"),
        ('"c": sum(dz)', '"c": dz[0]', "bias_first_row first_example_only"),
        ('"u": sum(d * p', '"u": sum(p', "upstream_left_out"),
        ('zip(dz, inputs["q"])', 'zip(dz, inputs["p"])', "other_quantity gradients_exchanged"),
        ("(1 - rho) * g * g", "(1 - rho) * g", "square_missing"),
        ("(1 - rho) * g * g", "g * g", "one_minus_beta_missing other_optimizer"),
        ("sqrt(v[name]) + eps", "sqrt(v[name] + eps)", "epsilon_inside other_optimizer"),
        ("sqrt(v[name]) + eps", "v[name] + eps", "root_missing"),
        ("(sqrt(v[name]) + eps)", 'sqrt(state["v"][name] + eps)', ""),
        ("w - rate * g", "w + rate * g", "ascent"),
        ('rho * state["v"][name] + (1 - rho) * g * g', 'state["v"][name] + g * g', "other_optimizer"),
    ),
)

STUDENTS = (LINEAR, MLP, CLASSIFIER, FAN_OUT, LOGISTIC)
