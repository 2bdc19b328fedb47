"""1,000 epochs of the article's model at rate 0.01: ``advance`` against the same loop written by hand, and micrograd.

All of them take the same 6,000 steps from the same start and keep the loss of each; they must end at the same weights.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence

from api.training.data import from_body
from api.training.definition import Definition, define
from api.training.limits import Limits
from api.training.run import Goal, advance
from api.training.session import Session
from api.training.snapshot import Snapshot
from tests.bench.ratios import Ratio, medians, seconds

EPOCHS = 1_000
RATE = 0.01
START = {"w1": -0.017, "w2": -0.048, "b": 0.0}
Rows = Sequence[tuple[float, float, float]]
Outcome = tuple[float, float, float, int]


def measure() -> list[Ratio]:
    """A run ÷ the loop by hand (at most 1.0), its first time with compiling ÷ the same, and a run ÷ micrograd."""
    table = from_body({"dataset": "article"}, limits=Limits())
    rows = [(x1, x2, y) for x1, x2, y in table.rows.tolist()]
    body = {"optimizer": {"kind": "sgd", "learning_rate": RATE}}
    definition = define(body)
    snapshot = Session.start(definition).snapshot
    first = seconds(lambda: run(definition, snapshot))
    agree(run(definition, snapshot), by_hand(rows))
    taken = medians({"run": lambda: run(definition, snapshot), "hand": lambda: by_hand(rows)}, repeats=41)
    ratios = [
        Ratio("1,000 epochs of the article ÷ the loop by hand", taken["run"] / taken["hand"], "at most 1.0"),
        Ratio("… the first such run of a process, compiling included ÷ the loop by hand", first / taken["hand"]),
    ]
    if importlib.util.find_spec("micrograd") is None:
        return [*ratios, Ratio("micrograd ÷ 1,000 epochs of the article", None, "pip install micrograd")]
    agree(by_micrograd(rows), by_hand(rows))
    taken = medians({"run": lambda: run(definition, snapshot), "micrograd": lambda: by_micrograd(rows)}, repeats=7)
    return [*ratios, Ratio("micrograd ÷ 1,000 epochs of the article", taken["micrograd"] / taken["run"], "at least 80")]


def run(definition: Definition, snapshot: Snapshot) -> Outcome:
    """Stretch after stretch until the goal is reached, as a session's run goes, without its store."""
    goal, losses = Goal.of(snapshot.position, {"epochs": EPOCHS}), list[float]()
    stopped = None
    while stopped is None:
        stretch = advance(definition, snapshot, goal=goal)
        snapshot, stopped = stretch.end, stretch.stopped_by
        losses += stretch.losses
    w1, w2, b = (float(snapshot.parameters[name]) for name in START)
    return w1, w2, b, len(losses)


def by_hand(rows: Rows) -> Outcome:
    """What one would write who wants the numbers and nothing else."""
    w1, w2, b = START.values()
    losses = []
    for _ in range(EPOCHS):
        for x1, x2, y in rows:
            error = w1 * x1 + w2 * x2 + b - y
            losses.append(error * error)
            slope = 2 * error
            w1 -= RATE * (slope * x1)
            w2 -= RATE * (slope * x2)
            b -= RATE * slope
    return w1, w2, b, len(losses)


def by_micrograd(rows: Rows) -> Outcome:
    """The same with a graph of ``Value`` objects for each step."""
    value = importlib.import_module("micrograd.engine").Value  # not installed with the tests, and without types
    parameters = [value(start) for start in START.values()]
    w1, w2, b = parameters
    losses = []
    for _ in range(EPOCHS):
        for x1, x2, y in rows:
            loss = (w1 * x1 + w2 * x2 + b - y) ** 2
            for parameter in parameters:
                parameter.grad = 0.0
            loss.backward()
            losses.append(loss.data)
            for parameter in parameters:
                parameter.data -= RATE * parameter.grad
    return float(w1.data), float(w2.data), float(b.data), len(losses)


def agree(one: Outcome, other: Outcome) -> None:
    """Raises ``AssertionError`` unless both trained the same: speed that errs is not compared."""
    if one[3] != other[3] or not all(math.isclose(a, c, abs_tol=1e-9) for a, c in zip(one, other, strict=True)):
        raise AssertionError(f"the runs disagree: {one} and {other}")
