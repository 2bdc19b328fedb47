"""What handlers share: the settings, the store, the processes for long runs, the last answers, whether it closes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from starlette.requests import Request

from api.routes.figures import Figures
from api.routes.kept import Answers
from api.routes.workers import Workers
from api.settings import Settings
from api.store import Store
from api.training.limits import Limits
from api.training.session import Session


@dataclass(slots=True)
class Service:
    """One running service; made by the application's lifespan."""

    settings: Settings
    store: Store
    workers: Workers
    limits: Limits
    figures: Figures | None = None
    answers: Answers = field(default_factory=Answers)
    closing: asyncio.Event = field(default_factory=asyncio.Event)


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    service: Service = request.scope["app"].state.service
    return service


def work_of_row(session: Session) -> int:
    """Roughly how many primitive operations one row of data is."""
    return len(session.definition.graph.nodes)


def work_of(session: Session) -> int:
    """Roughly how many primitive operations one step of a session is."""
    definition = session.definition
    return work_of_row(session) * max(1, min(definition.batch_size, definition.row_count))


def work_of_epochs_end(session: Session) -> int:
    """Roughly how many primitive operations the rows held out are, at the end of an epoch."""
    split = session.definition.split
    return work_of_row(session) * (len(split.validation) + len(split.test))


def root_of(request: Request) -> str:
    """The path prefix that every link starts with: ``""`` or ``/prefix``."""
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/")
