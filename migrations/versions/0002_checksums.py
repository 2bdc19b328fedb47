"""Checksums of rows, and sessions that retention leaves alone.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("events", "slices"):
        op.add_column(table, sa.Column("checksum", sa.BigInteger))
    op.add_column("sessions", sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    for table in ("events", "slices"):
        op.drop_column(table, "checksum")
    op.drop_column("sessions", "pinned")
