"""Answers out: a stored session in the representation asked for, with its tag and its caching.

One document, several renderings. The tag ``"r12"`` is the plain JSON state's; whatever differs in a byte has its own
tag, all of which carry the 12.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api.documents.state import state, to_json
from api.engine.errors import FieldError, InvalidInput
from api.pages.dot import graph_dot
from api.pages.layout import layout
from api.pages.svg import graph
from api.pages.text import state_text
from api.routes.negotiation import IMMUTABLE, MEDIA_TYPES, PAGE, REVALIDATE, Kind, entity_tag, not_modified
from api.routes.page import session_html
from api.routes.service import Service, root_of, service_of
from api.store import Stored

STATE_KINDS = (Kind.JSON, Kind.HTML, Kind.TEXT, Kind.SVG, Kind.DOT)
ACTION_KINDS = (Kind.JSON, Kind.HTML, Kind.TEXT)


class Query(BaseModel):
    """Parameters of a query string; names that are not ours are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)


class View(Query):
    """How a state is shown."""

    detail: Literal["named", "ops"] = "named"
    """One node per named quantity, or one per primitive operation."""
    arrays: Literal["summary", "full"] = "summary"
    """Long arrays as summaries, or all in full."""
    layout: bool = False
    """Whether nodes and edges carry coordinates, as in our own picture."""
    charts: Literal["loss", "all"] = "loss"
    """Of a page: the losses alone, or parameters, gradients and learning rate too."""

    @property
    def variant(self) -> tuple[str, ...]:
        """What tells this view's tags from the default one's."""
        return (
            "ops" if self.detail == "ops" else "",
            "full" if self.arrays == "full" else "",
            "layout" if self.layout else "",
            "charts" if self.charts == "all" else "",
        )


class Arrays(Query):
    """How long arrays are shown."""

    arrays: Literal["summary", "full"] = "summary"
    """As summaries, or all in full."""


PLAIN = View()
Q = TypeVar("Q", bound=Query)


def query_of(request: Request, model: type[Q]) -> Q:
    """The query string's parameters; raises InvalidInput naming the parameter."""
    try:
        if not request.scope["query_string"]:
            return PLAIN if model is View else model()  # type: ignore[return-value]
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        listed = [FieldError("", f"query parameter {item['loc'][0]}: {_lower(item['msg'])}") for item in error.errors()]
        raise InvalidInput(listed[0].detail, errors=listed) from None


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def base_of(request: Request, id: str) -> str:
    """The address of a session, without a host."""
    return f"{root_of(request)}/v1/sessions/{id}"


def state_document(request: Request, stored: Stored, view: View = PLAIN, arrays: str = "") -> dict[str, Any]:
    """A session's state as the plain dict that every representation is made from; a page has its own ``arrays``."""
    return document_of(service_of(request), base_of(request, stored.id), stored, view, arrays)


def document_of(service: Service, base: str, stored: Stored, view: View = PLAIN, arrays: str = "") -> dict[str, Any]:
    """The same without a request: ``base`` is the session's address."""
    until = service.store.expires_at(stored)
    return state(
        stored,
        base=base,
        detail=view.detail,
        arrays=arrays or view.arrays,
        layout=place if view.layout else None,
        notices=service.store.warnings,
        expires_at=until.isoformat().replace("+00:00", "Z") if until else None,
    )


def place(graph: dict[str, Any]) -> None:
    """Add our own picture's coordinates to a graph document; null where it is too large to be drawn."""
    plan = layout(graph)
    for node in graph["nodes"]:
        box = plan.nodes[node["id"]] if plan else None
        node |= {name: getattr(box, name) if box else None for name in ("x", "y", "width", "height")}
    for edge in graph["edges"]:
        route = plan.edges[edge["source"], edge["target"]] if plan else None
        edge["points"] = [list(point) for point in route.points] if route else None


async def rendered(request: Request, stored: Stored, kind: Kind, view: View = PLAIN) -> bytes | str:
    """A session's state as text or bytes of a kind."""
    if kind is Kind.HTML:
        # A page shows rounded numbers and has its own layout, so only the detail makes a difference to it.
        document = state_document(request, stored, View(detail=view.detail), arrays="long")
        return await session_html(service_of(request), stored, document, root_of(request), charts=view.charts == "all")
    document = state_document(request, stored, view)
    if kind is Kind.JSON:
        return to_json(document)
    if kind is Kind.TEXT:
        return state_text(document)
    return graph(document, standalone=True) if kind is Kind.SVG else graph_dot(document)


def tag_of(stored: Stored, kind: Kind, view: View, current: int | None = None) -> str:
    """The ETag of a representation; with ``current`` of one that also shows which revision is the last."""
    return entity_tag(
        stored.revision,
        *view.variant,
        "" if kind is Kind.JSON else kind.value,
        "" if current is None else f"of{current}",
        "running" if stored.running else "",
    )


def headers_of(
    stored: Stored, kind: Kind, view: View = PLAIN, *, fixed: bool = False, current: int | None = None
) -> dict[str, str]:
    """Tag and caching headers; ``fixed`` is the address of one revision, whose content never changes."""
    lasting = PAGE if kind is Kind.HTML else REVALIDATE
    if fixed and kind is not Kind.HTML and not stored.running:  # a run's end changes what is allowed
        lasting = IMMUTABLE
    return {"ETag": tag_of(stored, kind, view, current), "Cache-Control": lasting, "Vary": "Accept"}


async def answer_state(
    request: Request, stored: Stored, kind: Kind, view: View = PLAIN, *, fixed: bool = False
) -> Response:
    """The answer to a GET of a state: 200, or 304 for who has it already."""
    # The page of a revision says where the session is by now, and has buttons only while it is there.
    current = (await service_of(request).store.load(stored.id)).revision if kind is Kind.HTML else None
    headers = headers_of(stored, kind, view, fixed=fixed, current=current)
    fresh = not_modified(request, headers["ETag"])
    body = None if fresh else await rendered(request, stored, kind, view)
    if kind is Kind.JSON and view is PLAIN and not isinstance(body, str):
        answers, target = service_of(request).answers, request.scope["raw_path"]
        if not fresh or answers.get(target) is None:
            answers.keep(target, stored, headers, body, fixed)
    if fresh:
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, MEDIA_TYPES[kind])


async def answer_action(
    request: Request,
    stored: Stored,
    kind: Kind,
    *,
    status: int = 200,
    minimal: bool = False,
    replayed: bool = False,
) -> Response:
    """The answer to an accepted write: the state, 204 if little is wanted, or 303 to the new page for a browser."""
    headers = headers_of(stored, kind)
    base = base_of(request, stored.id)
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    if status == 201:
        headers["Location"] = base
    if minimal:
        return Response(status_code=204, headers=headers)
    if kind is Kind.HTML:
        return Response(status_code=303, headers={**headers, "Location": f"{base}/revisions/{stored.revision}#next"})
    document = state_document(request, stored)
    body = state_text(document) if kind is Kind.TEXT else to_json(document)
    return Response(body, status, headers, MEDIA_TYPES[kind])
