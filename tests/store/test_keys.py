from __future__ import annotations

import asyncio

import pytest

from api.engine.errors import InvalidInput, StateConflict
from api.store import Answer, Key, Store
from tests.store.conftest import Played
from tests.store.walks import CYCLE, act, article

KEY = Key("POST /v1/sessions", "k" * 22, '{"seed": 1}')


def test_a_created_session_is_named_again_by_its_key(play: Played) -> None:
    async def first(store: Store) -> str:
        assert await store.replay(KEY) is None
        return (await store.create(article(), key=KEY)).id

    id = play(first)

    async def again(store: Store) -> None:
        assert await store.replay(KEY) == Answer(201, id, 0)
        assert (await store.load(id)).revision == 0

    play(again)


def test_another_body_is_refused_and_another_scope_is_another_key(play: Played) -> None:
    async def scenario(store: Store) -> None:
        await store.create(article(), key=KEY)
        with pytest.raises(InvalidInput):
            await store.replay(Key(KEY.scope, KEY.key, "other"))
        assert await store.replay(Key("PATCH", KEY.key, KEY.fingerprint)) is None
        assert await store.replay(Key(KEY.scope + "k", KEY.key[1:], KEY.fingerprint)) is None

    play(scenario)


def test_an_actions_key_is_written_in_its_transaction_or_not_at_all(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id, key = (await store.create(article())).id, Key("forward", "short", "")
        async with store.writing(id) as stored:
            done = await store.append(stored, "forward", stored.session.forward(), key=key)
        assert await store.replay(key) == Answer(200, None, 1)
        late = Key("late", "short", "")
        with pytest.raises(StateConflict, match="Idempotency-Key"):
            await store.append(done, "backward", done.session.backward(), key=key)
        assert (await store.load(id)).revision == 1
        with pytest.raises(Exception, match="no longer the newest"):
            await store.append(stored, "forward", stored.session.forward(), key=late)
        assert await store.replay(late) is None

    play(scenario)


def test_undo_and_rewind_take_keys(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await act(store, (await store.create(article())).id, *CYCLE)).id
        async with store.writing(id) as stored:
            stored = await store.undo(stored, Key("undo", "a", ""))
            stored = await store.rewind(stored, 0, Key("rewind", "a", ""))
        assert await store.replay(Key("undo", "a", "")) == Answer(200, None, 4)
        assert await store.replay(Key("rewind", "a", "")) == Answer(200, None, 5)

    play(scenario)


def test_of_twins_at_the_same_moment_one_creates(play: Played) -> None:
    async def scenario(store: Store) -> None:
        made = await asyncio.gather(*(store.create(article(), key=KEY) for _ in range(4)), return_exceptions=True)
        refused = [result for result in made if isinstance(result, StateConflict)]
        assert len(refused) == 3
        answer = await store.replay(KEY)
        assert answer is not None
        assert [answer.id] == [result.id for result in made if not isinstance(result, BaseException)]

    play(scenario)
    assert play.execute("SELECT count(*) FROM sessions") == [(1,)]


def test_a_key_is_kept_for_a_day(play: Played) -> None:
    now = [1e9]

    async def scenario(store: Store) -> None:
        first = await store.create(article(), key=KEY)
        now[0] += 23 * 3600
        assert await store.replay(KEY) == Answer(201, first.id, 0)
        now[0] += 2 * 3600
        assert await store.replay(KEY) is None
        second = await store.create(article(), key=KEY)
        assert second.id != first.id
        assert await store.replay(KEY) == Answer(201, second.id, 0)

    play(scenario, clock=lambda: now[0])
