"""Forms as objects: dotted names become nested, texts become what the model wants at their place."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from api.documents.places import takes_text, wanted
from api.engine.errors import InvalidInput
from api.routes.strict_json import check, pointer_of

LONGEST_LIST = 10_000  # a list item by item; longer ones come as JSON text or as a file
_JSON_DEPTH = 64
_SWITCHES = {"on": True, "yes": True, "off": False, "no": False}


def nested(items: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """``[("optimizer.learning_rate", "0.05")]`` → ``{"optimizer": {"learning_rate": "0.05"}}``.

    A whole number as a part of a name is an index. An empty text is absent; of a name given twice the last counts, as a
    hidden field before a checkbox wants it. Raises InvalidInput where names contradict each other.
    """
    root: dict[str | int, Any] = {}
    for name, text in items:
        if text != "":
            # forms end lines with CR LF, whatever the page's own source has
            path = tuple(int(part) if _is_index(part) else part for part in name.split("."))
            _put(root, path, text.replace("\r\n", "\n"))
    return {str(name): _lists(value, (str(name),)) for name, value in root.items()}


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) <= 6


def _put(root: dict[str | int, Any], path: tuple[str | int, ...], text: str) -> None:
    if len(path) > _JSON_DEPTH:
        raise InvalidInput(f"a field's name has at most {_JSON_DEPTH} parts", pointer_of(path[:3]))
    place = root
    for part in path[:-1]:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            raise InvalidInput("this field is given as a whole and in parts", pointer_of(path))
        place = inner
    if isinstance(place.get(path[-1]), dict):
        raise InvalidInput("this field is given as a whole and in parts", pointer_of(path))
    place[path[-1]] = text


def _lists(value: Any, path: tuple[str | int, ...]) -> Any:
    """Objects whose names are the indices 0, 1, … as lists."""
    if not isinstance(value, dict):
        return value
    if not any(isinstance(name, int) for name in value):
        return {name: _lists(part, (*path, name)) for name, part in value.items()}
    if set(value) != set(range(len(value))) or len(value) > LONGEST_LIST:
        raise InvalidInput(
            f"the items of a list are numbered 0, 1, … without a gap, up to {LONGEST_LIST:,}", pointer_of(path)
        )
    return [_lists(value[index], (*path, index)) for index in range(len(value))]


def coerced(fields: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """A form's fields with numbers, truth values, lists and objects where the model wants them instead of texts."""
    return {name: _coerced(value, (name,), model) for name, value in fields.items()}


def _coerced(value: Any, path: tuple[str | int, ...], model: type[BaseModel]) -> Any:
    if isinstance(value, dict):
        return {name: _coerced(part, (*path, name), model) for name, part in value.items()}
    if isinstance(value, list):
        return [_coerced(part, (*path, index), model) for index, part in enumerate(value)]
    kinds = wanted(model, path)
    if takes_text(kinds) or not kinds:
        return value
    return _value(value.strip(), path, kinds)


def _value(text: str, path: tuple[str | int, ...], kinds: tuple[Any, ...]) -> Any:
    """A text as the value it spells: JSON, or a number as people type it (``.5``, ``+1``), or a switch."""
    if bool in kinds and text.lower() in _SWITCHES:
        return _SWITCHES[text.lower()]
    if text.lower() in ("true", "false", "null"):
        text = text.lower()
    try:
        value = json.loads(text)
    except RecursionError:
        raise InvalidInput("the JSON text is nested too deep", pointer_of(path)) from None
    except ValueError:
        if text[:1] in ("[", "{"):
            raise InvalidInput(
                "the field holds a list or an object, which must be JSON text", pointer_of(path)
            ) from None
        return _number(text)
    _check_below(value, path)
    return value


def _number(text: str) -> float | str:
    """The number a text spells, or the text, which the model will then complain about."""
    try:
        return float(text)
    except ValueError:
        return text


def _check_below(value: Any, path: tuple[str | int, ...]) -> None:
    """The strict JSON rules for a text inside a form, with pointers that start at the field."""
    for part in reversed(path):
        value = {str(part): value}
    check(value, _JSON_DEPTH + len(path))
