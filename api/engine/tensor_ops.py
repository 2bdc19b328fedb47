"""The table of operations that work on whole tensors: one row each, and being in it is being tested.

A row's functions take arrays in which the batch, where there is one, is the first axis; ``lead`` is 1 then, else 0. An
operand without rows comes with a first axis of length 1 beside one that has them. ``shape`` speaks of one example, as
formulas do, and raises ``ValueError`` with a sentence where the operands do not fit; ``axis`` counts an example's axes.

``vjp`` gives for each operand ∂L/∂y · ∂y/∂operand; ``cotangent`` is the same as a formula. A tie of ``max`` shares the
gradient evenly, as PyTorch's ``amax`` does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.engine.terms import Name, Term, apply

Array = NDArray[np.float64]
Shape = tuple[int, ...]
Static = tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """How an operation is called: its operands' ``shapes`` and ``static`` options, of one example, and ``lead``."""

    shapes: tuple[Shape, ...]
    static: Static
    lead: int

    def axis(self) -> int | None:
        """The ``axis`` option as an axis of the array, None if it is left out."""
        given = dict(self.static).get("axis")
        return None if given is None else given % len(self.shapes[0]) + self.lead

    def axes(self) -> tuple[int, ...]:
        """The axes that a reduction goes over: the one given, else all but the batch."""
        axis = self.axis()
        return tuple(range(self.lead, self.lead + len(self.shapes[0]))) if axis is None else (axis,)


@dataclass(frozen=True, slots=True)
class TensorOperation:
    """One row."""

    name: str
    arity: int
    shape: Callable[[Sequence[Shape], Static], Shape]
    forward: Callable[..., Array]
    vjp: Callable[..., tuple[Array, ...]]
    cotangent: Callable[..., tuple[Term, ...]]
    meaning: str
    options: tuple[str, ...] = ()
    function: bool = True
    variadic: bool = False


# shapes


def _axis_of(shape: Shape, static: Static) -> int | None:
    axis = dict(static).get("axis")
    if axis is not None and not -len(shape) <= axis < len(shape):
        raise ValueError(f"there is no axis {axis} in shape {list(shape)}; the batch is not counted")
    return axis


def _reduced(shapes: Sequence[Shape], static: Static) -> Shape:
    (shape,) = shapes
    axis = _axis_of(shape, static)
    return () if axis is None else tuple(size for place, size in enumerate(shape) if place != axis % len(shape))


def _same(shapes: Sequence[Shape], static: Static) -> Shape:
    (shape,) = shapes
    if not shape:
        raise ValueError("this needs a vector or a matrix, not a number")
    _axis_of(shape, static)
    return shape


def _product_shape(shapes: Sequence[Shape], _static: Static) -> Shape:
    left, right = shapes
    if not left or not right:
        raise ValueError("@ needs vectors or matrices; numbers are multiplied with *")
    if len(left) > 2 or len(right) > 2:
        raise ValueError("@ takes vectors and matrices")
    if left[-1] != right[0]:
        raise ValueError(f"shapes {list(left)} and {list(right)} do not fit: {left[-1]} is not {right[0]}")
    return left[:-1] + right[1:]


def _turned(shapes: Sequence[Shape], _static: Static) -> Shape:
    return tuple(reversed(shapes[0]))


def _joined(shapes: Sequence[Shape], static: Static) -> Shape:
    first = shapes[0]
    if not first:
        raise ValueError("concat needs vectors or matrices, not numbers")
    axis = (_axis_of(first, static) or 0) % len(first)
    for other in shapes[1:]:
        if len(other) != len(first) or any(
            a != b for k, (a, b) in enumerate(zip(first, other, strict=True)) if k != axis
        ):
            raise ValueError(f"shapes {list(first)} and {list(other)} do not fit along axis {axis}")
    return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])


