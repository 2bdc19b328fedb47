"""The store: sessions in, sessions out, each answer after its commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from api.engine.errors import InvalidInput, NotFound, NothingToUndo, StoreUnavailable
from api.store import codec, events, history, ids, reading
from api.store.cache import Turn
from api.store.changes import KEY_SECONDS, Append, Create, Delete, Refused, end_all_runs
from api.store.classes import Classes
from api.store.course import course
from api.store.database import Database
from api.store.keeper import Keeper, claimed, moment, read_only, running, view
from api.store.migrations import check, prepare_sqlite
from api.store.records import Answer, HistoryRow, Key, Place, Row, Slice, Stored
from api.store.runs import Runs
from api.training.run import Stretch
from api.training.session import Session
from api.training.snapshot import Snapshot

PHASES = ("ready", "forward", "backward")


class Store:
    """All sessions, for one event loop. Any call may raise StoreUnavailable, and StoreFull if the disk is full.

    ``warnings`` lists ``{code, message}`` of what the operator should know; ``classes`` are the assignments.
    """

    def __init__(self, keeper: Keeper) -> None:
        self.warnings = keeper.database.warnings
        self._keeper = keeper
        self._runs = Runs(keeper)
        self.classes = Classes(keeper)
        self._turns: dict[str, Turn] = {}

    @classmethod
    def open(
        cls,
        url: str,
        *,
        cache: int = 4096,
        lease_seconds: float = 30.0,
        busy_seconds: float = 3.0,
        retention_seconds: float | None = None,
        clock: Callable[[], float] | None = None,
    ) -> Store:
        """Open a database by its SQLAlchemy URL. SQLite is created and migrated, PostgreSQL only checked.

        ``cache`` sessions are kept in memory; a run that shows no life for ``lease_seconds`` is over; a lock that
        another program holds is waited for ``busy_seconds``; a session that nobody changes for ``retention_seconds`` is
        deleted unless it is pinned; ``clock`` tells the time, by default ``Database.now``.
        """
        database = Database(url, busy_seconds=busy_seconds)
        try:
            if database.shared:
                check(database)
            else:
                prepare_sqlite(database)
                end_all_runs(database)  # one process writes here, and it has only just begun
            return cls(
                Keeper(
                    database,
                    cache=cache,
                    lease_seconds=lease_seconds,
                    retention_seconds=retention_seconds,
                    clock=clock or database.now,
                )
            )
        except StoreUnavailable:
            database.close()
            raise

    @classmethod
    def open_to_read(cls, url: str) -> Store:
        """Open a database that is there, to look only: nothing is created, migrated or written."""
        database = Database(url, read_only=True)
        try:
            check(database)
            return cls(Keeper(database, cache=1, lease_seconds=30.0, retention_seconds=None, clock=database.now))
        except StoreUnavailable:
            database.close()
            raise

    async def close(self) -> None:
        """Commit what waits, end all subscriptions, let go of the database."""
        await self._keeper.close()

    def figures(self) -> dict[str, float]:
        """What an operator may want to watch."""
        keeper, writer = self._keeper, self._keeper.writer
        return {
            "commits": writer.commits,
            "changes": writer.changes,
            "commit_seconds": writer.seconds,
            "sessions_in_memory": len(keeper.cache),
            "listeners": len(keeper.live),
            "runs": len(keeper.running),
        }

    def expires_at(self, stored: Stored) -> datetime | None:
        """When a session will be deleted if nothing changes it; None for never."""
        seconds = self._keeper.retention_seconds
        return None if stored.pinned or not seconds else stored.at + timedelta(seconds=seconds)

    async def sweep(self) -> int:
        """Delete the sessions and assignments whose time is over, and old idempotency keys; the number of them."""
        return await self._keeper.sweep() + await self.classes.sweep()

    # --- looking

    async def load(self, id: str) -> Stored:
        """The session now, by either of its ids; raises NotFound."""
        return await self._keeper.load(id)

    def at_hand(self, read_id: str) -> Stored | None:
        """The session now by its read id, where memory alone is sure of it; None where ``load`` must be asked."""
        return self._keeper.at_hand(read_id)

    async def at_revision(self, stored: Stored, revision: int) -> Stored:
        """The session as it was at a revision, also at one later than ``stored``'s; raises NotFound."""
        if revision > stored.revision:  # perhaps committed since; a run's own revision is not before the run has ended
            stored = await self._keeper.load(stored.id)
        if revision == stored.revision:
            return stored
        if not 0 <= revision < stored.revision:
            raise NotFound(f"this session has no such revision; its newest is {stored.revision}")
        return view(stored, *await self._keeper.look(stored, reading.at_revision, stored.place, revision))

    async def at_step(self, stored: Stored, step: int, phase: str) -> Stored:
        """The session in a phase of a step of the current line, also inside a run; raises NotFound.

        Its revision is that of the action that led there; inside a run the run's.
        """
        now = stored.place.row
        found = None
        if 0 <= step < now.step or (step == now.step and PHASES.index(phase) <= PHASES.index(now.phase)):
            found = await self._keeper.look(stored, reading.at_step, stored.place, step, phase)
        if found is None:
            raise NotFound(f"the current line has no such step in phase {phase}; it is at step {now.step}")
        return view(stored, *found)

    async def beginning(self, stored: Stored) -> tuple[str, Snapshot]:
        """Where the line was last changed by hand (``patch``), or began (``create`` or ``fork``): the action, and the
        state from which steps alone led to ``stored``."""
        return await self._keeper.read(reading.beginning, stored.place)

    async def history(self, stored: Stored, after: int, limit: int) -> tuple[list[HistoryRow], bool]:
        """Up to ``limit`` finished steps of the current line later than step ``after`` (-1: from the first), and
        whether there are more."""
        place = stored.place
        return await self._keeper.look(stored, history.page, place.base, place.row, after, limit)

    async def first_step(self, stored: Stored) -> int:
        """The step that the current line begins with: 0, but for a fork."""
        rows, _ = await self.history(stored, -1, 1)
        return rows[0].step if rows else stored.session.position.step

    async def losses(self, stored: Stored, points: int) -> list[tuple[int, float]]:
        """At most ``points`` losses of the current line with their steps: the first, the last, the extremes between."""
        return await self._keeper.look(stored, history.thinned, stored.place.row, points)

    async def validation_losses(self, stored: Stored, points: int) -> list[tuple[int, float]]:
        """At most ``points`` losses of the validation rows, chosen alike, with the steps that ended their epochs."""
        if not stored.session.definition.split.validation:
            return []
        return await self._keeper.read(history.validation_losses, stored.place.row, points)

    async def course(self, stored: Stored, points: int) -> list[Session]:
        """The session at about ``points`` steps of the current line, in order, each in phase ``ready``, then as it is;
        inside runs too long to be done again only at steps that were kept."""
        before = await self._keeper.read(course, stored.place, points)
        return [*before, stored.session]

    async def walked(self, stored: Stored, points: int, operations: int) -> list[Snapshot]:
        """The starts of at most ``points`` finished steps of the current line, evenly spaced; those inside runs cost at
        most so many operations."""
        place = stored.place
        return await self._keeper.read(history.walked, place.base, place.row, points, operations)

    async def replay(self, key: Key) -> Answer | None:
        """What was answered to this key in the last 24 hours, None if it is new.

        Raises InvalidInput if it came with another body, RunInProgress if its run goes on. For an action ask inside
        ``writing``, or a request that waits for its twin is not recognised.
        """
        since = self._keeper.clock() - KEY_SECONDS
        found = await self._keeper.read(reading.used_key, events.key_hash(key), since)
        if found is None:
            return None
        if found.fingerprint != events.fingerprint(key):
            raise InvalidInput("this Idempotency-Key was used with another body; take a new key", "/idempotency_key")
        if found.current < found.revision:
            raise running()
        if found.salt is None:
            return Answer(200, None, found.revision)
        return Answer(201, ids.derived_id(key.key, found.salt), found.revision)

    @asynccontextmanager
    async def subscribe(self, stored: Stored) -> AsyncIterator[AsyncIterator[int]]:
        """Each revision later than ``stored``'s, as it is committed; ends with the session."""
        keeper, key = self._keeper, stored.place.key
        with keeper.live.listen(key, stored.revision) as revisions:
            if keeper.database.shared:
                await keeper.notices.listen()
                with suppress(NotFound):  # the next look at the database ends it
                    keeper.live.announce(key, (await keeper.load(stored.id)).revision)
            elif (newest := keeper.cache.get(stored.read_id)) is not None:
                keeper.live.announce(key, newest.revision)
            yield revisions

    # --- writing

    async def create(
        self,
        session: Session,
        *,
        id: str | None = None,
        stretches: Sequence[Stretch] = (),
        parent: tuple[str, int] | None = None,
        key: Key | None = None,
        pinned: bool = False,
    ) -> Stored:
        """A new session at revision 0; ``stretches``: the steps it begins with, ``parent``: the read id and the
        revision it is a fork of. With a key its id follows from the key; KeyTaken if a twin has just used it."""
        keeper, definition = self._keeper, session.definition
        salt = ids.new_salt() if key is not None and id is None else None
        if id is None:
            id = ids.new_id() if key is None or salt is None else ids.derived_id(key.key, salt)
        read_id, now = ids.read_id(id), keeper.clock()
        slices = events.slice_rows(definition, 0, 0, stretches)
        row = events.first_row(session, "fork" if parent else "create", steps=bool(slices), at=now)
        head = events.session_values(read_id, parent, pinned=pinned, at=now)
        document = codec.encode_json(definition.document)
        change = Create(head, document, row, slices, events.key_row(key, at=now, salt=salt))
        number = await keeper.writer.submit(change)
        if number is Refused.CLAIMED:
            raise claimed()
        place = Place(number, definition, row._replace(session_key=number, frame=None))
        at = moment(now)
        stored = Stored(id, read_id, False, 0, session, row.action, False, parent, None, False, at, place, pinned)
        keeper.cache.put(stored)
        return stored

    @asynccontextmanager
    async def writing(self, id: str) -> AsyncIterator[Stored]:
        """The session, and until the end of the block nobody else in this process writes it.

        Raises NotFound, ReadOnly for a read id, RunInProgress at once if a run holds it. A run that was begun inside
        and not ended is ended at its last committed stretch.
        """
        read_id = ids.read_id(id)
        if read_id in self._keeper.running:
            raise running()
        turn = await self._keeper.locks.turn(read_id)
        try:
            stored = await self._keeper.load(id, read_id)
            if stored.read_only:
                raise read_only()
            if stored.running:
                raise running()
            self._turns[read_id] = turn
            try:
                yield stored
            finally:
                if self._turns.get(read_id) is turn:
                    del self._turns[read_id]
                await self._runs.abandon(stored, turn)
        finally:
            self._keeper.locks.leave(turn)

    async def append(
        self,
        stored: Stored,
        action: str,
        session: Session,
        *,
        seconds: float = 0.0,
        run: dict[str, Any] | None = None,
        stretches: Sequence[Stretch] = (),
        key: Key | None = None,
        pinned: bool | None = None,
    ) -> Stored:
        """Commit an action that led from ``stored`` to ``session``; raises StaleRevision if another process wrote."""
        row = events.next_row(stored, action, session, seconds=seconds, run=run, at=self._keeper.clock())
        slices = events.slice_rows(stored.session.definition, row.session_key, row.revision, stretches)
        if slices:
            row = row._replace(update_at=row.revision)
        return await self._append(stored, row, session, key, slices=slices, run=run, pinned=pinned)

    async def undo(self, stored: Stored, key: Key | None = None) -> Stored:
        """One action further back on the current line; raises NothingToUndo."""
        now = stored.place.row
        if now.parent is None:
            raise NothingToUndo("there is no earlier action on this line", allowed=stored.session.allowed(False))
        target, session = await self._keeper.look(stored, reading.at_revision, stored.place, now.parent)
        return await self._append(stored, events.back_row(now, target, "undo", at=self._keeper.clock()), session, key)

    async def rewind(self, stored: Stored, step: int, key: Key | None = None) -> Stored:
        """To the start of a step of the current line; raises InvalidInput at ``/step`` if the line has none such."""
        found = await self._keeper.look(stored, reading.rewound, stored.place, step, at=self._keeper.clock())
        if found is None:
            newest = stored.place.row.step
            raise InvalidInput(f"the current line has no such step; it is at step {newest}", "/step")
        return await self._append(stored, *found, key)

    async def delete(self, stored: Stored) -> None:
        """Delete the session with all that belongs to it."""
        await self._keeper.commit(stored, Delete(stored.place.key, stored.revision))
        self._keeper.forget(stored)

    async def _append(
        self,
        stored: Stored,
        row: Row,
        session: Session,
        key: Key | None,
        *,
        slices: Sequence[Slice] = (),
        run: dict[str, Any] | None = None,
        pinned: bool | None = None,
    ) -> Stored:
        await self._keeper.commit(stored, Append(row, slices, events.key_row(key, at=row.at), pinned))
        return self._keeper.publish(stored, row, session, run, pinned)

    # --- runs longer than one stretch

    async def begin_run(self, stored: Stored, key: Key | None = None) -> None:
        """Keep other writers out, with RunInProgress, until ``end_run`` or the end of the ``writing`` block.

        A key given here is answered even if the run's process dies; ``end_run`` then needs none.
        """
        await self._runs.begin(stored, self._turns.get(stored.read_id), key)

    async def append_stretch(self, stored: Stored, stretch: Stretch) -> None:
        """Commit a stretch of the run that holds ``stored``; raises StaleRevision if the run was ended by another."""
        await self._runs.append_stretch(stored, stretch)

    async def end_run(
        self, stored: Stored, session: Session, run: dict[str, Any], seconds: float = 0.0, key: Key | None = None
    ) -> Stored:
        """The run's one revision becomes the current one; its steps are those of the committed stretches."""
        return await self._runs.end(stored, session, run, seconds, key)
