"""Formulas with numbers put in, worked out as a reader would: to see whether they say what they should."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from api.engine.arrays import FORWARD
from api.engine.tensor_ops import TENSOR, Call
from api.engine.terms import Apply, Matrix, Number, Term

Array = NDArray[np.float64]
_COMPARED = {"greater": np.greater, "above": np.greater, "less": np.less, "below": np.less, "equal": np.equal}


def worked_out(tree: Term) -> Array | None:
    """What a reader would get; None where there is a name left, or what is no calculation with these shapes."""
    if isinstance(tree, Number | Matrix):
        return np.asarray(tree.value)
    if not isinstance(tree, Apply):
        return None
    arguments = [worked_out(one) for one in tree.arguments]
    known = [one for one in arguments if one is not None]
    if len(known) < len(arguments):
        return None
    try:
        with np.errstate(all="ignore"):
            return _applied(tree, known)
    except (ValueError, TypeError):
        return None


def _applied(tree: Apply, arguments: list[Array]) -> Array | None:
    if tree.operation in TENSOR:
        shapes = tuple(one.shape for one in arguments)
        TENSOR[tree.operation].shape(shapes, tree.static)
        return np.asarray(TENSOR[tree.operation].forward(Call(shapes, tree.static, 0), *arguments))
    first, second = (*arguments, arguments[0])[:2]
    if tree.operation in FORWARD:
        return np.asarray(FORWARD[tree.operation](first, second, None, tree.exponent))
    return _COMPARED[tree.operation](first, second).astype(np.float64) if tree.operation in _COMPARED else None


def settled(tree: Term) -> Term:
    """``tree`` with ½ said wherever it compares numbers that are equal, and the convention for ties is that."""
    if not isinstance(tree, Apply):
        return tree
    arguments = tuple(map(settled, tree.arguments))
    if tree.operation in ("above", "below"):
        left, right = map(worked_out, arguments)
        if left is not None and right is not None and left.shape == right.shape == () and left == right:
            return Apply("equal", arguments) / 2
    return Apply(tree.operation, arguments, tree.exponent, tree.static)
