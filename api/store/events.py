"""Rows for actions: what each leaves in the table, and where it points for the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from api.store import codec, ids
from api.store.records import Key, KeyRow, Row, Slice, Stored
from api.training.snapshot import EpochEnd

if TYPE_CHECKING:
    from api.training.definition import Definition
    from api.training.run import Stretch
    from api.training.session import Session
    from api.training.snapshot import Snapshot

SCHEMA_VERSION = 1
"""Of the documents and the blobs inside the columns."""

ENGINE_VERSION = "2"
"""Of the arithmetic: replay gives the same bits only under the version that a session was begun with."""

UNFRAMED = frozenset({"forward", "backward"})
"""Actions that change nothing but the phase, so that the frame before still holds."""


def first_row(session: Session, action: str, *, steps: bool, at: float) -> Row:
    """The row of a new session, at revision 0; ``steps``: it comes with finished steps of its own."""
    position = session.position
    return Row(
        session_key=0,
        revision=0,
        action=action,
        parent=None,
        origin=0,
        phase=str(session.phase),
        step=position.step,
        epoch=position.epoch,
        batch=position.batch,
        offset=position.offset,
        loss=None,
        learning_rate=None,
        gradient_norm=None,
        seconds=0.0,
        frame_at=0,
        settings_at=None,
        update_at=0 if steps else None,
        detail=None,
        at=at,
        frame=codec.encode_frame(session.definition, session.snapshot),
    )


def next_row(
    stored: Stored, action: str, session: Session, *, seconds: float, run: Mapping[str, Any] | None, at: float
) -> Row:
    """The row of an action that led from ``stored`` to ``session``; a run's slices are not considered."""
    now, before, position = stored.place.row, stored.session, session.position
    revision = now.revision + 1
    update, patch, framed = action == "update", action == "patch", action not in UNFRAMED
    return Row(
        session_key=now.session_key,
        revision=revision,
        action=action,
        parent=now.revision,
        origin=revision,
        phase=str(session.phase),
        step=position.step,
        epoch=position.epoch,
        batch=position.batch,
        offset=position.offset,
        loss=before.loss if update else None,
        learning_rate=before.learning_rate if update else None,
        gradient_norm=before.gradient_norm if update else None,
        seconds=seconds if now.phase == "ready" else now.seconds + seconds,
        frame_at=revision if framed else now.frame_at,
        settings_at=revision if patch else now.settings_at,
        update_at=revision if update else now.update_at,
        detail=None if run is None else codec.encode_json(run),
        at=at,
        epoch_end=codec.encode_epochs([end]) if update and (end := EpochEnd.of(session.snapshot)) else None,
        frame=codec.encode_frame(session.definition, session.snapshot) if framed else None,
        settings=codec.encode_json(session.definition.settings) if patch else None,
    )


def back_row(now: Row, target: Row, action: str, *, at: float) -> Row:
    """The row of an undo, or of a rewind to a row: it stands in its target's place on the line."""
    return target._replace(
        revision=now.revision + 1,
        action=action,
        loss=None,
        learning_rate=None,
        gradient_norm=None,
        detail=None,
        at=at,
        epoch_end=None,
        frame=None,
        settings=None,
    )


def inside_row(now: Row, cover: Row, definition: Definition, snapshot: Snapshot, *, steps: bool, at: float) -> Row:
    """The row of a rewind into the midst of a run: the run's place on the line, a frame of its own."""
    position, revision = snapshot.position, now.revision + 1
    return back_row(now, cover, "rewind", at=at)._replace(
        phase="ready",
        step=position.step,
        epoch=position.epoch,
        batch=position.batch,
        offset=position.offset,
        frame_at=revision,
        frame=codec.encode_frame(definition, snapshot),
        update_at=revision if steps else None,
    )


def slice_rows(definition: Definition, key: int, revision: int, stretches: Iterable[Stretch]) -> list[Slice]:
    """The rows of a run's stretches; one that finished no step has none."""
    rows = []
    for stretch in stretches:
        if stretch.losses:
            start = stretch.start.position
            frame, losses = codec.encode_frame(definition, stretch.start), codec.encode_losses(stretch.losses)
            where = (start.step, len(stretch.losses), start.epoch, start.batch, start.offset)
            epochs = codec.encode_epochs(stretch.epochs)
            rows.append(Slice(key, revision, *where, frame, losses, stretch.seconds, epochs))
    return rows


def session_values(read_id: str, parent: tuple[str, int] | None, *, pinned: bool, at: float) -> dict[str, Any]:
    """A new session's own row."""
    return {
        "id_hash": ids.id_hash(read_id),
        "schema_version": SCHEMA_VERSION,
        "engine_version": ENGINE_VERSION,
        "revision": 0,
        "run_until": None,
        "parent_read": None if parent is None else ids.veil(read_id, parent[0]),
        "parent_revision": None if parent is None else parent[1],
        "created_at": at,
        "pinned": pinned,
    }


def key_hash(key: Key) -> bytes:
    """What the database has of a key and its scope, which may name a session's id."""
    return _hash(key.scope, key.key)


def key_row(key: Key | None, *, at: float, salt: bytes | None = None) -> KeyRow | None:
    """An idempotency key's row."""
    return None if key is None else KeyRow(key_hash(key), fingerprint(key), salt, at)


def fingerprint(key: Key) -> bytes:
    """What the database has of the body that came with a key."""
    return _hash(key.fingerprint)


def _hash(*parts: str) -> bytes:
    digest = hashlib.sha256()
    for part in _encoded(parts):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()


def _encoded(parts: Sequence[str]) -> list[bytes]:
    return [part.encode("utf-8", "surrogatepass") for part in parts]
