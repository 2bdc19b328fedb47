"""Memory and database in step: what is read is cached, what is committed is published, what came too late is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from api.engine.errors import KeyTaken, NotFound, ReadOnly, RunInProgress, StaleRevision
from api.store import codec, ids, reading, statements
from api.store.cache import Cache, Locks
from api.store.changes import KEY_SECONDS, Change, Delete, EndCrashedRun, ForgetKeys, Refused
from api.store.database import Database, Transaction
from api.store.live import Live
from api.store.notices import Notices
from api.store.records import Place, Row, Stored
from api.store.writer import Writer
from api.training.session import Session

T = TypeVar("T")
P = ParamSpec("P")
READERS = 4
SWEPT_AT_ONCE = 100


class Keeper:
    """What all of the store's calls share; belongs to one event loop."""

    def __init__(
        self,
        database: Database,
        *,
        cache: int,
        lease_seconds: float,
        retention_seconds: float | None,
        clock: Callable[[], float],
    ) -> None:
        self.database = database
        self.retention_seconds = retention_seconds
        self.writer = Writer(database)
        self.cache = Cache(cache)
        self.locks = Locks()
        self.live = Live()
        self.notices = Notices(database, self.live)
        self.running: set[str] = set()
        self.lease_seconds = lease_seconds
        self.clock = clock
        self._deleted = 0
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="stepgrad-reader")

    async def close(self) -> None:
        """Commit what waits, end all subscriptions, let go of the database."""
        self.live.end_all()
        await self.notices.close()
        await self.writer.settle()
        self._readers.shutdown()
        self.database.reading.dispose()
        self.writer.close()  # last of all, for SQLite then leaves one file, without a log beside it
        self.database.writing.dispose()

    async def read(
        self, function: Callable[Concatenate[Transaction, P], T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        """Call with a reading transaction, on a thread: replay may take a moment."""

        def work() -> T:
            return self.database.read(lambda transaction: function(transaction, *arguments, **options))

        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def look(
        self,
        stored: Stored,
        function: Callable[Concatenate[Transaction, P], T],
        *arguments: P.args,
        **options: P.kwargs,
    ) -> T:
        """The same for a session that somebody may have deleted since it was loaded; raises NotFound."""

        def existing(transaction: Transaction) -> T:
            if transaction.row(statements.find_revision, {"key": stored.place.key}) is None:
                raise unknown()
            return function(transaction, *arguments, **options)

        return await self.read(existing)

    # --- from the database

    async def load(self, id: str, own: str | None = None) -> Stored:
        """The session now, by either of its ids; raises NotFound. ``own``: the read id of ``id``, if at hand."""
        if not ids.is_plausible(id):
            raise unknown()
        own = own or ids.read_id(id)
        stored = self.cache.get(own) or self.cache.get(id)
        if stored is not None and self.database.shared:
            stored = await self._compared(stored)
        if stored is None:
            stored = await self._fetched(id, own)
        running = stored.running or stored.read_id in self.running
        if self.retention_seconds and not running and self._is_over(stored, self.retention_seconds):
            raise unknown()
        if stored.id == id and stored.running == running:
            return stored
        return replace(stored, id=id, read_only=stored.read_id == id, running=running)

    def _is_over(self, stored: Stored, seconds: float) -> bool:
        return not stored.pinned and stored.place.row.at + seconds < self.clock()

    def at_hand(self, read_id: str) -> Stored | None:
        """The session now, where memory alone is sure of it; None where the database must be asked."""
        if self.database.shared or self.retention_seconds or read_id in self.running:
            return None
        return self.cache.get(read_id)

    async def _compared(self, stored: Stored) -> Stored | None:
        """The cached state, if no other server has moved the session on."""
        session = await self.read(reading.find, stored.read_id, stored.read_id)
        if session is None or session.revision != stored.revision or (session.run_until is not None) != stored.running:
            self.cache.evict(stored.read_id)
            return None
        return stored

    async def _fetched(self, id: str, own: str) -> Stored:
        while True:
            deleted = self._deleted
            found = await self.read(_fetch, id, own)
            if self._deleted != deleted:
                continue  # perhaps this one, and it must not come back into the cache
            if found is None:
                raise unknown()
            session = found.session
            read_id = own if session.id_hash == ids.id_hash(own) else id
            alive = read_id in self.running or (session.run_until is not None and self._is_alive(session.run_until))
            if session.run_until is None or alive:
                break
            await self.writer.submit(EndCrashedRun(session))
        stored = stored_of(found, read_id, running=alive)
        if not alive:
            self.cache.put(stored)
        return stored

    def _is_alive(self, run_until: float) -> bool:
        # a lease that ends far in the future was given before the clock was set back; who only reads ends no run
        now = self.clock()
        return self.database.read_only or now < run_until <= now + 2 * self.lease_seconds

    # --- to the database

    async def commit(self, stored: Stored, change: Change) -> None:
        """Write a change of a session; raises StaleRevision, RunInProgress or NotFound if the session has moved on,
        KeyTaken if the change's idempotency key was taken meanwhile."""
        if stored.read_only:
            raise read_only()
        try:
            result = await self.writer.submit(change)
        except BaseException:
            self.cache.evict(stored.read_id)  # what the database has now is not certain
            raise
        if result is Refused.MISSED:
            self.cache.evict(stored.read_id)
            newer = await self.load(stored.id)
            if newer.running and stored.read_id not in self.running:
                raise running()
            raise StaleRevision(
                f"revision {stored.revision} is no longer the newest, {newer.revision} is", newer.revision
            )
        if result is Refused.CLAIMED:
            raise claimed()

    def publish(
        self,
        stored: Stored,
        row: Row,
        session: Session,
        run: dict[str, Any] | None = None,
        pinned: bool | None = None,
    ) -> Stored:
        """The state after a committed event, now in the cache and told to whoever listens."""
        place = Place(row.session_key, stored.place.base, row._replace(frame=None, settings=None))
        newer = Stored(  # not dataclasses.replace, which takes three times as long
            stored.id,
            stored.read_id,
            stored.read_only,
            row.revision,
            session,
            row.action,
            row.parent is not None,
            stored.parent,
            run,
            False,
            moment(row.at),
            place,
            stored.pinned if pinned is None else pinned,
        )
        self.cache.put(newer)
        self.live.announce(row.session_key, row.revision)
        return newer

    async def sweep(self) -> int:
        """Delete the sessions whose time is over, and the old keys; the number of sessions."""
        now, swept = self.clock(), 0
        await self.writer.submit(ForgetKeys(now - KEY_SECONDS))
        while self.retention_seconds:
            found = await self.read(_expired, now - self.retention_seconds)
            for key, revision in found:
                if await self.writer.submit(Delete(key, revision)) is None:
                    self._deleted += 1
                    self.cache.evict_keys((key,))
                    self.live.end(key)
                    swept += 1
            if len(found) < SWEPT_AT_ONCE:
                break
        return swept

    def forget(self, stored: Stored) -> None:
        """A session was deleted."""
        self._deleted += 1
        self.cache.evict(stored.read_id)
        self.live.end(stored.place.key)


def _expired(transaction: Transaction, before: float) -> list[tuple[int, int]]:
    return transaction.rows(statements.find_expired, {"before": before, "most": SWEPT_AT_ONCE})


def _fetch(transaction: Transaction, id: str, own: str) -> reading.Found | None:
    session = reading.find(transaction, id, own)
    return None if session is None else reading.fetch(transaction, session)


def stored_of(found: reading.Found, read_id: str, *, running: bool) -> Stored:
    """A session as read, seen through its read id."""
    session, row = found.session, found.row
    parent = None
    if session.parent_read is not None and session.parent_revision is not None:
        parent = (ids.unveil(read_id, bytes(session.parent_read)), session.parent_revision)
    return Stored(
        id=read_id,
        read_id=read_id,
        read_only=True,
        revision=row.revision,
        session=found.state,
        action=row.action,
        undoable=row.parent is not None,
        parent=parent,
        run=None if row.detail is None else codec.decode_json(row.detail),
        running=running,
        at=moment(row.at),
        place=Place(session.key, found.base, row._replace(frame=None, settings=None)),
        pinned=bool(session.pinned),
    )


def view(stored: Stored, row: Row, session: Session) -> Stored:
    """The same session at another row, to be looked at."""
    return replace(
        stored,
        revision=row.revision,
        session=session,
        action=row.action,
        undoable=row.parent is not None,
        run=None if row.detail is None else codec.decode_json(row.detail),
        at=moment(row.at),
        place=stored.place._replace(row=row._replace(frame=None, settings=None)),
    )


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def unknown() -> NotFound:
    return NotFound("there is no session with this id")


def read_only() -> ReadOnly:
    return ReadOnly("this id only allows to look; ask for the session's own id")


def running() -> RunInProgress:
    return RunInProgress("a run holds this session; try again when it has ended")


def claimed() -> KeyTaken:
    return KeyTaken("a request with this Idempotency-Key is under way; send it again to get its answer")
