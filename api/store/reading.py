"""From rows back to sessions: look-ups by revision and by step, and exact replay inside runs."""

from __future__ import annotations

from typing import NamedTuple

from api.store import codec, ids, statements
from api.store.database import Transaction
from api.store.events import back_row, inside_row
from api.store.records import Place, Row, SessionRow, Slice
from api.training.definition import Definition
from api.training.run import advance
from api.training.session import Phase, Session
from api.training.snapshot import Position, Snapshot

_UNTITLED = {"title": None}


class Found(NamedTuple):
    """A session as the database has it, and its current state."""

    session: SessionRow
    base: Definition
    row: Row
    state: Session


class _Step(NamedTuple):
    """Where a step of the line is: ``row`` shows it, or, if ``inside``, covers it with its slices; ``after`` are the
    rows that follow on the line."""

    row: Row
    inside: bool
    after: list[Row]


class UsedKey(NamedTuple):
    """An idempotency key's row, and the revision its session is at."""

    fingerprint: bytes
    revision: int
    salt: bytes | None
    current: int


def find(transaction: Transaction, read_id: str, own: str) -> SessionRow | None:
    """The session that has either of these as its read id."""
    values = {"own": ids.id_hash(own), "read": ids.id_hash(read_id)}
    row = transaction.row(statements.find_session, values)
    return None if row is None else SessionRow(*row)


def fetch(transaction: Transaction, session: SessionRow) -> Found:
    """The session's definition and its current state."""
    newest = transaction.row(statements.find_newest, {"key": session.key})[0]
    assert newest == session.revision + (session.run_until is not None), "revisions have no gap and no more than a run"
    document = transaction.row(statements.find_definition, {"key": session.key})
    assert document is not None, "a session has its definition"
    base = Definition.load(codec.decode_json(document[0]))
    row = row_at(transaction, session.key, session.revision)
    assert row is not None, "a session's current revision always has its row"
    return Found(session, base, row, _state_of(transaction, base, row))


def row_at(transaction: Transaction, key: int, revision: int) -> Row | None:
    """A revision's row with its frame and settings."""
    row = transaction.row(statements.find_event, {"key": key, "revision": revision})
    return None if row is None else Row.of(row)


def definition_of(base: Definition, row: Row) -> Definition:
    """The definition in force at a row that was read with its settings."""
    return base if row.settings is None else base.patched(codec.decode_json(row.settings))


def snapshot_of(base: Definition, row: Row) -> tuple[Definition, Snapshot]:
    """The definition and the numbers of a row that was read with its frame."""
    assert row.frame is not None, "every row points to a frame"
    definition = definition_of(base, row)
    return definition, codec.decode_frame(definition, Position(row.step, row.epoch, row.batch, row.offset), row.frame)


def _state_of(transaction: Transaction, base: Definition, row: Row, phase: str | None = None) -> Session:
    """The session at a row, or in another phase of the same step."""
    definition, snapshot = snapshot_of(base, row)
    return Session.restore(definition, snapshot, Phase(phase or row.phase), _before(transaction, base, row))


def _before(transaction: Transaction, base: Definition, row: Row) -> tuple[Definition, Snapshot] | None:
    """Where the line's last update started from; None if it has none."""
    if row.update_at is None:
        return None
    update = row_at(transaction, row.session_key, row.update_at)
    assert update is not None, "a row's last update is on its line"
    if update.action != "update":
        definition = definition_of(base, update)
        return definition, _replayed(transaction, definition, update, update.step - 1)
    return _started(transaction, base, update)


def start_of(transaction: Transaction, base: Definition, update: Row) -> Snapshot:
    """Where the step that this row finished had started from."""
    return _started(transaction, base, update)[1]


def _started(transaction: Transaction, base: Definition, update: Row) -> tuple[Definition, Snapshot]:
    assert update.parent is not None, "an update has a backward before it"
    start = row_at(transaction, update.session_key, update.parent)
    assert start is not None, "a row's parent is never deleted"
    return snapshot_of(base, start)


def _replayed(transaction: Transaction, definition: Definition, run: Row, step: int) -> Snapshot:
    """The start of a step inside a run, computed again from the slice that has it."""
    found = _slice_at(transaction, run, step)
    assert found is not None, "a run's slices have every step of it"
    return forwarded(definition, slice_start(definition, found), step)


def _slice_at(transaction: Transaction, run: Row, step: int) -> Slice | None:
    """The slice of the run this row shows that has the step, if any."""
    values = {"key": run.session_key, "revision": run.origin, "step": step}
    row = transaction.row(statements.find_slice, values)
    return None if row is None else Slice.of(row)


