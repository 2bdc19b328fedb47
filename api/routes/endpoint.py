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
        self.verbs: set[str] = self.methods or set()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or raise the 405 that names the methods of every route at this address, not only this one's."""
        if scope["method"] not in self.verbs:
            path = get_route_path(scope)
            routes = [route for route in scope["router"].routes if isinstance(route, Endpoint)]
            verbs = {verb for route in routes if route.path_regex.match(path) for verb in route.verbs}
            raise HTTPException(
                405, headers={"Allow": ", ".join(sorted(verbs | ({"HEAD"} if "GET" in verbs else set())))}
            )
        await self.app(scope, receive, send)


def router() -> APIRouter:
    """A router whose routes are Endpoints."""
    return APIRouter(route_class=Endpoint)


def include(app: FastAPI, *routers: APIRouter) -> None:
    """Add the routers' routes to an application, in order; the first match answers.

    ``app.include_router`` would wrap each route once more, into the very handler that Endpoint avoids. What can be got
    can also be got with ``.json`` at the end; where a path ends in a parameter, its handler takes the suffix off.
    """
    routes = [route for each in routers for route in each.routes if isinstance(route, Endpoint)]
    app.router.routes.extend(routes)
    for route in routes:
        last = route.path.rpartition("/")[2]
        if "GET" in route.verbs and "{" not in last and "." not in last:
            app.router.routes.append(Endpoint(f"{route.path}.json", route.endpoint, include_in_schema=False))
