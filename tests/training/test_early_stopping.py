"""Early stopping: where Keras stops, through all slices of a run, and what it asks of a session."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from api.engine.errors import InvalidInput
from api.training.definition import Definition, define
from api.training.early_stopping import EarlyStopping
from api.training.run import Goal, Stretch, advance
from api.training.session import Session
from api.training.snapshot import Metrics, Position, Progress, Snapshot
from tests.libraries import cases
from tests.libraries.made import GOLDEN

NOISY: dict[str, Any] = {
    "model": {"kind": "mlp", "layers": [{"units": 24, "activation": "tanh"}, {"units": 1}]},
    "data": {"dataset": "linear_noise"},
    "split": {"validation": 0.4},
    "batch_size": 10,
    "optimizer": {"kind": "adam", "learning_rate": 0.05},
    "shuffle": True,
}
"""More parameters than rows: the validation loss falls, then rises."""


def after(epoch: int, **metrics: float) -> Snapshot:
    """Where a session stands after an epoch of ten steps."""
    return Snapshot(Position(10 * epoch, epoch + 1, 1, 0), {}, {}, Progress(metrics=Metrics(**metrics)))


def rule(**until: Any) -> EarlyStopping:
    found = EarlyStopping.of(until)
    assert found is not None
    return found


def stopped(body: dict[str, Any]) -> list[float]:
    """After how many epochs the rule stops, its best epoch, and the metric there."""
    early = rule(**body)
    for epoch, value in enumerate(cases.METRICS, start=1):
        early = early.after(after(epoch, **{early.monitor: value}))
        if early.over:
            break
    assert early.best is not None
    assert early.best.step == 10 * early.best.epoch
    return [early.epochs, early.best.epoch, early.best.value]


@pytest.mark.parametrize("name", cases.EARLY_STOPPING)
def test_a_run_stops_where_keras_stops(name: str) -> None:
    stored = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert stopped(cases.EARLY_STOPPING[name]) == stored["early_stopping"][name]


def test_what_is_no_number_is_never_the_best() -> None:
    early = rule(patience=2)
    for epoch, value in enumerate([math.nan, math.inf, math.nan, 3.0, math.nan], start=1):
        early = early.after(after(epoch, validation_loss=value))
        assert not early.over
    assert early.told == {"step": 40, "epoch": 4, "validation_loss": 3.0}
    assert early.after(after(6, validation_loss=math.nan)).over


def run(definition: Definition, until: dict[str, Any], most: int = 10**6) -> list[Stretch]:
    """A run of a thousand epochs in stretches of ``most`` steps."""
    snapshot, stretches = Session.start(definition).snapshot, list[Stretch]()
    goal = Goal.of(snapshot.position, {"epochs": 1000, "until": until})
    while True:
        stretch = advance(definition, snapshot, goal=goal, seconds=math.inf, most=most)
        stretches.append(stretch)
        snapshot, goal = stretch.end, stretch.goal
        if stretch.stopped_by:
            return stretches


@pytest.mark.parametrize("until", [{"patience": 5}, {"patience": 3, "min_delta": 0.001}, {"patience": 0}])
def test_a_run_counts_on_through_its_slices(until: dict[str, Any]) -> None:
    definition = define(NOISY)
    (whole,) = run(definition, until)
    losses = [end.metrics.validation_loss for end in whole.epochs]
    assert whole.stopped_by == "early_stopping"
    for most in (1, 4, 7):
        parts = run(definition, until, most)
        assert len(parts) > 1
        assert parts[-1].stopped_by == "early_stopping"
        assert [end for part in parts for end in part.epochs] == list(whole.epochs)
        assert parts[-1].goal.early == whole.goal.early
    best = whole.goal.early
    assert best is not None
    assert best.best is not None
    assert best.best.value == min(loss for loss in losses if loss is not None) or until.get("min_delta")
    assert best.best.step == 3 * best.best.epoch
    assert len(losses) - best.best.epoch == max(until["patience"], 1)


def test_the_best_step_has_the_best_parameters() -> None:
    definition = define(NOISY)
    (whole,) = run(definition, {"patience": 5})
    early = whole.goal.early
    assert early is not None
    assert early.best is not None
    there = advance(definition, whole.start, steps=early.best.step).end
    assert there.progress.metrics == Metrics(early.best.value)
    ends = [end for end in whole.epochs if end.step == early.best.step - 1]
    assert [end.metrics.validation_loss for end in ends] == [early.best.value]


def test_a_run_without_patience_goes_to_its_end() -> None:
    definition = define(NOISY)
    stretch = advance(definition, Session.start(definition).snapshot, goal=Goal(epoch=40), seconds=math.inf)
    assert (stretch.stopped_by, stretch.goal.early, len(stretch.epochs)) == ("completed", None, 39)


@pytest.mark.parametrize(
    ("body", "until", "pointer", "said"),
    [
        ({}, {"patience": 3}, "/until/patience", "validation rows"),
        ({"split": {"test": 2}}, {"patience": 3}, "/until/patience", "validation rows"),
        ({"data": None, "model": {"kind": "expression", "source": "L = w*w"}}, {"patience": 3}, "/until/patience", ""),
        (NOISY, {"min_delta": 0.1}, "/until/patience", "min_delta goes with patience"),
        (NOISY, {"monitor": "validation_loss"}, "/until/patience", "monitor goes with patience"),
        (NOISY, {"patience": 1, "monitor": "val_loss"}, "/until/monitor", "did you mean 'validation_loss'"),
        (NOISY, {"patience": 1, "monitor": "test_loss"}, "/until/monitor", "no 'test_loss' to monitor"),
        (NOISY, {"patience": 1, "monitor": "validation_accuracy"}, "/until/monitor", "name no classes"),
    ],
)
def test_what_has_no_meaning_is_refused(body: dict[str, Any], until: dict[str, Any], pointer: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        rule(**until).check(define(body))
    assert caught.value.errors[0].pointer == pointer
    assert said in caught.value.detail
