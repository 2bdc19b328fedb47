"""Optimisers and schedules in a session: slots through forks and edits, the rate in force."""

from __future__ import annotations

import json

import numpy as np
import pytest

from api.engine.errors import InvalidInput
from api.training.definition import Definition, define
from api.training.fork import fork
from api.training.run import advance
from api.training.session import Phase, Session
from api.training.snapshot import Snapshot
from tests.training.choices import NETWORK, RULES, Body, same, step

# slots


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


@pytest.mark.parametrize("rule", ["torch-adam", "keras-nadam", "torch-momentum", "lion-value", "nesterov-norm"])
def test_what_a_fork_adds_counts_by_itself_and_runs_as_it_steps(rule: str) -> None:
    def model(source: str) -> Body:
        shapes = {"W": [2, 3], "b": [3], "c": []}
        named = {name: shape for name, shape in shapes.items() if name in source}
        return {"kind": "expression", "source": source, "placeholders": {"x": ["x1", "x2"]}, "shapes": named}

    session = Session.start(
        define(
            {"model": model("yhat = sum(tanh(x @ W))\nL = (yhat - y)**2"), "optimizer": RULES[rule], "batch_size": 4}
        )
    )
    for _ in range(3):
        session = step(session)
    session = fork(session, {"model": model("yhat = c*sum(tanh(x @ W + b))\nL = (yhat - y)**2")})
    if "t" in session.slots:
        assert session.slots["t"] == {"c": 0.0, "W": 3.0, "b": 0.0}
    end = advance(session.definition, session.snapshot, steps=9).end
    for _ in range(9):
        session = step(session)
    same(end, session.snapshot)


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
