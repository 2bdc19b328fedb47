"""Runs: bit for bit what stepping gives, and where they stop."""

from __future__ import annotations

import math
import pickle
import struct

import pytest

from api.engine.errors import InvalidInput
from api.training.definition import Definition, define
from api.training.run import Goal, Stretch, advance, begin
from api.training.session import Phase, Session
from api.training.snapshot import Snapshot


def stepped(definition: Definition, steps: int) -> tuple[Snapshot, list[float]]:
    session, losses = Session.start(definition), []
    for _ in range(steps):
        session = session.forward().backward()
        losses.append(session.loss or 0.0)
        session = session.update()
    return session.snapshot, losses


def start(definition: Definition) -> Snapshot:
    return Session.start(definition).snapshot


def towards(definition: Definition, snapshot: Snapshot | None = None, **goal: object) -> Stretch:
    where = snapshot or start(definition)
    return advance(definition, where, goal=Goal.of(where.position, goal), seconds=math.inf, most=10**6)


def bits(values: object) -> list[bytes]:
    return [struct.pack("<d", value) for value in values]  # type: ignore[attr-defined]


SMALL = {"optimizer": {"learning_rate": 0.01}}
BODIES = [
    SMALL,
    SMALL | {"batch_size": 2},
    SMALL | {"batch_size": 4},
    SMALL | {"batch_size": 6, "loss": {"reduction": "mean"}},
    SMALL | {"batch_size": 9},
    SMALL | {"shuffle": True, "seed": 5},
    SMALL | {"shuffle": True, "seed": 5, "batch_size": 4},
    {"data": None, "model": {"kind": "expression", "source": "L = (w - 3)**2"}},
    SMALL | {"model": {"kind": "expression", "source": "h = tanh(a*x1 + b*x2)\nL = (c*h + d - y)**2"}, "batch_size": 5},
    SMALL | {"model": {"kind": "expression", "source": "k = a*a\nL = (w*x1 - y)**2*k + k*x2"}, "seed": 3},
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("steps", [1, 5, 6, 7, 50, 301])
def test_a_run_is_bit_for_bit_what_stepping_gives(body: dict[str, object], steps: int) -> None:
    definition = define(body)
    end, losses = stepped(definition, steps)
    stretch = towards(definition, steps=steps)
    assert stretch.stopped_by == "completed"
    assert bits(stretch.losses) == bits(losses)
    assert bits(stretch.end.parameters.values()) == bits(end.parameters.values())
    assert stretch.end.position == end.position
    assert repr(stretch.end.progress) == repr(end.progress)


def test_a_run_goes_on_from_the_middle_of_an_epoch() -> None:
    definition = define(SMALL | {"batch_size": 4})
    first = towards(definition, steps=1)
    assert towards(definition, first.end, epochs=1).end.position.step == 2
    assert towards(definition, first.end, epochs=2).end == stepped(definition, 4)[0]


def test_exactly_so_many_steps_for_a_replay() -> None:
    definition = define(SMALL)
    assert advance(definition, start(definition), steps=17).end == stepped(definition, 17)[0]
    assert len(advance(definition, start(definition), steps=0).losses) == 0


def test_stretches_follow_each_other() -> None:
    definition = define(SMALL)
    snapshot, losses = start(definition), list[float]()
    goal = Goal.of(snapshot.position, {"steps": 1000})
    while True:
        stretch = advance(definition, snapshot, goal=goal, most=64)
        assert len(stretch.losses) <= 64
        losses += stretch.losses
        snapshot = stretch.end
        if stretch.stopped_by:
            break
    assert (snapshot, losses) == stepped(definition, 1000)


def test_the_article_overflows_in_epoch_217() -> None:
    stretch = towards(define({}), epochs=1000)
    position = stretch.end.position
    assert (stretch.stopped_by, position.step, position.epoch, len(stretch.losses)) == ("diverged", 1296, 217, 1296)
    session = Session(define({}), stretch.end).forward()
    assert session.loss == math.inf
    assert all(map(math.isfinite, session.parameters.values()))


def test_a_run_stops_where_until_says() -> None:
    definition = define(SMALL)
    assert towards(definition, steps=100, until={"step": 10}).end.position.step == 10
    third = towards(definition, epochs=100, until={"epoch": 3})
    assert (third.stopped_by, third.end.position.step) == ("until", 12)
    below = towards(definition, steps=10_000, until={"loss_below": 0.01})
    losses = stepped(definition, 2000)[1]
    first = next(place for place, loss in enumerate(losses) if loss < 0.01)
    assert (below.stopped_by, below.end.position.step, below.losses[-1]) == ("until", first + 1, losses[first])


@pytest.mark.parametrize("body", [{}, {"steps": 1, "epochs": 1}])
def test_a_run_needs_steps_or_epochs(body: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match="steps or epochs"):
        Goal.of(start(define({})).position, body)


def test_definitions_and_stretches_travel_between_processes() -> None:
    definition = define(SMALL)
    there = pickle.loads(pickle.dumps((definition, start(definition))))
    stretch = pickle.loads(pickle.dumps(advance(there[0], there[1], steps=9)))
    assert stretch.end == stepped(definition, 9)[0]


@pytest.mark.parametrize("phase", list(Phase))
def test_a_session_may_start_at_any_step_and_phase(phase: Phase) -> None:
    definition = define(SMALL | {"start": {"step": 8, "phase": phase.value}})
    session, stretches = begin(definition)
    assert (session.phase, session.position.step) == (phase, 8)
    assert session.snapshot == stepped(definition, 8)[0]
    assert sum(len(stretch.losses) for stretch in stretches) == 8
    assert session.last_update is not None
    assert session.last_update.position.step == 7


def test_a_start_beyond_divergence_is_refused() -> None:
    with pytest.raises(InvalidInput, match="diverges at step 1296") as caught:
        begin(define({"start": {"step": 2000, "phase": "ready"}}))
    assert caught.value.errors[0].pointer == "/start/step"
