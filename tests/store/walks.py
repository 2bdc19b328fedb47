"""Sessions and walks that the store's tests share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from api.store import Store, Stored
from api.training.definition import define
from api.training.run import advance, arrived
from api.training.session import Session

CYCLE = ("forward", "backward", "update")


def article(**changes: Any) -> Session:
    """The article's session at rate 0.01, which converges."""
    return Session.start(define({"optimizer": {"kind": "sgd", "learning_rate": 0.01}, **changes}))


async def act(store: Store, id: str, *actions: str) -> Stored:
    """Take actions one by one; ``undo`` is one, too."""
    async with store.writing(id) as stored:
        for action in actions:
            if action == "undo":
                stored = await store.undo(stored)
            else:
                stored = await store.append(stored, action, getattr(stored.session, action)(), seconds=0.5)
        return stored


async def patch(store: Store, id: str, **changes: Any) -> Stored:
    async with store.writing(id) as stored:
        return await store.append(stored, "patch", stored.session.patch(changes))


async def rewind(store: Store, id: str, step: int) -> Stored:
    async with store.writing(id) as stored:
        return await store.rewind(stored, step)


async def short_run(store: Store, id: str, steps: int) -> Stored:
    """A run of one stretch, committed with the action."""
    async with store.writing(id) as stored:
        session = stored.session
        stretch = advance(session.definition, session.snapshot, steps=steps)
        detail = {"steps_done": steps, "stopped_by": "completed"}
        return await store.append(stored, "run", arrived(session, stretch), run=detail, stretches=[stretch])


async def long_run(store: Store, id: str, lengths: Iterable[int]) -> Stored:
    """A run of several stretches, each committed as it is done."""
    async with store.writing(id) as stored:
        session = stored.session
        await store.begin_run(stored)
        done, stretch = 0, None
        for length in lengths:
            stretch = advance(session.definition, session.snapshot, steps=length)
            await store.append_stretch(stored, stretch)
            session, done = arrived(session, stretch), done + length
        return await store.end_run(stored, session, {"steps_done": done, "stopped_by": "completed"}, seconds=2.0)


def facts(session: Session) -> tuple[object, ...]:
    """Everything a session consists of, to the last bit."""
    update = session.last_update
    return (
        session.definition.settings,
        session.snapshot,
        session.phase,
        session.loss,
        session.gradients,
        None if update is None else (update.position, update.optimizer, update.loss, update.terms, update.after),
    )


def seen(stored: Stored) -> tuple[object, ...]:
    """A stored session's facts."""
    return (
        stored.revision,
        stored.action,
        stored.undoable,
        stored.run,
        stored.at,
        stored.parent,
        facts(stored.session),
    )
