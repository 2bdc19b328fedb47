"""Metrics of the rows held out: right, and the same whichever way an epoch was gone through."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from api.engine.forward import forward
from api.engine.kernels import kernels
from api.training.definition import Definition, define
from api.training.evaluation import metrics
from api.training.presets import PRESETS
from api.training.run import Goal, Stretch, advance
from api.training.session import Session
from api.training.snapshot import EpochEnd, Metrics, Snapshot

SPLIT = {"validation": 0.2, "test": 0.1}
IRIS: dict[str, Any] = {"model": {"kind": "preset", "name": "softmax_classifier"}, "split": SPLIT}
BODIES: dict[str, dict[str, Any]] = {
    name: {"model": {"kind": "preset", "name": name}, "split": SPLIT} for name in PRESETS
}
BODIES |= {
    "article": {"split": SPLIT, "optimizer": {"learning_rate": 0.01}},
    "article-sum": {"split": SPLIT, "loss": {"reduction": "sum"}, "optimizer": {"kind": "adam"}, "batch_size": 3},
    "article-shuffled": {"split": {"test": 2}, "shuffle": True, "batch_size": 3, "schedule": {"kind": "plateau"}},
    "scalars": {
        "model": {
            "kind": "mlp", "scalars": True,
            "layers": [{"units": 3, "activation": "tanh"}, {"units": 1, "activation": "sigmoid"}],
        },
        "data": {"dataset": "moons"}, "split": SPLIT, "batch_size": 16,
    },
}  # fmt: skip


def stepped(definition: Definition, steps: int) -> tuple[Session, list[EpochEnd]]:
    session, ends = Session.start(definition), []
    for _ in range(steps):
        session = session.forward().backward().update()
        ends += [end for end in [EpochEnd.of(session.snapshot)] if end]
    return session, ends


def epochs(definition: Definition, count: int) -> int:
    """So many epochs in steps, and one step more."""
    return count * math.ceil(definition.row_count / definition.batch_size) + 1


def same(one: Snapshot, other: Snapshot) -> bool:
    values = all(
        np.asarray(one.parameters[name]).tobytes() == np.asarray(other.parameters[name]).tobytes()
        for name in one.parameters
    )
    return values and (one.position, one.progress) == (other.position, other.progress)


@pytest.mark.parametrize("name", BODIES)
def test_metrics_are_the_same_by_steps_runs_slices_and_replays(name: str) -> None:
    definition = define(BODIES[name])
    steps = epochs(definition, 3)
    session, ends = stepped(definition, steps)
    assert len(ends) == steps // math.ceil(definition.row_count / definition.batch_size) > 2
    assert session.snapshot.progress.metrics is not None
    start = Session.start(definition).snapshot
    whole = advance(definition, start, goal=Goal(steps), seconds=math.inf)
    assert list(whole.epochs) == ends
    assert same(whole.end, session.snapshot)
    assert same(advance(definition, start, steps=steps).end, session.snapshot)
    parts, goal, at = list[Stretch](), Goal(steps), start
    while not parts or parts[-1].stopped_by is None:
        parts.append(advance(definition, at, goal=goal, seconds=math.inf, most=2))
        goal, at = parts[-1].goal, parts[-1].end
    assert [end for part in parts for end in part.epochs] == ends
    assert same(at, session.snapshot)
    for ahead in range(1, steps, 2):
        half = advance(definition, start, steps=ahead).end
        assert same(advance(definition, half, steps=steps - ahead).end, session.snapshot)


@pytest.mark.parametrize("name", BODIES)
def test_a_loss_is_what_the_forward_pass_records_for_these_rows_as_one_batch(name: str) -> None:
    definition = define(BODIES[name])
    session, ends = stepped(definition, epochs(definition, 1) - 1)
    found = ends[-1].metrics
    assert found == metrics(definition, session.parameters)
    use, graph = kernels(definition.graph), definition.graph
    for part, loss in (("validation", found.validation_loss), ("test", found.test_loss)):
        rows = getattr(definition.split, part)
        inputs = {key: use.given(value) for key, value in definition.inputs(rows).items()}
        recorded = forward(graph, session.parameters, inputs)[graph.loss] if rows else None
        assert loss == (None if recorded is None else float(recorded))


def test_metrics_of_iris_are_those_computed_apart() -> None:
    definition = define(IRIS)
    session, ends = stepped(definition, epochs(definition, 5) - 1)
    data = definition.data
    assert data is not None
    train = data.given[list(definition.split.train), :4]
    rows = data.given[list(definition.split.validation)]
    scaled = (rows[:, :4] - train.mean(axis=0)) / train.std(axis=0)
    logits = scaled @ np.asarray(session.parameters["W1"]) + np.asarray(session.parameters["b1"])
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    species = rows[:, 4].astype(int)
    loss = -np.log(shares[np.arange(len(species)), species]).mean()
    assert ends[-1].metrics.validation_loss == pytest.approx(loss, rel=1e-12)
    assert ends[-1].metrics.validation_accuracy == np.mean(logits.argmax(axis=1) == species)


def test_the_mean_loss_of_an_epoch_is_the_mean_of_its_batches() -> None:
    definition = define(BODIES["article"])
    session, losses = Session.start(definition), []
    for _ in range(4):
        session = session.forward().backward()
        losses.append(session.loss or 0.0)
        session = session.update()
    end = EpochEnd.of(session.snapshot)
    assert end is not None
    assert end.step == 3
    assert end.loss == pytest.approx(sum(losses) / 4, rel=1e-15)


def test_nothing_is_measured_before_an_epoch_is_finished_nor_without_rows_held_out() -> None:
    definition = define(BODIES["article"])
    session, ends = stepped(definition, 3)
    assert (ends, session.snapshot.progress.metrics) == ([], None)
    plain, some = stepped(define({"optimizer": {"learning_rate": 0.01}}), 13)
    assert plain.snapshot.progress.metrics is None
    assert [(end.step, end.metrics) for end in some] == [(5, Metrics()), (11, Metrics())]


def test_a_run_that_diverges_keeps_the_metrics_of_its_finished_epochs() -> None:
    definition = define({"split": {"validation": 2}})
    whole = advance(definition, Session.start(definition).snapshot, goal=Goal(10**6), seconds=math.inf)
    assert whole.stopped_by == "diverged"
    steps = whole.end.position.step
    session, ends = stepped(definition, steps)
    assert list(whole.epochs) == ends
    assert same(whole.end, session.snapshot)
    assert len(ends) == steps // 4 > 100


def test_held_out_rows_that_overflow_do_not_stop_the_training() -> None:
    data = {"columns": ["x", "y"], "rows": [[1, 1], [2, 2], [1e200, 1], [3, 3]]}
    definition = define({"data": data, "split": {"validation_rows": [2]}, "optimizer": {"learning_rate": 0.01}})
    session, _ = stepped(definition, 3)
    assert session.snapshot.progress.metrics == Metrics(math.inf)
    whole = advance(definition, Session.start(definition).snapshot, goal=Goal(300), seconds=math.inf)
    assert (whole.stopped_by, len(whole.epochs)) == ("completed", 100)


def test_a_change_by_hand_keeps_the_last_epoch_s_metrics() -> None:
    session, _ = stepped(define(BODIES["article"]), 4)
    changed = session.patch({"batch_size": 3, "parameters": {"w1": 0.5}})
    assert changed.snapshot.progress.metrics == session.snapshot.progress.metrics
    after = changed.forward().backward().update()
    assert replace(after.snapshot.progress, metrics=None) != after.snapshot.progress
