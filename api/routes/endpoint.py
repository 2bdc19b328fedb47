"""The one kind of route, and the way to it: FastAPI's for the OpenAPI document, a table and a function for the request.

FastAPI's own route handler solves dependencies, opens three exit stacks and serialises the answer, and a request goes
through seven layers on its way there; our handlers read their bodies and build their bytes themselves, and ``Edge``
answers every exception, so for them all of that is only time (measured: see ``tests/bench``). ``Endpoint`` keeps what
FastAPI knows about the operation, ``Endpoints`` calls ``async handler(request) -> Response`` directly. Everything that
depends on FastAPI's internals is in this file, and ``tests/routes/test_endpoint.py`` pins it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]
Pattern = tuple[str | None, ...]
"""A path's segments; None where a parameter stands."""


class Endpoint(APIRoute):
    """A route whose endpoint takes the request and returns the response."""

    def __init__(self, path: str, endpoint: Handler, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.handler = endpoint
        self.verbs: set[str] = self.methods or set()
        segments = path.split("/")
        self.names = {place: part[1:-1] for place, part in enumerate(segments) if part.startswith("{")}
        self.pattern: Pattern = tuple(None if place in self.names else part for place, part in enumerate(segments))


class Endpoints:
    """The ASGI application of all endpoints; where none matches, ``default`` is asked.

    A path is looked up once for each set of places in which paths of its length have parameters, the fewest first, so
    that a name beats a parameter.
    """

    def __init__(self, endpoints: Iterable[Endpoint], default: ASGIApp) -> None:
        self.default = default
        self._found: dict[Pattern, dict[str, Endpoint]] = {}
        self._places: dict[int, list[tuple[int, ...]]] = {}
        for endpoint in endpoints:
            verbs = self._found.setdefault(endpoint.pattern, {})
            for verb in endpoint.verbs:
                verbs.setdefault(verb, endpoint)
            places = self._places.setdefault(len(endpoint.pattern), [])
            if (new := tuple(endpoint.names)) not in places:
                places.append(new)
                places.sort(key=len)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or raise what keeps it from being answered."""
        segments = get_route_path(scope).split("/")
        verbs = self._verbs(segments)
        if verbs is None:
            await self.default(scope, receive, send)
            return
        endpoint = verbs.get(scope["method"])
        if endpoint is None:
            allowed = sorted({*verbs, "HEAD"} if "GET" in verbs else verbs)
            raise HTTPException(405, headers={"Allow": ", ".join(allowed)})
        scope["route"] = endpoint
        scope["path_params"] = {name: segments[place] for place, name in endpoint.names.items()}
        response = await endpoint.handler(Request(scope, receive, send))
        await response(scope, receive, send)

    def _verbs(self, segments: list[str]) -> dict[str, Endpoint] | None:
        for places in self._places.get(len(segments), ()):
            pattern: list[str | None] = [*segments]
            if all(segments[place] for place in places):
                for place in places:
                    pattern[place] = None
                if (verbs := self._found.get(tuple(pattern))) is not None:
                    return verbs
        return None


class Documented(FastAPI):
    """An application that FastAPI documents, and whose requests go through ``layer`` alone to their endpoints.

    ``layer`` answers every exception; where no endpoint is, ``default`` is asked.
    """

    def __init__(self, *, layer: Callable[[ASGIApp], ASGIApp], default: ASGIApp, **options: Any) -> None:
        super().__init__(**options)
        self._layer, self._default = layer, default

    def build_middleware_stack(self) -> ASGIApp:
        """Only our own layer; lifespans are the router's affair."""
        endpoints = (route for route in self.router.routes if isinstance(route, Endpoint))
        answering = self._layer(Endpoints(endpoints, self._default))

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await (answering if scope["type"] == "http" else self.router)(scope, receive, send)

        return application


def router() -> APIRouter:
    """A router whose routes are Endpoints."""
    return APIRouter(route_class=Endpoint)


def include(app: FastAPI, *routers: APIRouter) -> None:
    """Add the routers' routes to an application, in order.

    What can be got can also be got with ``.json`` at the end; where a path ends in a parameter, its handler takes the
    suffix off.
    """
    routes = [route for each in routers for route in each.routes if isinstance(route, Endpoint)]
    app.router.routes.extend(routes)
    for route in routes:
        last = route.path.rpartition("/")[2]
        if "GET" in route.verbs and "{" not in last and "." not in last:
            app.router.routes.append(Endpoint(f"{route.path}.json", route.handler, include_in_schema=False))
