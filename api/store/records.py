"""What the store hands out and takes in, and the rows it keeps; no SQL here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from api.engine.errors import StoreDamaged
from api.store.seals import DAMAGED, checksum

if TYPE_CHECKING:
    from api.training.definition import Definition
    from api.training.session import Session
    from api.training.snapshot import EpochEnd


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key: ``scope`` says for which call, ``fingerprint`` stands for the body it came with."""

    scope: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a key: 201 with the ``id`` that was created, or 200 with ``id`` None."""

    status: int
    id: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One finished step: ``step``, ``epoch`` and ``batch`` are where it started, ``revision`` is the action it was
    part of, ``seconds`` what the three actions took, inside a run the mean, ``epoch_end`` what is told of the epoch if
    the step was its last."""

    step: int
    epoch: int
    batch: int
    loss: float
    learning_rate: float
    gradient_norm: float | None
    seconds: float
    revision: int
    epoch_end: EpochEnd | None = None


class Row(NamedTuple):
    """One event: what an action left behind, and where the rest of its state is kept.

    ``parent``: the revision one action before on the line, to which an undo goes; None at the line's beginning.
    ``origin``: the revision whose slices this row shows, up to this row's ``step``; itself, but for undo and rewind.
    ``frame_at``, ``settings_at``: the revisions that hold the numbers, and the settings if they were ever patched.
    ``update_at``: the revision that finished the line's last step; None if there is none.
    ``seconds``: what the step, or the run, has taken since it was last ready.
    ``epoch_end``: what is told of the epoch that an update has finished.
    """

    session_key: int
    revision: int
    action: str
    parent: int | None
    origin: int
    phase: str
    step: int
    epoch: int
    batch: int
    offset: int
    loss: float | None
    learning_rate: float | None
    gradient_norm: float | None
    seconds: float
    frame_at: int
    settings_at: int | None
    update_at: int | None
    detail: str | None
    at: float
    checksum: int | None = None
    epoch_end: bytes | None = None
    frame: bytes | None = None
    settings: str | None = None

    def sealed(self) -> Row:
        """The row as it is written."""
        return self._replace(checksum=checksum(self[:_ROW_COLUMNS]))

    @staticmethod
    def of(found: Sequence[Any]) -> Row:
        """A row as it was read; raises StoreDamaged if it is not what was written."""
        row = Row(*found)
        if row.checksum is not None and row.checksum != checksum(row[:_ROW_COLUMNS]):
            raise StoreDamaged(DAMAGED)
        return row


_ROW_COLUMNS = Row._fields.index("checksum")


class SessionRow(NamedTuple):
    """What is known of a session apart from its events."""

    key: int
    id_hash: bytes
    revision: int
    run_until: float | None
    parent_read: bytes | None
    parent_revision: int | None
    pinned: bool = False


class Slice(NamedTuple):
    """A stretch of a run: where it started, every step's loss, and if rows are held out the ends of its epochs."""

    session_key: int
    revision: int
    first_step: int
    step_count: int
    epoch: int
    batch: int
    offset: int
    frame: bytes
    losses: bytes
    seconds: float
    epochs: bytes | None = None
    checksum: int | None = None

    def sealed(self) -> Slice:
        """The slice as it is written; its blobs have their own checksums."""
        return self._replace(checksum=checksum((*self[:_SLICE_BLOBS], self.seconds)))

    @staticmethod
    def of(found: Sequence[Any]) -> Slice:
        """A slice as it was read; raises StoreDamaged if it is not what was written."""
        slice = Slice(*found)
        if slice.checksum is not None and slice != slice.sealed():
            raise StoreDamaged(DAMAGED)
        return slice


_SLICE_BLOBS = Slice._fields.index("frame")


class KeyRow(NamedTuple):
    """An idempotency key as the database has it: hashes alone, and the salt that a created id was derived with."""

    key_hash: bytes
    fingerprint: bytes
    salt: bytes | None
    at: float


class Place(NamedTuple):
    """Where a state is kept; ``base`` is the definition as created, before any patch."""

    key: int
    base: Definition
    row: Row


@dataclass(frozen=True, slots=True)
class Stored:
    """A session as the database has it.

    ``id`` is as the caller wrote it, so the read id if ``read_only``. ``undoable``: the line has an earlier action.
    ``parent``: the session this one was forked from, by its read id, and the revision. ``run``: what a run's answer
    says, if this revision is a run. ``running``: a run holds the session, so other writes have to wait. ``pinned``:
    retention leaves it alone. ``place`` is the store's own.
    """

    id: str
    read_id: str
    read_only: bool
    revision: int
    session: Session
    action: str
    undoable: bool
    parent: tuple[str, int] | None
    run: dict[str, Any] | None
    running: bool
    at: datetime
    place: Place
    pinned: bool = False

    @property
    def edited(self) -> bool:
        """Whether the line to this revision has a change by hand."""
        return self.place.row.settings_at is not None
