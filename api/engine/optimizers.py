"""The table of optimisers: one row each, its rule as the lines of its published formula.

A line assigns a symbol. ``w`` is the parameter, ``g`` its gradient ∂L/∂w at the present w; the other names are the
row's fields. The last line of every rule assigns the new ``w``. Stepping, bulk runs and the explanation of an update
are all made from these same lines. Sources: PyTorch 2.13 and Keras 3.15 for their dialects; R. Karim, "10 Gradient
Descent Optimisation Algorithms", for the article's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from api.engine.ops import KERNELS

DIALECTS = ("torch", "keras", "article")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a rule: ``symbol`` := ``formula`` over floats; ``latex`` is the right-hand side as published."""

    symbol: str
    formula: str
    latex: str


@dataclass(frozen=True, slots=True)
class Optimizer:
    """One row: ``fields`` with their defaults by dialect, ``slots`` carried from step to step, ``rule`` by dialect."""

    kind: str
    title: str
    fields: Mapping[str, Mapping[str, float]]
    slots: tuple[str, ...]
    rule: Mapping[str, tuple[Line, ...]]
    source: str


_DESCENT = (Line("w", "w - learning_rate * g", r"w - \eta \, \frac{\partial L}{\partial w}"),)

_TABLE = (
    Optimizer(
        kind="sgd",
        title="Stochastic gradient descent",
        fields={
            "torch": {"learning_rate": 0.001},
            "keras": {"learning_rate": 0.01},
            "article": {"learning_rate": 0.01},
        },
        slots=(),
        rule=dict.fromkeys(DIALECTS, _DESCENT),
        source="H. Robbins, S. Monro, A Stochastic Approximation Method, 1951; torch.optim.SGD; keras.optimizers.SGD",
    ),
)

OPTIMIZERS: dict[str, Optimizer] = {row.kind: row for row in _TABLE}


@lru_cache(maxsize=256)
def kernel(kind: str, dialect: str) -> Callable[..., list[float]]:
    """The rule as a function of ``w``, ``g`` and the fields and slots by name; it gives each line's value in turn."""
    row = OPTIMIZERS[kind]
    names = ["w", "g", *row.fields[dialect], *row.slots]
    lines = [f"    {line.symbol} = {line.formula}\n    out.append({line.symbol})\n" for line in row.rule[dialect]]
    text = f"def rule({', '.join(names)}):\n    out = []\n{''.join(lines)}    return out\n"
    space = dict(KERNELS)
    exec(text, space)  # noqa: S102 - the text is our own table's
    rule: Callable[..., list[float]] = space["rule"]  # type: ignore[assignment]
    return rule
