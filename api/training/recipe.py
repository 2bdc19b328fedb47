"""A definition in few words: what a caller has to say to get it, and nothing that is so by default."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from api.engine import descent, initializers, losses, schedules
from api.engine.errors import InvalidInput
from api.training.definition import DEFAULTS, UNLIMITED, Definition, define
from api.training.models import built
from api.training.presets import PRESETS

Document = dict[str, Any]
Resolve = Callable[[Mapping[str, Any]], Document]


def recipe(definition: Definition) -> Document:
    """A short body of create that makes this very definition: a preset's name where it is one, no field that has its
    default, no parameter that the initialiser draws anyway."""
    document = definition.document
    found: list[Document] = []
    for said in _beginnings(definition):
        body = _completed(said, document)
        drawn = define(body, limits=UNLIMITED).document
        if drawn == document:
            return body
        values = document["parameters"]
        some = {name: value for name, value in values.items() if drawn["parameters"].get(name) != value}
        found += [_ordered(body | {"parameters": given}) for given in (some, values)]
    exact = (body for body in found if define(body, limits=UNLIMITED).document == document)
    return next(exact, dict(document))


def _beginnings(definition: Definition) -> Iterator[Document]:
    """What may be said of model, data and loss, the shortest first."""
    document = definition.document
    for name, preset in PRESETS.items():
        alike = all(document["model"].get(part) == preset.body["model"].get(part) for part in ("kind", "source"))
        if alike and _whole(name)["model"] == document["model"]:
            yield {"model": {"kind": "preset", "name": name}}
    data = {} if document["data"] == DEFAULTS["data"] else {"data": document["data"]}
    model = _model(definition)
    expression = document["model"]["kind"] == "expression"
    loss = _least(document["loss"], lambda body: losses.resolve(body, expression))
    more = data | ({"loss": loss} if loss else {})
    if document["model"] == DEFAULTS["model"]:
        yield more
    yield {"model": model, **more}


@lru_cache(maxsize=64)
def _whole(name: str) -> Document:
    """A preset's complete document."""
    return define({"model": {"kind": "preset", "name": name}}, limits=UNLIMITED).document


def _model(definition: Definition) -> Document:
    document, loss = definition.document["model"], definition.document["loss"]

    def whole(body: Mapping[str, Any]) -> Document:
        return built(body, loss, definition.data, UNLIMITED).document

    model = _least(document, whole)
    if "layers" in model:
        layers = [_least(layer, lambda body: {"activation": "identity", **body}) for layer in model["layers"]]
        model |= {"layers": layers}
    return model


def _completed(said: Document, document: Document) -> Document:
    """``said`` with every other field that is not what it leads to; parameters apart."""
    made = define(said, limits=UNLIMITED).document
    shorten: dict[str, Resolve] = {
        "optimizer": descent.resolve,
        "schedule": schedules.resolve,
        "initializer": initializers.resolve,
        "start": lambda body: DEFAULTS["start"] | body,
    }
    different = {
        name: _least(value, shorten[name]) or _kind(value) if name in shorten else value
        for name, value in document.items()
        if name not in ("model", "loss", "parameters") and made[name] != value
    }
    if made["loss"] != document["loss"]:
        different["loss"] = document["loss"]
    return _ordered(said | different)


def _kind(document: Document) -> Document:
    """What is said of an object whose every field has its default, where the default is another object."""
    return {name: value for name, value in document.items() if name in ("kind", "step")}


def _ordered(body: Document) -> Document:
    return {name: body[name] for name in DEFAULTS if name in body}


def _least(document: Document, resolve: Resolve) -> Document:
    """The object without the fields that ``resolve`` fills in by itself."""
    kept = dict(document)
    for name in document:
        fewer = {other: value for other, value in kept.items() if other != name}
        try:
            same = resolve(fewer) == document
        except InvalidInput:
            same = False
        if same:
            kept = fewer
    return kept
