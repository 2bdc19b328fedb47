from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from api.store import Store
from tests.postgres import Server

T = TypeVar("T")
Rows = list[tuple[Any, ...]]


class Played:
    """Runs scenarios on one database; each call is a new process's life, as far as the store can tell."""

    def __init__(self, url: str, execute: Callable[[str], Rows]) -> None:
        self.url = url
        self.execute = execute
        """Other programs' statements: the rows they give."""

    def __call__(self, scenario: Callable[[Store], Awaitable[T]], **options: Any) -> T:
        async def life() -> T:
            store = Store.open(self.url, **options)
            try:
                return await scenario(store)
            finally:
                await store.close()

        return asyncio.run(asyncio.wait_for(life(), 60))

    def everything(self) -> bytes:
        """All that the tables hold."""
        tables = ("sessions", "definitions", "events", "slices", "idempotency")
        cells = (cell for table in tables for row in self.execute(f"SELECT * FROM {table}") for cell in row)
        return b"\n".join(bytes(c) if isinstance(c, bytes | memoryview) else str(c).encode() for c in cells)


class PlayedOnFile(Played):
    """On an SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "stepgrad.db"
        super().__init__(f"sqlite:///{self.path}", self._execute)

    def _execute(self, statement: str) -> Rows:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()


class PlayedOnServer(Played):
    """On a PostgreSQL database with the newest tables."""

    def __init__(self, server: Server) -> None:
        self.server = server
        url = server.migrated()
        self.name = url.partition("@/")[2].partition("?")[0]
        super().__init__(url, lambda statement: server.execute(statement, self.name))


@pytest.fixture(params=["sqlite", "postgresql"])
def play(request: pytest.FixtureRequest) -> Played:
    """On each of the two."""
    return request.getfixturevalue("file" if request.param == "sqlite" else "server")  # type: ignore[no-any-return]


@pytest.fixture
def file(tmp_path: Path) -> PlayedOnFile:
    return PlayedOnFile(tmp_path)


@pytest.fixture
def server(postgres: Server) -> PlayedOnServer:
    return PlayedOnServer(postgres)
