"""What is the same for everybody: the catalog, the limits, health, and the pages of the problem types."""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from api.documents.catalog import catalog
from api.documents.schemas import Catalog, Health, LimitsDocument, ProblemKind
from api.documents.state import to_json
from api.engine.errors import NotFound
from api.pages.html import problem_type_page
from api.pages.reference import reference_page
from api.routes.endpoint import router
from api.routes.errors import CODES
from api.routes.negotiation import MEDIA_TYPES, Kind, negotiate
from api.routes.operations import MEDIA, TEXT, json_of, operation
from api.routes.service import root_of, service_of
from api.store import Key
from api.training.definition import DEFAULTS

routes = router()

_CACHED = {"Cache-Control": "public, max-age=300", "Vary": "Accept"}
_NOW = {"Cache-Control": "no-store"}


@routes.get(
    "/v1/catalog", **operation("catalog", "Everything there is to choose from", "service", {200: json_of(Catalog)})
)
async def show_catalog(request: Request) -> Response:
    """Model kinds, datasets, operations, losses, optimisers, schedules, initialisers."""
    negotiate(request, (Kind.JSON,))
    return Response(to_json(catalog()), headers=_CACHED, media_type=MEDIA_TYPES[Kind.JSON])


@routes.get(
    "/v1/limits", **operation("limits", "The largest accepted sizes", "service", {200: json_of(LimitsDocument)})
)
async def show_limits(request: Request) -> Response:
    """More than one of these is `limit-exceeded`."""
    negotiate(request, (Kind.JSON,))
    return Response(to_json(asdict(service_of(request).limits)), headers=_CACHED, media_type=MEDIA_TYPES[Kind.JSON])


@routes.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The document itself."""
    document = request.scope["app"].openapi()
    return Response(to_json(document), headers=_CACHED, media_type=MEDIA_TYPES[Kind.JSON])


@routes.get(
    "/docs",
    **operation(
        "docs",
        "The reference of the API, to read",
        "service",
        {200: json_of({"type": "object", "additionalProperties": True}, html=TEXT)},
    ),
)
async def docs(request: Request) -> Response:
    """A page made from the OpenAPI document; for programs the document itself, as at `/openapi.json`."""
    kind = negotiate(request, (Kind.JSON, Kind.HTML))
    document = request.scope["app"].openapi()
    if kind is Kind.HTML:
        page = reference_page(document, root_of(request), {"CreateRequest": DEFAULTS})
        return Response(page, headers=_CACHED, media_type=MEDIA_TYPES[kind])
    return Response(to_json(document), headers=_CACHED, media_type=MEDIA_TYPES[kind])


@routes.get("/livez", **operation("livez", "Whether the process lives", "service", {200: json_of(Health)}))
async def livez(_request: Request) -> Response:
    """Looks at nothing but itself."""
    return Response(b'{"status":"ok"}', headers=_NOW, media_type=MEDIA_TYPES[Kind.JSON])


@routes.get("/readyz", **operation("readyz", "Whether sessions can be served", "service", {200: json_of(Health)}))
async def readyz(request: Request) -> Response:
    """Asks the database; 503 while it does not answer."""
    # Looking up a key that nobody has is the store's smallest question to its database.
    await service_of(request).store.replay(Key("readyz", "readyz", ""))
    return Response(b'{"status":"ok"}', headers=_NOW, media_type=MEDIA_TYPES[Kind.JSON])


@routes.get("/metrics", **operation("metrics", "Figures for Prometheus", "service", {200: {MEDIA["text"]: TEXT}}))
async def metrics(request: Request) -> Response:
    """Where the setting `metrics` asks for them; else 404."""
    figures = service_of(request).figures
    if figures is None:
        raise NotFound("there are no figures here; --metrics (STEPGRAD_METRICS) asks for them")
    content, media_type = figures.text(request.headers.get("accept", ""))
    return Response(content, headers=_NOW, media_type=media_type)


@routes.get(
    "/problems/{code}",
    **operation("problem_type", "What a problem's code means", "service", {200: json_of(ProblemKind, html=TEXT)}),
)
async def problem_type(request: Request) -> Response:
    """The address in a problem document's `type`."""
    code = request.path_params["code"]
    if code not in CODES:
        raise NotFound("there is no problem of this code")
    kind = negotiate(request, (Kind.JSON, Kind.HTML))
    if kind is Kind.HTML:
        return Response(problem_type_page(code, root_of(request)), headers=_CACHED, media_type=MEDIA_TYPES[kind])
    row = CODES[code]
    document = {"code": row.code, "title": row.title, "status": row.status}
    return Response(to_json(document), headers=_CACHED, media_type=MEDIA_TYPES[kind])
