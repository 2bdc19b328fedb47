"""Graph → straight-line Python that only feeds rows forward, to see what a model makes of them.

It has the kernels of ``forward`` in the same order, so the same rows give the same bits; what is not asked for is not
worked out. A graph of scalars goes through its rows one by one:

    def evaluate(p0, p3, p7, rows):
        k8 = []
        keep8 = k8.append
        s10 = -0.0
        for d1, d4, d9 in rows:
            v2 = (p0 * d1)
            …
            keep8(v8)
            s10 += v10
        return (k8, s10)

One with tensors takes all rows at once, or in pieces where their values would fill the memory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from api.engine.arrays import ARRAY_KERNELS
from api.engine.graph import Graph, Node, Role
from api.engine.ops import ELEMENTWISE, KERNELS
from api.engine.tensor_ops import TENSOR, Call

LARGEST = 2**22
"""Numbers that one node may have over all rows; with more, rows go in pieces."""
_LETTER = re.compile(r"\b([abc])\b")


@dataclass(frozen=True, slots=True)
class Evaluator:
    """The forward pass to some nodes. ``placeholders`` are what has to be fed, ``parameters`` what is read."""

    graph: Graph
    wanted: tuple[int, ...]
    placeholders: tuple[str, ...]
    parameters: tuple[str, ...]
    run: Callable[..., tuple[Any, ...]]
    text: str
    piece: int

    def fed(self, inputs: Mapping[str, Any]) -> Any:
        """Placeholders' values, rows first, in the form that calls take: the same rows may be evaluated many times."""
        columns = [np.asarray(inputs[name], dtype=np.float64) for name in self.placeholders]
        if not self.graph.scalar:
            return columns
        return list(zip(*(column.tolist() for column in columns), strict=True)) if columns else None

    def __call__(self, parameters: Mapping[str, Any], fed: Any, rows: int) -> list[Any]:
        """The value of each node wanted, for ``rows`` rows: a float, or with rows a list; with tensors an array."""
        given = [parameters[name] for name in self.parameters]
        with np.errstate(all="ignore"):
            if self.graph.scalar:
                values: Sequence[Any] = self.run(*given, [()] * rows if fed is None else fed)
            else:
                values = self._in_pieces(list(map(np.asarray, given)), fed, rows)
            return [self._reduced(index, value, rows) for index, value in zip(self.wanted, values, strict=True)]

    def _in_pieces(self, given: list[Any], fed: Sequence[Any], rows: int) -> Sequence[Any]:
        if rows <= self.piece:
            return self.run(rows, *given, *fed)
        parts = []
        for start in range(0, rows, self.piece):
            piece = [column[start : start + self.piece] for column in fed]
            parts.append(self.run(min(self.piece, rows - start), *given, *piece))
        nodes = [self.graph.nodes[_before(self.graph, index)] for index in self.wanted]
        columns = zip(nodes, zip(*parts, strict=True), strict=True)
        return [np.concatenate(values) if node.batched else values[0] for node, values in columns]

    def _reduced(self, index: int, value: Any, rows: int) -> Any:
        if _before(self.graph, index) == index:
            return value
        total = value if self.graph.scalar else value.sum()
        return float(total / rows if self.graph.nodes[index].op == "mean_rows" else total)


