"""How many numbers a model trains, and where they are: a line for each tensor, and one for like numbers together."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

from api.engine.graph import Graph

Document = dict[str, Any]


_Numbered = tuple[str, tuple[str, ...]]
"""A name and the numbers in it."""


@lru_cache(maxsize=512)
def parameter_counts(graph: Graph) -> tuple[Document, ...]:
    """The trained numbers of ``graph``, in the order of the parameters' first appearance.

    A tensor has an entry of its own. Numbers whose names differ in their numbering alone, such as a layer's weights
    written out, share one, in which ``parameters`` says how many they are.
    """
    groups: dict[tuple[str, int], list[_Numbered]] = {}
    for name in graph.parameters:
        stem, places = _taken_apart(name)
        shaped = graph.nodes[graph.index[name]].shape != ()
        groups.setdefault((name, -1) if shaped else (stem, len(places)), []).append((name, places))
    return tuple(_entry(graph, found) for found in groups.values())


def _taken_apart(name: str) -> _Numbered:
    """``w1_2_3`` is number 2, 3 of ``w1``, ``w12`` number 12 of ``w``; any other name is a stem without places."""
    stem, *places = re.split(r"_(?=\d+(?:_\d+)*$)", name, maxsplit=1)
    if places:
        return stem, tuple(places[0].split("_"))
    stem = name.rstrip("0123456789")
    return (stem, (name[len(stem) :],)) if stem != name else (name, ())


def _entry(graph: Graph, found: list[_Numbered]) -> Document:
    first, last = found[0][0], found[-1][0]
    shape = graph.nodes[graph.index[first]].shape
    count = math.prod(shape) * len(found)
    sides = [len(set(places)) for places in zip(*(places for _, places in found), strict=True)]
    factors = shape if len(found) == 1 else sides if math.prod(sides) == count else [count]
    return {
        "name": first if len(found) == 1 else f"{first}{', ' if len(found) == 2 else ' … '}{last}",
        "parameters": len(found),
        "shape": list(shape),
        "count": count,
        "text": " = ".join(dict.fromkeys(["·".join(map(str, factors)) or "1", str(count)])),
    }
