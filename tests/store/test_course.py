"""A session's states along its line."""

from __future__ import annotations

import pytest

from api.store import Store
from api.store import course as sampling
from tests.store.conftest import Played
from tests.store.walks import CYCLE, act, article, long_run, patch, rewind, short_run


async def steps_of(store: Store, id: str, points: int) -> list[int]:
    stored = await store.load(id)
    return [session.position.step for session in await store.course(stored, points)]


def test_every_state_is_the_one_that_the_line_had_there(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article(batch_size=2))).id
        await act(store, id, *CYCLE * 2)
        await patch(store, id, parameters={"b": 0.5}, optimizer={"learning_rate": 0.005})
        await short_run(store, id, 5)
        await long_run(store, id, [4, 3])
        stored = await act(store, id, *CYCLE, "forward")
        found = await store.course(stored, 100)
        assert [session.position.step for session in found] == list(range(16))
        for session in found[:-1]:
            there = await store.at_step(stored, session.position.step, "ready")
            # where a value was changed by hand, the line has both; what an update led to is the one shown
            if session.position.step != 2:
                assert session.snapshot == there.session.snapshot
                assert session.learning_rate == there.session.learning_rate
        assert found[-1] is stored.session

    play(scenario)


def test_few_points_are_spread_evenly_with_both_ends(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        assert await steps_of(store, id, 5) == [0]
        await short_run(store, id, 40)
        assert await steps_of(store, id, 5) == [0, 10, 20, 30, 40]
        await act(store, id, *CYCLE * 4)
        assert await steps_of(store, id, 5) == [0, 11, 22, 33, 44]
        assert await steps_of(store, id, 1) == [0, 44]

    play(scenario)


def test_what_was_undone_or_rewound_is_not_on_the_way(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        await short_run(store, id, 12)
        await rewind(store, id, 7)
        await act(store, id, *CYCLE, "undo", "undo")
        assert await steps_of(store, id, 50) == [*range(7), 7]
        await act(store, id, "undo")

    play(scenario)


def test_a_fork_begins_where_it_was_made(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        stored = await act(store, id, *CYCLE * 3)
        branch = (await store.create(stored.session, parent=(stored.read_id, stored.revision))).id
        await act(store, branch, *CYCLE * 2)
        assert await steps_of(store, branch, 50) == [3, 4, 5]

    play(scenario)


def test_a_run_too_long_to_be_done_again_is_seen_where_it_was_kept(
    play: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "REPLAYED", 0)

    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        await long_run(store, id, [10, 10, 10])
        assert await steps_of(store, id, 7) == [0, 10, 20, 30]

    play(scenario)
