"""The kernels of a graph with tensors: NumPy's float64 arrays, the batch as their first axis.

The elementwise operations are made from the same texts as the scalar kernels, with NumPy's functions in place of
``math``'s. Operands are brought to a common rank first, so that NumPy's broadcasting means what the formulas say of one
example; ``unbroadcast`` is the one place where that is undone for gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.engine.graph import Graph, Node
from api.engine.ops import ELEMENTWISE, KERNELS
from api.engine.tensor_ops import TENSOR, Call

Array = NDArray[np.float64]


def _sigmoid(a: Array) -> Array:
    small = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0, small) / (1.0 + small)


def _above(a: Array, b: Array) -> Array:
    return np.where(a > b, 1.0, np.where(a == b, 0.5, 0.0))


ARRAY_KERNELS: dict[str, object] = {
    "divide": np.divide,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "power": np.power,
    "sigmoid": _sigmoid,
    "softplus": lambda a: np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a))),
    "relu": lambda a: np.maximum(a, 0.0),
    "step": lambda a: np.where(a > 0, 1.0, 0.0),
    "sign": np.sign,
    "above": _above,
    "maximum": np.maximum,
    "minimum": np.minimum,
}
"""What an operation's text may call, for arrays."""
assert ARRAY_KERNELS.keys() == {name for name in KERNELS if not name.startswith("__")}


def _compiled(text: str) -> Any:
    return eval(f"lambda a, b, y, c: {text}", dict(ARRAY_KERNELS))  # noqa: S307 - our own table's text


FORWARD = {row.name: _compiled(row.forward) for row in ELEMENTWISE.values()}
_PARTIALS = {row.name: tuple(map(_compiled, row.partials)) for row in ELEMENTWISE.values()}


def constant(value: float) -> Array:
    """A constant as this kernel set holds it."""
    return np.asarray(value, dtype=np.float64)


def given(value: Any) -> Array:
    """A parameter or a placeholder as this kernel set holds it."""
    return np.asarray(value, dtype=np.float64)


def zero(node: Node, rows: int) -> Array:
    """The gradient of what the loss does not depend on."""
    return np.zeros(((rows,) if node.batched else ()) + node.shape)


@np.errstate(all="ignore")
def evaluate(graph: Graph, node: Node, values: Sequence[Any]) -> Array:
    """The value of one operation, from those before it."""
    if node.op in ("mean_rows", "sum_rows"):
        rows = values[node.operands[0]]
        return np.asarray(rows.sum() / rows.size if node.op == "mean_rows" else rows.sum())
    operands = prepared_operands(graph, node, values)
    if node.op in TENSOR:
        return np.asarray(TENSOR[node.op].forward(_call(graph, node), *operands))
    first, second = (*operands, operands[0])[:2]
    return np.asarray(FORWARD[str(node.op)](first, second, None, node.constant), order="C")


@np.errstate(all="ignore")
def contribution(graph: Graph, node: Node, place: int, gradient: Any, values: Sequence[Any]) -> Array:
    """∂L/∂node · ∂node/∂operand, in the operand's own shape."""
    operand = graph.nodes[node.operands[place]]
    if node.op in TENSOR:
        operands = prepared_operands(graph, node, values)
        share = TENSOR[node.op].vjp(_call(graph, node), gradient, values[node.index], *operands)[place]
        return unbroadcast(share, operands[place].shape, values[operand.index].shape)
    factor = _factor(graph, node, place, values)
    share = np.asarray(gradient * factor, order="C")
    if node.op in ("mean_rows", "sum_rows"):
        return np.asarray(share)
    prepared = prepared_operands(graph, node, values)[place].shape
    share = np.broadcast_to(share, np.shape(values[node.index]))
    return unbroadcast(share, prepared, values[operand.index].shape)


def pulled(graph: Graph, node: Node, place: int, upstream: Any, values: Sequence[Any]) -> Array | None:
    """``upstream`` · ∂node/∂operand element by element and not yet added up, in the shape of the larger of the two;
    None where the Jacobian is not elementwise.

    An upstream larger than the node has its further axes between the rows, where there are any, and the node's own.
    """
    if upstream is None or (node.op in TENSOR and node.op not in ("sum", "mean")):
        return None
    if node.op in TENSOR:
        return _spread(graph, node, np.asarray(upstream), values)
    shape = values[node.operands[0]].shape if node.op in ("mean_rows", "sum_rows") else values[node.index].shape
    factor = np.broadcast_to(_factor(graph, node, place, values), shape)
    further = np.ndim(upstream) - factor.ndim
    if node.batched and further > 0:
        factor = factor.reshape(factor.shape[:1] + (1,) * further + factor.shape[1:])
    with np.errstate(all="ignore"):
        return np.array(upstream * factor)


