"""Presets: whole definitions by name, each after a published description, to start from and to change.

A preset gives every field that the caller leaves out. What a session keeps is the definition in full, so that a preset
may be improved without changing any session made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.engine.errors import InvalidInput
from api.engine.wording import near_miss, pointer_part, shown
from api.training.corpus import VOCABULARY


@dataclass(frozen=True, slots=True)
class Preset:
    """One row: ``body`` is a body of create; after ``epochs`` epochs its mean loss is below ``reaches``."""

    name: str
    title: str
    body: Mapping[str, Any]
    epochs: int
    reaches: float
    source: str


def expanded(body: Mapping[str, Any]) -> dict[str, Any]:
    """``body`` with its preset, if it names one, filled in. Raises ``InvalidInput`` below ``/model``."""
    model = body.get("model")
    if not isinstance(model, Mapping) or model.get("kind") != "preset":
        return dict(body)
    name = model.get("name")
    strange = [field for field in model if field not in ("kind", "name")]
    if strange:
        detail = f"a preset has only its name, not {shown(strange[0])}{near_miss(strange[0], ('name',))}"
        raise InvalidInput(detail, f"/model/{pointer_part(strange[0])}")
    if name not in PRESETS:
        hint = near_miss(name, PRESETS) if isinstance(name, str) else ""
        there_are = "; there are " + ", ".join(PRESETS)
        raise InvalidInput(f"there is no preset {shown(name)}{hint or there_are}", "/model/name")
    preset = PRESETS[name].body
    return {**preset, **body, "model": preset["model"]}


def _unrolled(first: str, step: str, steps: int, last: str) -> str:
    """The formulas of a cell over a sequence s1 … s4: ``first`` for the first step, then ``step`` for each other."""
    lines = [first.format(t=1)]
    lines += [step.format(t=t, b=t - 1) for t in range(2, steps + 1)]
    return "\n".join([*lines, last.format(t=steps), "L = (yhat - y)**2"])


_UNITS = 4
_VECTOR, _MATRIX = [_UNITS], [_UNITS, _UNITS]
_READ = "yhat = h{t} @ v + c"
_RNN = _unrolled(
    "h{t} = tanh(s{t}*w + b)", "h{t} = tanh(s{t}*w + h{b} @ U + b)", 4, _READ
)  # fmt: skip
_LSTM = _unrolled(
    """i{t} = sigmoid(s{t}*wi + bi)
g{t} = tanh(s{t}*wg + bg)
o{t} = sigmoid(s{t}*wo + bo)
c{t} = i{t}*g{t}
h{t} = o{t}*tanh(c{t})""",
    """f{t} = sigmoid(s{t}*wf + h{b} @ Uf + bf)
i{t} = sigmoid(s{t}*wi + h{b} @ Ui + bi)
g{t} = tanh(s{t}*wg + h{b} @ Ug + bg)
o{t} = sigmoid(s{t}*wo + h{b} @ Uo + bo)
c{t} = f{t}*c{b} + i{t}*g{t}
h{t} = o{t}*tanh(c{t})""",
    4,
    "yhat = h{t} @ v + k",
)
_GRU = _unrolled(
    """z{t} = sigmoid(s{t}*wz + bz)
n{t} = tanh(s{t}*wn + bn)
h{t} = (1 - z{t})*n{t}""",
    """r{t} = sigmoid(s{t}*wr + h{b} @ Ur + br)
z{t} = sigmoid(s{t}*wz + h{b} @ Uz + bz)
n{t} = tanh(s{t}*wn + bn + r{t}*(h{b} @ Un + dn))
h{t} = (1 - z{t})*n{t} + z{t}*h{b}""",
    4,
    _READ,
)
_CONVOLUTION = "\n".join(
    [
        *(f"c{t} = relu(sum(s[{t}:{t + 3}]*k) + b)" for t in range(4)),
        "pooled = maximum(maximum(c0, c1), maximum(c2, c3))",
        "yhat = a*pooled + d",
        "L = (yhat - y)**2",
    ]
)
_ATTENTION = """E = reshape(s, 4, 1) @ We + P
Q = E @ Wq
K = E @ Wk
V = E @ Wv
A = softmax(Q @ transpose(K)/sqrt(3))
O = A @ V
yhat = sum(O[0]*v) + c
L = (yhat - y)**2"""
_SYMBOLS = 4
_DECODER_STEP = """a{t} = softmax(tanh(s{b} @ Wa + K) @ va)
c{t} = a{t} @ H
s{t} = tanh({before}s{b} @ S + c{t} @ C + d)
o{t} = s{t} @ V + c{t} @ R + k"""
_ENCODER_DECODER = "\n".join(
    [
        """h1 = tanh(x1 @ E + b)
