from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from dataclasses import dataclass

import pytest

from api.engine.errors import StoreFull, StoreUnavailable
from api.store import Store
from api.store.changes import Append
from api.store.database import Transaction
from tests.store.conftest import Played, PlayedOnFile
from tests.store.walks import CYCLE, act, article, facts


@dataclass(frozen=True)
class Recorded:
    """A change that notes where and with what it was applied, and then may fail."""

    log: list[tuple[int, str]]
    error: Exception | None = None
    order: tuple[int, bytes] = (0, b"")

    def apply(self, transaction: Transaction) -> int:
        self.log.append((id(transaction), threading.current_thread().name))
        if self.error is not None:
            raise self.error
        return len(self.log)


def test_changes_of_one_turn_share_a_transaction(play: Played) -> None:
    async def scenario(store: Store) -> None:
        log: list[tuple[int, str]] = []
        await asyncio.gather(*(store._keeper.writer.submit(Recorded(log)) for _ in range(20)))
        assert len(set(log)) == 1
        assert log[0][1] == ("stepgrad-writer" if store._keeper.database.shared else "MainThread")

    play(scenario)


def test_a_slow_disk_is_waited_for_on_a_thread_of_its_own(file: PlayedOnFile) -> None:
    async def scenario(store: Store) -> None:
        for seconds, thread in ((0.0, "MainThread"), (1.0, "stepgrad-writer")):
            store._keeper.writer._forcing = seconds
            log: list[tuple[int, str]] = []
            await asyncio.gather(*(store._keeper.writer.submit(Recorded(log)) for _ in range(3)))
            assert {name for _, name in log} == {thread}

    file(scenario)


def test_every_transaction_takes_the_lock_at_its_beginning(file: PlayedOnFile) -> None:
    async def scenario(store: Store) -> list[str]:
        said: list[str] = []
        stored = await store.create(article())
        connection = store._keeper.writer._connection.connection.dbapi_connection
        connection.set_trace_callback(said.append)  # type: ignore[union-attr]
        await act(store, stored.id, "forward")
        connection.set_trace_callback(None)  # type: ignore[union-attr]
        return [statement.split()[0] for statement in said if "IMMEDIATE" not in statement] + said[:1]

    assert file(scenario) == ["UPDATE", "INSERT", "COMMIT", "BEGIN IMMEDIATE"]


def test_an_answer_leaves_after_its_commit(play: Played) -> None:
    async def scenario(store: Store) -> None:
        states = [await store.create(article()) for _ in range(12)]

        async def step(id: str) -> None:
            for action in CYCLE:
                stored = await act(store, id, action)
                seen = play.execute(f"SELECT revision FROM sessions WHERE key = {stored.place.key}")
                assert seen == [(stored.revision,)]

        await step(states[0].id)
        await asyncio.gather(*(step(stored.id) for stored in states[1:]))

    play(scenario)


def test_a_failing_change_does_not_hurt_its_group(file: PlayedOnFile) -> None:
    async def scenario(store: Store) -> None:
        states = [await store.create(article()) for _ in range(6)]
        log: list[tuple[int, str]] = []
        bad = Recorded(log, KeyError("bad"))
        results = await asyncio.gather(
            *(act(store, stored.id, "forward") for stored in states[:3]),
            store._keeper.writer.submit(bad),
            *(act(store, stored.id, "forward") for stored in states[3:]),
            return_exceptions=True,
        )
        assert isinstance(results.pop(3), KeyError)
        assert len(log) == 2
        assert [getattr(result, "revision", result) for result in results] == [1] * 6

    file(scenario)


def test_a_cancelled_caller_hears_of_it_after_the_commit(play: Played) -> None:
    async def scenario(store: Store) -> None:
        stored = await store.create(article())

        async def step() -> None:
            await act(store, stored.id, "forward")
            await asyncio.sleep(10)

        task = asyncio.create_task(step())
        while not store._keeper.writer._waiting:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await act(store, stored.id, "backward")).revision == 2

    play(scenario)