def slice_start(definition: Definition, found: Slice) -> Snapshot:
    """The READY snapshot a slice begins with."""
    position = Position(found.first_step, found.epoch, found.batch, found.offset)
    return codec.decode_frame(definition, position, found.frame)


def forwarded(definition: Definition, snapshot: Snapshot, step: int) -> Snapshot:
    """The start of a later step; the same numbers as when it was first computed."""
    ahead = step - snapshot.position.step
    if not ahead:
        return snapshot
    end = advance(definition, snapshot, steps=ahead).end
    if end.position.step != step:
        raise RuntimeError(f"step {end.position.step} was finished once and cannot be again")
    return end


def _find_step(transaction: Transaction, now: Row, step: int) -> _Step | None:
    """Where the current line has the start of a step; None if it has not."""
    if not 0 <= step <= now.step:
        return None
    values = {"key": now.session_key, "revision": now.revision, "step": step}
    line = [Row.of(row) for row in transaction.rows(statements.line_to_step, values)]
    if not line:  # the session was deleted meanwhile
        return None
    if line[0].step < step:
        del line[0]
    row = line[0]
    inside = row.step > step
    if inside and _slice_at(transaction, row, step) is None:
        return None
    full = row_at(transaction, row.session_key, row.revision)
    assert full is not None, "the line consists of rows"
    return _Step(full, inside, line[1:])


def _state_inside(transaction: Transaction, base: Definition, run: Row, step: int, phase: str) -> Session:
    """The session at a step in the midst of a run."""
    definition = definition_of(base, run)
    previous = None
    if _slice_at(transaction, run, step - 1) is None:
        snapshot = _replayed(transaction, definition, run, step)
    else:
        earlier = _replayed(transaction, definition, run, step - 1)
        previous, snapshot = (definition, earlier), forwarded(definition, earlier, step)
    return Session.restore(definition, snapshot, Phase(phase), previous)


def at_revision(transaction: Transaction, place: Place, revision: int) -> tuple[Row, Session]:
    """The row and the state of a revision that the session has had."""
    row = row_at(transaction, place.key, revision)
    assert row is not None, "revisions have no gap"
    return row, _state_of(transaction, place.base, row)


def at_step(transaction: Transaction, place: Place, step: int, phase: str) -> tuple[Row, Session] | None:
    """The row of the line that led to a phase of a step, and the state there."""
    found = _find_step(transaction, place.row, step)
    if found is None:
        return None
    if found.inside:
        return found.row, _state_inside(transaction, place.base, found.row, step, phase)
    led = next((row for row in found.after if row.step == step and row.phase == phase), found.row)
    state = _state_of(transaction, place.base, found.row, phase)
    return (found.row if phase == found.row.phase else led), state


def beginning(transaction: Transaction, place: Place) -> tuple[str, Snapshot]:
    """The last change by hand on the line, ``patch``, or else its first action, ``create`` or ``fork``; and the state
    from which the line went on, steps alone, to where it is."""
    row = place.row
    while row.settings_at is not None:
        patch = row_at(transaction, place.key, row.settings_at)
        assert patch is not None, "a patch is never deleted"
        assert patch.parent is not None, "a patch follows another action"
        before = row_at(transaction, place.key, patch.parent)
        assert before is not None, "a row's parent is never deleted"
        changed, there = snapshot_of(place.base, patch)
        if changed.settings | _UNTITLED != definition_of(place.base, before).settings | _UNTITLED:
            return "patch", there
        if codec.encode_frame(changed, there) != bytes(before.frame or b""):
            return "patch", there
        row = before
    first = row_at(transaction, place.key, 0)
    assert first is not None, "a session has its first row"
    if first.update_at is not None:  # it was created with steps of its own
        return first.action, Session.start(place.base).snapshot
    return first.action, snapshot_of(place.base, first)[1]


def rewound(transaction: Transaction, place: Place, step: int, *, at: float) -> tuple[Row, Session] | None:
    """The row that a rewind to a step appends, and the state it leads to."""
    found = _find_step(transaction, place.row, step)
    if found is None:
        return None
    if not found.inside:
        row = back_row(place.row, found.row, "rewind", at=at)._replace(phase="ready")
        return row, _state_of(transaction, place.base, found.row, "ready")
    state = _state_inside(transaction, place.base, found.row, step, "ready")
    steps = _slice_at(transaction, found.row, step - 1) is not None
    return inside_row(place.row, found.row, state.definition, state.snapshot, steps=steps, at=at), state


def used_key(transaction: Transaction, key_hash: bytes, since: float) -> UsedKey | None:
    """An idempotency key that was used later than ``since``."""
    row = transaction.row(statements.find_key, {"key_hash": key_hash, "since": since})
    return None if row is None else UsedKey(*row)
