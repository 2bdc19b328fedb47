"""Sessions, their definitions, events and slices, and the keys of repeated requests.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _owner(primary_key: bool = True) -> sa.Column[int]:
    session = sa.ForeignKey("sessions.key", ondelete="CASCADE")
    return sa.Column("session_key", KEY, session, primary_key=primary_key, nullable=False, autoincrement=False)


def _number(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=primary_key, nullable=nullable, autoincrement=False)


def upgrade() -> None:
    _create_sessions()
    _create_events()
    _create_slices()
    _create_idempotency()


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("id_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("engine_version", sa.Text, nullable=False),
        _number("revision"),
        sa.Column("run_until", sa.Double),
        sa.Column("parent_read", sa.LargeBinary),
        _number("parent_revision", nullable=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table("definitions", _owner(), sa.Column("document", sa.Text, nullable=False))


def _create_events() -> None:
    op.create_table(
        "events",
        _owner(),
        _number("revision", primary_key=True),
        sa.Column("action", sa.Text, nullable=False),
        _number("parent", nullable=True),
        _number("origin"),
        sa.Column("phase", sa.Text, nullable=False),
        _number("step"),
        _number("epoch"),
        _number("batch"),
        _number("offset"),
        sa.Column("loss", sa.Double),
        sa.Column("learning_rate", sa.Double),
        sa.Column("gradient_norm", sa.Double),
        sa.Column("seconds", sa.Double, nullable=False),
        _number("frame_at"),
        _number("settings_at", nullable=True),
        _number("update_at", nullable=True),
        sa.Column("detail", sa.Text),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("frame", sa.LargeBinary),
        sa.Column("settings", sa.Text),
    )


def _create_slices() -> None:
    op.create_table(
        "slices",
        _owner(),
        _number("revision", primary_key=True),
        _number("first_step", primary_key=True),
        _number("step_count"),
        _number("epoch"),
        _number("batch"),
        _number("offset"),
        sa.Column("frame", sa.LargeBinary, nullable=False),
        sa.Column("losses", sa.LargeBinary, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
    )


def _create_idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("key_hash", sa.LargeBinary, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        _owner(primary_key=False),
        _number("revision"),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("ix_idempotency_session_key", "idempotency", ["session_key"])
    op.create_index("ix_idempotency_at", "idempotency", ["at"])


def downgrade() -> None:
    for table in ("idempotency", "slices", "events", "definitions", "sessions"):
        op.drop_table(table)
