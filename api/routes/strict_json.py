"""JSON text to plain values, strictly: what the contract refuses is named with its place.

Python's reader takes ``NaN``, ``1e999`` (as infinity), lone surrogates, repeated names and 5,000-digit integers; here
each is a fault with an RFC 6901 pointer. What is no JSON text at all is ``NotJSON``.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from api.engine.errors import FieldError, InvalidInput, LimitExceeded, NotJSON
from api.engine.wording import pointer_part

_MOST_FAULTS = 20


def pointer_of(path: tuple[str | int, ...]) -> str:
    """The RFC 6901 pointer of a path of names and indices, each cut to 40 characters."""
    return "".join("/" + pointer_part(str(part)) for part in path)


class _Repeated(dict[str, Any]):
    """An object in which a name occurred twice; ``name`` is that name."""

    name: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    repeated = _Repeated(made)
    repeated.name = Counter(name for name, _ in pairs).most_common(1)[0][0]
    return repeated


def _integer(digits: str) -> int | float:
    # JSON has one kind of number; beyond 64 bits it is a float64, and may be none at all (a fault then).
    return int(digits) if len(digits) <= 18 else float(digits)


def parse(body: bytes, depth: int) -> dict[str, Any]:
    """The object that a body holds. Raises NotJSON, LimitExceeded (nesting) or InvalidInput with every fault."""
    try:
        value = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_object, parse_int=_integer)
    except UnicodeDecodeError:
        raise NotJSON("the body is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise NotJSON(f"line {error.lineno}, column {error.colno}: {error.msg[0].lower()}{error.msg[1:]}") from None
    except RecursionError:
        raise _too_deep(depth) from None
    check(value, depth)
    if not isinstance(value, dict):
        raise InvalidInput("the body must be a JSON object, in braces")
    return value


def check(value: Any, depth: int) -> None:
    """Raise InvalidInput for numbers that are not finite, texts that are no Unicode, names that occur twice."""
    found: list[FieldError] = []
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting and len(found) < _MOST_FAULTS:
        path, item = waiting.pop()
        if len(path) > depth:
            raise _too_deep(depth)
        if isinstance(item, dict):
            if isinstance(item, _Repeated):
                found.append(FieldError(pointer_of((*path, item.name)), "this name occurs more than once"))
            if not all(map(_is_unicode, item)):
                found.append(FieldError(pointer_of(path), "a name holds a lone surrogate, which is no character"))
            waiting.extend(((*path, name), part) for name, part in reversed(item.items()))
        elif isinstance(item, list):
            if _is_finite_numbers(item):
                continue
            waiting.extend(((*path, index), item[index]) for index in range(len(item) - 1, -1, -1))
        elif isinstance(item, float) and not math.isfinite(item):
            found.append(FieldError(pointer_of(path), "the number is not finite in float64"))
        elif isinstance(item, str) and not _is_unicode(item):
            found.append(FieldError(pointer_of(path), "the text holds a lone surrogate, which is no character"))
    if found:
        first = found[0]
        raise InvalidInput(f"{first.pointer}: {first.detail}" if first.pointer else first.detail, errors=found)


def _is_finite_numbers(items: list[Any]) -> bool:
    """A quick look at the long lists that tables are: a finite sum has finite terms (False is not sure)."""
    try:
        return math.isfinite(sum(items))
    except (TypeError, OverflowError):
        return False


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_deep(depth: int) -> LimitExceeded:
    return LimitExceeded(f"the JSON is nested more than {depth} deep", depth)