h2 = tanh(x2 @ E + h1 @ U + b)
h3 = tanh(x3 @ E + h2 @ U + b)
H = reshape(concat(h1, h2, h3), 3, 6)
K = H @ Ua
s0 = tanh(h3 @ W0)""",
        *(_DECODER_STEP.format(t=t, b=t - 1, before=f"y{t - 1} @ F + " if t > 1 else "") for t in range(1, 4)),
        "L = -sum(y1*log_softmax(o1) + y2*log_softmax(o2) + y3*log_softmax(o3))",
    ]
)
_ENCODER_DECODER_SHAPES = {
    "E": [_SYMBOLS, 6], "U": [6, 6], "b": [6], "Ua": [6, 6], "W0": [6, 6], "Wa": [6, 6], "va": [6], "F": [_SYMBOLS, 6],
    "S": [6, 6], "C": [6, 6], "d": [6], "V": [6, _SYMBOLS], "R": [6, _SYMBOLS], "k": [_SYMBOLS],
}  # fmt: skip
_WORD2VEC = """v = center @ V  # the center word's vector
u = context @ U
u1 = negative1 @ U
u2 = negative2 @ U
u3 = negative3 @ U
# -log(sigmoid(a)) is softplus(-a), which does not overflow
L = softplus(-(u @ v)) + softplus(u1 @ v) + softplus(u2 @ v) + softplus(u3 @ v)"""
_IRIS_COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
_NEGATIVE_COLUMNS = ("negative1", "negative2", "negative3")
_MEMORY = {"dataset": "memory"}


def _cell(source: str, gates: str, *more: str) -> dict[str, Any]:
    """A recurrent cell's model: for each gate a vector w, a matrix U and a bias b."""
    shapes: dict[str, list[int]] = {f"w{gate}": _VECTOR for gate in gates} | {f"U{gate}": _MATRIX for gate in gates}
    shapes |= {f"b{gate}": _VECTOR for gate in gates} | dict.fromkeys(more, _VECTOR) | {"v": _VECTOR}
    return {"kind": "expression", "source": source, "shapes": shapes}


def _one_hot(classes: int, *columns: str) -> dict[str, Any]:
    return {column: {"one_hot": column, "classes": classes} for column in columns}


def _recurrent(model: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": model,
        "data": _MEMORY,
        "initializer": {"kind": "glorot_uniform"},
        "batch_size": 8,
        "optimizer": {"learning_rate": 0.2},
        "seed": 1,
    }


