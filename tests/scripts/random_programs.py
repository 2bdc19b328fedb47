"""Sessions of random programs: every operation in any other, on any shapes."""

from __future__ import annotations

from functools import cache

from hypothesis import HealthCheck, Phase, given, settings

from api.engine.errors import StepgradError
from api.scripts.repetition import Beginning
from api.scripts.script import script
from api.training.run import advance, arrived
from api.training.session import Session
from tests.engine.programs import Program, programs
from tests.training.test_programs import defined

STEPS = 3


@cache
def sessions(tensors: bool, count: int) -> tuple[Session, ...]:
    """That many sessions, the same each time, after some steps."""
    found: list[Session] = []

    @given(programs(tensors=tensors))
    @settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=count,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def collect(program: Program) -> None:
        try:
            definition = defined(program, optimizer={"kind": "momentum", "learning_rate": 0.01})
        except StepgradError:
            return
        session = Session.start(definition)
        found.append(arrived(session, advance(definition, session.snapshot, steps=STEPS)))

    collect()
    return tuple(found)


def scripts(tensors: bool, count: int, target: str) -> list[str]:
    """The script of each."""
    return [
        script(session, Session.start(session.definition).snapshot, Beginning.CREATED, target)
        for session in sessions(tensors, count)
    ]
