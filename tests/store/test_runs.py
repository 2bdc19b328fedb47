from __future__ import annotations

import asyncio

import pytest

from api.engine.errors import NotFound, NothingToUndo, RunInProgress, StaleRevision
from api.store import Key, Store, Stored
from api.training.run import Stretch, advance, arrived
from tests.store.conftest import Played, PlayedOnFile
from tests.store.walks import CYCLE, act, article, facts, seen, short_run


def stretches(stored: Stored, *lengths: int) -> list[Stretch]:
    made, snapshot = [], stored.session.snapshot
    for length in lengths:
        made.append(advance(stored.session.definition, snapshot, steps=length))
        snapshot = made[-1].end
    return made


async def crash(store: Store, id: str, *lengths: int, key: Key | None = None) -> None:
    """Leave a run in the database as a process that dies does."""
    stored = await store.load(id)
    await store.begin_run(stored, key)
    for stretch in stretches(stored, *lengths):
        await store.append_stretch(stored, stretch)


async def leave_a_run(store: Store, id: str, *lengths: int) -> None:
    """Begin a run and leave its block by an error."""
    async with store.writing(id) as stored:
        await store.begin_run(stored)
        for stretch in stretches(stored, *lengths):
            await store.append_stretch(stored, stretch)
        raise KeyError


def test_while_a_run_goes_on_others_may_look_but_not_write(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await act(store, (await store.create(article())).id, *CYCLE)).id
        waiting: list[asyncio.Task[Stored]] = []
        async with store.writing(id) as stored:
            waiting.append(asyncio.create_task(act(store, id, "forward")))
            await asyncio.sleep(0)
            await store.begin_run(stored)
            with pytest.raises(RunInProgress):
                await waiting[0]
            for stretch in stretches(stored, 5, 5):
                with pytest.raises(RunInProgress):
                    await act(store, id, "forward")
                await store.append_stretch(stored, stretch)
                for name in (id, stored.read_id):
                    looked = await store.load(name)
                    assert (looked.revision, looked.running) == (3, True)
                    with pytest.raises(NotFound):
                        await store.at_revision(looked, 4)
            ended = await store.end_run(stored, arrived(stored.session, stretch), {"steps_done": 10}, seconds=1.5)
        assert (ended.revision, ended.running, ended.run) == (4, False, {"steps_done": 10})
        assert ended.session.position.step == 11
        assert not (await store.load(id)).running
        assert (await act(store, id, "forward")).revision == 5

    play(scenario)


def test_a_long_run_is_stored_as_a_short_one_is(play: Played) -> None:
    async def scenario(store: Store) -> list[str]:
        short, long = await store.create(article()), await store.create(article())
        await short_run(store, short.id, 9)
        async with store.writing(long.id) as stored:
            await store.begin_run(stored)
            for stretch in stretches(stored, 4, 5):
                await store.append_stretch(stored, stretch)
            await store.end_run(stored, arrived(stored.session, stretch), {"steps_done": 9})
        return [short.id, long.id]

    both = play(scenario)

    async def look(store: Store) -> None:
        one, other = [await store.load(id) for id in both]
        assert facts(one.session) == facts(other.session)
        assert (other.action, other.run) == ("run", {"steps_done": 9})

    play(look)


def test_a_run_whose_block_is_left_ends_at_its_last_stretch(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        expected = await short_run(store, (await store.create(article())).id, 5)
        with pytest.raises(KeyError):
            await leave_a_run(store, id, 5)
        ended = await store.load(id)
        assert (ended.revision, ended.running) == (1, False)
        assert ended.run == {"steps_done": 5, "stopped_by": "interrupted"}
        assert facts(ended.session) == facts(expected.session)
        assert (await act(store, id, "undo")).session.position.step == 0

    play(scenario)


def test_a_run_without_a_stretch_was_never_there(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        for _ in range(2):
            with pytest.raises(KeyError):
                await leave_a_run(store, id)
        assert (await store.load(id)).revision == 0
        with pytest.raises(NothingToUndo):
            await act(store, id, "undo")
        assert (await act(store, id, "forward")).revision == 1

    play(scenario)


def test_a_crashed_run_ends_at_start_up_at_its_last_committed_stretch(file: PlayedOnFile) -> None:
    async def life(store: Store) -> tuple[str, str, object]:
        ran, idle = await store.create(article()), await store.create(article())
        await crash(store, ran.id, 4, 3, key=Key("run", "k", "7"))
        await crash(store, idle.id, key=Key("run", "l", "7"))
        expected = await short_run(store, (await store.create(article())).id, 7)
        return ran.id, idle.id, facts(expected.session)

    ran, idle, expected = file(life)

    async def next_life(store: Store) -> None:
        stored = await store.load(ran)
        assert facts(stored.session) == expected
        assert (stored.revision, stored.action, stored.running) == (1, "run", False)
        assert stored.run == {"steps_done": 7, "stopped_by": "interrupted"}
        answer = await store.replay(Key("run", "k", "7"))
        assert answer is not None
        assert answer.revision == 1
        assert (await store.load(idle)).revision == 0
        assert await store.replay(Key("run", "l", "7")) is None
        assert len((await store.history(stored, -1, 100))[0]) == 7
        assert (await act(store, ran, "undo")).session.position.step == 0

    file(next_life)
    assert file.execute("SELECT count(*) FROM sessions WHERE run_until IS NOT NULL") == [(0,)]


def test_a_lease_that_is_over_is_ended_by_whoever_finds_it(play: Played) -> None:
    now = [1e9]

    async def scenario(store: Store) -> None:
        other = Store.open(play.url, clock=lambda: now[0])
        try:
            id = (await store.create(article())).id
            stored = await store.load(id)
            await store.begin_run(stored)
            first, second = stretches(stored, 4, 4)
            await store.append_stretch(stored, first)
            assert (await other.load(id)).running
            with pytest.raises(RunInProgress):
                await act(other, id, "forward")
            now[0] += 31
            taken = await act(other, id, "forward")
            assert (taken.revision, taken.session.position.step) == (2, 4)
            with pytest.raises(StaleRevision):
                await store.append_stretch(stored, second)
        finally:
            await other.close()

    play(scenario, clock=lambda: now[0])


def test_a_clock_set_back_an_hour_does_not_keep_a_dead_run_alive(play: Played) -> None:
    now = [1e9]

    async def scenario(store: Store) -> None:
        other = Store.open(play.url, clock=lambda: now[0])
        try:
            id = (await store.create(article())).id
            await crash(store, id, 4)
            now[0] -= 3600
            assert seen(await other.load(id))[:2] == (1, "run")
        finally:
            await other.close()

    play(scenario, clock=lambda: now[0])


def test_a_key_is_not_answered_before_its_run_has_ended(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id, key = (await store.create(article())).id, Key("run", "k", "")
        async with store.writing(id) as stored:
            await store.begin_run(stored, key)
            with pytest.raises(RunInProgress):
                await store.replay(key)
            await store.end_run(stored, stored.session, {"steps_done": 0})
        answer = await store.replay(key)
        assert answer is not None
        assert (answer.status, answer.id, answer.revision) == (200, None, 1)

    play(scenario)
