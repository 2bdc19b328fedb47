"""Brings a database to the tables this code knows.

Alembic is only imported if there is something to do, since that takes as long as importing SQLAlchemy.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, inspect, text

import api
from api.engine.errors import StoreDamaged, StoreUnavailable
from api.store.database import APPLICATION_ID, Database
from api.store.engines import sqlite_path
from api.store.failures import guarded, is_locked
from api.store.seals import DAMAGED
from api.store.tables import HEAD

LOOKED_THROUGH = 256 * 1024 * 1024
"""Bytes of an SQLite file that is looked through when it is opened; that takes a second or two."""
_LOCK = 0x7374657067726164  # PostgreSQL's advisory lock for whoever migrates
_alone = threading.Lock()  # Alembic keeps what it works on in globals


def folder() -> Path:
    """Where the migrations are: inside the package in a wheel, beside it in a checkout."""
    package = Path(api.__file__).parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def prepare_sqlite(database: Database) -> None:
    """Create or migrate an embedded database; eight processes that start at once do it once.

    Raises StoreUnavailable if the file is another program's, damaged, or newer than this code.
    """
    with guarded(), closing(database.writing.connect()) as connection:
        _enter_wal(connection, database.busy_seconds)
        _look_through(connection)
        if _version(connection) != HEAD:
            _upgrade(connection)


def migrate(url: str) -> str:
    """Bring the database at this URL to the newest tables, in one transaction; the version it then has."""
    database = Database(url)
    try:
        if not database.shared:
            prepare_sqlite(database)
        else:
            with closing(_reached(database)) as connection, guarded():
                _version(connection)
                _upgrade(connection)
    finally:
        database.close()
    return HEAD


def check(database: Database) -> None:
    """Raise StoreUnavailable unless the database has this code's tables."""
    if database.read_only and not database.shared and not sqlite_path(database.url).is_file():
        raise StoreUnavailable(f"there is no database at {database.url.database}; give its --database-url")
    with closing(_reached(database)) as connection, guarded():
        version = _version(connection)
    database.read(lambda _: None)  # learns the time
    if version != HEAD:
        found = "has no tables yet" if version is None else "has tables that are older than this program"
        raise StoreUnavailable(f"the database {found}; to make them, run: stepgrad migrate")


def _reached(database: Database) -> Connection:
    """A connection to a server; raises StoreUnavailable with the driver's own reason, which has no password in it."""
    try:
        with guarded():
            return database.writing.connect()
    except StoreUnavailable as error:
        lines = str(getattr(error.__cause__, "orig", None) or "").strip().splitlines()
        raise StoreUnavailable(f"the database cannot be reached: {lines[0]}" if lines else error.detail) from error


def _enter_wal(connection: Connection, seconds: float) -> None:
    # SQLite does not wait for a lock here, whatever busy_timeout says
    cursor = connection.connection.cursor()
    deadline = time.monotonic() + seconds
    while True:
        try:
            with guarded():
                mode = cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            break
        except StoreUnavailable as error:
            if not is_locked(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise StoreUnavailable("the database's file system has no write-ahead log; put the file on a local disk")


def _look_through(connection: Connection) -> None:
    """Refuse a file that was cut off or has changed on the disk; a large one is only looked at where it is read."""
    cursor = connection.connection.cursor()
    pages, size = (cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if pages * size <= LOOKED_THROUGH and cursor.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
        raise StoreDamaged(DAMAGED)


def _version(connection: Connection) -> str | None:
    """The database's migration, None if it is empty."""
    with connection.begin():
        tables = inspect(connection).get_table_names()
        if "alembic_version" not in tables:
            if connection.dialect.name == "sqlite":
                _check_owner(connection, bool(tables))
            return None
        version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if version is not None and version > HEAD:
        raise StoreUnavailable(
            f"the database is of version {version[:40]}, this program knows {HEAD}; install the newer program"
        )
    return version


def _check_owner(connection: Connection, filled: bool) -> None:
    """Raise unless a file without a version is an empty one: it is another program's, or ours and damaged."""
    owner = connection.exec_driver_sql("PRAGMA application_id").scalar()
    if owner == APPLICATION_ID:
        raise StoreDamaged(DAMAGED)
    if filled:
        raise StoreUnavailable("the database holds another program's tables; give another one")


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    with _alone, connection.begin():  # BEGIN IMMEDIATE: whoever comes second waits here and then finds nothing to do
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        else:
            connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
        command.upgrade(config, "head")