def _new_shape(shapes: Sequence[Shape], static: Static) -> Shape:
    wanted = tuple(size or 0 for _, size in static)
    count = math.prod(shapes[0])
    if -1 in wanted:
        known = math.prod(size for size in wanted if size != -1)
        if wanted.count(-1) > 1 or known <= 0 or count % known:
            raise ValueError(f"{count} numbers do not fill shape {list(wanted)}")
        wanted = tuple(count // known if size == -1 else size for size in wanted)
    if any(size < 1 for size in wanted) or math.prod(wanted) != count:
        raise ValueError(f"{count} numbers do not fill shape {list(wanted)}")
    return wanted


def picked(shape: Shape, static: Static) -> tuple[int | slice, ...]:
    """An index's items as Python's own, checked against ``shape``."""
    items: list[int | slice] = []
    pairs = iter(static)
    for kind, value in pairs:
        place = len(items)
        if place >= len(shape):
            raise ValueError(f"too many indices for shape {list(shape)}; the batch is not counted")
        if kind == "at":
            at = value or 0
            if not -shape[place] <= at < shape[place]:
                raise ValueError(f"index {at} is outside of shape {list(shape)}")
            items.append(at)
        else:
            part = slice(value, next(pairs)[1])
            if not len(range(*part.indices(shape[place]))):
                raise ValueError(f"this range of shape {list(shape)} is empty")
            items.append(part)
    return tuple(items)


def _picked_shape(shapes: Sequence[Shape], static: Static) -> Shape:
    (shape,) = shapes
    items = picked(shape, static)
    taken = [
        len(range(*item.indices(size))) for item, size in zip(items, shape, strict=False) if isinstance(item, slice)
    ]
    return (*taken, *shape[len(items) :])


# forward and vector-Jacobian products


def _matmul(call: Call, a: Array, b: Array) -> Array:
    left, right = call.shapes
    if call.lead and len(left) == 1 and b.shape[0] == 1:
        return np.asarray(np.dot(a, b[0]))  # every row with the same matrix is one matrix product
    a = a[..., None, :] if len(left) == 1 else a
    b = b[..., :, None] if len(right) == 1 else b
    y = a @ b
    y = y[..., 0] if len(right) == 1 else y
    if len(left) == 1:
        y = y[..., 0] if len(right) == 1 else y[..., 0, :]
    return np.asarray(y)


def _matmul_vjp(call: Call, g: Array, _y: Array, a: Array, b: Array) -> tuple[Array, Array]:
    left, right = call.shapes
    if call.lead and len(left) == 1 and len(right) == 2 and b.shape[0] == 1 and a.shape[0] == g.shape[0]:
        return np.dot(g, b[0].T), np.dot(a.T, g)[None]
    g = g[..., None, :] if len(left) == 1 and len(right) == 2 else g
    g = g[..., :, None] if len(right) == 1 and len(left) == 2 else g
    g = g[..., None, None] if len(left) == 1 and len(right) == 1 else g
    matrix_a = a[..., None, :] if len(left) == 1 else a
    matrix_b = b[..., :, None] if len(right) == 1 else b
    to_a = g @ np.swapaxes(matrix_b, -1, -2)
    to_b = np.swapaxes(matrix_a, -1, -2) @ g
    return (to_a[..., 0, :] if len(left) == 1 else to_a), (to_b[..., :, 0] if len(right) == 1 else to_b)


def _transpose(call: Call, a: Array) -> Array:
    axes = range(len(call.shapes[0]))
    return a.transpose(*range(call.lead), *(call.lead + axis for axis in reversed(axes)))


def _kept(call: Call, y: Array) -> Array:
    """``y`` with the axes that the reduction took away as axes of length 1."""
    for axis in call.axes():
        y = np.expand_dims(y, axis)
    return y


def _sum(call: Call, a: Array) -> Array:
    return np.asarray(a.sum(axis=call.axes()))


def _sum_vjp(call: Call, g: Array, _y: Array, a: Array) -> tuple[Array]:
    return (np.broadcast_to(_kept(call, g), a.shape),)


def _count(call: Call, a: Array) -> float:
    return float(math.prod(a.shape[axis] for axis in call.axes()))


def _mean(call: Call, a: Array) -> Array:
    return np.asarray(a.sum(axis=call.axes()) / _count(call, a))


def _mean_vjp(call: Call, g: Array, _y: Array, a: Array) -> tuple[Array]:
    return (np.broadcast_to(_kept(call, g / _count(call, a)), a.shape),)


def _max(call: Call, a: Array) -> Array:
    return np.asarray(a.max(axis=call.axes()))


def _max_vjp(call: Call, g: Array, y: Array, a: Array) -> tuple[Array]:
    hit = (a == _kept(call, y)).astype(np.float64)
    return (_kept(call, g) * hit / hit.sum(axis=call.axes(), keepdims=True),)


def _logsumexp(call: Call, a: Array) -> Array:
    top = a.max(axis=call.axes(), keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.exp(a - top).sum(axis=call.axes())
    return np.asarray(np.log(total) + top.reshape(total.shape))


def _logsumexp_vjp(call: Call, g: Array, y: Array, a: Array) -> tuple[Array]:
    return (_kept(call, g) * np.exp(a - _kept(call, y)),)


def _last(call: Call) -> int:
    axis = call.axis()
    return -1 if axis is None else axis


def _softmax(call: Call, a: Array) -> Array:
    small = np.exp(a - a.max(axis=_last(call), keepdims=True))
    return np.asarray(small / small.sum(axis=_last(call), keepdims=True))


def _softmax_vjp(call: Call, g: Array, y: Array, _a: Array) -> tuple[Array]:
    return (y * (g - (g * y).sum(axis=_last(call), keepdims=True)),)


def _log_softmax(call: Call, a: Array) -> Array:
    low = a - a.max(axis=_last(call), keepdims=True)
    return np.asarray(low - np.log(np.exp(low).sum(axis=_last(call), keepdims=True)))


def _log_softmax_vjp(call: Call, g: Array, y: Array, _a: Array) -> tuple[Array]:
    return (g - np.exp(y) * g.sum(axis=_last(call), keepdims=True),)


def _concat(call: Call, *parts: Array) -> Array:
    rows = max(part.shape[0] for part in parts) if call.lead else 0
    whole = [np.broadcast_to(part, (rows, *part.shape[1:])) if call.lead else part for part in parts]
    return np.concatenate(whole, axis=call.axis() or call.lead)


def _concat_vjp(call: Call, g: Array, _y: Array, *parts: Array) -> tuple[Array, ...]:
    axis = call.axis() or call.lead
    ends = np.cumsum([part.shape[axis] for part in parts])[:-1]
    return tuple(np.split(g, ends, axis=axis))


def _reshape(call: Call, a: Array) -> Array:
    return a.reshape(*a.shape[: call.lead], *_new_shape(call.shapes, call.static))


def _reshape_vjp(_call: Call, g: Array, _y: Array, a: Array) -> tuple[Array]:
    return (g.reshape(a.shape),)


def _where(call: Call) -> tuple[int | slice, ...]:
    return (slice(None),) * call.lead + picked(call.shapes[0], call.static)


def _index(call: Call, a: Array) -> Array:
    return a[*_where(call), ...]  # always a view, also of a single number


def _index_vjp(call: Call, g: Array, _y: Array, a: Array) -> tuple[Array]:
    whole = np.zeros(a.shape)
    whole[_where(call)] = g
    return (whole,)


def _formula(operation: str) -> Callable[..., tuple[Term, ...]]:
    """The cotangent of operations whose Jacobian has no short formula: named after the operation."""
    return lambda g, y, *operands: tuple(apply(f"{operation}_vjp", g, one) for one in operands)


_TABLE = (
    TensorOperation("matmul", 2, _product_shape, _matmul, _matmul_vjp,
                    lambda g, y, a, b: (apply("matmul", g, apply("transpose", b)),
                                        apply("matmul", apply("transpose", a), g)),
                    "matrix product", function=False),
    TensorOperation("transpose", 1, _turned, _transpose, lambda call, g, y, a: (_transpose(
                        Call((tuple(reversed(call.shapes[0])),), (), call.lead), g),),
                    lambda g, y, a: (apply("transpose", g),), "axes in reverse order"),
    TensorOperation("sum", 1, _reduced, _sum, _sum_vjp, lambda g, y, a: (g,), "sum over an axis, or all", ("axis",)),
    TensorOperation("mean", 1, _reduced, _mean, _mean_vjp, lambda g, y, a: (g / Name("m"),),
                    "mean over an axis, or all", ("axis",)),
    TensorOperation("max", 1, _reduced, _max, _max_vjp, _formula("max"), "largest along an axis, or of all", ("axis",)),
    TensorOperation("logsumexp", 1, _reduced, _logsumexp, _logsumexp_vjp, lambda g, y, a: (g * apply("softmax", a),),
                    "log Σ eᵃ along an axis, or of all", ("axis",)),
    TensorOperation("softmax", 1, _same, _softmax, _softmax_vjp,
                    lambda g, y, a: (y * (g - apply("sum", g * y)),),
                    "eᵃ / Σ eᵃ along an axis, by default the last", ("axis",)),
    TensorOperation("log_softmax", 1, _same, _log_softmax, _log_softmax_vjp,
                    lambda g, y, a: (g - apply("exp", y) * apply("sum", g),),
                    "log softmax along an axis, by default the last", ("axis",)),
    TensorOperation("concat", 2, _joined, _concat, _concat_vjp, _formula("concat"),
                    "one after the other along an axis, by default the first", ("axis",), variadic=True),
    TensorOperation("reshape", 1, _new_shape, _reshape, _reshape_vjp, lambda g, y, a: (apply("reshape", g),),
                    "the same numbers in another shape", (), variadic=True),
    TensorOperation("index", 1, _picked_shape, _index, _index_vjp, _formula("index"),
                    "some of the numbers", function=False),
)  # fmt: skip

TENSOR: dict[str, TensorOperation] = {row.name: row for row in _TABLE}
