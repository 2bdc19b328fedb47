"""Connections, transactions and errors: the one place that knows which database it is.

SQLAlchemy compiles every statement once for the dialect; the text then runs on the driver's own cursor. Through
``exec_driver_sql`` a step's transaction takes 2.2 times as long, its fsync aside, and 3.5 times through Core with its
compile cache.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool
from sqlalchemy.sql import ClauseElement

from api.engine.errors import StoreFull, StoreUnavailable

SQLITE_SAFE = (3, 51, 3)
SQLITE_OLD = (
    "SQLite {version} can damage a database that two connections write at once; stepgrad writes through one, so leave "
    "the file to this program alone, or use SQLite 3.51.3 or newer"
)
APPLICATION_ID = 0x73746570  # "step", so that a file of another program is not taken for ours


class Prepared:
    """A statement as the driver wants it."""

    def __init__(self, statement: ClauseElement, engine: Engine) -> None:
        compiled: Any = statement.compile(dialect=engine.dialect)
        self.text = str(compiled)
        self.names: tuple[str, ...] | None = tuple(compiled.positiontup) if compiled.positional else None
        self._constants = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}

    def bind(self, values: Mapping[str, Any]) -> Any:
        """The parameters in the driver's style."""
        if self._constants:
            values = {**self._constants, **values}
        return values if self.names is None else tuple([values[name] for name in self.names])


class Transaction:
    """Runs prepared statements inside a transaction that someone else begins and ends."""

    def __init__(self, database: Database, cursor: Any) -> None:
        self._prepare = database.prepare
        self._cursor = cursor

    def run(self, statement: ClauseElement, values: Mapping[str, Any]) -> int:
        """Execute; the number of rows that were changed."""
        prepared = self._prepare(statement)
        self._cursor.execute(prepared.text, prepared.bind(values))
        count: int = self._cursor.rowcount
        return count

    def row(self, statement: ClauseElement, values: Mapping[str, Any]) -> Any:
        """The first row as a tuple, or None."""
        prepared = self._prepare(statement)
        self._cursor.execute(prepared.text, prepared.bind(values))
        return self._cursor.fetchone()

    def rows(self, statement: ClauseElement, values: Mapping[str, Any]) -> list[Any]:
        """All rows as tuples."""
        prepared = self._prepare(statement)
        self._cursor.execute(prepared.text, prepared.bind(values))
        return list(self._cursor.fetchall())


class Database:
    """One database: an engine that writes, and one that only reads (``mode=ro`` on SQLite).

    ``shared``: other processes write here too, so a cached state must be compared before it is trusted.
    """

    def __init__(self, url: str, *, busy_seconds: float = 3.0) -> None:
        self.url = parse_url(url)
        self.shared = self.url.get_backend_name() != "sqlite"
        self.busy_seconds = busy_seconds
        self.warnings: list[dict[str, str]] = []
        self._prepared: dict[ClauseElement, Prepared] = {}
        with guarded():
            if self.shared:
                self.writing = self.reading = create_engine(self.url)
            else:
                self.writing, self.reading = self._sqlite_engines()

    def _sqlite_engines(self) -> tuple[Engine, Engine]:
        driver = _sqlite_driver()
        if driver.sqlite_version_info < SQLITE_SAFE:
            self.warnings.append({"code": "sqlite_old", "message": SQLITE_OLD.format(version=driver.sqlite_version)})
        path = Path(str(self.url.database)).absolute()

        def engine(mode: str, begin: str, pool: type[NullPool] | type[QueuePool]) -> Engine:
            target = f"file:{quote(str(path))}?mode={mode}"

            def connect() -> Any:
                # isolation_level=None: the driver must not begin transactions of its own, which lose updates
                return driver.connect(
                    target, timeout=self.busy_seconds, isolation_level=None, check_same_thread=False, uri=True
                )

            made = create_engine("sqlite://", creator=connect, module=driver, poolclass=pool)
            event.listen(made, "connect", _set_pragmas)
            event.listen(made, "begin", _beginner(begin))
            return made

        return engine("rwc", "BEGIN IMMEDIATE", NullPool), engine("ro", "BEGIN", QueuePool)

    def prepare(self, statement: ClauseElement) -> Prepared:
        """The statement's text for this database, compiled when first asked for."""
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = Prepared(statement, self.writing)
        return prepared

    @contextmanager
    def transaction(self, connection: Connection) -> Iterator[Transaction]:
        """A transaction on a held connection; commits, or rolls back and raises StoreUnavailable."""
        with guarded(), connection.begin():
            yield Transaction(self, connection.connection.cursor())

    @contextmanager
    def snapshot(self) -> Iterator[Transaction]:
        """A transaction that only reads, all from one moment."""
        with guarded(), self.reading.connect() as connection, connection.begin():
            yield Transaction(self, connection.connection.cursor())

    def wait_for_lock(self, connection: Connection, wait: bool) -> None:
        """Whether a locked SQLite file is waited for; the event loop's own thread must not."""
        if not self.shared:
            with guarded():
                limit = int(self.busy_seconds * 1000) if wait else 0
                connection.connection.cursor().execute(f"PRAGMA busy_timeout={limit}")

    def close(self) -> None:
        """Let go of all connections that are not in use."""
        self.writing.dispose()
        self.reading.dispose()


