"""What is kept of finished epochs: the same in the history however they were gone through, and after a restart."""

from __future__ import annotations

from typing import Any

from api.store import HistoryRow, Store, Stored
from api.store.tables import HEAD
from api.training.run import Goal, advance, arrived
from api.training.session import Session
from api.training.snapshot import EpochEnd, Metrics
from tests.store.conftest import Played, PlayedOnFile
from tests.store.test_migrations import execute
from tests.store.walks import CYCLE, act, article, facts, long_run, patch, rewind, short_run

HELD_OUT: dict[str, Any] = {"split": {"validation": 1, "test": 1}, "shuffle": True}
"""Four of the article's six rows train."""


async def whole(store: Store, id: str) -> list[HistoryRow]:
    rows, more = await store.history(await store.load(id), -1, 10_000)
    assert not more
    return rows


def ends(rows: list[HistoryRow]) -> list[EpochEnd]:
    return [row.epoch_end for row in rows if row.epoch_end is not None]


async def run(store: Store, id: str, steps: int) -> Stored:
    """A run of one stretch that looks at every epoch, as the service's do."""
    async with store.writing(id) as stored:
        session = stored.session
        goal = Goal(session.position.step + steps)
        stretch = advance(session.definition, session.snapshot, goal=goal, seconds=100.0)
        return await store.append(stored, "run", arrived(session, stretch), run={}, stretches=[stretch])


async def slices(store: Store, id: str, *lengths: int) -> Stored:
    """A run of several stretches that looks at every epoch."""
    async with store.writing(id) as stored:
        session = stored.session
        await store.begin_run(stored)
        for length in lengths:
            goal = Goal(session.position.step + length)
            stretch = advance(session.definition, session.snapshot, goal=goal, seconds=100.0)
            await store.append_stretch(stored, stretch)
            session = arrived(session, stretch)
        return await store.end_run(stored, session, {"steps_done": sum(lengths)})


def test_epochs_are_kept_alike_by_steps_runs_and_slices(play: Played) -> None:
    async def scenario(store: Store) -> list[str]:
        stepped, ran, sliced = [(await store.create(article(**HELD_OUT))).id for _ in range(3)]
        await act(store, stepped, *CYCLE * 14)
        await run(store, ran, 14)
        await act(store, sliced, *CYCLE, "forward")
        await slices(store, sliced, 3, 1, 7, 2)
        return [stepped, ran, sliced]

    all_ids = play(scenario)

    async def look(store: Store) -> None:
        session = article(**HELD_OUT)
        expected = []
        for _ in range(14):
            session = session.forward().backward().update()
            expected += [end for end in [EpochEnd.of(session.snapshot)] if end]
        assert len(expected) == 3
        for id in all_ids:
            assert ends(await whole(store, id)) == expected
            stored = await store.load(id)
            assert facts(stored.session) == facts(session)
            losses = [(end.step, end.metrics.validation_loss) for end in expected]
            assert await store.validation_losses(stored, 100) == losses
            for step in range(15):
                there = (await store.at_step(stored, step, "ready")).session.snapshot.progress.metrics
                assert there == (expected[step // 4 - 1].metrics if step >= 4 else None)

    play(look)


def test_the_line_alone_counts(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article(**HELD_OUT))).id
        await run(store, id, 20)
        first = ends(await whole(store, id))
        inside = await rewind(store, id, 10)
        assert inside.session.snapshot.progress.metrics == first[1].metrics
        assert ends(await whole(store, id)) == first[:2]
        assert len(await store.validation_losses(inside, 100)) == 2
        await patch(store, id, optimizer={"learning_rate": 0.02})
        after = await act(store, id, *CYCLE * 2)
        other = ends(await whole(store, id))
        assert (other[:2], len(other)) == (first[:2], 3)
        assert other[2] != first[2]
        assert after.session.snapshot.progress.metrics == other[2].metrics
        back = await act(store, id, "undo")
        assert back.session.snapshot.progress.metrics == first[1].metrics
        assert len(await store.validation_losses(back, 100)) == 2
        assert await store.validation_losses(await rewind(store, id, 0), 100) == []

    play(scenario)


def test_charts_get_few_points_of_many_epochs(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article(**HELD_OUT))).id
        stored = await slices(store, id, 2000, 2000)
        every = await store.validation_losses(stored, 10_000)
        assert [step for step, _ in every] == list(range(3, 4000, 4))
        some = await store.validation_losses(stored, 50)
        assert len(some) <= 50
        assert set(some) <= set(every)

    play(scenario)


