from __future__ import annotations

import math

from api.store import HistoryRow, Store
from api.training.run import advance, arrived
from api.training.snapshot import Snapshot
from tests.store.conftest import Played
from tests.store.walks import CYCLE, act, article, facts, long_run, patch, rewind, short_run


def numbers(rows: list[HistoryRow]) -> list[tuple[object, ...]]:
    return [(r.step, r.epoch, r.batch, r.loss, r.learning_rate, r.gradient_norm) for r in rows]


async def whole(store: Store, id: str) -> list[HistoryRow]:
    rows, more = await store.history(await store.load(id), -1, 10_000)
    assert not more
    return rows


def test_steps_inside_runs_have_the_history_of_single_steps(play: Played) -> None:
    async def scenario(store: Store) -> None:
        walked, ran = await store.create(article(batch_size=4)), await store.create(article(batch_size=4))
        for _ in range(3):
            expected = await act(store, walked.id, "forward", "backward")
            norm = expected.session.gradient_norm
            await act(store, walked.id, "update")
        await act(store, walked.id, *CYCLE * 9)
        await act(store, ran.id, "forward")
        await short_run(store, ran.id, 3)
        await long_run(store, ran.id, [4, 5])
        rows = await whole(store, ran.id)
        assert numbers(rows) == numbers(await whole(store, walked.id))
        assert [(row.step, row.epoch, row.batch) for row in rows[:4]] == [(0, 1, 1), (1, 1, 2), (2, 2, 1), (3, 2, 2)]
        assert rows[2].gradient_norm == norm
        assert [row.revision for row in rows] == [2] * 3 + [3] * 9

    play(scenario)


