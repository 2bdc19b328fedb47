"""Group commit: one writer takes the waiting changes of all sessions into one transaction.

    submit ─ submit ─ submit        changes that arrive in the same turn of the event loop
             │
        a quick disk? ── yes ──► one transaction, one fsync, on the loop's own thread
             │ no
        the writer's thread ──► the same there; whoever arrives meanwhile is in the next group

A hop to another thread costs more than a quick disk does: each statement there lets go of the interpreter, and gets it
back only when the loop's thread lets go of it in turn (64 clients stepping: 2.2 times as many requests without). An
answer leaves only after its commit. A change that fails does not hurt its group: the group is rolled back and its
changes are tried one by one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from sqlalchemy import Connection

from api.engine.errors import StoreUnavailable
from api.store.changes import Change, notice_of
from api.store.database import Database
from api.store.failures import guarded, is_locked
from api.store.notices import send

SLOW_COMMIT = 0.005
"""Seconds; on a disk this slow the loop's thread has better things to do than to wait for it."""


class _Pending:
    """A change that waits, and whoever waits for it."""

    __slots__ = ("change", "done", "future", "result")

    def __init__(self, change: Change, future: asyncio.Future[None]) -> None:
        self.change = change
        self.future = future
        self.done = False
        self.result: Any = None

    def finish(self, result: Any) -> None:
        self.done, self.result = True, result
        if not self.future.done():
            self.future.set_result(None)


class Writer:
    """The only one who writes. Belongs to one event loop; ``close`` waits for what is under way."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection = self._connected()
        self.commits = self.changes = 0
        self.seconds = 0.0
        self._waiting: list[_Pending] = []
        self._scheduled = False
        self._forcing = 0.0  # seconds that a commit takes when all is written, as a moving mean
        self._groups: SimpleQueue[tuple[asyncio.AbstractEventLoop, list[_Pending]] | None] = SimpleQueue()
        self._idle = asyncio.Event()
        self._idle.set()
        self._thread: threading.Thread | None = None
        self._closed = False

    def _connected(self) -> Connection:
        with guarded():
            connection = self._database.writing.connect()
        self._database.wait_for_lock(connection, wait=False)
        return connection

    async def submit(self, change: Change) -> Any:
        """The change's result, after it is on the disk; raises StoreUnavailable, or whatever the change raised.

        A cancelled caller gets its cancellation after the commit, so that nobody sees a change half-way.
        """
        if self._closed:  # its thread is gone, and whoever waited for it would wait for ever
            raise StoreUnavailable("the database is closed")
        loop = asyncio.get_running_loop()
        pending = _Pending(change, loop.create_future())
        self._waiting.append(pending)
        if not self._scheduled and self._idle.is_set():
            self._scheduled = True
            loop.call_soon(self._flush, loop)
        cancelled = False
        while not pending.done:
            try:
                await pending.future
            except asyncio.CancelledError:
                cancelled = True
                if not pending.done:
                    pending.future = loop.create_future()
        if cancelled and (task := asyncio.current_task()) is not None:
            task.uncancel()
            loop.call_soon(task.cancel)
        if isinstance(pending.result, BaseException):
            raise pending.result
        return pending.result

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        group, self._waiting = self._waiting, []
        if not group:
            return
        if self._forcing < SLOW_COMMIT and not self._database.shared:
            results = self._commit(group)
            if not any(map(is_locked, results)):
                self._deliver(group, results)
                return
        if self._database.shared:
            # All servers lock in one order, so that they never wait for one another in a ring.
            group.sort(key=lambda pending: pending.change.order)
        self._idle.clear()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="stepgrad-writer", daemon=True)
            self._thread.start()
        self._groups.put((loop, group))

    def _work(self) -> None:
        while (task := self._groups.get()) is not None:
            loop, group = task
            try:
                results = self._commit_patiently(group)
            except BaseException as error:  # whoever waits must hear of it, whatever it is
                results = [error] * len(group)
            with suppress(RuntimeError):  # the loop was closed under us, so nobody waits any more
                loop.call_soon_threadsafe(self._finished, loop, group, results)
            if self._database.shared:
                self._tell(group, results)

    def _tell(self, group: list[_Pending], results: list[Any]) -> None:
        committed = [notice_of(each.change) for each, result in zip(group, results, strict=True) if result is None]
        notices = [notice for notice in committed if notice is not None]
        if notices:
            with suppress(StoreUnavailable), self._database.transaction(self._connection) as transaction:
                send(transaction, notices)

    def _finished(self, loop: asyncio.AbstractEventLoop, group: list[_Pending], results: list[Any]) -> None:
        self._idle.set()
        self._deliver(group, results)
        if self._waiting and not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._flush, loop)

    @staticmethod
    def _deliver(group: list[_Pending], results: list[Any]) -> None:
        for pending, result in zip(group, results, strict=True):
            pending.finish(result)

    def _commit_patiently(self, group: list[_Pending]) -> list[Any]:
        self._database.wait_for_lock(self._connection, wait=True)
        try:
            return self._commit(group)
        finally:
            self._database.wait_for_lock(self._connection, wait=False)

    def _commit(self, group: list[_Pending]) -> list[Any]:
        together = self._try(group)
        if isinstance(together, list):
            return together
        # SQLite locks its whole file, so that the others would only wait in vain; PostgreSQL a row of one of them
        if len(group) == 1 or (is_locked(together) and not self._database.shared):
            return [together] * len(group)
        alone = [self._try([pending]) for pending in group]
        return [result[0] if isinstance(result, list) else result for result in alone]

    def _try(self, group: Sequence[_Pending]) -> list[Any] | Exception:
        """Each change's result, or the error for which all were rolled back.

        A connection that was lost before the commit is replaced, and the changes tried once more; lost in the midst of
        the commit, nobody knows, and nothing is tried.
        """
        began = time.perf_counter()
        for last in (False, True):
            committing = False
            try:
                if self._database.is_lost(self._connection):
                    self._connection.close()
                    self._connection = self._connected()
                with self._database.transaction(self._connection) as transaction:
                    results = [pending.change.apply(transaction) for pending in group]
                    committing, applied = True, time.perf_counter()
            except Exception as error:
                if last or committing or not self._database.is_lost(self._connection):
                    return error
            else:
                ended = time.perf_counter()
                self._forcing += 0.1 * (ended - applied - self._forcing)
                self.commits, self.changes = self.commits + 1, self.changes + len(group)
                self.seconds += ended - began
                return results
        raise AssertionError("the second try ends in one way or the other")

    async def settle(self) -> None:
        """Commit what waits, and take no more."""
        while self._waiting or self._scheduled or not self._idle.is_set():
            await self._idle.wait()
            await asyncio.sleep(0)
        self._closed = True
        if self._thread is not None:
            self._groups.put(None)
            self._thread.join()

    def close(self) -> None:
        """Let go of the connection."""
        with suppress(StoreUnavailable), guarded():  # nothing is lost: whatever was answered is on the disk
            self._connection.close()
