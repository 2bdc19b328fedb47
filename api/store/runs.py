"""Runs longer than one stretch: other writers are kept out by a lease that each stretch renews.

The run's event exists from the beginning, one revision ahead, but becomes current only at the end. Should the process
die meanwhile, whoever finds the lease over ends the run at its last committed stretch.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from api.engine.errors import StateConflict, StoreUnavailable
from api.store import codec, events
from api.store.cache import Turn
from api.store.changes import BeginRun, EndCrashedRun, EndRun, RenewRun
from api.store.keeper import Keeper, read_only
from api.store.records import Key, Row, SessionRow, Stored
from api.training.run import Stretch
from api.training.session import Session


@dataclass(slots=True)
class _Active:
    """A run of this process: its event so far, its lease, and the turn it was begun in."""

    row: Row
    lease: float
    turn: Turn | None
    steps_done: int = 0


class Runs:
    """The runs of this process, by read id."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._active: dict[str, _Active] = {}

    async def begin(self, stored: Stored, turn: Turn | None, key: Key | None) -> None:
        """Take the lease, and let those go on who wait for the session: they shall hear of the run."""
        if stored.read_only:
            raise read_only()
        now = self._keeper.clock()
        row, lease = _invisible_row(stored, now), now + self._keeper.lease_seconds
        await self._keeper.commit(stored, BeginRun(row, lease, events.key_row(key, at=now)))
        self._active[stored.read_id] = _Active(row, lease, turn)
        self._keeper.running.add(stored.read_id)
        if turn is not None:
            turn.release()

    async def append_stretch(self, stored: Stored, stretch: Stretch) -> None:
        """Commit a stretch and renew the lease."""
        active, now = self._of(stored), self._keeper.clock()
        done = active.steps_done + len(stretch.losses)
        row, until = _stretch_row(active.row, stored, stretch, done, now), now + self._keeper.lease_seconds
        slices = events.slice_rows(stored.session.definition, row.session_key, row.revision, [stretch])
        await self._keeper.commit(stored, RenewRun(row, slices, active.lease, until))
        active.row, active.lease, active.steps_done = row, until, done

    async def end(
        self, stored: Stored, session: Session, run: dict[str, Any], seconds: float, key: Key | None
    ) -> Stored:
        """Make the run's revision the current one."""
        active, now = self._of(stored), self._keeper.clock()
        row = events.next_row(stored, "run", session, seconds=seconds or active.row.seconds, run=run, at=now)
        row = row._replace(update_at=active.row.update_at)
        await self._keeper.commit(stored, EndRun(row, active.lease, events.key_row(key, at=now)))
        self._drop(stored.read_id)
        return self._keeper.publish(stored, row, session, run)

    async def abandon(self, stored: Stored, turn: Turn) -> None:
        """End the run that was begun in this turn, if it still goes on, at its last committed stretch."""
        active = self._active.get(stored.read_id)
        if active is None or active.turn is not turn:
            return
        self._drop(stored.read_id)
        self._keeper.cache.evict(stored.read_id)
        session = SessionRow(stored.place.key, b"", stored.revision, active.lease, None, None)
        with suppress(StoreUnavailable):  # then the lease ends by itself
            await self._keeper.writer.submit(EndCrashedRun(session))
            newer = await self._keeper.load(stored.id)
            self._keeper.live.announce(stored.place.key, newer.revision)

    def _of(self, stored: Stored) -> _Active:
        active = self._active.get(stored.read_id)
        if active is None:
            raise StateConflict("no run of this server holds the session")
        return active

    def _drop(self, read_id: str) -> None:
        self._active.pop(read_id, None)
        self._keeper.running.discard(read_id)


def _invisible_row(stored: Stored, at: float) -> Row:
    now = stored.place.row
    revision = now.revision + 1
    return now._replace(
        revision=revision,
        action="run",
        parent=now.revision,
        origin=revision,
        loss=None,
        learning_rate=None,
        gradient_norm=None,
        seconds=0.0,
        detail=None,
        at=at,
        epoch_end=None,
        frame=None,
        settings=None,
    )


def _stretch_row(row: Row, stored: Stored, stretch: Stretch, done: int, at: float) -> Row:
    """The event as it stands if the run ends with this stretch."""
    position = stretch.end.position
    return row._replace(
        phase="ready",
        step=position.step,
        epoch=position.epoch,
        batch=position.batch,
        offset=position.offset,
        seconds=row.seconds + stretch.seconds,
        frame_at=row.revision,
        update_at=row.revision if done else row.update_at,
        detail=codec.encode_json({"steps_done": done, "stopped_by": "interrupted"}),
        at=at,
        frame=codec.encode_frame(stored.session.definition, stretch.end),
    )
