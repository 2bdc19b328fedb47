"""Alembic's entry: runs the migrations on the connection of whoever asks, inside the caller's transaction.

From a checkout ``alembic`` itself works too, on the database that STEPGRAD_DATABASE_URL names.
"""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection, create_engine

from api.store.tables import metadata


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(os.environ.get("STEPGRAD_DATABASE_URL", "sqlite:///stepgrad.db")).begin() as opened:
        run(opened)
