"""The tables, as they are now; the folder ``migrations`` tells how they came to be."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
)

HEAD = "0004"
"""The newest migration; a database at this one needs none."""

# SQLite numbers rows by itself only if the type is spelt INTEGER
_Key = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()


def _session_key(primary_key: bool = True, nullable: bool = False) -> Column[int]:
    owner = ForeignKey("sessions.key", ondelete="CASCADE")
    return Column("session_key", _Key, owner, primary_key=primary_key, nullable=nullable, autoincrement=False)


def _revision() -> Column[int]:
    return Column("revision", BigInteger, primary_key=True, autoincrement=False)


# Small and written by every action, so what is large or never changes stands elsewhere.
sessions = Table(
    "sessions",
    metadata,
    Column("key", _Key, primary_key=True),
    Column("id_hash", LargeBinary, nullable=False, unique=True),
    Column("schema_version", Integer, nullable=False),
    Column("engine_version", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("run_until", Double),
    Column("parent_read", LargeBinary),
    Column("parent_revision", BigInteger),
    Column("created_at", Double, nullable=False),
    Column("pinned", Boolean, nullable=False, server_default=false()),
    sqlite_autoincrement=True,  # a deleted session's key must not come back under another session
)

definitions = Table("definitions", metadata, _session_key(), Column("document", Text, nullable=False))

# With a rowid: frames of 1 to 4 kB would each take a page of their own in a table without.
events = Table(
    "events",
    metadata,
    _session_key(),
    _revision(),
    Column("action", Text, nullable=False),
    Column("parent", BigInteger),
    Column("origin", BigInteger, nullable=False),
    Column("phase", Text, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("batch", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("loss", Double),
    Column("learning_rate", Double),
    Column("gradient_norm", Double),
    Column("seconds", Double, nullable=False),
    Column("frame_at", BigInteger, nullable=False),
    Column("settings_at", BigInteger),
    Column("update_at", BigInteger),
    Column("detail", Text),
    Column("at", Double, nullable=False),
    Column("checksum", BigInteger),
    Column("frame", LargeBinary),
    Column("settings", Text),
    Column("epoch_end", LargeBinary),
)

slices = Table(
    "slices",
    metadata,
    _session_key(),
    _revision(),
    Column("first_step", BigInteger, primary_key=True, autoincrement=False),
    Column("step_count", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("batch", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("frame", LargeBinary, nullable=False),
    Column("losses", LargeBinary, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("epochs", LargeBinary),
    Column("checksum", BigInteger),
)

# A scope may contain a session's id, so of it and of the key there is only one hash over both.
idempotency = Table(
    "idempotency",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    _session_key(primary_key=False),
    Column("revision", BigInteger, nullable=False),
    Column("salt", LargeBinary),
    Column("at", Double, nullable=False, index=True),
)
# the cascade looks for a session's keys
Index("ix_idempotency_session_key", idempotency.c.session_key)

# Of each id there is a hash; a student's own link leads to its row as the teacher's id leads to the assignment's.
assignments = Table(
    "assignments",
    metadata,
    Column("key", _Key, primary_key=True),
    Column("id_hash", LargeBinary, nullable=False, unique=True),
    Column("link_hash", LargeBinary, unique=True),
    Column("document", Text, nullable=False),
    Column("alike", Text),
    Column("created_at", Double, nullable=False),
    sqlite_autoincrement=True,
)

students = Table(
    "students",
    metadata,
    Column("key", _Key, primary_key=True),
    Column("assignment_key", _Key, ForeignKey("assignments.key", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("id_hash", LargeBinary, unique=True),
    Column("trial", Integer),
    UniqueConstraint("assignment_key", "name"),
    sqlite_autoincrement=True,
)

submissions = Table(
    "submissions",
    metadata,
    Column(
        "student_key",
        _Key,
        ForeignKey("students.key", ondelete="CASCADE"),
        primary_key=True,
        nullable=False,
        autoincrement=False,
    ),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id_hash", LargeBinary, nullable=False, unique=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("summary", Text, nullable=False),
    Column("report", Text, nullable=False),
    Column("at", Double, nullable=False),
)
