"""The table of losses: each row is the formula of one example's loss, in the names of prediction and target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Loss:
    """``formula`` is source text in ``{yhat}`` and ``{y}``; ``latex`` the same as published."""

    kind: str
    formula: str
    latex: str
    source: str


_TABLE = (
    Loss("squared_error", "({yhat} - {y})**2", r"(\hat{y} - y)^2", "torch.nn.MSELoss"),
    Loss("half_squared_error", "0.5*({yhat} - {y})**2", r"\tfrac{1}{2} (\hat{y} - y)^2", "C. M. Bishop, PRML, eq. 1.2"),
    Loss("absolute_error", "abs({yhat} - {y})", r"|\hat{y} - y|", "torch.nn.L1Loss"),
)

LOSSES: dict[str, Loss] = {row.kind: row for row in _TABLE}