def parse_url(url: str) -> URL:
    """A database URL, or StoreUnavailable if it is none that can be used."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreUnavailable("the database URL cannot be read; write sqlite:///stepgrad.db, for example") from None
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise StoreUnavailable(f"{backend[:40]} is no database this program knows; sqlite and postgresql are")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise StoreUnavailable("SQLite needs a file that survives a restart; write sqlite:///stepgrad.db, for example")
    return parsed


def _sqlite_driver() -> Any:
    with suppress(ImportError):
        import pysqlite3.dbapi2 as newer  # type: ignore[import-not-found, unused-ignore]

        if newer.sqlite_version_info > sqlite3.sqlite_version_info:
            return newer
    return sqlite3


def _set_pragmas(connection: Any, _record: object) -> None:
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        connection.execute(f"PRAGMA {pragma}")


def _beginner(text: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.connection.cursor().execute(text)

    return begin


@contextmanager
def guarded() -> Iterator[None]:
    """Turns whatever a driver or SQLAlchemy raises into StoreUnavailable."""
    try:
        yield
    except DBAPIError as error:
        raise translated(error.orig or error) from error
    except (NoSuchModuleError, ImportError) as error:
        raise StoreUnavailable("the driver for this database is not installed: stepgrad[postgres] has it") from error
    except SQLAlchemyError as error:
        raise StoreUnavailable("the database gave no answer that can be used") from error
    except Exception as error:
        if any(kind.__name__ == "Error" and kind.__module__ in _DRIVERS for kind in type(error).__mro__):
            raise translated(error) from error
        raise


_DRIVERS = ("sqlite3", "pysqlite3.dbapi2", "pysqlite3", "psycopg")

_SQLITE_REASONS = {
    5: "the database is locked by another program; try again",
    6: "the database is locked by another program; try again",
    8: "the database is read-only; the folder and the file must be writable",
    10: "the disk that holds the database gave an error",
    11: "the database is damaged; restore a backup",
    14: "the database cannot be opened; the folder must exist and be writable",
    26: "the file is no SQLite database; give another name, or restore a backup",
}


def translated(error: BaseException) -> StoreUnavailable:
    """The error a caller gets for one of the driver's."""
    code: int = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == 13 or getattr(error, "sqlstate", None) == "53100":
        return StoreFull("the disk that holds the database is full; nothing was changed")
    return StoreUnavailable(_SQLITE_REASONS.get(code, "the database cannot be used now; try again"))


def is_locked(error: object) -> bool:
    """Whether this is the StoreUnavailable of a lock that another program holds."""
    cause = getattr(error, "__cause__", None)
    return getattr(getattr(cause, "orig", cause), "sqlite_errorcode", 0) & 0xFF in (5, 6)
