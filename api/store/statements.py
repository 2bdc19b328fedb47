"""Every statement the store runs, in SQLAlchemy Core; ``database.Prepared`` compiles each once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    exists,
    extract,
    func,
    insert,
    null,
    or_,
    select,
    true,
    update,
)

from api.store.records import Row, SessionRow, Slice
from api.store.tables import definitions, events, idempotency, sessions, slices


def _all(table: Table) -> dict[str, Any]:
    return {column.name: bindparam(column.name, type_=column.type) for column in table.columns}


def _at(table: Any, revision: str = "revision") -> ColumnElement[bool]:
    return and_(table.c.session_key == bindparam("key"), table.c.revision == bindparam(revision))


clock = select(extract("epoch", func.clock_timestamp()).cast(Double))
"""PostgreSQL: the time that all servers agree on."""

notify = select(
    func.set_config("synchronous_commit", "off", true()),
    func.pg_notify(bindparam("channel", type_=Text), bindparam("payload", type_=Text)),
)
"""PostgreSQL: tell whoever listens, without a wait for the disk."""

# --- sessions

_session_columns = [sessions.c[name] for name in SessionRow._fields]
find_session = select(*_session_columns).where(
    or_(sessions.c.id_hash == bindparam("own"), sessions.c.id_hash == bindparam("read"))
)
find_revision = select(sessions.c.revision).where(sessions.c.key == bindparam("key"))
find_definition = select(definitions.c.document).where(definitions.c.session_key == bindparam("key"))
find_runs = select(*_session_columns).where(sessions.c.run_until.is_not(None))

find_newest = select(func.max(events.c.revision)).where(events.c.session_key == bindparam("key"))

_created = {name: value for name, value in _all(sessions).items() if name != "key"}
insert_session = insert(sessions).values(_created).returning(sessions.c.key)
insert_definition = insert(definitions).values(_all(definitions))

_is_current = and_(sessions.c.key == bindparam("key"), sessions.c.revision == bindparam("expected"))
_is_mine = and_(_is_current, sessions.c.run_until == bindparam("lease"))
find_expired = (
    select(sessions.c.key, sessions.c.revision)
    .join(events, and_(events.c.session_key == sessions.c.key, events.c.revision == sessions.c.revision))
    .where(events.c.at < bindparam("before"), ~sessions.c.pinned, sessions.c.run_until.is_(None))
    .limit(bindparam("most"))
)
"""Sessions whose last change is long ago."""
_has_slices = exists().where(slices.c.session_key == bindparam("key"), slices.c.revision == bindparam("expected") + 1)

pin = update(sessions).where(sessions.c.key == bindparam("key")).values(pinned=bindparam("is_pinned"))
move_on = update(sessions).where(_is_current, sessions.c.run_until.is_(None)).values(revision=bindparam("revision"))
begin_run = update(sessions).where(_is_current, sessions.c.run_until.is_(None)).values(run_until=bindparam("until"))
renew_run = update(sessions).where(_is_mine).values(run_until=bindparam("until"))
end_run = update(sessions).where(_is_mine).values(revision=bindparam("revision"), run_until=None)
end_crashed_run = (
    update(sessions).where(_is_mine, _has_slices).values(revision=bindparam("expected") + 1, run_until=None)
)
drop_crashed_run = update(sessions).where(_is_mine).values(run_until=None)
delete_session = delete(sessions).where(_is_current, sessions.c.run_until.is_(None))

# --- events

insert_event = insert(events).values(_all(events))
delete_event = delete(events).where(_at(events))
_run_columns = set(Row._fields) - {"session_key", "revision", "parent", "origin", "settings", "settings_at"}
finish_event = (
    update(events)
    .where(_at(events, "at_revision"))
    .values({name: bindparam(f"new_{name}", type_=events.c[name].type) for name in sorted(_run_columns)})
)

_frames = events.alias("frames")
_patches = events.alias("patches")
_frame = and_(_frames.c.session_key == events.c.session_key, _frames.c.revision == events.c.frame_at)
_patch = and_(_patches.c.session_key == events.c.session_key, _patches.c.revision == events.c.settings_at)
_light = [name for name in Row._fields if name not in ("frame", "settings")]


def _columns(table: Any) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in _light]


find_event = (
    select(*_columns(events), _frames.c.frame, _patches.c.settings)
    .select_from(events.join(_frames, _frame).outerjoin(_patches, _patch))
    .where(_at(events))
)
"""A row with the frame and the settings that are in force there, wherever they are kept."""

# --- slices

_slice_range = and_(
    _at(slices),
    slices.c.first_step < bindparam("before"),
    slices.c.first_step + slices.c.step_count > bindparam("since"),
)
_slice_columns = [slices.c[name] for name in Slice._fields]
insert_slice = insert(slices).values(_all(slices))
find_slices = select(*_slice_columns).where(_slice_range).order_by(slices.c.first_step)
"""The slices of a run that have steps of ``since <= step < before``."""
find_slice_losses = select(slices.c.first_step, slices.c.losses).where(_slice_range).order_by(slices.c.first_step)
find_slice_epochs = select(slices.c.epochs).where(_slice_range).order_by(slices.c.first_step)
find_slice = (
    select(*_slice_columns)
    .where(_at(slices), slices.c.first_step <= bindparam("step"))
    .order_by(slices.c.first_step.desc())
    .limit(1)
)

# --- idempotency

find_key = (
    select(idempotency.c.fingerprint, idempotency.c.revision, idempotency.c.salt, sessions.c.revision.label("current"))
    .select_from(idempotency.join(sessions, sessions.c.key == idempotency.c.session_key))
    .where(idempotency.c.key_hash == bindparam("key_hash"), idempotency.c.at > bindparam("since"))
)
insert_key = insert(idempotency).values(_all(idempotency))
lock_key = select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)))
"""PostgreSQL: whoever else comes with this key waits until our transaction has ended."""
_is_old = idempotency.c.at <= bindparam("since")
free_key = delete(idempotency).where(_is_old, idempotency.c.key_hash == bindparam("key_hash"))
delete_old_keys = delete(idempotency).where(_is_old)
delete_keys_of = delete(idempotency).where(_at(idempotency))

# --- the current line: rows from one revision back along ``parent``


def _line_to_step() -> Any:
    line = select(*_columns(events)).where(_at(events)).cte("line", recursive=True)
    found = and_(line.c.step == bindparam("step"), line.c.phase == "ready")
    before = (
        select(*_columns(events))
        .join(line, and_(events.c.session_key == line.c.session_key, events.c.revision == line.c.parent))
        .where(~or_(line.c.step < bindparam("step"), found))
    )
    line = line.union_all(before)
    return select(*_columns(line)).order_by(line.c.revision).limit(4)


line_to_step = _line_to_step()
"""The line from ``revision`` back to the last row where ``step`` was ready, or else to the last row of an earlier step
or to the beginning; of these the oldest four, oldest first."""


def _joined(table: Any, other: Any, column: str) -> ColumnElement[bool]:
    return and_(table.c.session_key == other.c.session_key, table.c.revision == other.c[column])


def _updates() -> Any:
    """The line's rows that finished steps later than ``after``; few columns, since they are sorted."""
    found = [events.c.session_key, events.c.revision, events.c.parent]
    enough = events.c.step > bindparam("after") + 1
    present, parent = events.alias("present"), events.alias("parent")
    last = present.join(events, _joined(events, present, "update_at"))
    line = select(*found).select_from(last).where(_at(present), enough).cte("line", recursive=True)
    before = line.join(parent, _joined(parent, line, "parent")).join(events, _joined(events, parent, "update_at"))
    line = line.union_all(select(*found).select_from(before).where(enough))
    return select(line).order_by(line.c.revision).limit(bindparam("limit")).subquery()


def _contributions() -> Any:
    updates, start = _updates(), events.alias("start")
    rows = updates.join(events, _joined(events, updates, "revision"))
    rows = rows.outerjoin(start, _joined(start, events, "parent")).outerjoin(_patches, _patch)
    columns = [*_columns(events), null().label("frame"), _patches.c.settings, start.c.epoch, start.c.batch]
    return select(*columns).select_from(rows).order_by(events.c.revision)


contributions = _contributions()
"""The rows of the line that finished steps later than ``after``, oldest first, with their settings and with the epoch
and the batch of the row before."""


def _losses() -> Any:
    updates = _updates()
    rows = updates.join(events, _joined(events, updates, "revision"))
    columns = [events.c[name] for name in ("action", "origin", "step", "loss", "epoch_end")]
    return select(*columns).select_from(rows).order_by(events.c.revision)


losses = _losses()
"""The same rows with no more than a chart needs."""
