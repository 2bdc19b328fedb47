"""Where a line was last changed by hand, or began: the state from which steps alone lead to the present one."""

from __future__ import annotations

import pytest

from api.engine.errors import NothingToUndo
from api.store import Store, Stored
from api.training.definition import define
from api.training.fork import fork
from api.training.run import begin
from api.training.session import Session
from tests.store.conftest import Played
from tests.store.walks import CYCLE, act, article, facts, patch, rewind, short_run


async def found(store: Store, id: str) -> tuple[str, int]:
    """The action that began the line, and the step where it stood."""
    action, snapshot = await store.beginning(await store.load(id))
    return action, snapshot.position.step


async def replayed(store: Store, stored: Stored) -> None:
    """Steps alone lead from the beginning to the present state."""
    _, snapshot = await store.beginning(stored)
    session = Session(stored.session.definition, snapshot)
    while session.position.step < stored.session.position.step:
        session = session.forward().backward().update()
    assert facts(session)[1] == facts(stored.session)[1]


def test_a_line_begins_with_its_creation(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        assert await found(store, id) == ("create", 0)
        await act(store, id, *CYCLE, "forward")
        await short_run(store, id, 9)
        assert await found(store, id) == ("create", 0)
        await replayed(store, await store.load(id))

    play(scenario)


def test_a_line_created_with_steps_of_its_own_begins_before_them(play: Played) -> None:
    async def scenario(store: Store) -> None:
        session, stretches = begin(define({"start": {"step": 7, "phase": "forward"}, "optimizer": {"kind": "adam"}}))
        stored = await store.create(session, stretches=stretches)
        assert await found(store, stored.id) == ("create", 0)
        await act(store, stored.id, "backward", "update", "undo", "undo")
        with pytest.raises(NothingToUndo):
            await act(store, stored.id, "undo")
        await replayed(store, await store.load(stored.id))

    play(scenario)


def test_a_fork_begins_where_it_was_made(play: Played) -> None:
    async def scenario(store: Store) -> None:
        source = await store.create(article(optimizer={"kind": "adam"}))
        stored = await short_run(store, source.id, 5)
        made = await store.create(fork(stored.session, {"batch_size": 2}), parent=(stored.read_id, stored.revision))
        await act(store, made.id, *CYCLE)
        assert await found(store, made.id) == ("fork", 5)
        await replayed(store, await store.load(made.id))

    play(scenario)


def test_a_change_by_hand_is_a_beginning_until_it_is_undone(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        await act(store, id, *CYCLE)
        await patch(store, id, parameters={"w1": 2.0})
        await act(store, id, *CYCLE)
        await patch(store, id, optimizer={"learning_rate": 0.005})
        await short_run(store, id, 6)
        assert await found(store, id) == ("patch", 2)
        await replayed(store, await store.load(id))
        await act(store, id, "undo", "undo")
        assert await found(store, id) == ("patch", 1)
        await replayed(store, await store.load(id))
        await rewind(store, id, 0)
        assert await found(store, id) == ("create", 0)

    play(scenario)


def test_what_changes_no_number_is_no_beginning(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        await act(store, id, *CYCLE)
        changed = await patch(store, id, batch_size=3)
        await act(store, id, *CYCLE)
        await patch(store, id, title="other")
        same = changed.session.learning_rate
        last = await patch(store, id, optimizer={"learning_rate": same})
        assert await found(store, id) == ("patch", 1)
        await replayed(store, last)

    play(scenario)


def test_a_rewind_into_a_run_keeps_its_beginning(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        await patch(store, id, parameters={"b": 1.0})
        await short_run(store, id, 10)
        await rewind(store, id, 4)
        last = await act(store, id, *CYCLE)
        assert await found(store, id) == ("patch", 0)
        await replayed(store, last)
        earlier = await store.at_revision(last, 0)
        assert (await store.beginning(earlier))[0] == "create"

    play(scenario)