def test_history_comes_in_pages(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        await act(store, id, *CYCLE * 2)
        await long_run(store, id, [3, 2])
        stored = await act(store, id, *CYCLE)
        rows = await whole(store, id)
        assert [row.step for row in rows] == list(range(8))
        assert await store.history(stored, -(10**30), 10**30) == (rows, False)
        assert await store.history(stored, 10**30, 1) == ([], False)
        assert [row.seconds for row in rows][:2] == [1.5, 1.5]
        for after in range(-1, 9):
            for limit in (1, 2, 3, 7, 8, 9):
                page, more = await store.history(stored, after, limit)
                assert page == rows[after + 1 : after + 1 + limit]
                assert more == (after + 1 + limit < 8)

    play(scenario)


def test_history_is_of_the_current_line_alone(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        await act(store, id, *CYCLE * 2)
        await act(store, id, *["undo"] * 3)
        await patch(store, id, optimizer={"learning_rate": 0.02})
        await act(store, id, *CYCLE)
        assert [row.learning_rate for row in await whole(store, id)] == [0.01, 0.02]
        await short_run(store, id, 20)
        await rewind(store, id, 7)
        await act(store, id, *CYCLE)
        rows = await whole(store, id)
        assert [row.step for row in rows] == list(range(8))
        assert [row.learning_rate for row in rows] == [0.01] + [0.02] * 7
        losses = await store.losses(await store.load(id), 1000)
        assert losses == [(row.step, row.loss) for row in rows]
        await rewind(store, id, 0)
        assert await whole(store, id) == []
        assert await store.losses(await store.load(id), 1000) == []

    play(scenario)


def test_a_session_may_begin_with_steps_of_its_own(play: Played) -> None:
    async def scenario(store: Store) -> str:
        start = article()
        stretch = advance(start.definition, start.snapshot, steps=10)
        stored = await store.create(arrived(start, stretch), stretches=[stretch])
        assert not stored.undoable
        assert [row.step for row in await whole(store, stored.id)] == list(range(10))
        return stored.id

    id = play(scenario)

    async def back(store: Store) -> None:
        stored = await store.load(id)
        assert stored.session.last_update is not None
        assert stored.session.last_update.position.step == 9
        inside = await rewind(store, id, 4)
        assert not inside.undoable
        assert [row.step for row in await whole(store, id)] == [0, 1, 2, 3]
        assert (await rewind(store, id, 0)).session.last_update is None
        assert await whole(store, id) == []

    play(back)


def test_charts_get_the_first_the_last_and_the_extremes(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        stored = await long_run(store, id, [4000, 1500, 500])
        every = await store.losses(stored, 10_000)
        assert [step for step, _ in every] == list(range(6000))
        for points in (2, 3, 10, 101, 600):
            some = await store.losses(stored, points)
            assert len(some) <= points
            assert set(some) <= set(every)
            assert (some[0], some[-1]) == (every[0], every[-1])
            assert [step for step, _ in some] == sorted(step for step, _ in some)
        highest = max(every[1:-1], key=lambda pair: pair[1])
        assert highest in await store.losses(stored, 100)

    play(scenario)


def test_a_run_that_diverges_ends_in_backward_and_can_be_rewound(play: Played) -> None:
    async def scenario(store: Store) -> str:
        id = (await store.create(article(optimizer={"kind": "sgd", "learning_rate": 0.05}))).id
        async with store.writing(id) as stored:
            session = stored.session
            stretch = advance(session.definition, session.snapshot, steps=5000)
            assert stretch.stopped_by == "diverged"
            broken = arrived(session, stretch).forward().backward()
            await store.append(stored, "run", broken, run={"stopped_by": "diverged"}, stretches=[stretch])
        return id

    id = play(scenario)

    async def look(store: Store) -> None:
        stored = await store.load(id)
        assert stored.session.diverged
        assert stored.run == {"stopped_by": "diverged"}
        step = stored.session.position.step
        rows, more = await store.history(stored, step - 3, 100)
        assert [row.step for row in rows] == [step - 2, step - 1]
        assert all(math.isfinite(row.loss) for row in rows)
        assert not more
        ready = await rewind(store, id, step)
        assert ready.session.phase == "ready"
        assert ready.session.snapshot == stored.session.snapshot
        assert ready.session.last_update is not None
        assert (await act(store, id, "undo")).revision == 3

    play(look)


def test_replay_inside_a_run_is_equal_to_stepping_to_the_last_bit(play: Played) -> None:
    async def scenario(store: Store) -> None:
        session = article(shuffle=True, batch_size=4)
        stored = await short_run(store, (await store.create(session)).id, 500)
        rows = await whole(store, stored.id)
        assert len(rows) == 500
        for row in rows:
            session = session.forward().backward()
            expected = (session.position.step, session.loss, session.gradient_norm)
            assert (row.step, row.loss, row.gradient_norm) == expected
            session = session.update()
        assert facts(session) == facts(stored.session)

    play(scenario)


def places(found: list[Snapshot]) -> list[tuple[int, float]]:
    return [(one.position.step, float(one.parameters["w1"])) for one in found]


def test_the_line_is_walked_again_inside_runs_too_and_as_finely_as_asked_for(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        assert await store.walked(await store.load(id), 10, 10**6) == []
        await act(store, id, *CYCLE * 2)
        await short_run(store, id, 3)
        await patch(store, id, parameters={"w1": 5})
        await long_run(store, id, [4, 5])
        stored = await act(store, id, *CYCLE)
        whole = places(await store.walked(stored, 100, 10**6))
        assert [step for step, _ in whole] == list(range(15))
        for step, w1 in whole:
            there = await store.at_step(stored, step, "ready")
            if step != 5:  # which a hand has changed
                assert there.session.parameters["w1"] == w1
        assert whole[5][1] == 5
        some = places(await store.walked(stored, 4, 10**6))
        assert [step for step, _ in some] == [0, 5, 9, 14]
        assert some == [whole[step] for step in (0, 5, 9, 14)]
        assert [step for step, _ in places(await store.walked(stored, 1, 10**6))] == [0]
        earlier = await store.at_revision(stored, 6)
        assert places(await store.walked(earlier, 100, 10**6)) == whole[:2]

    play(scenario)


def test_where_steps_cost_too_much_the_walk_keeps_to_what_is_stored(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        await long_run(store, id, [40, 50, 10])
        stored = await store.load(id)
        assert [step for step, _ in places(await store.walked(stored, 21, 0))] == [0, 40, 90]
        assert len(await store.walked(stored, 21, 10**6)) == 21

    play(scenario)


def test_a_walk_follows_the_line_that_undo_and_rewind_left(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        await short_run(store, id, 5)
        await rewind(store, id, 3)
        stored = await act(store, id, *CYCLE)
        assert [step for step, _ in places(await store.walked(stored, 100, 10**6))] == [0, 1, 2, 3]
        stored = await act(store, id, "undo", "undo", "undo")
        assert [step for step, _ in places(await store.walked(stored, 100, 10**6))] == [0, 1, 2]

    play(scenario)


def test_a_line_begins_with_step_0_but_for_a_fork(play: Played) -> None:
    async def scenario(store: Store) -> None:
        stored = await store.create(article())
        assert await store.first_step(stored) == 0
        stored = await short_run(store, stored.id, 4)
        assert await store.first_step(stored) == 0
        fork = await store.create(stored.session, parent=(stored.read_id, stored.revision))
        assert await store.first_step(fork) == 4
        assert await store.first_step(await act(store, fork.id, *CYCLE)) == 4

    play(scenario)
