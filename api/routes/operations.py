"""The OpenAPI side of a route: each function here gives the keyword arguments of a route's decorator.

An operation names its body's and query's model, the documents it answers with, and the problems it can give;
parameters, the three encodings of a body, headers, and the components are spelt out from that, once, here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from api.documents import bodies, schemas
from api.documents.recipe import dotted

Json = dict[str, Any]
REF = "#/components/schemas/{model}"
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")

_models: dict[str, type[BaseModel]] = {"Problem": schemas.Problem, "Tensor": schemas.Tensor}
_requests: dict[str, type[BaseModel]] = {}

PATH: dict[str, Json] = {
    "id": {"description": "A session's id, or its read-only id.", "schema": {"type": "string"}},
    "revision": {"description": "A revision of the session.", "schema": {"type": "string", "pattern": r"^\d+$"}},
    "step": {"description": "A step of the current line.", "schema": {"type": "string", "pattern": r"^\d+$"}},
    "code": {"description": "A problem's code.", "schema": {"type": "string"}},
    "assignment": {"description": "An assignment's id, or a students' link.", "schema": {"type": "string"}},
    "submission": {"description": "A submission's id.", "schema": {"type": "string"}},
}
HEADERS: dict[str, Json] = {
    "If-Match": {"description": 'The revision to act on, as an ETag: `"r12"`.', "schema": {"type": "string"}},
    "If-None-Match": {"description": "An ETag; the same state again is 304.", "schema": {"type": "string"}},
    "Idempotency-Key": {
        "description": "The same key and body within 24 hours get the first answer again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    "Last-Event-ID": {"description": "The revision seen last.", "schema": {"type": "string"}},
}
ANSWER_HEADERS: dict[str, Json] = {
    "ETag": {"description": 'The revision, as `"r12"`.', "schema": {"type": "string"}},
    "Location": {"description": "An absolute path.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {"description": "`true` on a kept answer.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}},
}
PROBLEM_NAMES = {
    400: "The body is not JSON, or the host is unknown.",
    401: "The server's key is needed.",
    403: "The id only allows to look.",
    404: "There is no such thing.",
    405: "Not with this method.",
    409: "Not possible in the present state.",
    408: "The body did not arrive in time.",
    412: "The session has moved on.",
    413: "The body is too large.",
    415: "This kind of body is not read.",
    422: "The request has no meaning here.",
    429: "Too many requests in a minute.",
    500: "Something went wrong here.",
    503: "The service or its database is busy.",
    507: "The database has no room left.",
}
CONTROL: Json = bodies.Control.model_json_schema(by_alias=True)["properties"]
ALWAYS = (400, 404, 429, 500, 503)
BODY = (408, 413, 415, 422)
CREATING = (401, *BODY)
WRITE = (403, 409, 412, 507)


def json_of(model: type[BaseModel] | Json, **content: Json) -> Json:
    """The content of an answer: JSON by a model or schema, and other media types by keyword (``html``, ``text``, …)."""
    return {"application/json": {"schema": ref(model)}, **{MEDIA[name]: schema for name, schema in content.items()}}


MEDIA = {
    "html": "text/html",
    "text": "text/plain",
    "events": "text/event-stream",
    "svg": "image/svg+xml",
    "dot": "text/vnd.graphviz",
    "csv": "text/csv",
    "python": "text/x-python",
}
TEXT: Json = {"schema": {"type": "string"}}
EVENT: Json = {
    "schema": {
        "type": "object",
        "description": "One event of the stream; its data is a JSON document.",
        "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
        "required": ["event", "data"],
    }
}


def media(*names: str) -> Json:
    """The content of an answer that is only text of these kinds."""
    return {MEDIA[name]: EVENT if name == "events" else TEXT for name in names}


def ref(model: type[BaseModel] | Json) -> Json:
    """A reference to a model's component schema, which this also registers; a schema stays as it is."""
    if isinstance(model, dict):
        return model
    _models[model.__name__] = model
    return {"$ref": REF.format(model=model.__name__)}


def operation(
    operation_id: str,
    summary: str,
    tag: str,
    answers: Mapping[int, Json | None],
    *,
    body: type[BaseModel] | None = None,
    example: Json | None = None,
    query: type[BaseModel] | Sequence[Json] | None = None,
    headers: Sequence[str] = (),
    problems: Sequence[int] = (),
    links: Json | None = None,
) -> Json:
    """Keyword arguments for a route: ``answers`` is status → content (None: no body), ``problems`` beside ALWAYS."""
    answered = {str(status): _answer(status, content) for status, content in answers.items()}
    if links:
        answered[str(min(answers))]["links"] = links
    extra: Json = {"responses": answered | {str(s): _problem(s) for s in sorted({*ALWAYS, *problems})}}
    parameters = [{"name": name, "in": "header", **HEADERS[name]} for name in headers]
    extra["parameters"] = parameters + (query_parameters(query) if query else [])
    if body is not None:
        extra["requestBody"] = _request_body(body, example or {})
    return {
        "operation_id": operation_id,
        "summary": summary,
        "tags": [tag],
        "status_code": min(answers),
        "response_description": answered[str(min(answers))]["description"],
        "response_class": Response,
        "response_model": None,
        "openapi_extra": extra,
    }


