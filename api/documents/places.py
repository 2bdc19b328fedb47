"""What a body's model wants at a place in it: for a form's texts, which have no type, and for misspelt names."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel


def wanted(model: type[BaseModel], path: Sequence[str | int]) -> tuple[Any, ...]:
    """The types that a value at ``path`` may have; none if the model knows no such place."""
    found: Iterable[Any] = (model,)
    for part in path:
        found = [inner for kind in found for inner in _inside(kind, part)]
    return tuple(leaf for kind in found for leaf in _choices(kind))


def known_names(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The field names of the objects that may stand at ``path``."""
    return [name for kind in wanted(model, path) if _is_model(kind) for name in kind.model_fields]


def takes_text(kinds: Iterable[Any]) -> bool:
    """Whether a text is among what is wanted."""
    return any(kind is str or (get_origin(kind) is Literal and isinstance(get_args(kind)[0], str)) for kind in kinds)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _choices(kind: Any) -> Iterator[Any]:
    """A type without Annotated, and a union as its members."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _choices(get_args(kind)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(kind):
            yield from _choices(member)
    else:
        yield kind


def _inside(kind: Any, part: str | int) -> Iterator[Any]:
    """What may stand in a value of this type under a name or an index."""
    for choice in _choices(kind):
        origin = get_origin(choice)
        if _is_model(choice):
            if part in choice.model_fields:
                yield choice.model_fields[part].annotation
        elif origin is dict:
            yield get_args(choice)[1]
        elif origin is list and isinstance(part, int):
            yield get_args(choice)[0]
        elif choice is Any:
            yield Any
