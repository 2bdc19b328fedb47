"""Single numbers among the parameters, ``w1`` or ``W1[0][2]``, and all of them in one vector."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.engine.errors import InvalidInput
from api.engine.graph import Graph
from api.engine.wording import near_miss, shown

Array = NDArray[np.float64]
Value = float | Array
_ELEMENT = re.compile(r"([A-Za-z_]\w*)((?:\[\s*-?[0-9]{1,9}\s*(?:,\s*-?[0-9]{1,9}\s*)*\]\s*)*)", re.ASCII)
_INDEX = re.compile(r"-?[0-9]+")


@dataclass(frozen=True, slots=True)
class Element:
    """One number of a parameter; ``index`` counts from 0 along each axis, none for a parameter that is a number."""

    parameter: str
    index: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """As it is written: ``W1[0][2]``."""
        return self.parameter + "".join(f"[{place}]" for place in self.index)

    def of(self, parameters: Mapping[str, Value]) -> float:
        """Its value."""
        value = parameters[self.parameter]
        return value if isinstance(value, float) else float(value[self.index])

    def moved(self, parameters: Mapping[str, Value], to: float) -> dict[str, Value]:
        """``parameters`` with this one number changed."""
        value = parameters[self.parameter]
        if not isinstance(value, float):
            value = value.copy()
            value[self.index] = to
        return {**parameters, self.parameter: to if isinstance(value, float) else value}


def shape_of(graph: Graph, parameter: str) -> tuple[int, ...]:
    """A parameter's shape."""
    return graph.nodes[graph.index[parameter]].shape


def every(graph: Graph) -> Iterator[Element]:
    """All of them: parameters in order of their first appearance, row-major within each."""
    for name in graph.parameters:
        for index in np.ndindex(shape_of(graph, name)):
            yield Element(name, tuple(index))


def packed(graph: Graph, values: Mapping[str, Value]) -> Array:
    """All numbers, in the order of ``every``, as one vector."""
    parts = [np.ravel(np.asarray(values[name], dtype=np.float64)) for name in graph.parameters]
    return np.concatenate(parts) if parts else np.zeros(0)


def unpacked(graph: Graph, vector: Array) -> dict[str, Value]:
    """What ``packed`` made a vector of."""
    values: dict[str, Value] = {}
    first = 0
    for name in graph.parameters:
        shape = shape_of(graph, name)
        part = vector[first : first + math.prod(shape)]
        values[name] = part.reshape(shape).copy() if shape else float(part[0])
        first += math.prod(shape)
    return values


def parameter_of(graph: Graph, name: str, about: str) -> str:
    """``name`` if it is a parameter; raises ``InvalidInput``, whose detail begins with ``about``."""
    if name in graph.parameters:
        return name
    known = graph.index.get(name)
    if known is not None:
        kind = graph.nodes[known].role.value
        hint = f"; there are {', '.join(graph.parameters[:8])}" if graph.parameters else ""
        raise InvalidInput(f"{about}: {shown(name)} is no parameter but a {kind}{hint}")
    there_are = f"; there are {', '.join(graph.parameters[:8])}" if graph.parameters else "; the formula has none"
    raise InvalidInput(f"{about}: there is no parameter {shown(name)}{near_miss(name, graph.parameters) or there_are}")


def element_of(graph: Graph, text: str, about: str) -> Element:
    """The element that ``text`` names: ``w1``, ``W1[0][2]`` or ``W1[0, 2]``, places below 0 from the end.

    A parameter of one number needs no index. Raises ``InvalidInput``, whose detail begins with ``about``.
    """
    match = _ELEMENT.fullmatch(text.strip())
    if match is None:
        name = text.partition("[")[0].strip()
        parameter_of(graph, name, about)
        raise InvalidInput(f"{about}: {shown(text)} is no element; write {_example(graph, name)}")
    name = parameter_of(graph, match[1], about)
    shape, given = shape_of(graph, name), [int(place) for place in _INDEX.findall(match[2])]
    if not given and math.prod(shape) == 1:
        return Element(name, (0,) * len(shape))
    if len(given) != len(shape):
        detail = f"{name[:40]} has shape {list(shape)}: write {_example(graph, name)}"
        raise InvalidInput(f"{about}: {detail if shape else f'{name[:40]} is a single number, without an index'}")
    for place, size in zip(given, shape, strict=True):
        if not -size <= place < size:
            raise InvalidInput(f"{about}: there is no {shown(text)}: {name[:40]} has shape {list(shape)}")
    return Element(name, tuple(place % size for place, size in zip(given, shape, strict=True)))


def _example(graph: Graph, name: str) -> str:
    last = tuple(size - 1 for size in shape_of(graph, name))
    return Element(name[:40], last).label
