"""The one kind of route: a FastAPI route for the OpenAPI document, a bare ASGI function for the request.

FastAPI's own route handler solves dependencies, opens three exit stacks and serialises the answer; our handlers read
their bodies and build their bytes themselves, so for them all of that is only time (measured: see ``tests/bench``).
``Endpoint`` keeps what FastAPI knows about the operation and calls ``async handler(request) -> Response`` directly.
Everything that depends on FastAPI's internals is in this file, and ``tests/routes/test_endpoint.py`` pins it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]


class Endpoint(APIRoute):
    """A route whose endpoint takes the request and returns the response; exceptions go to the app's handlers."""

    def __init__(self, path: str, endpoint: Handler, **options: Any) -> None:
        super().__init__(path, endpoint, **options)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            response = await endpoint(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = answer

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or raise the 405 that names the methods of every route at this address, not only this one's."""
        if scope["method"] not in self.methods:
            path = get_route_path(scope)
            here = [
                route
                for route in scope["router"].routes
                if isinstance(route, Endpoint) and route.path_regex.match(path)
            ]
            methods = sorted({method for route in here for method in route.methods})
            raise HTTPException(405, headers={"Allow": ", ".join([*methods, "HEAD"] if "GET" in methods else methods)})
        await self.app(scope, receive, send)


def router() -> APIRouter:
    """A router whose routes are Endpoints."""
    return APIRouter(route_class=Endpoint)


def include(app: FastAPI, *routers: APIRouter) -> None:
    """Add the routers' routes to an application, in order; the first match answers.

    ``app.include_router`` would wrap each route once more, into the very handler that Endpoint avoids.
    """
    for each in routers:
        app.router.routes.extend(each.routes)
