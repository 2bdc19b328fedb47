"""The built-in data sets, as a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dataset:
    """A built-in data set; once published its rows never change, since sessions keep only its name."""

    name: str
    title: str
    columns: tuple[str, ...]
    targets: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]
    source: str


DATASETS: dict[str, Dataset] = {
    row.name: row
    for row in (
        Dataset(
            "article",
            "Six rows of y = x1 − 2·x2, without noise",
            ("x1", "x2", "y"),
            ("y",),
            ((4, 1, 2), (2, 8, -14), (1, 0, 1), (3, 2, -1), (1, 4, -7), (6, 7, -8)),
            "R. Karim, “Step-by-step Tutorial on Linear Regression with Stochastic Gradient Descent”",
        ),
    )
}