def _spread(graph: Graph, node: Node, upstream: Array, values: Sequence[Any]) -> Array:
    """What ``pulled`` gives for a sum or a mean: every element of what it adds up has the same share."""
    (operand,) = prepared_operands(graph, node, values)
    call, lead = _call(graph, node), int(node.batched)
    own = [1 if axis in call.axes() else size for axis, size in enumerate(operand.shape)][lead:]
    upstream = np.broadcast_to(upstream, values[node.index].shape) if upstream.ndim == 0 else upstream
    further = upstream.shape[: upstream.ndim - len(node.shape)]
    with np.errstate(all="ignore"):
        share = upstream / (operand.size / values[node.index].size) if node.op == "mean" else upstream
    return np.array(np.broadcast_to(share.reshape((*further, *own)), (*further, *operand.shape[lead:])))


def _factor(graph: Graph, node: Node, place: int, values: Sequence[Any]) -> Any:
    if node.op in ("mean_rows", "sum_rows"):
        rows = values[node.operands[0]]
        return np.full(rows.shape, 1.0 / rows.size if node.op == "mean_rows" else 1.0)
    operands = prepared_operands(graph, node, values)
    first, second = (*operands, operands[0])[:2]
    with np.errstate(all="ignore"):
        return _PARTIALS[str(node.op)][place](first, second, values[node.index], node.constant)


@np.errstate(all="ignore")
def joined(node: Node, left: Any, right: Any, rows: bool) -> Array:
    """The sum of two partials by ``node`` of something that has ``rows`` or not; where a formula uses it in different
    shapes, each is added up in the node's own first."""
    if left.shape != right.shape:
        left, right = (_gathered(node, value, int(rows)) for value in (left, right))
    return added(left, right)


def _gathered(node: Node, value: Array, lead: int) -> Array:
    further = tuple(range(lead, value.ndim - len(node.shape)))
    value = value.sum(axis=further) if further else value
    own = tuple(axis for axis, size in enumerate(node.shape, lead) if size == 1 and value.shape[axis] != 1)
    return value.sum(axis=own, keepdims=True) if own else value


@np.errstate(all="ignore")
def added(left: Any, right: Any) -> Array:
    """The sum of two gradients of the same node."""
    return np.asarray(left + right)


@np.errstate(all="ignore")
def scaled(node: Node, value: Any, factor: Any) -> Array | None:
    """``value``, in the shape of ``node``, times a partial of it; None where their elements do not correspond."""
    if value.shape == factor.shape or value.ndim == 0:
        return np.asarray(value * factor)
    if node.batched and node.shape == ():
        return np.asarray(value.reshape(-1, *(1,) * (factor.ndim - 1)) * factor)
    return None


@np.errstate(all="ignore")
def collected(value: Any, node: Node) -> Array:
    """What ``pulled`` gave, added up in the shape of ``node``."""
    shape = (value.shape[:1] if node.batched else ()) + node.shape
    lead = value.ndim - len(shape)
    prepared = (1,) * lead + shape if not node.batched else shape[:1] + (1,) * lead + shape[1:]
    return unbroadcast(value, prepared, shape)


def size(value: Any) -> int:
    """How many numbers it holds."""
    return int(np.size(value))


def unbroadcast(share: Array, prepared: tuple[int, ...], own: tuple[int, ...]) -> Array:
    """A gradient in the shape ``own`` of an operand that was brought to ``prepared`` and broadcast from there."""
    axes = tuple(axis for axis, size in enumerate(prepared) if size == 1 and share.shape[axis] != 1)
    if axes:
        share = share.sum(axis=axes, keepdims=True)
    return np.ascontiguousarray(share).reshape(own)


def _call(graph: Graph, node: Node) -> Call:
    shapes = tuple(graph.nodes[operand].shape for operand in node.operands)
    return Call(shapes, node.static, int(node.batched))


def prepared_operands(graph: Graph, node: Node, values: Sequence[Any]) -> list[Array]:
    """The operands with a first axis wherever the node has rows, and elementwise ones at the node's rank."""
    prepared: list[Array] = []
    for place in node.operands:
        operand, value = graph.nodes[place], values[place]
        missing = 0 if node.op in TENSOR else len(node.shape) - len(operand.shape)
        lead = value.shape[:1] if operand.batched else (1,) if node.batched else ()
        prepared.append(value.reshape((*lead, *(1,) * missing, *operand.shape)))
    return prepared
