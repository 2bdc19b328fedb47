"""A clock that is set an hour back, and forth again: nothing but the times told depends on it."""

from __future__ import annotations

import asyncio

from api.store import Answer, Key, Store
from api.training.run import advance, arrived
from tests.store.conftest import Played
from tests.store.walks import CYCLE, act, article, facts, long_run, seen

HOUR = 3600.0


def test_a_clock_an_hour_back_changes_nothing_but_the_times_told(play: Played) -> None:
    now = [1e9]

    async def scenario(store: Store) -> None:
        key = Key("create", "k" * 30, "")
        stored = await store.create(article(), key=key)
        session, id = article(), stored.id
        states = [seen(stored)]
        for turn, jump in enumerate((0.0, -HOUR, 60.0, 2 * HOUR, -2 * HOUR, 1.0, -HOUR, 0.0, HOUR)):
            now[0] += jump
            states.append(seen(await act(store, id, CYCLE[turn % 3])))
            session = getattr(session, CYCLE[turn % 3])()
        stored = await store.load(id)
        assert (stored.revision, facts(stored.session)) == (9, facts(session))
        for revision, state in enumerate(states):
            assert seen(await store.at_revision(stored, revision)) == state
        assert [row.step for row in (await store.history(stored, -1, 100))[0]] == [0, 1, 2]
        assert await store.replay(key) == Answer(201, id, 0)
        assert (await act(store, id, "undo", "undo")).revision == 11

    play(scenario, clock=lambda: now[0])


def test_a_run_goes_on_although_the_clock_is_set_back(play: Played) -> None:
    now = [1e9]

    async def scenario(store: Store) -> None:
        async with store.writing((await store.create(article())).id) as stored:
            session = stored.session
            await store.begin_run(stored)
            for jump in (0.0, -HOUR, HOUR, -HOUR):
                now[0] += jump
                stretch = advance(session.definition, session.snapshot, steps=5)
                await store.append_stretch(stored, stretch)
                session = arrived(session, stretch)
                assert (await store.load(stored.id)).running
            ended = await store.end_run(stored, session, {"steps_done": 20, "stopped_by": "completed"})
        assert (ended.revision, ended.session.position.step) == (1, 20)

    play(scenario, clock=lambda: now[0])


def test_listeners_and_runs_do_not_mind_a_clock_that_stands_still(play: Played) -> None:
    async def scenario(store: Store) -> None:
        stored = await store.create(article())
        async with store.subscribe(stored) as revisions:
            await long_run(store, stored.id, [3, 3])
            assert await asyncio.wait_for(anext(revisions), 5) == 1

    play(scenario, clock=lambda: 1e9)
