"""The application: the only place where its parts are put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Lifespan, Receive, Scope, Send

from api.engine.errors import StoreUnavailable
from api.routes import (
    actions,
    analyses,
    answers,
    assignments,
    catalog,
    code,
    comparison,
    live,
    practice,
    predictions,
    recipes,
    replay,
    runs,
    sessions,
    submissions,
    views,
)
from api.routes.edge import Edge
from api.routes.endpoint import Documented, include
from api.routes.express import Express
from api.routes.figures import Figures
from api.routes.logs import observe
from api.routes.operations import describe
from api.routes.rates import Rates
from api.routes.service import Service
from api.routes.workers import Workers
from api.settings import Settings
from api.store import Store

DESCRIPTION = (
    "Training sessions whose every number can be seen, undone and replayed. Create one, then walk it through forward, "
    "backward and update, or let it run."
)
FIRST_SWEEP_SECONDS, SWEEP_SECONDS = 30.0, 600.0
TAGS = [
    {"name": "sessions", "description": "Create, look, share, delete."},
    {"name": "actions", "description": "What changes a session; each raises its revision by one."},
    {"name": "analyses", "description": "Looking deeper: gradients, paths, curvature, landscapes, comparisons."},
    {"name": "answers", "description": "Worked answers, checked."},
    {"name": "assignments", "description": "Work for a class, handed in and marked."},
    {"name": "service", "description": "The same for everybody."},
]


def create_app(settings: Settings | None = None, store: Store | None = None) -> FastAPI:
    """The application for some settings, by default those of the environment.

    It opens the settings' database when it starts, or takes a ``store`` that is open already; it closes either when it
    ends.
    """
    settings = settings or Settings()
    figures = Figures(lambda: app.state.service.store.figures()) if settings.metrics else None
    observers = [observe, figures.observe] if figures else [observe]

    rates = Rates(settings.session_rate, settings.creation_rate)
    edge = Edge(settings.allowed_hosts, settings.limit_concurrency, settings.root_path, rates, observers)
    app = Documented(
        layer=edge.around,
        default=ClientFiles(client_folder()),
        title="stepgrad",
        version=_version(),
        summary="Backpropagation one step at a time, over HTTP",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        # The documentation pages of FastAPI need JavaScript from elsewhere; the document itself is at /openapi.json.
        openapi_url=None,  # an endpoint like any other, see routes/catalog.py
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # asking for it costs 20 µs a request
        root_path_in_servers=False,  # links are paths, and the document is the same under any prefix
        redirect_slashes=False,
        lifespan=lifespan_of(settings, store, edge, figures),
    )
    rooms = (
        *(actions, runs, sessions, recipes, views, predictions, analyses, code, live, replay),
        *(answers, assignments, submissions, comparison, practice, catalog),
    )
    include(app, *(room.routes for room in rooms))
    described: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        return described or described.update(describe(app)) or described

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def lifespan_of(
    settings: Settings, store: Store | None, edge: Edge, figures: Figures | None = None
) -> Lifespan[FastAPI]:
    """What an application opens when it starts and closes when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened = store or open_store(settings)
        service = Service(settings, opened, Workers(settings.run_workers), settings.limits, figures)
        app.state.service = service
        app.state.express = Express(service, edge)
        sweeping = asyncio.create_task(sweep(service))
        try:
            yield
        finally:
            sweeping.cancel()
            service.closing.set()
            service.workers.close()
            await service.store.close()

    return lifespan


def open_store(settings: Settings) -> Store:
    """The settings' database; raises StoreUnavailable."""
    return Store.open(settings.database_url, retention_seconds=settings.retention_days * 86_400 or None)


async def sweep(service: Service) -> None:
    """Delete what is over, every so often; a database that cannot be used now can be later."""
    seconds = FIRST_SWEEP_SECONDS
    while True:
        await asyncio.sleep(seconds)
        with suppress(StoreUnavailable):
            await service.store.sweep()
        seconds = SWEEP_SECONDS


class ClientFiles:
    """The static client, where no route matches; a mount at ``/`` would match each wrong method before its 405."""

    def __init__(self, folder: Path) -> None:
        self.files = StaticFiles(directory=folder, html=True, check_dir=False) if folder.is_dir() else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one file, or raise the 404 or 405 that becomes a problem."""
        if scope["type"] != "http" or self.files is None:
            raise HTTPException(404)
        response = await self._response(scope)
        await response(scope, receive, send)

    async def _response(self, scope: Scope) -> Response:
        assert self.files is not None
        if ".." in scope["path"].split("/"):
            raise HTTPException(404)
        path = self.files.get_path(scope)
        found = await self.files.get_response(path, {**scope, "method": "GET"})
        if scope["method"] != "GET":
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        if isinstance(found, RedirectResponse):
            # Starlette names the host; behind a proxy that may be the wrong one.
            found.headers["location"] = scope["path"].rstrip("/") + "/"
        found.headers["cache-control"] = "no-cache"
        return found


def client_folder() -> Path:
    """Where the static client is: beside ``api`` in a checkout, inside it in an installed wheel."""
    here = Path(__file__).parent
    inside = here / "client"
    return inside if inside.is_dir() else here.parent / "client"


def _version() -> str:
    try:
        return version("stepgrad")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "0"