def test_a_time_out_around_a_commit_is_a_time_out(play: Played) -> None:
    async def scenario(store: Store) -> None:
        stored = await store.create(article())

        async def step_in_no_time() -> None:
            async with asyncio.timeout(0):
                await act(store, stored.id, "forward")
                await asyncio.sleep(10)

        with pytest.raises(TimeoutError):
            await step_in_no_time()
        assert (await store.load(stored.id)).revision in (0, 1)

    play(scenario)


def test_closing_commits_what_waits_and_nothing_later(file: PlayedOnFile) -> None:
    async def scenario(store: Store) -> None:
        states = [await store.create(article()) for _ in range(10)]
        steps = [asyncio.create_task(act(store, stored.id, "forward")) for stored in states]
        await asyncio.sleep(0)
        await store.close()
        assert [stored.revision for stored in await asyncio.gather(*steps)] == [1] * 10
        for seconds in (0.0, 1.0):  # on a fast disk, and on one so slow that the writer's thread would have committed
            store._keeper.writer._forcing = seconds
            with pytest.raises(StoreUnavailable):
                await store.create(article())

    file(scenario)


def test_a_lock_held_by_another_process_is_unavailable_in_time_and_reads_go_on(file: PlayedOnFile) -> None:
    async def scenario(store: Store) -> None:
        stored = await act(store, (await store.create(article())).id, *CYCLE)
        with sqlite3.connect(file.path, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="locked"):
                await act(store, stored.id, "forward")
            assert 0.2 < time.monotonic() - began < 2
            looked = await store.at_revision(await store.load(stored.id), 1)
            assert looked.session.phase == "forward"
            waiting = asyncio.create_task(act(store, stored.id, "forward"))
            await asyncio.sleep(0.05)
            other.execute("ROLLBACK")
            assert (await waiting).revision == 4
        other.close()

    file(scenario, busy_seconds=0.3)


def test_a_full_disk_is_told_and_recovered_from(file: PlayedOnFile) -> None:
    async def scenario(store: Store) -> None:
        connection = store._keeper.writer._connection
        stored = await store.create(article())
        pages = connection.connection.cursor().execute("PRAGMA page_count").fetchone()[0]
        connection.connection.cursor().execute(f"PRAGMA max_page_count={pages}")
        acknowledged = []

        async def fill() -> None:
            while True:
                acknowledged.append((await act(store, stored.id, "forward")).revision)
                acknowledged.append((await act(store, stored.id, "undo")).revision)

        with pytest.raises(StoreFull):
            await fill()
        before = await store.load(stored.id)
        assert before.revision == acknowledged[-1]
        connection.connection.cursor().execute("PRAGMA max_page_count=1000000")
        after = await act(store, stored.id, "forward" if before.session.phase == "ready" else "backward")
        assert after.revision == before.revision + 1

    file(scenario)


def test_sixty_four_sessions_step_together_and_none_is_confused_with_another(play: Played) -> None:
    async def scenario(store: Store) -> None:
        states = [await store.create(article(parameters={"w1": float(n)})) for n in range(64)]

        async def walk(id: str) -> object:
            for action in CYCLE * 2:
                stored = await act(store, id, action)
            return facts(stored.session)

        walked = await asyncio.gather(*(walk(stored.id) for stored in states))
        for stored, expected in zip(states, walked, strict=True):
            store._keeper.cache.evict(stored.read_id)
            assert facts((await store.load(stored.id)).session) == expected

    play(scenario)


def test_append_is_a_change_that_says_it_came_too_late(play: Played) -> None:
    async def scenario(store: Store) -> None:
        stored = await store.create(article())
        row = stored.place.row._replace(revision=7, frame=b"")
        assert (await store._keeper.writer.submit(Append(row, (), None))).name == "MISSED"

    play(scenario)