def test_without_rows_held_out_an_epoch_has_its_mean_loss_alone(play: Played) -> None:
    async def scenario(store: Store) -> None:
        walked, ran = await store.create(article(batch_size=4)), await store.create(article(batch_size=4))
        await act(store, walked.id, *CYCLE * 4)
        await long_run(store, ran.id, [1, 3])
        found = ends(await whole(store, walked.id))
        assert ends(await whole(store, ran.id)) == found
        assert [(end.step, end.metrics) for end in found] == [(1, Metrics()), (3, Metrics())]
        losses = [row.loss for row in await whole(store, walked.id)]
        assert [end.loss for end in found] == [(losses[0] + losses[1]) / 2, (losses[2] + losses[3]) / 2]
        assert await store.validation_losses(await store.load(ran.id), 100) == []

    play(scenario)


def test_a_session_may_begin_with_epochs_of_its_own(play: Played) -> None:
    async def scenario(store: Store) -> str:
        start = article(**HELD_OUT)
        stretch = advance(start.definition, start.snapshot, goal=Goal(9), seconds=100.0)
        return (await store.create(arrived(start, stretch), stretches=[stretch])).id

    id = play(scenario)

    async def look(store: Store) -> None:
        stored = await store.load(id)
        found = ends(await whole(store, id))
        assert [end.step for end in found] == [3, 7]
        assert stored.session.snapshot.progress.metrics == found[1].metrics

    play(look)


def test_a_database_from_before_epochs_were_kept_is_migrated(file: PlayedOnFile) -> None:
    async def before(store: Store) -> str:
        id = (await store.create(article(batch_size=4))).id
        await act(store, id, *CYCLE * 2)
        return (await short_run(store, id, 4)).id

    id = file(before)
    execute(
        file.path,
        "ALTER TABLE events DROP COLUMN epoch_end",
        "ALTER TABLE slices DROP COLUMN epochs",
        *(f"DROP TABLE {table}" for table in ("submissions", "students", "assignments")),  # which came later
        "UPDATE alembic_version SET version_num = '0002'",
    )

    async def after(store: Store) -> None:
        assert [(row.step, row.epoch_end is None) for row in await whole(store, id)] == [
            (0, True), (1, True),  # done by hand, when nothing was kept
            (2, True), (3, False), (4, True), (5, False),
        ]  # fmt: skip
        await act(store, id, *CYCLE * 2)
        assert (await whole(store, id))[-1].epoch_end is not None
        session = article(batch_size=4)
        for _ in range(8):
            session = session.forward().backward().update()
        assert facts((await store.load(id)).session) == facts(session)

    file(after)
    assert execute(file.path, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_metrics_of_tensors_survive_a_restart(play: Played) -> None:
    body: dict[str, Any] = {"model": {"kind": "preset", "name": "softmax_classifier"}, "split": {"validation": 0.3}}

    async def scenario(store: Store) -> tuple[str, Session]:
        id = (await store.create(article(**body))).id
        return id, (await run(store, id, 15)).session

    id, session = play(scenario)

    async def look(store: Store) -> None:
        again = (await store.load(id)).session.snapshot.progress
        assert again == session.snapshot.progress
        assert again.metrics is not None
        assert again.metrics.validation_accuracy is not None
        assert (await act(store, id, *CYCLE)).session.snapshot.progress.metrics != again.metrics

    play(look)
