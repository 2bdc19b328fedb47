"""pydantic's complaints as the contract's: RFC 6901 pointers into what was sent, short sentences, the likely name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from api.documents.places import known_names
from api.engine.errors import FieldError
from api.engine.wording import near_miss, shown
from api.routes.strict_json import pointer_of

_MOST = 20

# What people write who come from elsewhere → our word; other near misses are found by likeness.
SYNONYMS = {
    "lr": "learning_rate",
    "alpha": "learning_rate",
    "eta": "learning_rate",
    "rate": "learning_rate",
    "step_size": "learning_rate",
    "eps": "epsilon",
    "wd": "weight_decay",
    "decay": "weight_decay",
    "beta_1": "beta1",
    "beta_2": "beta2",
    "clip_norm": "clip",
    "clip_value": "clip",
    "clipnorm": "clip",
    "clipvalue": "clip",
    "max_norm": "norm",
    "batchsize": "batch_size",
    "weights": "parameters",
    "params": "parameters",
    "init": "initializer",
    "optim": "optimizer",
    "criterion": "loss",
    "objective": "loss",
    "dataset": "data",
    "formula": "source",
    "random_state": "seed",
    "name": "title",
    "n": "steps",
    "num_steps": "steps",
    "num_epochs": "epochs",
    "scheduler": "schedule",
    "lr_scheduler": "schedule",
    "std": "stddev",
    "sigma": "stddev",
    "minval": "low",
    "maxval": "high",
    "grads": "gradients",
}


def faults(error: ValidationError, model: type[BaseModel], sent: Any) -> tuple[FieldError, ...]:
    """Each fault once, at most 20, in the order found."""
    found: dict[FieldError, None] = {}
    for item in error.errors(include_url=False, include_input=True, include_context=True):
        path = _path(item["loc"], sent, item["type"])
        found.setdefault(FieldError(pointer_of(path), _detail(dict(item), path, model)))
        if len(found) == _MOST:
            break
    return tuple(found)


def _path(loc: Sequence[str | int], sent: Any, kind: str) -> tuple[str | int, ...]:
    """A location without the names of union members, which stand nowhere in the body."""
    path: list[str | int] = []
    here: Any = sent
    for place, part in enumerate(loc):
        is_item = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if is_item or (isinstance(here, dict) and part in here):
            here = here[part]
            path.append(part)
        elif kind == "missing" and place == len(loc) - 1:
            path.append(part)
    return tuple(path)


def _detail(item: dict[str, Any], path: tuple[str | int, ...], model: type[BaseModel]) -> str:
    kind, context = item["type"], item.get("ctx") or {}
    if kind == "extra_forbidden":
        return _unknown(str(path[-1]) if path else "", known_names(model, path[:-1]))
    if kind == "missing":
        return "this field is needed"
    if kind == "value_error":
        return str(context.get("error", "has no meaning here"))
    return _WORDS[kind].format(shown=shown(item["input"]), **context) if kind in _WORDS else _lower(item["msg"])


def _unknown(name: str, known: list[str]) -> str:
    meant = SYNONYMS.get(name.lower().replace("-", "_"))
    hint = f", did you mean '{meant}'?" if meant in known else near_miss(name, known)
    return f"there is no field {shown(name)}" + (hint or f"; there are {', '.join(known)}" if known else "")


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


_WORDS = {
    "float_type": "must be a number, not {shown}",
    "int_type": "must be a whole number, not {shown}",
    "int_from_float": "must be a whole number, not {shown}",
    "bool_type": "must be true or false, not {shown}",
    "string_type": "must be a text, not {shown}",
    "list_type": "must be a list, not {shown}",
    "dict_type": "must be an object, not {shown}",
    "model_type": "must be an object, not {shown}",
    "model_attributes_type": "must be an object, not {shown}",
    "literal_error": "must be {expected}, not {shown}",
    "greater_than_equal": "must be at least {ge}, not {shown}",
    "less_than_equal": "must be at most {le}, not {shown}",
    "finite_number": "must be a finite number",
}
