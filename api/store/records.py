"""What the store hands out and takes in, and the rows it keeps; no SQL here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from api.training.definition import Definition
    from api.training.session import Session


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
    part of, ``seconds`` what the three actions took, inside a run the mean."""

    step: int
    epoch: int
    batch: int
    loss: float
    learning_rate: float
    gradient_norm: float | None
    seconds: float
    revision: int


class Row(NamedTuple):
    """One event: what an action left behind, and where the rest of its state is kept.

    ``parent``: the revision one action before on the line, to which an undo goes; None at the line's beginning.
    ``origin``: the revision whose slices this row shows, up to this row's ``step``; itself, but for undo and rewind.
    ``frame_at``, ``settings_at``: the revisions that hold the numbers, and the settings if they were ever patched.
    ``update_at``: the revision that finished the line's last step; None if there is none.
    ``seconds``: what the step, or the run, has taken since it was last ready.
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
    frame: bytes | None = None
    settings: str | None = None


class SessionRow(NamedTuple):
    """What is known of a session apart from its events."""

    key: int
    id_hash: bytes
    revision: int
    run_until: float | None
    parent_read: bytes | None
    parent_revision: int | None


class Slice(NamedTuple):
    """A stretch of a run: where it started, and every step's loss."""

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
    says, if this revision is a run. ``running``: a run holds the session, so other writes have to wait. ``place`` is
    the store's own.
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