@lru_cache(maxsize=512)
def evaluator(graph: Graph, wanted: tuple[str, ...]) -> Evaluator:
    """What gives these nodes' values. The loss may be among them, but no other that is computed from a loss over all
    rows: ``ValueError`` then."""
    indices = tuple(graph.index[name] for name in wanted)
    ends = [_before(graph, index) for index in indices]
    needed = _needed(graph, ends)
    if any(node.op in ("mean_rows", "sum_rows") for node in needed):
        raise ValueError("a quantity that is computed from the loss of all rows cannot be evaluated by itself")
    fed = [node for node in needed if node.role is Role.PLACEHOLDER]
    read = [node for node in needed if node.role is Role.PARAMETER]
    text = (_scalar_text if graph.scalar else _array_text)(
        graph, needed, fed, read, list(zip(indices, ends, strict=True))
    )
    space: dict[str, Any] = dict(KERNELS) if graph.scalar else ARRAY_KERNELS | _tensor_calls(graph, needed)
    exec(compile(text, "<generated evaluation>", "exec"), space)  # noqa: S102 - made here from a checked graph
    largest = max((math.prod(node.shape) for node in needed), default=1)
    names = [tuple(node.id for node in nodes) for nodes in (fed, read)]
    return Evaluator(graph, indices, names[0], names[1], space["evaluate"], text, max(1, LARGEST // max(1, largest)))


def _before(graph: Graph, index: int) -> int:
    """The node itself, or for a loss over all rows the node that has it for each row."""
    return graph.nodes[index].operands[0] if graph.nodes[index].op in ("mean_rows", "sum_rows") else index


def _needed(graph: Graph, ends: Sequence[int]) -> list[Node]:
    """The nodes that these are computed from, in topological order, constants left out."""
    reached = set(ends)
    for node in reversed(graph.nodes):
        if node.index in reached:
            reached.update(node.operands)
    return [node for node in graph.nodes if node.index in reached and node.role is not Role.CONSTANT]


def _name(node: Node) -> str:
    letters = {Role.PARAMETER: "p", Role.PLACEHOLDER: "d"}
    if node.op is None and node.constant is not None:
        return f"({node.constant!r})"
    return f"{letters.get(node.role, 'v')}{node.index}"


# scalars, row by row


def _scalar_text(
    graph: Graph, needed: Sequence[Node], fed: Sequence[Node], read: Sequence[Node], wanted: Sequence[tuple[int, int]]
) -> str:
    steps = [node for node in needed if node.op is not None]
    lines = [f"def evaluate({', '.join([*map(_name, read), 'rows'])}):"]
    lines += [f"    {_name(node)} = {_scalar(graph, node)}" for node in steps if not node.batched]
    inside: list[str] = []
    for index, end in dict(wanted).items():
        if end != index:
            lines.append(f"    s{index} = -0.0")
            inside.append(f"        s{index} += {_name(graph.nodes[end])}")
        elif graph.nodes[end].batched:
            lines += [f"    k{end} = []", f"    keep{end} = k{end}.append"]
            inside.append(f"        keep{end}({_name(graph.nodes[end])})")
    if inside:
        lines.append(f"    for {', '.join(map(_name, fed)) + ',' if fed else '_'} in rows:")
        lines += [f"        {_name(node)} = {_scalar(graph, node)}" for node in steps if node.batched]
    result = [
        f"s{index}" if end != index else f"k{end}" if graph.nodes[end].batched else _name(graph.nodes[end])
        for index, end in wanted
    ]
    return "\n".join([*lines, *inside, f"    return ({', '.join(result)},)"]) + "\n"


def _scalar(graph: Graph, node: Node) -> str:
    def letter(match: re.Match[str]) -> str:
        return f"({node.constant!r})" if match[1] == "c" else _name(graph.nodes[node.operands["ab".index(match[1])]])

    return _LETTER.sub(letter, ELEMENTWISE[str(node.op)].forward)


# arrays, all rows at once


def _array_text(
    graph: Graph, needed: Sequence[Node], fed: Sequence[Node], read: Sequence[Node], wanted: Sequence[tuple[int, int]]
) -> str:
    lines = [f"def evaluate({', '.join(['rows', *map(_name, read), *map(_name, fed)])}):"]
    lines += [f"    {_name(node)} = {_array(graph, node)}" for node in needed if node.op is not None]
    result = [_array_name(graph.nodes[end]) for _, end in wanted]
    return "\n".join([*lines, f"    return ({', '.join(result)},)"]) + "\n"


def _array_name(node: Node) -> str:
    """A node as an array, so that it has a shape."""
    return f"asarray({_name(node)})" if node.op is None or not node.batched else _name(node)


def _array(graph: Graph, node: Node) -> str:
    """A node's value, its operands brought to a common rank as ``arrays`` does and its numbers in the same order."""
    operands = [graph.nodes[place] for place in node.operands]
    if node.op in TENSOR:
        names = [f"{_array_name(one)}{'[None]' if node.batched and not one.batched else ''}" for one in operands]
        return f"forward{node.index}(call{node.index}, {', '.join(names)})"

    def letter(match: re.Match[str]) -> str:
        if match[1] == "c":
            return f"({node.constant!r})"
        one = operands["ab".index(match[1])]
        missing = len(node.shape) - len(one.shape)
        if not (one.batched and missing):
            return _name(one)
        sizes = ", ".join(["rows", *["1"] * missing, *map(str, one.shape)])
        return f"{_name(one)}.reshape({sizes})"

    text = _LETTER.sub(letter, ELEMENTWISE[str(node.op)].forward)
    turned = any(one.op in TENSOR for one in operands)  # whose memory may lie in another order
    return f'asarray({text}, order="C")' if turned else text


def _tensor_calls(graph: Graph, needed: Sequence[Node]) -> dict[str, Any]:
    """The objects that the text of tensor operations names."""
    space: dict[str, Any] = {"asarray": np.asarray}
    for node in needed:
        if node.op in TENSOR:
            shapes = tuple(graph.nodes[operand].shape for operand in node.operands)
            space[f"call{node.index}"] = Call(shapes, node.static, int(node.batched))
            space[f"forward{node.index}"] = TENSOR[str(node.op)].forward
    return space
