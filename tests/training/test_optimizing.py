"""Optimisers and schedules in a session: bulk runs as stepping, slots through forks and edits, the rate in force."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np
import pytest

from api.engine.errors import InvalidInput
from api.engine.optimizers import OPTIMIZERS
from api.training.definition import Definition, define
from api.training.fork import fork
from api.training.run import Goal, Stretch, advance
from api.training.session import Phase, Session, Snapshot

Body = dict[str, Any]
NETWORK: Body = {
    "kind": "mlp",
    "layers": [{"units": 3, "activation": "tanh"}, {"units": 1, "activation": "identity"}],
}
LAYER: Body = {"kind": "mlp", "layers": [{"units": 1, "activation": "identity"}]}
NESTEROV: Body = {"kind": "nesterov", "dialect": "article"}
RULES: dict[str, Body] = {
    f"{dialect}-{kind}": {"kind": kind, "dialect": dialect}
    for kind, row in OPTIMIZERS.items()
    for dialect in row.dialects
} | {
    "sgd-decay": {"kind": "sgd", "weight_decay": 0.1, "momentum": 0.5},
    "adam-decay": {"kind": "adam", "dialect": "keras", "weight_decay": 0.1},
    "sgd-norm": {"kind": "sgd", "clip": {"norm": 2}},
    "lion-value": {"kind": "lion", "dialect": "keras", "clip": {"value": 1}},
    "nesterov-norm": {**NESTEROV, "clip": {"norm": 3}},
    "nesterov-value": {**NESTEROV, "clip": {"value": 3}},
}
"""Every row of the table, and what can be added to its lines."""
SCHEDULES: dict[str, Body] = {
    "epochs": {"kind": "exponential", "gamma": 0.9},
    "updates": {"kind": "one_cycle", "max_lr": 0.01, "total_steps": 20, "every": "update"},
    "plateau": {"kind": "plateau", "patience": 1, "threshold": 0.3},
}


def step(session: Session) -> Session:
    return session.forward().backward().update()


def stepped(definition: Definition, steps: int) -> tuple[Snapshot, list[float]]:
    session, losses = Session.start(definition), []
    for _ in range(steps):
        session = session.forward().backward()
        losses.append(session.loss or 0.0)
        session = session.update()
    return session.snapshot, losses


def towards(definition: Definition, **goal: object) -> Stretch:
    start = Session.start(definition).snapshot
    return advance(definition, start, goal=Goal.of(start.position, goal), seconds=math.inf, most=10**6)


def bits(values: list[float]) -> list[bytes]:
    return [struct.pack("<d", value) for value in values]


def same(one: Snapshot, other: Snapshot) -> None:
    """Equal to the last bit."""
    assert one.position == other.position
    assert repr(one.progress) == repr(other.progress)
    assert list(one.slots) == list(other.slots)
    mine, theirs = (one.parameters, *one.slots.values()), (other.parameters, *other.slots.values())
    for left, right in zip(mine, theirs, strict=True):
        assert list(left) == list(right)
        for name in left:
            assert np.asarray(left[name]).tobytes() == np.asarray(right[name]).tobytes(), name


# runs


@pytest.mark.parametrize("body", [{}, {"batch_size": 4}, {"model": NETWORK, "batch_size": 4}], ids=["1", "4", "net"])
@pytest.mark.parametrize("rule", RULES)
def test_every_optimiser_runs_bit_for_bit_as_it_steps(rule: str, body: Body) -> None:
    definition = define({"optimizer": RULES[rule], "seed": 3, **body})
    end, losses = stepped(definition, 40)
    for most in (40, 7):
        at, found = Session.start(definition).snapshot, list[float]()
        while len(found) < 40:
            stretch = advance(definition, at, steps=min(most, 40 - len(found)))
            at, found = stretch.end, found + stretch.losses
        assert bits(found) == bits(losses)
        same(at, end)


@pytest.mark.parametrize(
    "body",
    [{}, {"batch_size": 4}, {"shuffle": True}, {"model": NETWORK, "batch_size": 4}],
    ids=["1", "4", "shuffled", "net"],
)
@pytest.mark.parametrize("rule", ["torch-sgd", "torch-adam", "article-nesterov", "lion-value"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_runs_bit_for_bit_as_it_steps(schedule: str, rule: str, body: Body) -> None:
    optimizer = RULES[rule] | {"learning_rate": 0.005}
    definition = define({"optimizer": optimizer, "schedule": SCHEDULES[schedule], **body})
    end, losses = stepped(definition, 41)
    stretch = towards(definition, steps=41)
    assert bits(stretch.losses) == bits(losses)
    same(stretch.end, end)


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


# slots


def test_nothing_leaks_from_one_session_or_run_into_another() -> None:
    definition = define({"optimizer": {"kind": "adam"}})
    first = towards(definition, steps=20)
    walked = Session.start(definition)
    before = json.dumps(walked.slots)
    for _ in range(5):
        step(walked)
    assert json.dumps(walked.slots) == before == json.dumps(Session.start(definition).slots)
    same(towards(definition, steps=20).end, first.end)


def test_slots_begin_as_the_rule_says_and_count_the_updates() -> None:
    session = Session.start(define({"optimizer": {"kind": "nadam"}}))
    assert {slot: values["w1"] for slot, values in session.slots.items()} == {"t": 0.0, "P": 1.0, "m": 0.0, "v": 0.0}
    assert step(step(session)).slots["t"] == {"w1": 2.0, "w2": 2.0, "b": 2.0}
    keras = Session.start(define({"optimizer": {"kind": "adagrad", "dialect": "keras"}}))
    assert keras.slots == {"v": {"w1": 0.1, "w2": 0.1, "b": 0.1}}


def test_a_count_is_one_number_for_a_tensor() -> None:
    session = step(Session.start(define({"optimizer": {"kind": "nadam"}, "model": NETWORK})))
    assert session.slots["t"]["W1"] == 1.0
    assert isinstance(session.slots["P"]["W1"], float)
    assert np.shape(session.slots["m"]["W1"]) == (2, 3)


def test_a_fork_with_another_optimiser_begins_with_new_slots() -> None:
    session = step(step(Session.start(define({"optimizer": {"kind": "adam"}}))))
    for change in ({"kind": "adamw"}, {"dialect": "keras"}, {"kind": "adam", "dialect": "article"}):
        other = fork(session, {"optimizer": change})
        fresh = Session.start(other.definition)
        assert other.slots == fresh.slots
        assert other.position.step == 2
        assert other.parameters == session.parameters
        again = Session(
            fresh.definition, Snapshot(session.position, session.parameters, fresh.slots, other.snapshot.progress)
        )
        same(step(other).snapshot, step(again).snapshot)


def test_a_fork_with_other_fields_goes_on_with_its_slots() -> None:
    session = step(step(Session.start(define({"optimizer": {"kind": "adam"}}))))
    other = fork(session, {"optimizer": {"beta1": 0.5, "clip": {"norm": 1}}})
    assert other.slots == session.slots
    assert other.definition.optimizer["beta1"] == 0.5
    assert fork(other, {"optimizer": {"clip": None}}).definition.optimizer == session.definition.optimizer | {
        "beta1": 0.5
    }


def test_what_a_fork_adds_to_the_model_has_slots_of_its_own() -> None:
    session = step(step(Session.start(define({"optimizer": {"kind": "adam"}}))))
    source = "yhat = w1*x1 + w2*x2 + v*x1*x2 + b\nL = (yhat - y)**2"
    other = fork(session, {"model": {"kind": "expression", "source": source}})
    assert other.slots["t"] == {"w1": 2.0, "w2": 2.0, "v": 0.0, "b": 2.0}
    assert other.slots["m"]["w1"] == session.slots["m"]["w1"]


def test_a_fork_to_another_dialect_keeps_the_fields_that_both_have() -> None:
    session = Session.start(define({"optimizer": {"kind": "nadam", "momentum_decay": 0.1, "beta1": 0.8}}))
    optimizer = fork(session, {"optimizer": {"dialect": "keras"}}).definition.optimizer
    assert (optimizer["dialect"], optimizer["beta1"], "momentum_decay" in optimizer) == ("keras", 0.8, False)
    with pytest.raises(InvalidInput) as caught:
        fork(session, {"optimizer": {"dialect": "keras", "momentum_decay": 1}})
    assert caught.value.errors[0].pointer == "/changes/optimizer/momentum_decay"


def test_momentum_switched_on_by_hand_begins_and_switched_off_ends() -> None:
    session = step(Session.start(define({"optimizer": {"learning_rate": 0.01}})))
    moving = session.patch({"optimizer": {"momentum": 0.9}})
    assert moving.slots == {"t": {"w1": 0, "w2": 0, "b": 0}, "buf": {"w1": 0, "w2": 0, "b": 0}}
    after = step(moving)
    assert after.slots["buf"] == moving.forward().backward().gradients
    faster = after.patch({"optimizer": {"momentum": 0.95}})
    assert faster.slots == after.slots
    assert after.patch({"optimizer": {"momentum": 0}}).slots == {}
    assert after.patch({"parameters": {"w1": 3}}).slots == after.slots


def test_restoring_gives_every_term_again() -> None:
    for rule in RULES.values():
        before = step(Session.start(define({"optimizer": rule})))
        after = step(before)
        again = Session.restore(after.definition, after.snapshot, Phase.READY, (before.definition, before.snapshot))
        assert again.last_update is not None
        assert after.last_update is not None
        assert again.last_update.terms == after.last_update.terms
        same(again.snapshot, after.snapshot)


# the learning rate


def test_the_rate_in_force_follows_the_schedule_and_the_base_rate_stays() -> None:
    schedule = {"kind": "step", "step_size": 1, "gamma": 0.5}
    session = Session.start(define({"schedule": schedule, "optimizer": {"learning_rate": 0.01}}))
    rates = []
    for _ in range(12):
        rates.append(session.learning_rate)
        session = step(session)
        assert session.last_update is not None
        assert session.last_update.learning_rate == session.last_update.fields["learning_rate"] == rates[-1]
    assert rates == [0.01] * 6 + [0.005] * 6
    assert session.definition.optimizer["learning_rate"] == 0.01
    assert session.patch({"optimizer": {"learning_rate": 0.04}}).learning_rate == 0.01
    assert session.patch({"schedule": {"gamma": 1}}).learning_rate == 0.01
    assert session.patch({"schedule": {"kind": "constant"}}).learning_rate == 0.01


def test_a_scheduled_step_is_that_of_a_session_with_that_rate() -> None:
    scheduled = Session.start(define({"schedule": {"kind": "linear"}, "optimizer": {"learning_rate": 0.03}}))
    plain = Session.start(define({"optimizer": {"learning_rate": scheduled.learning_rate}}))
    assert step(scheduled).parameters == step(plain).parameters


def test_a_plateau_is_remembered_and_forgotten_when_the_schedule_changes() -> None:
    body = {"schedule": {"kind": "plateau", "patience": 0, "threshold": 0.9}, "optimizer": {"learning_rate": 0.001}}
    definition = define({**body, "batch_size": 6})
    session = Session.start(definition)
    for _ in range(4):
        session = step(session)
    assert session.snapshot.progress.plateau is not None
    assert session.learning_rate < 0.001
    again = Session.restore(definition, session.snapshot, Phase.READY, None)
    assert again.learning_rate == session.learning_rate
    assert fork(session, {"optimizer": {"kind": "adam"}}).snapshot.progress.plateau == session.snapshot.progress.plateau
    for changed in (session.patch({"schedule": {"patience": 5}}), fork(session, {"schedule": {"patience": 5}})):
        assert changed.snapshot.progress.plateau is None
        assert changed.learning_rate == 0.001
    assert fork(session, {"loss": {"kind": "absolute_error"}}).snapshot.progress.plateau is None


def test_the_articles_adadelta_has_no_rate_to_schedule() -> None:
    body = {"optimizer": {"kind": "adadelta", "dialect": "article"}}
    assert Session.start(define(body)).learning_rate == 1.0
    with pytest.raises(InvalidInput) as caught:
        define(body | {"schedule": {"kind": "linear"}})
    assert caught.value.errors[0].pointer == "/schedule/kind"
    with pytest.raises(InvalidInput) as caught:
        Session.start(define(body)).patch({"schedule": {"kind": "linear"}})
    assert caught.value.errors[0].pointer == "/schedule/kind"
    with pytest.raises(InvalidInput) as caught:
        Session.start(define(body)).patch({"optimizer": {"learning_rate": 1}})
    assert caught.value.errors[0].pointer == "/optimizer/learning_rate"


@pytest.mark.parametrize("rule", RULES)
def test_a_definition_posted_again_is_the_same(rule: str) -> None:
    definition = define({"optimizer": RULES[rule]})
    assert define(json.loads(json.dumps(definition.document))).document == definition.document
    assert Definition.load(definition.document).rule is definition.rule
