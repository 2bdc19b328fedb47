"""Sessions that nobody changes for long: deleted where the operator says so, pinned ones never."""

from __future__ import annotations

import asyncio

import pytest

from api.engine.errors import NotFound
from api.store import Key, Store
from tests.store.conftest import Played
from tests.store.walks import act, article, short_run

DAY = 86_400.0


def test_by_default_nothing_is_ever_deleted(play: Played) -> None:
    now = [1e9]

    async def scenario(store: Store) -> None:
        stored = await store.create(article())
        now[0] += 10_000 * DAY
        assert await store.sweep() == 0
        assert (await store.load(stored.id)).revision == 0
        assert store.expires_at(stored) is None

    play(scenario, clock=lambda: now[0])


def test_a_session_is_over_when_its_time_is_and_pinned_ones_never_are(play: Played) -> None:
    now = [1e9]

    async def scenario(store: Store) -> None:
        plain, used, pinned, later = [await store.create(article(), pinned=turn == 2) for turn in range(4)]
        expires = store.expires_at(plain)
        assert expires is not None
        assert expires.timestamp() == 1e9 + 10 * DAY
        assert store.expires_at(pinned) is None
        async with store.writing(later.id) as stored:
            later = await store.append(stored, "patch", stored.session.patch({}), pinned=True)
        assert later.pinned
        now[0] += 9 * DAY
        await short_run(store, used.id, 3)
        now[0] += 2 * DAY
        with pytest.raises(NotFound):
            await store.load(plain.id)  # although nobody has swept yet
        assert await store.sweep() == 1
        assert [(await store.load(each.id)).revision for each in (used, pinned, later)] == [1, 0, 1]
        async with store.writing(later.id) as stored:
            later = await store.append(stored, "patch", stored.session.patch({}), pinned=False)
        now[0] += 11 * DAY
        assert await store.sweep() == 2
        assert (await store.load(pinned.id)).pinned

    play(scenario, clock=lambda: now[0], retention_seconds=10 * DAY)
    assert play.execute("SELECT count(*) FROM sessions") == [(1,)]
    assert play.execute("SELECT count(*) FROM events") == [(1,)]
    assert play.execute("SELECT count(*) FROM slices") == [(0,)]


def test_who_watches_a_session_that_is_swept_is_told(play: Played) -> None:
    now = [1e9]

    async def scenario(store: Store) -> None:
        stored = await store.create(article())
        async with store.subscribe(stored) as revisions:
            now[0] += 2 * DAY
            await store.sweep()
            with pytest.raises(StopAsyncIteration):
                await asyncio.wait_for(anext(revisions), 5)

    play(scenario, clock=lambda: now[0], retention_seconds=DAY)


def test_many_are_swept_and_old_keys_with_them(play: Played) -> None:
    now = [1e9]

    async def scenario(store: Store) -> None:
        for number in range(250):
            await store.create(article(), key=Key("create", f"{number:030d}", "") if number % 50 == 0 else None)
        kept = await store.create(article(), pinned=True, key=Key("create", "k" * 30, ""))
        now[0] += 2 * DAY
        assert await store.sweep() == 250
        assert (await act(store, kept.id, "forward")).revision == 1

    play(scenario, clock=lambda: now[0], retention_seconds=DAY)
    assert play.execute("SELECT count(*) FROM idempotency") == [(0,)]