FROM_HERE = (
    "show", "show_revision", "forward", "backward", "update", "run", "undo", "rewind", "fork", "patch",
    "remove", "history",
)  # fmt: skip
LINKS: Json = {
    name: {
        "operationId": name,
        "parameters": {"id": "$response.body#/id"}
        | ({"revision": "$response.body#/revision"} if name == "show_revision" else {}),
    }
    for name in FROM_HERE
}
STATE_CONTENT = json_of(schemas.State, html=TEXT, text=TEXT, svg=TEXT, dot=TEXT)
ACTION_CONTENT = json_of(schemas.State, text=TEXT)


def acting(
    operation_id: str,
    summary: str,
    *,
    body: type[BaseModel] = bodies.EmptyBody,
    example: Json | None = None,
    content: Json = ACTION_CONTENT,
) -> Json:
    """An action on a session: the state, 204 for ``return=minimal``, 303 for a browser's form."""
    return operation(
        operation_id,
        summary,
        "actions",
        {200: content, 204: None, 303: None},
        body=body,
        example=example,
        headers=("If-Match", "Idempotency-Key"),
        problems=(*WRITE, *BODY),
        links=LINKS,
    )


def looking(
    operation_id: str,
    summary: str,
    content: Json,
    *,
    tag: str = "sessions",
    query: type[BaseModel] | None = None,
    problems: Sequence[int] = (422,),
) -> Json:
    """A GET with a tag: 200, or 304 for who has it already."""
    return operation(
        operation_id,
        summary,
        tag,
        {200: content, 304: None},
        query=query,
        headers=("If-None-Match",),
        problems=problems,
    )


def _answer(status: int, content: Json | None) -> Json:
    words = {200: "As asked.", 201: "Made.", 204: "Done.", 303: "The page of the new state.", 304: "As you have it."}
    names = {201: ("ETag", "Location"), 303: ("Location",), 304: ("ETag",), 200: ("ETag",)}.get(status, ())
    answer: Json = {"description": words[status]}
    if names:
        answer["headers"] = {name: ANSWER_HEADERS[name] for name in names}
    if content:
        answer["content"] = content
    return answer


def _problem(status: int) -> Json:
    return {
        "description": PROBLEM_NAMES[status],
        "content": {"application/problem+json": {"schema": ref(schemas.Problem)}, "text/html": TEXT},
    }


def query_parameters(model: type[BaseModel] | Sequence[Json]) -> list[Json]:
    """A query model's fields as OpenAPI parameters, which may also be given as they are."""
    if not isinstance(model, type):
        return [{"in": "query", "required": False, **parameter} for parameter in model]
    schema = model.model_json_schema()
    found = []
    for name, field in schema["properties"].items():
        described = {"description": field.pop("description")} if "description" in field else {}
        field.pop("title", None)
        found.append(
            {"name": name, "in": "query", "required": name in schema.get("required", ()), **described, "schema": field}
        )
    return found


def _request_body(model: type[BaseModel], example: Json) -> Json:
    ref(model)
    name = model.__name__.removesuffix("Body") + "Request"
    _requests[name] = model
    form: Json = {"schema": fields_schema((*model.model_fields, *CONTROL)), "example": dotted(example)}
    typed = {"schema": {"$ref": REF.format(model=name)}, "example": example}
    return {"content": {"application/json": typed, **dict.fromkeys(FORM_TYPES, form)}}


def fields_schema(names: Iterable[str]) -> Json:
    """A form's fields, whose names are dotted and whose values are texts: it is known what a name begins with."""
    known = {rf"^({'|'.join(names)})(\..+)?$": {"type": "string"}}
    return {"type": "object", "patternProperties": known, "additionalProperties": False}


def describe(app: FastAPI) -> Json:
    """The whole OpenAPI document of an application whose routes were made with ``operation``."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        tags=app.openapi_tags,
        routes=app.routes,
        openapi_version="3.1.0",
    )
    for path, item in document["paths"].items():
        names = re.findall(r"{(\w+)}", path)
        if names:
            item["parameters"] = [{"name": name, "in": "path", "required": True, **PATH[name]} for name in names]
    _, definitions = models_json_schema([(model, "validation") for model in _models.values()], ref_template=REF)
    components = document.setdefault("components", {}).setdefault("schemas", {})
    components.update(definitions["$defs"])
    for name, model in _requests.items():
        components[name] = _with_control(definitions["$defs"][model.__name__], name)
    return document


def _with_control(schema: Json, name: str) -> Json:
    """A body's schema as a request has it: the control fields beside its own."""
    return {**schema, "title": name, "properties": {**schema.get("properties", {}), **CONTROL}}
