"""Multilayer perceptrons, written as formulas: of whole layers, or neuron by neuron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.engine.errors import InvalidInput
from api.engine.losses import LOSSES
from api.engine.wording import near_miss, pointer_part, shown
from api.training.data import Data
from api.training.feeding import Feed, one_hot
from api.training.limits import Limits

ACTIVATIONS = {
    "identity": "{z}",
    "relu": "relu({z})",
    "tanh": "tanh({z})",
    "sigmoid": "sigmoid({z})",
    "softplus": "softplus({z})",
    "sin": "sin({z})",
    "softmax": "softmax({z})",
}
"""Each activation's formula; softmax goes over a layer's units."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: so many ``units`` with this ``activation``."""

    units: int
    activation: str


@dataclass(frozen=True, slots=True)
class Network:
    """A network's formulas: ``source``, ``shapes`` of its tensors, what it is fed, and each weight's fans."""

    source: str
    shapes: Mapping[str, tuple[int, ...]]
    feeds: Mapping[str, Feed]
    fans: Mapping[str, tuple[int, int]]
    biases: tuple[str, ...]
    document: dict[str, Any]


def network(model: Mapping[str, Any], loss: Mapping[str, Any], data: Data, limits: Limits) -> Network:
    """The network of ``{"layers": […], "scalars": bool}`` for ``data``; raises ``InvalidInput`` below ``/model``."""
    row = LOSSES[loss["kind"]]
    if not data.features:
        raise InvalidInput("a network needs a column besides its targets", "/data/columns")
    classes = row.targets == "classes" and len(data.targets) == 1
    targets = one_hot(data.targets[0], data, None, "/data/targets") if classes else Feed(data.targets)
    layers = _layers(model.get("layers"), targets.shape[0], limits)
    scalars = model.get("scalars") or False
    document = {
        "kind": "mlp",
        "layers": [{"units": layer.units, "activation": layer.activation} for layer in layers],
        "scalars": scalars,
    }
    if layers[-1].units != targets.shape[0]:
        what = "classes" if classes else "targets"
        raise InvalidInput(
            f"the last layer has {layers[-1].units} units and the data {targets.shape[0]} {what}: they must be as many",
            f"/model/layers/{len(layers) - 1}/units",
        )
    if scalars:
        return _written_out(layers, loss, data, targets, document)
    return _layered(layers, loss, data, targets, document)


def _layers(given: Any, outputs: int, limits: Limits) -> list[Layer]:
    if given is None:
        given = [{"units": 3, "activation": "tanh"}, {"units": outputs, "activation": "identity"}]
    if not isinstance(given, list) or not given:
        raise InvalidInput("layers must be a list of at least one {units, activation}", "/model/layers")
    layers: list[Layer] = []
    for place, one in enumerate(given):
        pointer = f"/model/layers/{place}"
        if not isinstance(one, Mapping):
            raise InvalidInput("a layer is an object {units, activation}", pointer)
        for name in one:
            if name not in ("units", "activation"):
                hint = near_miss(str(name), ("units", "activation"))
                raise InvalidInput(f"a layer has no field {shown(name)}{hint}", f"{pointer}/{pointer_part(str(name))}")
        units, activation = one.get("units"), one.get("activation") or "identity"
        if isinstance(units, bool) or not isinstance(units, int) or not 1 <= units <= limits.parameters:
            raise InvalidInput(f"units must be a whole number from 1, not {shown(units)}", f"{pointer}/units")
        if activation not in ACTIVATIONS:
            hint = near_miss(str(activation), ACTIVATIONS) or "; there are " + ", ".join(ACTIVATIONS)
            raise InvalidInput(f"there is no activation {shown(activation)}{hint}", f"{pointer}/activation")
        layers.append(Layer(units, activation))
    return layers


def loss_formula(loss: Mapping[str, Any], yhat: str, y: str) -> str:
    """One output's loss in these names."""
    row = LOSSES[loss["kind"]]
    fields = {name: f"{loss[name]:.17g}" for name in row.fields}
    return row.formula.format(yhat=yhat, y=y, **fields)


def _layered(
    layers: Sequence[Layer], loss: Mapping[str, Any], data: Data, targets: Feed, document: dict[str, Any]
) -> Network:
    lines: list[str] = []
    shapes: dict[str, tuple[int, ...]] = {}
    fans: dict[str, tuple[int, int]] = {}
    below, width = "x", len(data.features)
    for number, layer in enumerate(layers, 1):
        shapes |= {f"W{number}": (width, layer.units), f"b{number}": (layer.units,)}
        fans[f"W{number}"] = (width, layer.units)
        name = "yhat" if number == len(layers) else f"h{number}"
        lines.append(f"z{number} = {below} @ W{number} + b{number}")
        lines.append(f"{name} = {ACTIVATIONS[layer.activation].format(z=f'z{number}')}")
        below, width = name, layer.units
    formula = loss_formula(loss, "yhat", "y")
    if LOSSES[loss["kind"]].targets != "classes":
        formula = f"{loss['reduction']}({formula})"
    lines.append(f"L = {formula}")
    feeds = {"x": Feed(data.features), "y": targets}
    biases = tuple(f"b{number}" for number in range(1, len(layers) + 1))
    return Network("\n".join(lines), shapes, feeds, fans, biases, document)


def _written_out(
    layers: Sequence[Layer], loss: Mapping[str, Any], data: Data, targets: Feed, document: dict[str, Any]
) -> Network:
    if targets.classes is not None or any(layer.activation == "softmax" for layer in layers):
        raise InvalidInput(
            "softmax goes over a whole layer, so it cannot be written out neuron by neuron", "/model/scalars"
        )
    lines: list[str] = []
    fans: dict[str, tuple[int, int]] = {}
    biases: list[str] = []
    below = list(data.features)
    for number, layer in enumerate(layers, 1):
        here: list[str] = []
        for unit in range(1, layer.units + 1):
            weights = [f"w{number}_{source}_{unit}" for source in range(1, len(below) + 1)]
            fans |= dict.fromkeys(weights, (len(below), layer.units))
            biases.append(f"b{number}_{unit}")
            terms = [f"{source}*{weight}" for source, weight in zip(below, weights, strict=True)]
            last = number == len(layers)
            name = ("yhat" if layer.units == 1 else f"yhat{unit}") if last else f"h{number}_{unit}"
            z = f"z{number}_{unit}"
            lines += [f"{z} = {' + '.join(terms)} + {biases[-1]}"]
            lines += [f"{name} = {ACTIVATIONS[layer.activation].format(z=z)}"]
            here.append(name)
        below = here
    shares = [loss_formula(loss, yhat, y) for yhat, y in zip(below, data.targets, strict=True)]
    total = " + ".join(shares)
    mean = loss["reduction"] == "mean" and len(shares) > 1
    lines.append(f"L = ({total})/{len(shares)}" if mean else f"L = {total}")
    return Network("\n".join(lines), {}, {}, fans, tuple(biases), document)
