"""Whatever the optimiser, the schedule and the graph: a run gives what stepping gives, to the last bit."""

from __future__ import annotations

import pickle

import pytest

from api.training.definition import Definition, define
from api.training.run import advance
from api.training.session import Session
from tests.libraries import cases
from tests.training.choices import (
    LAYER,
    NESTEROV,
    NETWORK,
    RULES,
    SCHEDULES,
    VARIANTS,
    Body,
    bits,
    same,
    step,
    stepped,
    towards,
)

GRAPHS: dict[str, Body] = {
    "numbers": {},
    "numbers, batches": {"batch_size": 4},
    "tensors": {"model": NETWORK, "batch_size": 4, "shuffle": True},
}
STEPS = 25
"""More than four epochs of six batches, more than eight of two."""


def alike(definition: Definition) -> None:
    """A run at once and one of pieces that end anywhere give what stepping gives."""
    end, losses = stepped(definition, STEPS)
    for most in (STEPS, 7):
        at, found = Session.start(definition).snapshot, list[float]()
        while len(found) < STEPS:
            stretch = advance(definition, at, steps=min(most, STEPS - len(found)))
            at, found = stretch.end, found + stretch.losses
        assert bits(found) == bits(losses)
        same(at, end)


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("rule", VARIANTS)
def test_every_optimiser_runs_bit_for_bit_as_it_steps(rule: str, graph: str) -> None:
    body = {"optimizer": VARIANTS[rule], "seed": 3, **GRAPHS[graph]}
    scheduled = SCHEDULES if define(body).optimizer.get("learning_rate") else ["constant"]
    for schedule in scheduled:
        alike(define({**body, "schedule": SCHEDULES[schedule]}))


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("every", ["epoch", "update"])
@pytest.mark.parametrize("schedule", cases.SCHEDULES)
def test_every_schedule_runs_bit_for_bit_as_it_steps(schedule: str, every: str, graph: str) -> None:
    body = cases.SCHEDULES[schedule] | {"every": every}
    if body["kind"] == "plateau":
        body["every"] = "epoch"  # it has no other
    for rule in ("torch-adam", "article-nesterov-value"):
        optimizer = VARIANTS[rule] | {"learning_rate": 0.005}
        alike(define({"optimizer": optimizer, "schedule": body, **GRAPHS[graph]}))


@pytest.mark.parametrize("graph", ["numbers, batches", "tensors"])
@pytest.mark.parametrize("rule", RULES)
def test_sessions_that_take_turns_stepping_and_running_never_touch_each_other(rule: str, graph: str) -> None:
    definition = define({"optimizer": RULES[rule], **GRAPHS[graph]})
    other = define({"optimizer": RULES[rule], **GRAPHS[graph], "seed": 9})
    mine, theirs = Session.start(definition), Session.start(other)
    for turn in range(4):
        before = pickle.dumps(mine.snapshot)
        theirs = Session(other, advance(other, theirs.snapshot, steps=5).end)
        stretch = advance(definition, mine.snapshot, steps=3)
        assert pickle.dumps(mine.snapshot) == before
        theirs, mine = step(theirs), Session(definition, stretch.end) if turn % 2 else step(step(step(mine)))
    same(mine.snapshot, stepped(definition, 12)[0])
    same(theirs.snapshot, stepped(other, 24)[0])


def test_without_data_every_step_is_an_epoch_to_a_schedule() -> None:
    model = {"kind": "expression", "source": "L = (w - 3)**2"}
    definition = define({"data": None, "model": model, "schedule": SCHEDULES["plateau"]})
    end = towards(definition, steps=30).end
    same(end, stepped(definition, 30)[0])
    assert end.progress.plateau is not None


@pytest.mark.parametrize("model", [{"kind": "linear"}, LAYER], ids=["numbers", "tensors"])
@pytest.mark.parametrize("rule", ["lion-value", "nesterov-value", "sgd-norm", "torch-adam"])
def test_a_run_stops_where_stepping_would_even_if_the_rule_hides_it(rule: str, model: Body) -> None:
    data = {"columns": ["x", "y"], "rows": [[1, 1], [1, 2], [1e200, 3], [1, 4]]}
    definition = define({"optimizer": RULES[rule], "data": data, "model": model})
    session = Session.start(definition).forward().backward()
    while not session.diverged:
        session = session.update().forward().backward()
    assert session.position.step == 2
    stretch = towards(definition, steps=50)
    assert (stretch.stopped_by, len(stretch.losses)) == ("diverged", 2)
    same(stretch.end, session.snapshot)


@pytest.mark.parametrize("optimizer", [{}, {"clip": {"value": 1}}, {"clip": {"norm": 1}}, NESTEROV], ids=str)
def test_a_gradient_that_is_not_finite_is_seen_where_the_loss_is(optimizer: Body) -> None:
    source = "L = sqrt(x*w - w)*0 + (w - 1)**2"  # at x = 1 the root's slope is 1/0
    data = {"columns": ["x", "y"], "rows": [[2, 0], [1, 0], [2, 0]]}
    body = {"model": {"kind": "expression", "source": source}, "data": data, "parameters": {"w": 2}}
    stretch = towards(define({**body, "optimizer": {"kind": "sgd", "learning_rate": 0.1} | optimizer}), steps=9)
    assert (stretch.stopped_by, stretch.end.position.step, len(stretch.losses)) == ("diverged", 1, 1)
