from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from api.engine.errors import StoreUnavailable
from api.store import Store, migrate
from api.store.database import Database
from api.store.migrations import folder
from api.store.tables import HEAD, metadata
from tests.store.conftest import PlayedOnFile
from tests.store.walks import article


async def nothing(store: Store) -> None:
    pass


def execute(path: Path, *statements: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for statement in statements:
            rows = file.execute(statement).fetchall()
        return rows


def test_the_migrations_make_the_tables_the_code_knows(file: PlayedOnFile) -> None:
    file(nothing)
    database = Database(file.url)
    with database.reading.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()
    assert ScriptDirectory(str(folder())).get_current_head() == HEAD


def test_eight_processes_that_start_at_once_migrate_once(file: PlayedOnFile) -> None:
    code = "import sys; from api.store import migrate; print(migrate(sys.argv[1]))"
    command = [sys.executable, "-W", "error", "-c", code, file.url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder().parent) for _ in range(8)]
    assert [process.communicate(timeout=50)[0].decode().strip() for process in processes] == [HEAD] * 8
    assert execute(file.path, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_a_current_database_is_opened_without_alembic(file: PlayedOnFile) -> None:
    file(nothing)
    code = "import sys; from api.store import migrate; migrate(sys.argv[1]); print('alembic' in sys.modules)"
    command = [sys.executable, "-c", code, file.url]
    assert subprocess.check_output(command, cwd=folder().parent).strip() == b"False"


def test_importing_the_store_does_not_import_sqlalchemy() -> None:
    code = "import sys, api.store; print('sqlalchemy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=folder().parent).strip() == b"False"


def test_a_database_newer_than_the_code_is_refused_and_left_alone(file: PlayedOnFile) -> None:
    file(nothing)
    execute(file.path, "UPDATE alembic_version SET version_num = '9999'")
    before = execute(file.path, "SELECT sql FROM sqlite_master")
    with pytest.raises(StoreUnavailable, match="newer program"):
        file(nothing)
    assert execute(file.path, "SELECT sql FROM sqlite_master") == before


def test_another_programs_database_is_refused_and_left_alone(file: PlayedOnFile) -> None:
    execute(file.path, "CREATE TABLE notes(text)")
    with pytest.raises(StoreUnavailable, match="another program"):
        file(nothing)
    assert execute(file.path, "SELECT name FROM sqlite_master") == [("notes",)]


def test_a_file_that_is_no_database_is_refused_and_left_alone(file: PlayedOnFile) -> None:
    file.path.write_bytes(b"House size;Price\n" * 1000)
    with pytest.raises(StoreUnavailable, match="no SQLite database"):
        file(nothing)
    assert file.path.read_bytes() == b"House size;Price\n" * 1000


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("nonsense", "cannot be read"),
        ("mysql://host/name", "sqlite and postgresql"),
        ("sqlite:////no/such/folder/stepgrad.db", "folder"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_advice(url: str, said: str) -> None:
    with pytest.raises(StoreUnavailable, match=said):
        Store.open(url)


def test_a_folder_that_may_not_be_written_is_refused(file: PlayedOnFile) -> None:
    file.path.parent.chmod(0o500)
    if os.geteuid() == 0:  # who may write everywhere but where the kernel makes the files
        file.url = "sqlite:////proc/stepgrad.db"
    with pytest.raises(StoreUnavailable, match="writable"):
        file(nothing)


def test_an_odd_path_is_a_path_like_any_other(tmp_path: Path) -> None:
    played = PlayedOnFile(tmp_path)
    played.path = tmp_path / "50% of? #all.db"
    played.url = "sqlite:///" + str(played.path).replace("%", "%25").replace("?", "%3F").replace("#", "%23")
    play_id = played(_created)
    assert played.path.exists()

    async def look(store: Store) -> None:
        assert (await store.load(play_id)).revision == 0

    played(look)


async def _created(store: Store) -> str:
    return (await store.create(article())).id


def test_the_database_is_as_safe_as_the_design_says(file: PlayedOnFile) -> None:
    async def scenario(store: Store) -> None:
        cursor = store._keeper.writer._connection.connection.cursor()

        def pragma(name: str) -> object:
            return cursor.execute(f"PRAGMA {name}").fetchone()[0]

        settings = [pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema")]
        assert settings == ["wal", 2, 1, 0]
        assert cursor.connection.isolation_level is None
        with store._keeper.database.reading.connect() as reader, pytest.raises(Exception, match="readonly"):
            reader.exec_driver_sql("DELETE FROM sessions")

    file(scenario)
    migrate(file.url)


def test_an_old_sqlite_is_warned_of(file: PlayedOnFile) -> None:
    async def scenario(store: Store) -> list[str]:
        return [warning["code"] for warning in store.warnings]

    old = sqlite3.sqlite_version_info < (3, 51, 3)
    assert file(scenario) == (["sqlite_old"] if old else [])
