"""The table of losses: each row is the formula of one example's loss, in the names of prediction and target.

The formulas are elementwise; where an example has several outputs, the mean (or sum) over them is taken as well, except
for softmax cross-entropy, which is one number for each example.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api.engine.builder import REDUCTIONS
from api.engine.errors import InvalidInput
from api.engine.wording import near_miss, pointer_part, shown

_LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Loss:
    """``formula`` is source text in ``{yhat}``, ``{y}`` and the row's ``fields``; ``latex`` the same as published.

    ``targets`` says what the targets are: ``numbers``, ``0 or 1``, ``-1 or 1``, or ``classes`` (one-hot, or one column
    of whole numbers from 0); ``output`` what a prediction is: a ``value``, the ``probability``, the ``logit`` or the
    ``margin`` of the higher of two classes, or ``logits``, one for each class.
    """

    kind: str
    formula: str
    latex: str
    source: str
    fields: dict[str, float] = field(default_factory=dict)
    targets: str = "numbers"
    output: str = "value"


_ERROR = "({yhat} - {y})"
_TABLE = (
    Loss("squared_error", _ERROR + "**2", r"(\hat{y} - y)^2", "torch.nn.MSELoss"),
    Loss("half_squared_error", "0.5*" + _ERROR + "**2", r"\tfrac{1}{2} (\hat{y} - y)^2", "C. M. Bishop, PRML, eq. 1.2"),
    Loss("absolute_error", "abs" + _ERROR, r"|\hat{y} - y|", "torch.nn.L1Loss"),
    Loss(
        "huber",
        f"minimum(abs{_ERROR}, {{delta}})*(abs{_ERROR} - 0.5*minimum(abs{_ERROR}, {{delta}}))",
        r"\begin{cases} \tfrac{1}{2} e^2 & |e| \le \delta "
        r"\\ \delta (|e| - \tfrac{1}{2} \delta) & |e| > \delta \end{cases},\ e = \hat{y} - y",
        "P. J. Huber, 1964; torch.nn.HuberLoss",
        {"delta": 1.0},
    ),
    Loss(
        "log_cosh",
        f"{_ERROR} + softplus(-2*{_ERROR}) - 0.6931471805599453",
        r"\log \cosh (\hat{y} - y)",
        "keras.losses.LogCosh",
    ),
    Loss(
        "binary_cross_entropy",
        "-({y}*maximum(log({yhat}), -100) + (1 - {y})*maximum(log(1 - {yhat}), -100))",
        r"-(y \log \hat{y} + (1 - y) \log (1 - \hat{y}))",
        "torch.nn.BCELoss, which cuts the logarithm off at -100 as well",
        targets="0 or 1",
        output="probability",
    ),
    Loss(
        "binary_cross_entropy_with_logits",
        "softplus({yhat}) - {yhat}*{y}",
        r"\log (1 + e^{\hat{y}}) - \hat{y} y",
        "torch.nn.BCEWithLogitsLoss",
        targets="0 or 1",
        output="logit",
    ),
    Loss(
        "hinge",
        "relu(1 - {y}*{yhat})",
        r"\max(0, 1 - y \hat{y})",
        "keras.losses.Hinge",
        targets="-1 or 1",
        output="margin",
    ),
    Loss(
        "softmax_cross_entropy",
        "-sum({y}*log_softmax({yhat}))",
        r"-\sum_k y_k \log \mathrm{softmax}(\hat{y})_k",
        "torch.nn.CrossEntropyLoss, on logits",
        targets="classes",
        output="logits",
    ),
)  # fmt: skip

LOSSES: dict[str, Loss] = {row.kind: row for row in _TABLE}


def resolve(body: Mapping[str, Any], expression: bool) -> dict[str, Any]:
    """A loss's object with its defaults filled in; an ``expression`` is its own loss and has only a reduction.

    Raises ``InvalidInput`` below ``/loss``.
    """
    kind = body.get("kind", "squared_error")
    if not expression and kind not in LOSSES:
        hint = near_miss(str(kind), LOSSES) or "; there are " + ", ".join(LOSSES)
        raise InvalidInput(f"there is no loss {shown(kind)}{hint}", "/loss/kind")
    numbers = {} if expression else LOSSES[kind].fields
    fields = ("reduction",) if expression else ("kind", "reduction", *numbers)
    for name in body:
        if name not in fields:
            reason = "a formula is its own loss: loss may hold only reduction" if expression else "unknown field"
            raise InvalidInput(reason + near_miss(name, fields), f"/loss/{pointer_part(name)}")
    reduction = body.get("reduction", "mean")
    if reduction not in REDUCTIONS:
        raise InvalidInput(f"there is no reduction {shown(reduction)}; there are mean, sum", "/loss/reduction")
    values: dict[str, Any] = {}
    for name, default in numbers.items():
        value = body.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LARGEST:
            raise InvalidInput(f"{name} must be a finite number above 0, not {shown(value)}", f"/loss/{name}")
        values[name] = float(value)
    return {"reduction": reduction} if expression else {"kind": kind, "reduction": reduction, **values}
