"""Model kinds: each gives the source text of its formulas, and from there on every model is an expression."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from api.engine.builder import build
from api.engine.errors import FieldError, InvalidInput, LimitExceeded
from api.engine.graph import Graph
from api.engine.losses import LOSSES
from api.engine.wording import near_miss, pointer_part, shown
from api.training.data import Data
from api.training.feeding import Feed, feeds_of
from api.training.limits import Limits
from api.training.networks import loss_formula, network

Body = Mapping[str, Any]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Built:
    """A model made: its object with the defaults filled in, its graph, what it is fed, and how its weights start.

    ``fans`` are the numbers of inputs and outputs of a weight, for the initialisers; ``biases`` start at 0.
    """

    document: dict[str, Any]
    graph: Graph
    feeds: Mapping[str, Feed] = field(default_factory=dict)
    fans: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    biases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """One row: the fields a body may have, how it becomes a graph, and which initialiser it has by default."""

    kind: str
    fields: tuple[str, ...]
    build: Callable[[Body, Body, Data | None, Limits], Built]
    about: str
    initializer: str = "truncated_normal"


def built(model: Body, loss: Body, data: Data | None, limits: Limits) -> Built:
    """The model that a body asks for. Raises ``InvalidInput`` below ``/model``."""
    kind = model.get("kind")
    if kind not in MODELS:
        given = "" if kind is None else near_miss(str(kind), MODELS)
        there_are = "; there are " + ", ".join((*MODELS, "preset"))
        what = "a model needs its kind" if kind is None else f"there is no model {shown(kind)}"
        raise InvalidInput(what + (given or there_are), "/model/kind")
    row = MODELS[str(kind)]
    strange = [name for name in model if name not in ("kind", *row.fields)]
    if strange:
        faults = [(name, f"{row.kind} has no field {shown(name)}{near_miss(name, row.fields)}") for name in strange]
        errors = [FieldError(f"/model/{pointer_part(name)}", text) for name, text in faults]
        raise InvalidInput(faults[0][1], errors=errors)
    return row.build(model, loss, data, limits)


def _linear(model: Body, loss: Body, data: Data | None, limits: Limits) -> Built:
    """ŷ = w₁x₁ + … + wₙxₙ + b over the columns that are no targets."""
    if data is None:
        raise InvalidInput("a linear model needs data; a formula without data is {'kind': 'expression'}", "/data")
    if len(data.targets) != 1:
        raise InvalidInput(f"a linear model has one target, not {len(data.targets)}", "/data/targets")
    features = data.features
    if not features:
        raise InvalidInput("a linear model needs a column besides its target", "/data/columns")
    own = {"yhat", "L", "b", *(f"w{place}" for place in range(1, len(features) + 1))}
    clash = next((name for name in data.columns if name in own), None)
    if clash:
        raise InvalidInput(f"the column {clash} has a name that the linear model itself uses; rename it", "/data")
    terms = " + ".join(f"w{place}*{name}" for place, name in enumerate(features, 1))
    if LOSSES[loss["kind"]].targets == "classes":
        raise InvalidInput(f"{loss['kind']} needs an output for each class, and a linear model has one", "/loss/kind")
    source = f"yhat = {terms} + b\nL = {loss_formula(loss, 'yhat', data.targets[0])}"
    fans = {f"w{place}": (len(features), 1) for place in range(1, len(features) + 1)}
    return Built(dict(model), _graph(source, data, limits, loss), fans=fans, biases=("b",))


def _mlp(model: Body, loss: Body, data: Data | None, limits: Limits) -> Built:
    """Layers of h = activation(x @ W + b), or the same neuron by neuron."""
    if data is None:
        raise InvalidInput("a network needs data", "/data")
    made = network(model, loss, data, limits)
    taken = {line.partition(" =")[0] for line in made.source.splitlines()} | set(made.shapes) | set(made.fans)
    clash = next((name for name in data.columns if name in taken | set(made.biases)), None)
    if clash:
        raise InvalidInput(f"the column {clash} has a name that the network itself uses; rename it", "/data")
    graph = _graph(made.source, data, limits, loss, feeds=made.feeds, shapes=made.shapes)
    return Built(made.document, graph, made.feeds, made.fans, made.biases)


def _expression(model: Body, loss: Body, data: Data | None, limits: Limits) -> Built:
    source = model.get("source")
    if not isinstance(source, str) or not source.strip():
        raise InvalidInput("an expression needs its source, such as 'yhat = w*x + b'", "/model/source")
    feeds = feeds_of(model.get("placeholders") or {}, data)
    shapes = {name: _shape(name, shape, limits) for name, shape in (model.get("shapes") or {}).items()}
    outputs, target = model.get("outputs"), model.get("loss")
    graph = _graph(source, data, limits, loss, outputs, target, feeds, shapes)
    unused = next((name for name in feeds if name not in graph.placeholders), None)
    if unused is not None:
        raise InvalidInput(f"the formula does not use {unused}", f"/model/placeholders/{pointer_part(unused)}")
    filled: dict[str, object] = {
        "kind": "expression",
        "source": source,
        "shapes": {name: list(shape) for name, shape in shapes.items()},
        "placeholders": {name: feed.document for name, feed in feeds.items()},
        "outputs": list(graph.outputs),
        "loss": graph.nodes[graph.loss].id,
    }
    return Built(filled, graph, feeds)


def _shape(name: str, shape: Any, limits: Limits) -> Shape:
    pointer = f"/model/shapes/{pointer_part(name)}"
    sizes = shape if isinstance(shape, list) else [None]
    if len(sizes) > 4 or any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in sizes):
        raise InvalidInput("a shape is a list of at most four whole numbers from 1, such as [2, 3]", pointer)
    if math.prod(sizes) > limits.parameters:
        raise LimitExceeded(f"a parameter has at most {limits.parameters} numbers", limits.parameters, pointer)
    return tuple(sizes)


def _graph(
    source: str,
    data: Data | None,
    limits: Limits,
    loss: Body,
    outputs: Any = None,
    target: object = None,
    feeds: Mapping[str, Feed] | None = None,
    shapes: Mapping[str, Shape] | None = None,
) -> Graph:
    placeholders: dict[str, Shape] = dict.fromkeys(() if data is None else data.columns, ())
    placeholders |= {name: feed.shape for name, feed in (feeds or {}).items()}
    named = None if outputs is None else tuple(str(name) for name in outputs)
    options = (named, None if target is None else str(target), str(loss["reduction"]), limits.nodes)
    asked = (source, tuple(placeholders.items()), tuple((shapes or {}).items()), *options)
    graph = _GRAPHS.get(asked)
    if graph is None:
        outputs, target, reduction, most = options
        graph = _GRAPHS[asked] = build(
            source, placeholders, shapes=shapes, outputs=outputs, loss=target, reduction=reduction, max_nodes=most
        )
    return graph


_GRAPHS: WeakValueDictionary[tuple[Any, ...], Graph] = WeakValueDictionary()
"""The graphs in use, by all that they are made from: a class whose sessions are alike has one."""


MODELS: dict[str, Model] = {
    row.kind: row
    for row in (
        Model("linear", (), _linear, "yhat = w1*x1 + … + wn*xn + b over the columns that are no targets"),
        Model(
            "mlp",
            ("layers", "scalars"),
            _mlp,
            "layers of activation(x @ W + b); with scalars written out neuron by neuron",
            "glorot_uniform",
        ),
        Model(
            "expression",
            ("source", "shapes", "placeholders", "outputs", "loss"),
            _expression,
            "any formulas: a data column's name is a placeholder, an assigned one a node, any other a parameter",
        ),
    )
}
