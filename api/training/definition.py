"""What a session trains: the caller's wishes with every default filled in and every parameter's first value drawn."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from api.engine import descent, initializers, losses, schedules
from api.engine.draws import Draws, Stream
from api.engine.errors import FieldError, InvalidInput, LimitExceeded
from api.engine.graph import Graph
from api.engine.rules import Rule
from api.engine.schedules import Plateau
from api.engine.wording import pointer_part, shown
from api.training import data as datasets
from api.training.data import Data
from api.training.feeding import Feed, fed
from api.training.limits import Limits, check_title
from api.training.models import MODELS, Built, built
from api.training.presets import expanded
from api.training.split import Split

Document = dict[str, Any]

DEFAULTS: Document = {
    "title": None,
    "model": {"kind": "linear"},
    "data": {"dataset": "article"},
    "loss": {"kind": "squared_error", "reduction": "mean"},
    "optimizer": {"kind": "sgd", "dialect": "torch", "learning_rate": 0.05},
    "schedule": {"kind": "constant"},
    "initializer": {"kind": "truncated_normal", "stddev": 0.05},
    "parameters": {},
    "batch_size": 1,
    "shuffle": False,
    "split": None,
    "seed": 0,
    "start": {"step": 0, "phase": "ready"},
}
ARTICLE_PARAMETERS = {"w1": -0.017, "w2": -0.048, "b": 0.0}
"""The article's own first values: the default only where model, data, initializer and parameters are all absent."""
INITIALIZER = {kind: {"kind": row.initializer} for kind, row in MODELS.items() if row.initializer != "truncated_normal"}
"""The default initialiser of the model kinds that have one of their own."""
SETTINGS = ("title", "optimizer", "schedule", "batch_size")
"""The fields that may change while a session goes on."""
PHASES = ("ready", "forward", "backward")
_NOTHING = Split(())
UNLIMITED = Limits(
    rows=2**62, columns=2**62, nodes=2**62, source_length=2**62, parameters=2**62, run_steps=2**62, title_length=2**62
)
"""For definitions that have been accepted once."""


