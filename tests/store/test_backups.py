"""Backup while a service writes, restore when none does; nothing of the old is lost if it cannot be done."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from api.engine.errors import StoreUnavailable
from api.store import Store
from api.store.backups import backup, restore
from tests.store.conftest import PlayedOnFile
from tests.store.walks import CYCLE, act, article, facts

SESSIONS = 5


def test_a_backup_made_while_a_service_writes_is_the_database_at_one_moment(file: PlayedOnFile) -> None:
    shares: list[float] = []
    copies = [file.path.with_name(f"copy {number}.db") for number in range(4)]

    async def scenario(store: Store) -> list[str]:
        all_ids = [(await store.create(article())).id for _ in range(SESSIONS)]
        ended = threading.Event()

        async def walk(id: str) -> None:
            turn = 0
            while not ended.is_set():
                await act(store, id, CYCLE[turn % 3])
                turn += 1

        walks = [asyncio.create_task(walk(id)) for id in all_ids]
        for copy in copies:
            await asyncio.sleep(0.2)
            assert await asyncio.to_thread(backup, file.url, copy, shares.append) == copy.stat().st_size
        ended.set()
        await asyncio.gather(*walks)
        return all_ids

    all_ids = file(scenario)
    revisions = [[revision for (revision,) in file.execute("SELECT revision FROM sessions ORDER BY key")]]
    assert shares[-1] == 1
    for copy in copies:
        played = PlayedOnFile(file.path.parent)
        played.path, played.url = copy, f"sqlite:///{copy}"
        assert played.execute("PRAGMA integrity_check") == [("ok",)]
        revisions.append(played(lambda store: looked(store, all_ids)))
    *copied, last = [sum(each) for each in (*revisions[1:], revisions[0])]
    assert 0 < copied[0] < copied[-1] <= last
    assert not [path for path in file.path.parent.iterdir() if path.name.startswith(".")]


async def looked(store: Store, all_ids: list[str]) -> list[int]:
    """The revisions of sessions that are what so many steps make of them."""
    revisions = []
    for id in all_ids:
        stored = await store.load(id)
        session = article()
        for turn in range(stored.revision):
            session = getattr(session, CYCLE[turn % 3])()
        assert facts(session) == facts(stored.session)
        revisions.append(stored.revision)
    return revisions


async def begun(store: Store) -> str:
    return (await act(store, (await store.create(article())).id, *CYCLE)).id


def test_a_restored_database_is_what_the_backup_was(file: PlayedOnFile) -> None:
    id, copy = file(begun), file.path.with_name("copy.db")
    backup(file.url, copy, print)
    file(lambda store: act(store, id, *CYCLE))
    restore(file.url, copy, print, replace=True)
    assert file(lambda store: looked(store, [id])) == [3]
    file.path.unlink()
    restore(file.url, copy, print, replace=False)
    assert file(lambda store: looked(store, [id])) == [3]


def test_a_restore_leaves_alone_what_is_in_use_or_was_not_given_up(file: PlayedOnFile) -> None:
    copy = file.path.with_name("copy.db")

    async def scenario(store: Store) -> None:
        id = await begun(store)
        backup(file.url, copy, print)
        with pytest.raises(StoreUnavailable, match="--replace"):
            restore(file.url, copy, print, replace=False)
        with pytest.raises(StoreUnavailable, match="stop it first"):
            restore(file.url, copy, print, replace=True)
        assert (await act(store, id, "forward")).revision == 4

    file(scenario)


def test_a_backup_that_is_none_is_refused_and_the_database_stays(file: PlayedOnFile) -> None:
    id, copy = file(begun), file.path.with_name("copy.db")
    backup(file.url, copy, print)
    whole = copy.read_bytes()
    other, newer = file.path.with_name("other.db"), file.path.with_name("newer.db")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE notes(text)")
    newer.write_bytes(whole)
    with closing(sqlite3.connect(newer, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    copy.write_bytes(whole[: len(whole) // 2])
    for path, said in (
        (copy, "damaged"), (other, "no database of this program"), (newer, "9999"), (Path("nowhere.db"), "no backup"),
        (Path(__file__), "no SQLite database"),
    ):  # fmt: skip
        with pytest.raises(StoreUnavailable, match=said):
            restore(file.url, path, print, replace=True)
        assert file(lambda store: looked(store, [id])) == [3]


def test_a_backup_never_overwrites_and_leaves_nothing_half_done(file: PlayedOnFile) -> None:
    file(begun)
    there = file.path.with_name("there.db")
    there.write_bytes(b"precious")
    for target, said in ((there, "exists already"), (Path("/no/such/folder/copy.db"), "cannot be")):
        with pytest.raises(StoreUnavailable, match=said):
            backup(file.url, target, print)
    assert there.read_bytes() == b"precious"
    with pytest.raises(StoreUnavailable):
        backup(f"sqlite:///{file.path}.not", file.path.with_name("copy.db"), print)
    assert {path.name for path in file.path.parent.iterdir()} == {"there.db", "stepgrad.db"}


def test_on_postgresql_the_commands_are_named_that_do_it_there() -> None:
    url = "postgresql+psycopg://someone:secret@host/school"
    for call, program in (
        (lambda: backup(url, Path("b"), print), "pg_dump --format=custom --file=b postgresql://someone@host/school"),
        (lambda: restore(url, Path("b"), print, replace=True), "pg_restore"),
    ):
        with pytest.raises(StoreUnavailable) as refused:
            call()
        assert program in refused.value.detail
        assert "secret" not in refused.value.detail
