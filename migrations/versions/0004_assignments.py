"""Assignments, their students and what these handed in.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "assignments",
        sa.Column("key", _KEY, primary_key=True),
        sa.Column("id_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("link_hash", sa.LargeBinary, unique=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("alike", sa.Text),
        sa.Column("created_at", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "students",
        sa.Column("key", _KEY, primary_key=True),
        sa.Column("assignment_key", _KEY, sa.ForeignKey("assignments.key", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("id_hash", sa.LargeBinary, unique=True),
        sa.Column("trial", sa.Integer),
        sa.UniqueConstraint("assignment_key", "name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "submissions",
        sa.Column(
            "student_key",
            _KEY,
            sa.ForeignKey("students.key", ondelete="CASCADE"),
            primary_key=True,
            nullable=False,
            autoincrement=False,
        ),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    for table in ("submissions", "students", "assignments"):
        op.drop_table(table)
