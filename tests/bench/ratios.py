"""How figures are taken here: interleaved repeats in one process, medians, and only their ratios told."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ratio:
    """One line of the table: what was divided by what, both medians of one run, and the target where there is one."""

    fact: str
    value: float | None
    note: str = ""


def seconds(action: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def medians(actions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The median time of each action, all of them run in turn, so that a slow moment of the machine meets them all."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            times[name].append(seconds(action))
    return {name: statistics.median(taken) for name, taken in times.items()}


def show(ratios: Iterable[Ratio]) -> None:
    """The ratios as a Markdown table on standard output."""
    sys.stdout.write("| fact | ratio | note |\n|---|---|---|\n")
    for ratio in ratios:
        value = "–" if ratio.value is None else f"{ratio.value:.3g}"
        sys.stdout.write(f"| {ratio.fact} | {value} | {ratio.note} |\n")
    sys.stdout.flush()