@dataclass(frozen=True, eq=False)
class Definition:
    """A definition, complete: ``document`` is fit to be posted again, the rest is made from it."""

    document: Document
    graph: Graph
    data: Data | None
    feeds: Mapping[str, Feed]

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return _load, (json.dumps(self.document),)

    @staticmethod
    def load(document: Mapping[str, Any]) -> Definition:
        """The definition of a complete document; nothing is drawn and no limit counts."""
        return _load(json.dumps(document))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The parameters, in the order of their first appearance."""
        return self.graph.parameters

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Each parameter's shape."""
        return {name: self.graph.nodes[self.graph.index[name]].shape for name in self.names}

    @cached_property
    def parameter_count(self) -> int:
        """Trainable numbers in all."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @cached_property
    def rule(self) -> Rule:
        """The optimiser's rule."""
        return descent.rule(self.optimizer)

    @cached_property
    def slot_names(self) -> tuple[str, ...]:
        """What the optimiser carries from step to step for each parameter."""
        return self.rule.slots

    def slot_shapes(self, slot: str) -> dict[str, tuple[int, ...]]:
        """The shape of a slot for each parameter: the parameter's own, or a single number's."""
        return dict.fromkeys(self.names, ()) if slot in self.rule.single else self.shapes

    @property
    def optimizer(self) -> Document:
        """``kind``, ``dialect`` and every field of the optimiser that is not off."""
        optimizer: Document = self.document["optimizer"]
        return optimizer

    @cached_property
    def fields(self) -> dict[str, float]:
        """The optimiser's numbers by name, as its rule reads them; the learning rate is the base rate."""
        return descent.numbers(self.optimizer)

    @property
    def schedule(self) -> Document:
        """``kind`` and every field of the schedule."""
        schedule: Document = self.document["schedule"]
        return schedule

    @cached_property
    def scheduled(self) -> bool:
        """Whether the learning rate changes by itself."""
        return bool(self.schedule["kind"] != "constant")

    def rate(self, step: int, epoch: int, plateau: Plateau | None) -> float:
        """The learning rate of a step that lies in an epoch; 1 where the optimiser has none."""
        return schedules.rate(self.schedule, self.optimizer.get("learning_rate", 1.0), step, epoch, plateau)

    def watched(self, plateau: Plateau | None, loss: float) -> Plateau | None:
        """What the schedule remembers after an epoch with this mean loss."""
        if not self.scheduled:
            return None
        return schedules.watched(self.schedule, self.optimizer.get("learning_rate", 1.0), plateau, loss)

    @property
    def batch_size(self) -> int:
        """Rows fed at a time."""
        size: int = self.document["batch_size"]
        return size

    @property
    def split(self) -> Split:
        """Which rows train and which are held out; none at all without data."""
        return self.data.split if self.data else _NOTHING

    @property
    def row_count(self) -> int:
        """Rows in an epoch, those that train; 0 without data."""
        return len(self.split.train)

    @property
    def settings(self) -> Document:
        """The part that may change while a session goes on."""
        return {name: self.document[name] for name in SETTINGS}

    def patched(self, settings: Mapping[str, Any]) -> Definition:
        """This definition with other settings, which are complete and checked."""
        return replace(self, document=self.document | dict(settings))

    def inputs(self, rows: Sequence[int]) -> dict[str, Any]:
        """What each placeholder is fed for these rows."""
        if self.data is None:
            return {}
        return {name: fed(self.data, self.feeds, name, rows) for name in self.graph.placeholders}

    def order(self, epoch: int) -> Sequence[int]:
        """The rows of epoch ``epoch`` (from 1) in the order in which they are fed."""
        shuffle: bool = self.document["shuffle"]
        if self.split.held_out:
            return _shuffled(self, epoch) if shuffle else self.split.train
        return datasets.epoch_order(self.row_count, epoch, self.document["seed"], shuffle)


@lru_cache(maxsize=16)
def _shuffled(definition: Definition, epoch: int) -> tuple[int, ...]:
    """The rows that train, in the order of an epoch."""
    order = datasets.epoch_order(definition.row_count, epoch, definition.document["seed"], True)
    return tuple(map(definition.split.train.__getitem__, order))


@lru_cache(maxsize=256)
def _load(text: str) -> Definition:
    document = json.loads(text)
    return define(document, limits=UNLIMITED)


def define(body: Mapping[str, Any], *, limits: Limits = Limits()) -> Definition:  # noqa: B008 - frozen
    """The definition that ``body``, checked for types, asks for.

    Raises ``InvalidInput`` with a pointer to each field that has no meaning, ``LimitExceeded`` for too much.
    """
    body = expanded(body)
    given = {name: value for name, value in body.items() if value is not None or name in ("data", "title", "split")}
    document: Document = {name: given.get(name, default) for name, default in DEFAULTS.items()}
    if not {"model", "data", "initializer", "parameters"} & given.keys():
        document["parameters"] = ARTICLE_PARAMETERS
    check_title(document["title"], limits)
    data = _data(document, limits)
    expression = document["model"].get("kind") == "expression"
    document["loss"] = losses.resolve({} if expression and "loss" not in given else document["loss"], expression)
    source = document["model"].get("source")
    longest = limits.source_length
    if isinstance(source, str) and len(source) > longest:
        raise LimitExceeded(f"a formula has at most {longest} characters", longest, "/model/source")
    model = built(document["model"], document["loss"], data, limits)
    document["model"] = model.document
    document["data"] = data.document if data else None
    document["split"] = data.split.document if data else None
    document["optimizer"] = descent.resolve(document["optimizer"])
    document["schedule"] = schedule_of(document["schedule"], document["optimizer"])
    if "initializer" not in given:
        document["initializer"] = INITIALIZER.get(model.document["kind"], DEFAULTS["initializer"])
    document["initializer"] = initializers.resolve(document["initializer"])
    document["parameters"] = _parameters(document, model, limits)
    definition = Definition(document, model.graph, data, model.feeds)
    document["start"] = _start(document["start"], definition)
    return definition


