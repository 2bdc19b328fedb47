"""Answers that were worked out in single precision: how far from the reference rounding alone may have taken them.

The exercise is worked out again a few times with all that an operation reads shaken by float32's rounding unit (D. S.
Parker, Monte Carlo Arithmetic, 1997). How far the results scatter is what single precision cannot tell apart, whatever
the order of summation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from api.engine.kernels import Value
from api.grading.edits import as_node
from api.grading.numbers import elements
from api.grading.slip import Back, Slip, Values
from api.grading.working import Working

UNIT = 2.0**-24
"""The largest relative error of one rounding to float32."""
RUNS = 4
SAFETY = 8.0
"""How much further than in these few runs rounding may go."""
TELLING = 14
"""Bits of a mantissa that numbers typed by hand hardly ever need if they fit into 24."""


def looks_single(numbers: Iterable[float]) -> bool:
    """Whether all these are float32 numbers, and one of them is so long that this can be no accident."""
    longest = 0
    for number in numbers:
        if math.isfinite(number):
            scaled = int(math.frexp(number)[0] * 2.0**53)
            bits = 54 - (scaled & -scaled).bit_length() if scaled else 0
            if bits > 24:
                return False
            longest = max(longest, bits)
    return longest > TELLING


def workings(right: Working) -> list[Working]:
    """The exercise of ``right`` worked out with different roundings."""
    return [right.again(_shaking(right, seed)) for seed in range(RUNS)]


def margins(expected: Sequence[float], found: Sequence[Value]) -> list[float]:
    """For each number how far it may be off, from what it is in each of some ``workings``."""
    runs = [elements(value) for value in found]
    return [
        SAFETY * (max(abs(run[place] - right) for run in runs) + UNIT * abs(right)) if math.isfinite(right) else 0.0
        for place, right in enumerate(expected)
    ]


def _shaking(right: Working, seed: int) -> Slip:
    """What is read at every operation a little off."""
    random = np.random.Generator(np.random.PCG64(seed))
    exercise = right.exercise
    nodes = exercise.graph.nodes

    def off(value: Any) -> Any:
        if isinstance(value, list):
            return [off(one) for one in value]
        if isinstance(value, float):
            return value * (1.0 + UNIT * (2.0 * random.random() - 1.0))
        return value * (1.0 + UNIT * (2.0 * random.random(np.shape(value)) - 1.0))

    def forward(index: int) -> Any:
        node = nodes[index]

        def rule(working: Working, values: Values) -> Value:
            if node.op is None:
                return off(values[index])
            return off(as_node(node)(working, {operand: off(values[operand]) for operand in node.operands}))

        return rule

    def pull(back: Back) -> Value:
        known = {index: off(back.values[index]) for index in (*back.node.operands, back.node.index)}
        share = back.go(upstream=off(back.upstream), values=known)
        return None if share is None else off(share)

    def each(values: Mapping[str, Value]) -> dict[str, Value]:
        return {name: off(value) for name, value in values.items()}

    def update(working: Working) -> Mapping[str, Value]:
        slots = {slot: each(values) for slot, values in exercise.slots.items()}
        fields, before = each(exercise.fields), each(exercise.parameters)
        return each(working.stepped(exercise.rule, fields, each(working.gradients), slots, before).after)

    return Slip(
        forward={node.index: forward(node.index) for node in nodes},
        backward={(node.index, place): pull for node in nodes for place in range(len(node.operands))},
        update=update,
    )
