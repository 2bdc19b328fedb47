"""Mistakes that the shape of an answer gives away: the right numbers, not added up or the wrong way round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.grading.closeness import Closeness

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Misshapen:
    """One row: ``undone`` makes of a given array what should have been given, None where that is impossible; it is told
    the shape that is expected and the number of rows. ``wrong`` makes the mistake."""

    code: str
    anchor: str
    sentence: str
    undone: Callable[[Array, tuple[int, ...], int], Array | None]
    wrong: Callable[[Array, Array], Array]
    biases: bool | None = None
    """Whether it is told of biases only, of other parameters and quantities only, or of all."""

    def document(self) -> dict[str, Any]:
        """As answers tell it."""
        return {"code": self.code, "message": self.sentence, "link": f"/guide.html#{self.anchor}", "also": []}


def _turned(given: Array, wanted: tuple[int, ...], _rows: int) -> Array | None:
    return given.T if given.shape == wanted[::-1] else None


def _added(given: Array, wanted: tuple[int, ...], rows: int) -> Array | None:
    return given.sum(axis=0) if given.shape == (rows, *wanted) else None


def _averaged(given: Array, wanted: tuple[int, ...], rows: int) -> Array | None:
    return given.mean(axis=0) if given.shape == (rows, *wanted) else None


def _one_for_all(given: Array, wanted: tuple[int, ...], _rows: int) -> Array | None:
    return given.reshape(()) if given.size == 1 and wanted else None


SHAPES: tuple[Misshapen, ...] = (
    Misshapen("bias_not_summed", "reduction",
              "This has one gradient of the bias for each row: add them up over the rows.",
              _added, lambda _right, rows: rows, True),
    Misshapen("rows_not_added_up", "reduction", "This has one number for each row: add them up over the rows.",
              _added, lambda _right, rows: rows, False),
    Misshapen("loss_not_averaged", "reduction", "This has one number for each row: take their mean.",
              _averaged, lambda _right, rows: rows),
    Misshapen("matrix_not_transposed", "matrix-transpose", "The matrix is the wrong way round: transpose it.",
              _turned, lambda right, _rows: right.T),
    Misshapen("bias_units_mixed", "reduction", "Each unit has a number of its own: do not add up over the units.",
              _one_for_all, lambda right, _rows: right.sum()),
)  # fmt: skip


def misshapen(
    given: Sequence[float],
    own: tuple[int, ...],
    expected: Sequence[float],
    wanted: tuple[int, ...],
    rows: int,
    bias: bool,
    closeness: Closeness,
) -> Misshapen | None:
    """The mistake by which numbers of shape ``own`` became those of shape ``wanted``, if it is in the table."""
    array = np.asarray(given, dtype=np.float64).reshape(own)
    right = np.asarray(expected, dtype=np.float64).reshape(wanted)
    for row in SHAPES:
        undone = row.undone(array, wanted, rows) if row.biases in (None, bias) else None
        if undone is not None:
            aim = right.sum() if undone.shape != right.shape else right
            if closeness.agree(undone.ravel().tolist(), np.ravel(aim).tolist()):
                return row
    return None
