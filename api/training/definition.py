"""What a session trains: the caller's wishes with every default filled in and every parameter's first value drawn."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property, lru_cache
from typing import Any

from api.engine import descent, initializers, schedules
from api.engine.builder import REDUCTIONS
from api.engine.draws import Draws, Stream
from api.engine.errors import FieldError, InvalidInput, LimitExceeded
from api.engine.graph import Graph
from api.engine.losses import LOSSES
from api.engine.rules import Rule
from api.engine.schedules import Plateau
from api.engine.wording import near_miss, pointer_part, shown
from api.training import data as datasets
from api.training.data import Data
from api.training.limits import Limits
from api.training.models import MODELS, graph_of

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
SETTINGS = ("title", "optimizer", "schedule", "batch_size")
"""The fields that may change while a session goes on."""
PHASES = ("ready", "forward", "backward")
_UNLIMITED = Limits(
    rows=2**62, columns=2**62, nodes=2**62, source_length=2**62, parameters=2**62, run_steps=2**62, title_length=2**62
)


@dataclass(frozen=True, eq=False)
class Definition:
    """A definition, complete: ``document`` is fit to be posted again, the rest is made from it."""

    document: Document
    graph: Graph
    data: Data | None

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
        return dict.fromkeys(self.names, ())

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
    def row_count(self) -> int:
        """Rows in an epoch; 0 without data."""
        return self.data.row_count if self.data else 0

    @property
    def settings(self) -> Document:
        """The part that may change while a session goes on."""
        return {name: self.document[name] for name in SETTINGS}

    def patched(self, settings: Mapping[str, Any]) -> Definition:
        """This definition with other settings, which are complete and checked."""
        return replace(self, document=self.document | dict(settings))

    def order(self, epoch: int) -> tuple[int, ...] | range:
        """The rows of epoch ``epoch`` (from 1) in the order in which they are fed."""
        return datasets.epoch_order(self.row_count, epoch, self.document["seed"], self.document["shuffle"])


@lru_cache(maxsize=256)
def _load(text: str) -> Definition:
    document = json.loads(text)
    return define(document, limits=_UNLIMITED)


def define(body: Mapping[str, Any], *, limits: Limits = Limits()) -> Definition:  # noqa: B008 - frozen
    """The definition that ``body``, checked for types, asks for.

    Raises ``InvalidInput`` with a pointer to each field that has no meaning, ``LimitExceeded`` for too much.
    """
    given = {name: value for name, value in body.items() if value is not None or name in ("data", "title", "split")}
    document: Document = {name: given.get(name, default) for name, default in DEFAULTS.items()}
    if not {"model", "data", "initializer", "parameters"} & given.keys():
        document["parameters"] = ARTICLE_PARAMETERS
    if document["split"] is not None:
        raise InvalidInput("holding out rows is not available: split must be null", "/split")
    if document["title"] and len(document["title"]) > limits.title_length:
        raise LimitExceeded(f"a title has at most {limits.title_length} characters", limits.title_length, "/title")
    data = None if document["data"] is None else datasets.from_body(document["data"], limits=limits)
    expression = document["model"].get("kind") == "expression"
    document["loss"] = _loss({} if expression and "loss" not in given else document["loss"], expression)
    source = document["model"].get("source")
    longest = limits.source_length
    if isinstance(source, str) and len(source) > longest:
        raise LimitExceeded(f"a formula has at most {longest} characters", longest, "/model/source")
    document["model"], graph = graph_of(document["model"], document["loss"], data, limits)
    document["data"] = data.document if data else None
    document["optimizer"] = descent.resolve(document["optimizer"])
    document["schedule"] = schedule_of(document["schedule"], document["optimizer"])
    document["initializer"] = initializers.resolve(document["initializer"])
    document["start"] = {"step": 0, "phase": "ready"} | document["start"]
    document["parameters"] = _parameters(document, graph, limits)
    return Definition(document, graph, data)


def _loss(body: Mapping[str, Any], expression: bool) -> Document:
    fields = ("reduction",) if expression else ("kind", "reduction")
    for name in body:
        if name not in fields:
            reason = "a formula is its own loss: loss may hold only reduction" if expression else "unknown field"
            raise InvalidInput(reason + near_miss(name, fields), f"/loss/{pointer_part(name)}")
    reduction = body.get("reduction", "mean")
    if reduction not in REDUCTIONS:
        raise InvalidInput(f"there is no reduction {shown(reduction)}; there are mean, sum", "/loss/reduction")
    kind = body.get("kind", "squared_error")
    if kind not in LOSSES:
        hint = near_miss(str(kind), LOSSES) or "; there are " + ", ".join(LOSSES)
        raise InvalidInput(f"there is no loss {shown(kind)}{hint}", "/loss/kind")
    return {"reduction": reduction} if expression else {"kind": kind, "reduction": reduction}


def schedule_of(body: Mapping[str, Any], optimizer: Mapping[str, Any]) -> Document:
    """The schedule's object for this optimiser, checked. Raises ``InvalidInput`` below ``/schedule``."""
    schedule = schedules.resolve(body)
    if schedule["kind"] != "constant" and "learning_rate" not in optimizer:
        what = f"{optimizer['kind']} in the dialect {optimizer['dialect']}"
        raise InvalidInput(f"{what} has no learning rate that a schedule could change", "/schedule/kind")
    return schedule


def values_of(body: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, float]:
    """Given parameter values, checked. Raises ``InvalidInput`` below ``/parameters``."""
    faults: list[FieldError] = []
    values: dict[str, float] = {}
    for name, value in body.items():
        pointer = f"/parameters/{pointer_part(name)}"
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0][:40]}?" if near else f"; there are {', '.join(names[:8])}" if names else ""
            faults.append(FieldError(pointer, f"the formula has no parameter {shown(name)}{hint}"))
        elif isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
            faults.append(FieldError(pointer, f"{name[:40]} must be a finite number, not {shown(value)}"))
        else:
            values[name] = float(value)
    if faults:
        raise InvalidInput(faults[0].detail, errors=faults)
    return values


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False


def _parameters(document: Document, graph: Graph, limits: Limits) -> Document:
    """Every parameter's first value: the one given, else the one drawn; each has a stream of draws of its own."""
    names = graph.parameters
    if len(names) > limits.parameters:
        raise LimitExceeded(f"more than {limits.parameters} parameters", limits.parameters, "/model")
    given = values_of(document["parameters"], names)
    initializer = document["initializer"]
    biases = MODELS[document["model"]["kind"]].biases
    values: Document = {}
    for place, name in enumerate(names):
        if name in given:
            values[name] = given[name]
        elif name in biases:
            values[name] = 0.0
        else:
            draws = Draws(document["seed"], Stream.PARAMETERS, place)
            values[name] = initializers.draw(initializer["kind"], initializers.numbers(initializer), (), draws)
    return values
