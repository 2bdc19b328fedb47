"""Recipes: a session's definition as a link, which everybody makes a session of their own from."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.documents.bodies import CreateBody
from api.documents.equations import equations
from api.documents.recipe import dotted
from api.documents.state import state, to_json
from api.engine.errors import InvalidInput, LimitExceeded
from api.pages.recipes import recipe_page
from api.routes.answers import Unstored
from api.routes.bodies import Ask
from api.routes.endpoint import router
from api.routes.forms import nested
from api.routes.negotiation import MEDIA_TYPES, PAGE, Kind, negotiate
from api.routes.operations import TEXT, Json, fields_schema, json_of, operation
from api.routes.service import root_of, service_of
from api.training.definition import define
from api.training.limits import Limits
from api.training.session import Session

routes = router()

FIELDS: list[Json] = [
    {"name": "preset", "description": "Short for `model.kind=preset` and `model.name`.", "schema": {"type": "string"},
     "example": "xor"},
    {"name": "fields", "description": "The fields of the body of create, as a form names them.", "style": "form",
     "explode": True, "schema": fields_schema(CreateBody.model_fields),
     "example": {"optimizer.learning_rate": "0.1", "start.phase": "backward"}},
]  # fmt: skip


@routes.get(
    "/v1/new",
    **operation(
        "recipe",
        "A session to be, as a link",
        "sessions",
        {200: json_of(CreateBody, html=TEXT)},
        query=FIELDS,
        problems=(422,),
    ),
)
async def recipe(request: Request) -> Response:
    """The body to post to `/v1/sessions`; for a browser a page that shows it, with one button that does so."""
    kind = negotiate(request, (Kind.JSON, Kind.HTML))
    limits = service_of(request).limits
    body = asked(request, limits)
    definition = define(body, limits=limits)
    headers = {"Cache-Control": PAGE, "Vary": "Accept"}
    if kind is Kind.JSON:
        return Response(to_json(body), 200, headers, MEDIA_TYPES[kind])
    there = Unstored(Session.start(definition))
    document = state(there, base="")
    page = recipe_page(body, dotted(body), document, equations(there, "mathml"), root_of(request))
    return Response(page, 200, headers, MEDIA_TYPES[kind])


def asked(request: Request, limits: Limits) -> dict[str, Any]:
    """The query string as a body of create; raises InvalidInput as the body itself would."""
    items = request.query_params.multi_items()
    if len(items) > limits.form_fields:
        raise LimitExceeded(f"a recipe has at most {limits.form_fields} fields", limits.form_fields)
    fields = nested(items)
    if "preset" in fields:
        name = fields.pop("preset")
        if "model" in fields:
            raise InvalidInput("preset is short for a model: give one of the two", "/model")
        fields = {"model": {"kind": "preset", "name": name}} | fields
    return Ask(fields, is_form=True, limits=limits).typed(CreateBody)
