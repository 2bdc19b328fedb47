"""Parameters and slots as a few vectors, so that an optimiser's line is worked out once for all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.engine.rules import Rule, Value

Shape = tuple[int, ...]
Vector = NDArray[np.float64]


class Part(NamedTuple):
    """A parameter's place: its position among all parameters, its shape, its first number in its group's vector."""

    position: int
    shape: Shape
    first: int

    @property
    def last(self) -> int:
        """One past its last number."""
        return self.first + math.prod(self.shape)


Groups = tuple[tuple[Part, ...], ...]


class Flat:
    """The numbers of parameters of these ``shapes`` and of the rule's slots: ``vectors``, which training writes into.

    ``values`` holds each parameter's, then slot by slot each parameter's. Parameters share a vector as long as their
    slots of one number (``rule.single``) are equal: one that a fork brought in has made fewer updates. For each group
    there is one vector of parameters and one of each other slot in ``vectors``, and in ``numbers`` the single slots;
    their last is what ``rule.hides`` needs.
    """

    def __init__(self, rule: Rule, shapes: Sequence[Shape], values: Sequence[Value]) -> None:
        self.rule = rule
        self.shapes = shapes
        many = len(shapes)
        by_slot = {slot: values[place * many : (place + 1) * many] for place, slot in enumerate(rule.slots, start=1)}
        singles = [slot for slot in rule.slots if slot in rule.single]
        self.groups = _groups(shapes, [tuple(by_slot[slot][at] for slot in singles) for at in range(many)])
        self.vectors: list[Vector] = []
        self.numbers: list[float] = []
        for parts in self.groups:
            for group in (values[:many], *(by_slot[slot] for slot in rule.slots if slot not in rule.single)):
                self.vectors.append(np.concatenate([np.ravel(np.asarray(group[part.position])) for part in parts]))
            self.numbers += [float(by_slot[slot][parts[0].position]) for slot in singles]
        self.numbers += [0.0] if rule.hides else []

    @property
    def sound(self) -> bool:
        """False if a gradient may have been not finite without a trace elsewhere."""
        return not self.rule.hides or math.isfinite(self.numbers[-1])

    def values(self) -> list[Value]:
        """What it was made of, as it is now: floats and arrays of their own."""
        found: list[Any] = [None] * (len(self.shapes) * (1 + len(self.rule.slots)))
        vectors, numbers = iter(self.vectors), iter(self.numbers)
        for parts in self.groups:
            for place, slot in enumerate(("", *self.rule.slots)):
                single = slot in self.rule.single
                number, vector = (next(numbers), None) if single else (0.0, next(vectors))
                for part in parts:
                    at = place * len(self.shapes) + part.position
                    found[at] = float(number) if vector is None else _kept(vector[part.first : part.last], part.shape)
        return found


def _groups(shapes: Sequence[Shape], keys: Sequence[tuple[Value, ...]]) -> Groups:
    groups: dict[tuple[Value, ...], list[Part]] = {}
    for position, (shape, key) in enumerate(zip(shapes, keys, strict=True)):
        parts = groups.setdefault(key, [])
        parts.append(Part(position, shape, parts[-1].last if parts else 0))
    return tuple(map(tuple, groups.values()))


def _kept(numbers: Vector, shape: Shape) -> Value:
    return numbers.reshape(shape).copy() if shape else float(numbers[0])