_TABLE = (
    Preset("logistic_regression", "Logistic regression on two moons", {
        "model": {"kind": "mlp", "layers": [{"units": 1, "activation": "sigmoid"}]},
        "data": {"dataset": "moons"}, "loss": {"kind": "binary_cross_entropy"},
        "optimizer": {"learning_rate": 0.5}, "batch_size": 10, "shuffle": True,
    }, 100, 0.35, "D. R. Cox, The Regression Analysis of Binary Sequences, 1958"),
    Preset("xor", "A network with one hidden layer learns exclusive or", {
        "model": {"kind": "mlp", "layers": [{"units": 4, "activation": "tanh"}, {"units": 1, "activation": "sigmoid"}]},
        "data": {"dataset": "xor"}, "loss": {"kind": "binary_cross_entropy"},
        "optimizer": {"learning_rate": 1.0}, "batch_size": 4,
    }, 1000, 0.02, "D. E. Rumelhart, G. E. Hinton, R. J. Williams, Learning Internal Representations, 1986"),
    Preset("softmax_classifier", "Three species of iris by one layer and softmax", {
        "model": {"kind": "mlp", "layers": [{"units": 3}]}, "data": {"dataset": "iris", "standardize": True},
        "loss": {"kind": "softmax_cross_entropy"}, "optimizer": {"learning_rate": 0.5}, "batch_size": 30,
        "shuffle": True,
    }, 100, 0.15, "C. M. Bishop, Pattern Recognition and Machine Learning, 2006, 4.3.4"),
    Preset("autoencoder", "Four measures of iris through a bottleneck of two", {
        "model": {"kind": "expression",
                  "source": "h = tanh(x @ W1 + b1)\nxhat = h @ W2 + b2\nL = mean((xhat - x)**2)",
                  "shapes": {"W1": [4, 2], "b1": [2], "W2": [2, 4], "b2": [4]}, "placeholders": {"x": _IRIS_COLUMNS}},
        "data": {"dataset": "iris", "standardize": True}, "initializer": {"kind": "glorot_uniform"},
        "optimizer": {"learning_rate": 0.5}, "batch_size": 30, "shuffle": True,
    }, 200, 0.1, "G. E. Hinton, R. R. Salakhutdinov, Reducing the Dimensionality of Data, 2006"),
    Preset("convolution_1d", "A kernel of three finds the steepest rise in a sequence", {
        "model": {"kind": "expression", "source": _CONVOLUTION, "shapes": {"k": [3]},
                  "placeholders": {"s": [f"s{t}" for t in range(1, 7)]}},
        "data": {"dataset": "rises"}, "parameters": {"a": 1, "b": 0, "d": 0, "k": [-0.5, 0.1, 0.5]},
        "optimizer": {"learning_rate": 0.1}, "batch_size": 10,
    }, 200, 0.01, "Y. LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998"),
    Preset("rnn", "A recurrent network remembers the first of four numbers",
           _recurrent({"kind": "expression", "source": _RNN,
                       "shapes": {"w": _VECTOR, "U": _MATRIX, "b": _VECTOR, "v": _VECTOR}}),
           300, 0.01, "J. L. Elman, Finding Structure in Time, 1990"),
    Preset("lstm", "A long short-term memory cell remembers the first of four numbers",
           _recurrent(_cell(_LSTM, "figo")), 350, 0.01,
           "S. Hochreiter, J. Schmidhuber, 1997; F. Gers et al., 2000; torch.nn.LSTM"),
    Preset("gru", "A gated recurrent unit remembers the first of four numbers",
           _recurrent(_cell(_GRU, "rzn", "dn")), 300, 0.01, "K. Cho et al., 2014; torch.nn.GRU"),
    Preset("encoder_decoder_attention", "An encoder and a decoder with additive attention reverse three symbols", {
        "model": {"kind": "expression", "source": _ENCODER_DECODER, "shapes": _ENCODER_DECODER_SHAPES,
                  "placeholders": _one_hot(_SYMBOLS, "x1", "x2", "x3", "y1", "y2", "y3")},
        "data": {"dataset": "reversal"}, "initializer": {"kind": "glorot_uniform"},
        "optimizer": {"kind": "adam", "learning_rate": 0.01}, "batch_size": 8, "shuffle": True, "seed": 2,
    }, 200, 0.01, "D. Bahdanau, K. Cho, Y. Bengio, Neural Machine Translation by Jointly Learning to Align "
                  "and Translate, 2015, 3.1"),
    Preset("self_attention", "Scaled dot-product self-attention picks one of four numbers",
           _recurrent({"kind": "expression", "source": _ATTENTION, "shapes": {
               "We": [1, 3], "P": [4, 3], "Wq": [3, 3], "Wk": [3, 3], "Wv": [3, 3], "v": [3]},
               "placeholders": {"s": ["s1", "s2", "s3", "s4"]}}),
           300, 0.01, "A. Vaswani et al., Attention Is All You Need, 2017"),
    Preset("word2vec", "Skip-gram with negative sampling gives words of like company like vectors", {
        "model": {"kind": "expression", "source": _WORD2VEC,
                  "shapes": {"V": [len(VOCABULARY), 4], "U": [len(VOCABULARY), 4]},
                  "placeholders": _one_hot(len(VOCABULARY), "center", "context", *_NEGATIVE_COLUMNS)},
        "data": {"dataset": "skip_grams"}, "initializer": {"kind": "glorot_uniform"},
        "optimizer": {"learning_rate": 0.5}, "batch_size": 12, "shuffle": True, "seed": 1,
    }, 100, 1.0, "T. Mikolov et al., Distributed Representations of Words and Phrases and their "
                 "Compositionality, 2013, equation 4"),
)  # fmt: skip

PRESETS: dict[str, Preset] = {row.name: row for row in _TABLE}
