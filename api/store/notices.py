"""What other servers have written, told to whoever listens here: PostgreSQL's LISTEN and NOTIFY.

    a server commits ─► NOTIFY stepgrad, 'KEY REVISION,…' ─► each server's one listening connection ─► its Live

A notice is only a hint, sent after the commit and outside of its transaction: inside it, all commits of all servers
would wait for one another. What is missed, because a server ended between the two or a connection was lost, is found by
looking up, every so often, the revisions of the sessions that anybody listens to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from api.engine.errors import StoreUnavailable
from api.store import statements
from api.store.database import Database, Transaction
from api.store.failures import guarded
from api.store.live import Live

CHANNEL = "stepgrad"
PERIOD = 5.0
"""Seconds between two looks."""
GONE = -1
"""Stands for the revision of a session that was deleted."""

Notice = tuple[int, int]
"""A session's key and its new revision."""

_TOGETHER = 200  # in one payload, which may have 8,000 bytes


class Notices:
    """Listens for one event loop, from when it is first asked to until it is closed."""

    def __init__(self, database: Database, live: Live, period: float = PERIOD) -> None:
        self._database = database
        self._live = live
        self._period = period
        self._task: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    async def listen(self) -> None:
        """Return when whatever is committed from now on will be heard of."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        await self._listening.wait()

    async def close(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            with suppress(StoreUnavailable):
                connection = await asyncio.to_thread(self._connected)
                try:
                    await self._hear(connection)
                finally:
                    connection.close()
            self._listening.set()  # without a database there is nothing to be heard, and nobody should wait for it
            await asyncio.sleep(self._period / 5)

    def _connected(self) -> Any:
        """A connection of the driver's that listens."""
        with guarded():
            connection = self._database.listening_connection()
            connection.execute(f"LISTEN {CHANNEL}")
            return connection

    async def _hear(self, connection: Any) -> None:
        """Pass on what arrives; raises StoreUnavailable once the connection is lost."""
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        socket = connection.fileno()
        loop.add_reader(socket, arrived.set)
        try:
            while True:
                self._listening.set()
                if keys := self._live.keys():
                    self._tell(await asyncio.to_thread(self._database.read, lambda read, keys=keys: found(read, keys)))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._period):
                        while True:
                            await arrived.wait()
                            arrived.clear()
                            with guarded():
                                for notice in connection.notifies(timeout=0):
                                    self._tell(parsed(notice.payload))
        finally:
            loop.remove_reader(socket)

    def _tell(self, notices: Iterable[Notice]) -> None:
        for key, revision in notices:
            if revision == GONE:
                self._live.end(key)
            else:
                self._live.announce(key, revision)


def found(transaction: Transaction, keys: Iterable[int]) -> list[Notice]:
    """Where these sessions are now."""
    rows = {key: transaction.row(statements.find_revision, {"key": key}) for key in keys}
    return [(key, GONE if row is None else row[0]) for key, row in rows.items()]


def send(transaction: Transaction, notices: Sequence[Notice]) -> None:
    """Tell all servers, when the transaction commits."""
    for start in range(0, len(notices), _TOGETHER):
        payload = ",".join(f"{key} {revision}" for key, revision in notices[start : start + _TOGETHER])
        transaction.run(statements.notify, {"channel": CHANNEL, "payload": payload})


def parsed(payload: str) -> Iterator[Notice]:
    """The notices in a payload; what is none of ours is left out."""
    for part in payload.split(","):
        key, _, revision = part.partition(" ")
        with suppress(ValueError):
            yield int(key), int(revision)
