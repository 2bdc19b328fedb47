from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import chain

import pytest

from api.engine.errors import NotFound, ReadOnly, StaleRevision
from api.store import Key, Store, ids
from tests.store.conftest import Played, PlayedOnFile
from tests.store.walks import CYCLE, act, article, long_run, seen


def test_a_session_is_the_same_after_a_restart_in_every_phase(play: Played) -> None:
    async def begin(store: Store) -> str:
        return (await store.create(article())).id

    id = play(begin)
    for action in CYCLE * 3:

        async def step(store: Store, action: str = action) -> object:
            return seen(await act(store, id, action))

        async def look(store: Store) -> object:
            return seen(await store.load(id))

        assert play(step) == play(look)


def test_an_unknown_id_is_not_found_whatever_it_looks_like(play: Played) -> None:
    async def scenario(store: Store) -> None:
        await store.create(article())
        for id in ("", "x", ids.new_id(), "é" * 22, "\ud800" * 22, "a" * 10_000):
            with pytest.raises(NotFound):
                await store.load(id)
            with pytest.raises(NotFound):
                async with store.writing(id):
                    pass

    play(scenario)


def test_the_read_id_looks_and_does_not_touch(play: Played) -> None:
    async def scenario(store: Store) -> None:
        stored = await act(store, (await store.create(article())).id, "forward")
        looked = await store.load(stored.read_id)
        assert (looked.id, looked.read_only, stored.read_only) == (stored.read_id, True, False)
        assert looked.revision == 1
        with pytest.raises(ReadOnly):
            async with store.writing(stored.read_id):
                pass
        with pytest.raises(ReadOnly):
            await store.undo(looked)

    play(scenario)


def test_neither_id_can_be_found_in_the_file(play: Played) -> None:
    async def scenario(store: Store) -> list[str]:
        key = Key("POST /v1/sessions/SECRETSCOPE", "k" * 30, "body")
        parent = await store.create(article(), key=key)
        child = await store.create(article(), parent=(parent.read_id, 0))
        assert (await store.load(child.read_id)).parent == (parent.read_id, 0)
        return [parent.id, parent.read_id, child.id, child.read_id, "SECRETSCOPE", "k" * 30]

    secrets = play(scenario)
    raw = play.everything()
    if isinstance(play, PlayedOnFile):
        raw += b"".join(path.read_bytes() for path in play.path.parent.iterdir())
    for secret in secrets:
        assert secret.encode() not in raw
        if len(secret) == 22:
            assert ids._raw(secret) not in raw


def test_a_forks_parent_survives_a_restart(play: Played) -> None:
    async def begin(store: Store) -> tuple[str, str]:
        parent = await store.create(article())
        return (await store.create(article(), parent=(parent.read_id, 7))).id, parent.read_id

    id, parent = play(begin)

    async def look(store: Store) -> None:
        stored = await store.load(id)
        assert stored.parent == (parent, 7)
        assert stored.action == "fork"

    play(look)


def test_delete_leaves_nothing_behind(play: Played) -> None:
    async def scenario(store: Store) -> None:
        kept = await store.create(article())
        gone = await store.create(article(), key=Key("create", "k" * 22, ""))
        await long_run(store, gone.id, [3, 3])
        async with store.writing(gone.id) as stored:
            await store.delete(stored)
        for id in (gone.id, gone.read_id):
            with pytest.raises(NotFound):
                await store.load(id)
        assert await store.replay(Key("create", "k" * 22, "")) is None
        again = await store.create(article())
        assert again.place.key > gone.place.key > kept.place.key

    play(scenario)
    for table, rows in (("sessions", 2), ("definitions", 2), ("events", 2), ("slices", 0), ("idempotency", 0)):
        assert play.execute(f"SELECT count(*) FROM {table}") == [(rows,)]


def test_a_session_that_is_deleted_while_it_is_read_does_not_come_back(play: Played) -> None:
    async def scenario(store: Store) -> None:
        for pause in range(30):
            stored = await store.create(article())
            store._keeper.cache.evict(stored.read_id)
            async with store.writing(stored.id) as newest:
                store._keeper.cache.evict(stored.read_id)
                reading = asyncio.create_task(store.load(stored.id))
                await asyncio.sleep(pause * 1e-5)
                await store.delete(newest)
            await asyncio.gather(reading, return_exceptions=True)
            with pytest.raises(NotFound):
                await store.load(stored.id)

    play(scenario)


def test_an_older_revision_never_replaces_a_newer_one_in_memory(play: Played) -> None:
    async def scenario(store: Store) -> None:
        older = await store.create(article())
        newer = await act(store, older.id, "forward")
        store._keeper.cache.put(older)
        assert await store.load(older.id) is newer

    play(scenario)


def test_eight_tasks_on_one_session_never_lose_or_double_a_step(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id

        async def stepper() -> list[int]:
            revisions = []
            for _ in range(10):
                async with store.writing(id) as stored:
                    action = {"ready": "forward", "forward": "backward", "backward": "update"}[stored.session.phase]
                    stored = await store.append(stored, action, getattr(stored.session, action)())
                    revisions.append(stored.revision)
            return revisions

        done = await asyncio.gather(*(stepper() for _ in range(8)))
        assert sorted(chain.from_iterable(done)) == list(range(1, 81))
        assert (await store.load(id)).session.position.step == 26

    play(scenario)


def test_without_the_lock_the_compare_and_swap_lets_one_through(play: Played) -> None:
    async def scenario(store: Store) -> None:
        stored = await store.create(article())
        tries = (store.append(stored, "forward", stored.session.forward()) for _ in range(8))
        results = await asyncio.gather(*tries, return_exceptions=True)
        stale = [result for result in results if isinstance(result, StaleRevision)]
        assert len(stale) == 7
        assert {error.revision for error in stale} == {1}
        assert (await store.load(stored.id)).revision == 1

    play(scenario)


def test_another_process_is_noticed_and_then_believed(file: PlayedOnFile) -> None:
    async def scenario(store: Store) -> None:
        other = Store.open(file.url)
        try:
            stored = await store.create(article())
            await act(other, stored.id, "forward")
            with pytest.raises(StaleRevision) as caught:
                await act(store, stored.id, "forward")
            assert caught.value.revision == 1
            assert (await act(store, stored.id, "backward")).revision == 2
        finally:
            await other.close()

    file(scenario)


def test_the_cache_forgets_the_session_used_longest_ago(play: Played) -> None:
    async def scenario(store: Store) -> None:
        all_ids = [(await store.create(article())).id for _ in range(5)]
        states = [seen(await act(store, id, "forward")) for id in all_ids]
        assert len(store._keeper.cache._entries) == 2
        assert [seen(await store.load(id)) for id in all_ids] == states
        assert len(store._keeper.locks) == 0

    play(scenario, cache=2)


def test_times_are_utc(play: Played) -> None:
    async def scenario(store: Store) -> None:
        stored = await store.create(article())
        assert stored.at == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)

    play(scenario, clock=lambda: 1e9)


def test_listeners_hear_of_every_revision_by_whoever_makes_it(play: Played) -> None:
    async def scenario(store: Store) -> None:
        stored = await store.create(article())

        async def listen() -> list[int]:
            async with store.subscribe(stored) as revisions:
                return [revision async for revision in revisions]

        listener = asyncio.create_task(listen())
        await act(store, stored.id, *CYCLE, "undo")
        await asyncio.sleep(0)
        await act(store, stored.id, "update")
        async with store.writing(stored.id) as newest:
            await store.delete(newest)
        assert await listener == [1, 2, 3, 4, 5]
        assert not store._keeper.live._listeners

    play(scenario)
