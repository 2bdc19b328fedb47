"""What is told of finished epochs: their mean loss, and the metrics of rows that are held out.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("epoch_end", sa.LargeBinary))
    op.add_column("slices", sa.Column("epochs", sa.LargeBinary))


def downgrade() -> None:
    op.drop_column("slices", "epochs")
    op.drop_column("events", "epoch_end")
