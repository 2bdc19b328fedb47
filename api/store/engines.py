"""Connections to SQLite and to PostgreSQL: the one place that knows their settings.

Each database gets two engines: one that writes and one that only reads, a whole transaction from one moment.

    SQLite      writing: BEGIN IMMEDIATE, one held connection        reading: mode=ro
    PostgreSQL  writing: READ COMMITTED, so that a lost compare      reading: REPEATABLE READ, READ ONLY
                and swap finds no row instead of raising
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, QueuePool

from api.engine.errors import StoreUnavailable

SQLITE_SAFE = (3, 51, 3)

# What libpq shall do about a server that has gone without a word; a database URL may say otherwise.
_POSTGRES_CONNECTION: dict[str, Any] = {
    "application_name": "stepgrad",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
# A process that stops in the midst of a transaction must not hold its locks for ever, and what was acknowledged must be
# on the disk, whatever the server's own habit.
_POSTGRES_SETTINGS = (
    "SELECT set_config('lock_timeout', %s, false), set_config('idle_in_transaction_session_timeout', '30s', false), "
    "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "
    "ELSE current_setting('synchronous_commit') END, false)"
)


def parse_url(url: str) -> URL:
    """A database URL, or StoreUnavailable if it is none that can be used."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreUnavailable("the database URL cannot be read; write sqlite:///stepgrad.db, for example") from None
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise StoreUnavailable(f"{backend[:40]} is no database this program knows; sqlite and postgresql are")
    if parsed.database in (None, "", ":memory:"):
        raise StoreUnavailable("SQLite needs a file that survives a restart; write sqlite:///stepgrad.db, for example")
    return parsed


def sqlite_path(url: URL) -> Path:
    """The file that an SQLite URL names."""
    return Path(str(url.database)).absolute()


def sqlite_driver() -> Any:
    """The module with the newest SQLite at hand: ``pysqlite3``, if it is installed and newer than Python's own."""
    with suppress(ImportError):
        import pysqlite3.dbapi2 as newer  # type: ignore[import-not-found, unused-ignore]

        if newer.sqlite_version_info > sqlite3.sqlite_version_info:
            return newer
    return sqlite3


def sqlite_engines(url: URL, busy_seconds: float) -> tuple[Engine, Engine]:
    """The engine that writes, and the one that reads."""
    driver, path = sqlite_driver(), sqlite_path(url)

    def engine(mode: str, begin: str, pool: type[NullPool] | type[QueuePool]) -> Engine:
        target = f"file:{quote(str(path))}?mode={mode}"

        def connect() -> Any:
            # isolation_level=None: the driver must not begin transactions of its own, which lose updates
            return driver.connect(target, timeout=busy_seconds, isolation_level=None, check_same_thread=False, uri=True)

        made = create_engine("sqlite://", creator=connect, module=driver, poolclass=pool)
        event.listen(made, "connect", _set_pragmas)
        event.listen(made, "begin", _beginner(begin))
        return made

    return engine("rwc", "BEGIN IMMEDIATE", NullPool), engine("ro", "BEGIN", QueuePool)


def postgres_engines(url: URL, busy_seconds: float) -> tuple[Engine, Engine]:
    """The engine that writes, and the one that reads."""
    return _postgres_engine(url, busy_seconds, reads=False), _postgres_engine(url, busy_seconds, reads=True)


def _postgres_engine(url: URL, busy_seconds: float, *, reads: bool) -> Engine:
    options = {name: value for name, value in _POSTGRES_CONNECTION.items() if name not in url.query}
    made = create_engine(url, connect_args=options, poolclass=QueuePool if reads else NullPool)
    timeout = f"{int(busy_seconds * 1000)}ms"

    def set_up(connection: Any, _record: object) -> None:
        from psycopg import IsolationLevel

        connection.execute(_POSTGRES_SETTINGS, [timeout])
        connection.commit()
        connection.isolation_level = IsolationLevel.REPEATABLE_READ if reads else IsolationLevel.READ_COMMITTED
        connection.read_only = reads

    event.listen(made, "connect", set_up)
    return made


def _set_pragmas(connection: Any, _record: object) -> None:
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        connection.execute(f"PRAGMA {pragma}")


def _beginner(text: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.connection.cursor().execute(text)

    return begin
