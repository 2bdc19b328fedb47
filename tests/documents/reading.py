"""A reader with NumPy at hand, who works a line of an equation out again."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

FUNCTIONS: dict[str, Any] = {
    "array": lambda value: np.array(value, dtype=float),
    "tanh": np.tanh,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "softplus": lambda a: np.logaddexp(a, 0),
    "relu": lambda a: np.maximum(a, 0),
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "abs": np.abs,
    "sign": np.sign,
    "square": np.square,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "identity": lambda a: a,
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "logsumexp": lambda a, axis=None: np.log(np.exp(a).sum(axis=axis)),
    "softmax": lambda a, axis=-1: np.exp(a) / np.exp(a).sum(axis=axis, keepdims=True),
    "log_softmax": lambda a, axis=-1: a - np.log(np.exp(a).sum(axis=axis, keepdims=True)),
    "transpose": np.transpose,
    "concat": lambda *parts, axis=0: np.concatenate(parts, axis=axis),
    "reshape": lambda a, *sizes: np.reshape(a, sizes),
    "Infinity": np.inf,
    "NaN": np.nan,
}


class _Arrays(ast.NodeTransformer):
    """Lists become arrays, a comparison in brackets 1 or 0."""

    def visit_List(self, node: ast.List) -> ast.expr:
        self.generic_visit(node)
        if len(node.elts) == 1 and isinstance(node.elts[0], ast.Compare):
            return ast.BinOp(node.elts[0], ast.Mult(), ast.Constant(1.0))
        return ast.Call(ast.Name("array", ast.Load()), [node], [])


def worked_out(text: str) -> Any:
    """What an equation's right-hand side in numbers comes to."""
    tree = ast.fix_missing_locations(_Arrays().visit(ast.parse(text, mode="eval")))
    with np.errstate(all="ignore"):
        return eval(compile(tree, text, "eval"), FUNCTIONS)  # noqa: S307 - our own text


def gives_its_value(line: dict[str, Any]) -> None:
    """Assert that a line's numbers, where they are all there, come to what it says; one may stand for all."""
    text = line["substituted"]
    if text is None or "…" in text:
        return
    found, value = np.asarray(worked_out(text), dtype=float), np.asarray(line["value"], dtype=float)
    assert found.shape in ((), value.shape, value.shape[:1]), line
    if found.ndim:
        found = found.reshape(found.shape + (1,) * (value.ndim - found.ndim))
    close = np.isclose(np.broadcast_to(found, value.shape), value, rtol=1e-9, atol=1e-12, equal_nan=True)
    assert close.all(), line
