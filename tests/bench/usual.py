"""The same three steps as one usually writes them: sync ``def``, an ORM session per request, ``response_model``.

It does less than the service (no undo, no keys, no revisions to look at) and is as durable: SQLite in WAL mode with
``synchronous=FULL``. What a step computes and the document it answers with are the service's own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import ForeignKey, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from api.documents.schemas import State
from api.documents.state import state
from api.routes.answers import Unstored
from api.training.definition import Definition, define
from api.training.session import Phase
from api.training.session import Session as Training
from api.training.snapshot import Position, Progress, Snapshot

engine = create_engine(f"sqlite:///{os.environ['BENCH_DATABASE']}")


@event.listens_for(engine, "connect")
def pragmas(connection: Any, _record: object) -> None:
    """As durable as the service."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")


class Base(DeclarativeBase):
    """The tables."""


class StoredSession(Base):
    """A session."""

    __tablename__ = "sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[str]
    phase: Mapped[str]
    parameters: Mapped[str]
    step: Mapped[int]
    epoch: Mapped[int]
    batch: Mapped[int]
    offset: Mapped[int]
    events: Mapped[list[StoredEvent]] = relationship(back_populates="session")


class StoredEvent(Base):
    """One action."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"), index=True)
    action: Mapped[str]
    parameters: Mapped[str]
    session: Mapped[StoredSession] = relationship(back_populates="events")


Base.metadata.create_all(engine)
app = FastAPI()


def database() -> Iterator[Session]:
    """One ORM session for each request."""
    with Session(engine) as session:
        yield session


Db = Annotated[Session, Depends(database)]


@app.post("/v1/sessions", response_model=State, status_code=201)
def create(db: Db) -> Any:
    """The article's session, at a rate that converges."""
    definition = define({"optimizer": {"kind": "sgd", "learning_rate": 0.01}})
    stored = StoredSession(definition=json.dumps(definition.document))
    write(stored, Training.start(definition))
    db.add(stored)
    db.commit()
    return document(stored.id, Training.start(definition))


@app.post("/v1/sessions/{id}/{action}", response_model=State)
def act(id: int, action: str, db: Db) -> Any:
    """One step."""
    stored = db.get(StoredSession, id)
    if stored is None:
        raise HTTPException(404)
    training = getattr(read(stored), action)()
    write(stored, training)
    db.add(StoredEvent(session=stored, action=action, parameters=stored.parameters))
    db.commit()
    return document(id, training)


def read(stored: StoredSession) -> Training:
    """A row as a session."""
    definition = Definition.load(json.loads(stored.definition))
    position = Position(stored.step, stored.epoch, stored.batch, stored.offset)
    snapshot = Snapshot(position, json.loads(stored.parameters), {}, Progress())
    return Training.restore(definition, snapshot, Phase(stored.phase), None)


def write(stored: StoredSession, training: Training) -> None:
    """A session into its row."""
    position = training.position
    stored.phase, stored.parameters = training.phase.value, json.dumps(dict(training.parameters))
    stored.step, stored.epoch, stored.batch = position.step, position.epoch, position.batch
    stored.offset = position.offset


def document(id: int, training: Training) -> dict[str, Any]:
    """The answer."""
    return state(Unstored(training), base=f"/v1/sessions/{id}") | {"id": str(id), "revision": 0}