def _start(body: Mapping[str, Any], definition: Definition) -> Document:
    """The start's object, its place counted in steps."""
    start: Document = DEFAULTS["start"] | body
    epochs = start.pop("epochs", None)
    if epochs is not None:
        if "step" in body:
            raise InvalidInput("a start is so many epochs or steps away: give one of the two", "/start/epochs")
        start["step"] = epochs * max(1, math.ceil(definition.row_count / definition.batch_size))
    return start


def _data(document: Document, limits: Limits) -> Data | None:
    if document["data"] is not None:
        return datasets.from_body(document["data"], limits=limits, split=document["split"], seed=document["seed"])
    if document["split"]:
        raise InvalidInput("a split needs data: without any, split must be null", "/split")
    return None


def schedule_of(body: Mapping[str, Any], optimizer: Mapping[str, Any]) -> Document:
    """The schedule's object for this optimiser, checked. Raises ``InvalidInput`` below ``/schedule``."""
    schedule = schedules.resolve(body)
    if schedule["kind"] != "constant" and "learning_rate" not in optimizer:
        what = f"{optimizer['kind']} in the dialect {optimizer['dialect']}"
        raise InvalidInput(f"{what} has no learning rate that a schedule could change", "/schedule/kind")
    return schedule


def values_of(body: Mapping[str, Any], graph: Graph) -> dict[str, Any]:
    """Given parameter values, checked: floats, and nested lists of floats for tensors. Raises ``InvalidInput`` below
    ``/parameters``."""
    names = graph.parameters
    faults: list[FieldError] = []
    values: Document = {}
    for name, value in body.items():
        pointer = f"/parameters/{pointer_part(name)}"
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0][:40]}?" if near else f"; there are {', '.join(names[:8])}" if names else ""
            faults.append(FieldError(pointer, f"the formula has no parameter {shown(name)}{hint}"))
        else:
            shape = graph.nodes[graph.index[name]].shape
            values[name], fault = _nested(value, shape)
            if fault:
                faults.append(FieldError(pointer, f"{name[:40]} {fault}"))
    if faults:
        raise InvalidInput(faults[0].detail, errors=faults)
    return values


def _nested(value: Any, shape: tuple[int, ...]) -> tuple[Any, str]:
    """``value`` as nested lists of floats in this shape, and what is wrong with it."""
    if not shape:
        if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
            return None, f"must be a finite number, not {shown(value)}"
        return float(value), ""
    if not isinstance(value, list) or len(value) != shape[0]:
        return None, f"must have shape {list(shape)}, a nested list, not {shown(value)}"
    items = [_nested(one, shape[1:]) for one in value]
    return [item for item, _ in items], next((fault for _, fault in items if fault), "")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False


def _parameters(document: Document, model: Built, limits: Limits) -> Document:
    """Every parameter's first value: the one given, else the one drawn; each has a stream of draws of its own."""
    graph = model.graph
    shapes = {name: graph.nodes[graph.index[name]].shape for name in graph.parameters}
    if sum(map(math.prod, shapes.values())) > limits.parameters:
        raise LimitExceeded(f"more than {limits.parameters} parameters", limits.parameters, "/model")
    given = values_of(document["parameters"], graph)
    kind, fields = document["initializer"]["kind"], initializers.numbers(document["initializer"])
    values: Document = {}
    for place, (name, shape) in enumerate(shapes.items()):
        if name in given:
            values[name] = given[name]
        elif name in model.biases:
            values[name] = np.zeros(shape).tolist()
        else:
            draws = Draws(document["seed"], Stream.PARAMETERS, place)
            inputs, units = model.fans.get(name, (None, None))
            drawn = initializers.draw(kind, fields, shape, draws, fan_in=inputs, fan_out=units)
            values[name] = drawn if isinstance(drawn, float) else drawn.tolist()
    return values
