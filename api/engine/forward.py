"""The forward pass that records: every node's value, for looking at.

A value is a float, or for a batched node a list of floats, one per row. Rows are worked out one after the other with
Python's floats and summed from left to right, as the compiled code does, so that both agree bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

from api.engine.graph import Graph, Node
from api.engine.ops import FORWARD

Scalar = float
Value = Scalar | list[float]


def forward(graph: Graph, parameters: Mapping[str, float], inputs: Mapping[str, Sequence[float]]) -> list[Value]:
    """The value of every node, in the order of ``graph.nodes``.

    ``parameters`` gives a float for each parameter, ``inputs`` one float per row for each placeholder.
    """
    values: list[Value] = []
    for node in graph.nodes:
        if node.op is not None:
            values.append(evaluate(node, values))
        elif node.constant is not None:
            values.append(node.constant)
        else:
            values.append(list(inputs[node.id]) if node.batched else parameters[node.id])
    return values


def evaluate(node: Node, values: Sequence[Value]) -> Value:
    """The value of one operation, from those before it."""
    operands = [values[operand] for operand in node.operands]
    if node.op in ("mean_rows", "sum_rows"):
        rows = as_rows(operands[0], 1)
        return total(rows) / len(rows) if node.op == "mean_rows" else total(rows)
    kernel = FORWARD[str(node.op)]
    static = 0.0 if node.constant is None else node.constant
    if not node.batched:
        first, second = (*operands, 0.0)[:2]
        return kernel(first, second, 0.0, static)  # type: ignore[arg-type]  # no operand has rows here
    columns = [operand if isinstance(operand, list) else repeat(operand) for operand in operands]
    if len(columns) == 1:
        return [kernel(a, 0.0, 0.0, static) for a in columns[0]]
    return [kernel(a, b, 0.0, static) for a, b in zip(*columns, strict=False)]


def total(rows: Iterable[float]) -> float:
    """The sum from left to right; it starts at −0.0, which added to any float changes nothing."""
    result = -0.0
    for value in rows:
        result += value
    return result


def as_rows(value: Value, count: int) -> list[float]:
    """``value`` with its rows: itself, or an unbatched one for each of ``count`` rows."""
    return value if isinstance(value, list) else [value] * count
