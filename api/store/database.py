"""Transactions: prepared statements on a driver's own cursor.

SQLAlchemy compiles every statement once for the dialect; the text then runs on the driver's own cursor. Through
``exec_driver_sql`` a step's transaction takes 2.2 times as long, its fsync aside, and 3.5 times through Core with its
compile cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.sql import ClauseElement

from api.engine.errors import StoreUnavailable
from api.store import statements
from api.store.engines import SQLITE_SAFE, parse_url, postgres_engines, sqlite_driver, sqlite_engines
from api.store.failures import guarded

T = TypeVar("T")
CLOCK_SECONDS = 60.0  # for which two machines' clocks go alike
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
        self.shared = database.shared
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


class _Lost(StoreUnavailable):
    """The server has closed the connection, or was never heard of again."""


class Database:
    """One database: an engine that writes, and one that only reads.

    ``shared``: other processes write here too, so a cached state must be compared before it is trusted. ``read_only``:
    this one does not write at all.
    """

    def __init__(self, url: str, *, busy_seconds: float = 3.0, read_only: bool = False) -> None:
        self.url = parse_url(url)
        self.read_only = read_only
        self.shared = self.url.get_backend_name() != "sqlite"
        self.busy_seconds = busy_seconds
        self.warnings: list[dict[str, str]] = []
        self._prepared: dict[ClauseElement, Prepared] = {}
        self._clock = (0.0, -CLOCK_SECONDS - 1)
        with guarded():
            engines = postgres_engines if self.shared else sqlite_engines
            self.writing, self.reading = engines(self.url, busy_seconds)
        if read_only:
            self.writing = self.reading
        driver = sqlite_driver()
        if not self.shared and driver.sqlite_version_info < SQLITE_SAFE:
            self.warnings.append({"code": "sqlite_old", "message": SQLITE_OLD.format(version=driver.sqlite_version)})

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

    def read(self, function: Callable[[Transaction], T]) -> T:
        """Call with a transaction that only reads, all from one moment; once more if the connection was lost."""
        try:
            return self._read(function)
        except _Lost:
            return self._read(function)

    def _read(self, function: Callable[[Transaction], T]) -> T:
        with guarded(), self.reading.connect() as connection:
            try:
                with connection.begin():
                    transaction = Transaction(self, connection.connection.cursor())
                    if self.shared and time.monotonic() - self._clock[1] > CLOCK_SECONDS:
                        at: float = transaction.row(statements.clock, {})[0]
                        self._clock = (at, time.monotonic())
                    return function(transaction)
            except Exception as error:
                if not self.is_lost(connection):
                    raise
                connection.invalidate()
                self.reading.dispose()  # the others have met the same fate
                raise _Lost("the connection to the database was lost; try again") from error

    def is_lost(self, connection: Connection) -> bool:
        """Whether a held connection's server has gone, so that it takes a new one to go on."""
        if not self.shared:
            return False
        if connection.closed or connection.invalidated:
            return True
        driver: Any = connection.connection.driver_connection
        return bool(driver.closed)

    def listening_connection(self) -> Any:
        """A connection of the driver's own, for notices; whoever asks closes it."""
        connection: Any = self.writing.raw_connection()
        driver = connection.driver_connection
        connection.detach()
        driver.autocommit = True
        return driver

    def now(self) -> float:
        """The time in seconds since 1970: this machine's, or that of the database where several servers write.

        There it was asked for with one of the last reads, and this machine's clock, which may be set, only adds what
        has gone by since.
        """
        if not self.shared:
            return time.time()
        at, then = self._clock
        return at + time.monotonic() - then

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
