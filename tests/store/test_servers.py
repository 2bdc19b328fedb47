"""Several servers on one PostgreSQL, each as the store sees it: what one has written, the others know."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from api.engine.errors import NotFound, RunInProgress, StaleRevision, StateConflict, StoreUnavailable
from api.store import Answer, Key, Store, migrate
from api.store.database import Database
from api.store.migrations import folder
from api.store.tables import HEAD, metadata
from api.training.run import advance
from tests.postgres import Server, programs_folder, serving
from tests.store.conftest import PlayedOnServer
from tests.store.walks import CYCLE, act, article, facts, seen

KEY = Key("POST /v1/sessions", "k" * 30, "body")


def together(server: PlayedOnServer, scenario: Callable[[Store, Store], Awaitable[None]], **options: Any) -> None:
    """A scenario of two servers."""

    async def life(one: Store) -> None:
        other = Store.open(server.url, **options)
        try:
            await scenario(one, other)
        finally:
            await other.close()

    server(life, **options)


def test_what_one_server_wrote_another_reads_although_it_had_an_older_state(server: PlayedOnServer) -> None:
    async def scenario(one: Store, other: Store) -> None:
        id = (await one.create(article())).id
        for action in CYCLE * 3:
            written = await act(one, id, action)
            assert seen(await other.load(id)) == seen(written)
            assert seen(await other.at_revision(await other.load(id), written.revision)) == seen(written)

    together(server, scenario)


def test_servers_take_turns_on_a_session(server: PlayedOnServer) -> None:
    async def scenario(one: Store, other: Store) -> None:
        id = (await one.create(article())).id
        for turn, action in enumerate(CYCLE * 4):
            assert (await act((one, other)[turn % 2], id, action)).revision == turn + 1
        session = article()
        for action in CYCLE * 4:
            session = getattr(session, action)()
        assert facts((await one.load(id)).session) == facts(session)

    together(server, scenario)


def test_of_two_servers_that_write_at_once_one_is_let_through(server: PlayedOnServer) -> None:
    async def scenario(one: Store, other: Store) -> None:
        for _ in range(20):
            id = (await one.create(article())).id
            results = await asyncio.gather(act(one, id, "forward"), act(other, id, "forward"), return_exceptions=True)
            kinds = Counter(type(result).__name__ for result in results)
            assert kinds["Stored"] == 1, results
            assert (await one.load(id)).revision == (await other.load(id)).revision == 1

    together(server, scenario)


def test_a_key_that_two_servers_get_at_once_creates_one_session(server: PlayedOnServer) -> None:
    async def scenario(one: Store, other: Store) -> None:
        for turn in range(10):
            key = Key("POST /v1/sessions", f"{turn}" * 30, "body")
            tries = (store.create(article(), key=key) for store in (one, other, one, other))
            made = await asyncio.gather(*tries, return_exceptions=True)
            (created,) = [each for each in made if not isinstance(each, BaseException)]
            assert all(isinstance(each, StateConflict) for each in made if isinstance(each, BaseException))
            assert await one.replay(key) == await other.replay(key) == Answer(201, created.id, 0)

    together(server, scenario)


def test_a_deleted_session_is_gone_everywhere(server: PlayedOnServer) -> None:
    async def scenario(one: Store, other: Store) -> None:
        stored = await act(one, (await one.create(article())).id, *CYCLE)
        looks: list[Awaitable[object]]
        watched = await other.load(stored.id)
        async with one.writing(stored.id) as newest:
            await one.delete(newest)
        looks = [
            other.load(stored.id),
            other.at_revision(watched, 1),
            other.at_step(watched, 0, "ready"),
            act(other, stored.id, "forward"),
            other.history(watched, -1, 10),
            other.losses(watched, 10),
            other.undo(watched),
            other.rewind(watched, 0),
        ]
        for look in looks:
            with pytest.raises(NotFound):
                await look

    together(server, scenario)


def test_listeners_hear_of_what_other_servers_do(server: PlayedOnServer) -> None:
    async def scenario(one: Store, other: Store) -> None:
        stored = await one.create(article())

        async def listen(store: Store) -> list[tuple[int, float]]:
            async with store.subscribe(stored) as revisions:
                return [(revision, time.monotonic()) async for revision in revisions]

        listeners = [asyncio.create_task(listen(store)) for store in (one, other)]
        for store in (one, other):
            await store._keeper.notices.listen()
        done = []
        for turn, action in enumerate(CYCLE):
            await act((one, other)[turn % 2], stored.id, action)
            done.append(time.monotonic())
            await asyncio.sleep(0.05)
        async with one.writing(stored.id) as newest:
            await one.delete(newest)
        for heard in await asyncio.gather(*listeners):
            assert [revision for revision, _ in heard] == [1, 2, 3]
            assert max(at - when for (_, at), when in zip(heard, done, strict=True)) < 1

    together(server, scenario)


def test_what_was_missed_is_found_by_looking(server: PlayedOnServer) -> None:
    async def scenario(one: Store, other: Store) -> None:
        other._keeper.notices._period = 0.2
        stored = await one.create(article())
        async with other.subscribe(stored) as revisions:
            one._keeper.writer._tell = lambda *_: None  # type: ignore[method-assign]
            await act(one, stored.id, "forward")
            assert await asyncio.wait_for(anext(revisions), 5) == 1
            await one._keeper.writer.submit(_delete(await one.load(stored.id)))
            with pytest.raises(StopAsyncIteration):
                await asyncio.wait_for(anext(revisions), 5)

    together(server, scenario)


def _delete(stored: Any) -> Any:
    from api.store.changes import Delete

    return Delete(stored.place.key, stored.revision)


def test_a_run_of_one_server_keeps_the_others_out_until_its_lease_is_over(server: PlayedOnServer) -> None:
    now = [1e9]

    async def scenario(one: Store, other: Store) -> None:
        id = (await one.create(article())).id
        stored = await one.load(id)
        await one.begin_run(stored)
        stretch = advance(stored.session.definition, stored.session.snapshot, steps=4)
        await one.append_stretch(stored, stretch)
        looked = await other.load(id)
        assert (looked.running, looked.revision) == (True, 0)
        with pytest.raises(RunInProgress):
            await act(other, id, "forward")
        now[0] += 31
        assert (await act(other, id, "forward")).session.position.step == 4
        with pytest.raises(StaleRevision):
            await one.append_stretch(stored, stretch)

    together(server, scenario, clock=lambda: now[0])


def test_servers_take_their_time_from_the_database(server: PlayedOnServer) -> None:
    async def scenario(one: Store, other: Store) -> None:
        database = one._keeper.database
        (seconds,) = server.execute("SELECT extract(epoch FROM clock_timestamp())::float8")[0]
        assert abs(database.now() - seconds) < 1
        assert abs(database.now() - other._keeper.database.now()) < 1

    together(server, scenario)


def test_an_unmigrated_database_is_refused_with_the_command_that_migrates(postgres: Server) -> None:
    url = postgres.empty()
    with pytest.raises(StoreUnavailable, match=r"no tables yet.*stepgrad migrate"):
        Store.open(url)
    assert migrate(url) == migrate(url)
    asyncio.run(Store.open(url).close())


def test_eight_processes_that_migrate_at_once_do_it_once(postgres: Server) -> None:
    url = postgres.empty()
    code = "import sys; from api.store import migrate; print(migrate(sys.argv[1]))"
    command = [sys.executable, "-W", "error", "-c", code, url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder().parent) for _ in range(8)]
    assert [process.communicate(timeout=50)[0].decode().strip() for process in processes] == [HEAD] * 8
    database = Database(url)
    with database.reading.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_a_server_that_cannot_be_reached_is_named_and_its_password_is_not() -> None:
    for command in (Store.open, migrate):
        with pytest.raises(StoreUnavailable, match="cannot be reached") as refused:
            command("postgres://someone:secret@127.0.0.1:9/stepgrad")
        assert "127.0.0.1" in refused.value.detail
        assert "secret" not in refused.value.detail


def test_a_locked_row_is_unavailable_in_time_and_the_others_of_its_group_go_on(server: PlayedOnServer) -> None:
    async def scenario(store: Store) -> None:
        states = [await store.create(article()) for _ in range(4)]
        with psycopg.connect(server.server.conninfo(server.name)) as other:
            other.execute(f"SELECT * FROM sessions WHERE key = {states[1].place.key} FOR UPDATE")
            began = time.monotonic()
            tries = (act(store, stored.id, "forward") for stored in states)
            results = await asyncio.gather(*tries, return_exceptions=True)
            assert time.monotonic() - began < 3
            refused = results.pop(1)
            assert isinstance(refused, StoreUnavailable)
            assert "locked" in refused.detail
            assert [getattr(result, "revision", result) for result in results] == [1, 1, 1]
            assert (await store.load(states[1].id)).revision == 0
        assert (await act(store, states[1].id, "forward")).revision == 1

    server(scenario, busy_seconds=0.3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_restart_of_the_database_is_survived(number: signal.Signals) -> None:
    with serving(programs_folder()) as own:

        async def scenario() -> None:
            store = Store.open(own.migrated())
            stored = await act(store, (await store.create(article())).id, "forward")
            async with store.subscribe(stored) as revisions:
                await asyncio.to_thread(own.stop, number)
                for call in (act(store, stored.id, "backward"), store.load(stored.id)):
                    with pytest.raises(StoreUnavailable):
                        await call
                await asyncio.to_thread(own.start)
                assert (await act(store, stored.id, "backward")).revision == 2
                assert (await store.load(stored.id)).revision == 2
                assert await asyncio.wait_for(anext(revisions), 15) == 2
            await store.close()

        asyncio.run(scenario())


def test_connections_that_the_server_ends_are_replaced_and_nobody_notices(server: PlayedOnServer) -> None:
    async def scenario(store: Store) -> None:
        stored = await store.create(article())
        for turn in range(6):
            await asyncio.gather(*(store.load(stored.id) for _ in range(8)))
            server.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{server.name}' "
                "AND pid <> pg_backend_pid()"
            )
            assert (await act(store, stored.id, CYCLE[turn % 3])).revision == turn + 1

    server(scenario)
