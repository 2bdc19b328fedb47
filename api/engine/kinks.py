"""Where a function has no derivative: the kinks and poles that lie between two points.

Each operation of the table has a quantity whose sign says on which side of its kink it is: the argument of ``relu`` and
``abs``, the difference of the two of ``maximum`` and ``minimum``, the divisor of a division. ``max`` over an axis has a
kink where another element becomes the largest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.engine.arrays import prepared_operands
from api.engine.graph import Graph, Node
from api.engine.kernels import Value

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Kink:
    """A kink that was crossed at ``node``: ``row`` is the place in the batch (None where the node has no rows),
    ``index`` the element of one example, ``sides`` the deciding quantity before, at and after the point."""

    node: int
    row: int | None
    index: tuple[int, ...]
    sides: tuple[float, float, float]


def _argument(operands: Sequence[Array], _node: Node) -> Array:
    return operands[0]


def _difference(operands: Sequence[Array], _node: Node) -> Array:
    return operands[0] - operands[1]


def _divisor(operands: Sequence[Array], _node: Node) -> Array:
    return operands[1]


DECIDING: dict[str, Callable[[Sequence[Array], Node], Array]] = {
    "relu": _argument,
    "abs": _argument,
    "maximum": _difference,
    "minimum": _difference,
    "divide": _divisor,
    "power": _argument,
}
"""The quantity whose sign decides, for each elementwise operation that has a kink or a pole."""


def kinked(graph: Graph) -> list[Node]:
    """The nodes of a graph that have kinks or poles and lie on a way from a parameter to the loss."""
    return [node for node in graph.active if node.index in graph.trained and _has_kink(node)]


def _has_kink(node: Node) -> bool:
    if node.op == "power":  # whole powers from 0 are smooth
        return node.constant is None or node.constant < 0 or node.constant != int(node.constant)
    return node.op in DECIDING or node.op == "max"


def crossed(graph: Graph, nodes: Sequence[Node], trio: Sequence[Sequence[Value]]) -> Iterator[Kink]:
    """Each kink of ``nodes`` with different sides before and after; ``trio`` are the values of all nodes before, at and
    after the point."""
    with np.errstate(all="ignore"):
        for node in nodes:
            yield from _reordered(graph, node, trio) if node.op == "max" else _signs(graph, node, trio)


def _signs(graph: Graph, node: Node, trio: Sequence[Sequence[Value]]) -> Iterator[Kink]:
    deciding = [_in_shape(DECIDING[str(node.op)](_operands(graph, node, values), node), values[node.index])
                for values in trio]  # fmt: skip
    before, _, after = map(np.sign, deciding)
    for place in np.argwhere((before != after) & np.isfinite(before) & np.isfinite(after)):
        at = tuple(int(part) for part in place)
        sides = (float(deciding[0][at]), float(deciding[1][at]), float(deciding[2][at]))
        yield Kink(node.index, at[0] if node.batched else None, at[1:] if node.batched else at, sides)


def _reordered(graph: Graph, node: Node, trio: Sequence[Sequence[Value]]) -> Iterator[Kink]:
    """Where other elements are the largest after the point than before."""
    groups = [_grouped(graph, node, values) for values in trio]
    before, _, after = (group == group.max(axis=-1, keepdims=True) for group in groups)
    for place in np.argwhere((before != after).any(axis=-1)):
        at = tuple(int(part) for part in place)
        first = int(np.argmax(before[at]))
        other = int(np.argmax(before[at] != after[at])) if after[at][first] else int(np.argmax(after[at]))
        gaps = [float(group[at][first] - group[at][other]) for group in groups]
        yield Kink(
            node.index, at[0] if node.batched else None, at[1:] if node.batched else at, (gaps[0], gaps[1], gaps[2])
        )


def _grouped(graph: Graph, node: Node, values: Sequence[Value]) -> Array:
    """What a ``max`` looks at, the axes that it goes over as the last one."""
    (array,) = prepared_operands(graph, node, values)
    axis = dict(node.static).get("axis")
    lead = int(node.batched)
    if axis is None:
        return array.reshape((*array.shape[:lead], -1))
    return np.moveaxis(array, axis % (array.ndim - lead) + lead, -1)


def _operands(graph: Graph, node: Node, values: Sequence[Any]) -> list[Array]:
    if not graph.scalar:
        return prepared_operands(graph, node, values)
    return [np.asarray(values[operand], dtype=np.float64) for operand in node.operands]


def _in_shape(deciding: Array, value: Value) -> Array:
    return np.broadcast_to(deciding, np.shape(value))
