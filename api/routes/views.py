"""What a session consists of, part by part: history, definition, data, equations, pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.documents import schemas
from api.documents.definition import data as data_document
from api.documents.equations import equations
from api.documents.history import history_item
from api.documents.state import to_json
from api.engine.errors import InvalidInput, NotFound
from api.pages import charts, strips
from api.routes.answering import Query, View, answer_state, base_of, query_of
from api.routes.endpoint import router
from api.routes.negotiation import IMMUTABLE, MEDIA_TYPES, REVALIDATE, Kind, entity_tag, negotiate, not_modified
from api.routes.operations import json_of, looking, media, ref
from api.routes.page import CHART_POINTS, course_of
from api.routes.service import service_of
from api.routes.sessions import at_revision
from api.store import Stored
from api.training.data import to_csv

routes = router()


class Page(Query):
    """Which part of a history."""

    after: Annotated[int, Field(ge=-1, le=2**53)] = -1
    """Only steps later than this one."""
    limit: Annotated[int, Field(ge=1)] = 100
    """How many at most."""


class Format(Query):
    """How formulas are written."""

    format: Literal["latex", "mathml", "text"] = "latex"
    """LaTeX, MathML, or plain text."""


class Picture(Query):
    """How a graph is drawn."""

    detail: Literal["named", "ops"] = "named"
    """One node per named quantity, or one per primitive operation."""


Which = Callable[[Request], Awaitable[Stored]]
EQUATIONS = {"type": "array", "items": ref(schemas.Equation)}


async def now(request: Request) -> Stored:
    """The session that a path names, as it is now."""
    return await service_of(request).store.load(request.path_params["id"])


@routes.get(
    "/v1/sessions/{id}/history",
    **looking("history", "The current line, step by step", json_of(schemas.History), query=Page),
)
async def history(request: Request) -> Response:
    """One item per finished step; `next` is the address of the following page."""
    kind = negotiate(request, (Kind.JSON, Kind.CSV))
    return await _history(request, kind)


@routes.get(
    "/v1/sessions/{id}/history.csv",
    **looking("history_csv", "The current line as a table", media("csv"), query=Page),
)
async def history_csv(request: Request) -> Response:
    """The same items as lines."""
    return await _history(request, Kind.CSV)


async def _history(request: Request, kind: Kind) -> Response:
    service, page, stored = service_of(request), query_of(request, Page), await now(request)
    if page.limit > service.limits.history_items:
        raise InvalidInput(f"query parameter limit: must be at most {service.limits.history_items}")
    rows, more = await service.store.history(stored, page.after, page.limit)
    items = [history_item(row) for row in rows]
    if kind is Kind.CSV:
        return answer(request, stored, kind, f"history.{page.after}.{page.limit}", lambda: csv_table(items))
    last = items[-1]["step"] if items else page.after
    after = f"{base_of(request, stored.id)}/history?after={last}&limit={page.limit}"
    document = {"items": items, "next": after if more else None}
    return answer(request, stored, kind, f"history.{page.after}.{page.limit}", lambda: to_json(document))


def csv_table(items: list[dict[str, Any]]) -> str:
    """The items of a history as lines below their names."""
    text = io.StringIO()
    columns = list(items[0]) if items else list(schemas.HistoryItem.model_fields)
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(items)
    return text.getvalue()


@routes.get(
    "/v1/sessions/{id}/definition",
    **looking("definition", "All a session is made of", json_of(schemas.Definition)),
)
async def definition(request: Request) -> Response:
    """Complete: posted to `/v1/sessions` it makes the same session."""
    kind, stored = negotiate(request, (Kind.JSON,)), await now(request)
    return answer(request, stored, kind, "definition", lambda: to_json(stored.session.definition.document))


@routes.get("/v1/sessions/{id}/data", **looking("data", "Every row", json_of(schemas.Data)))
async def data(request: Request) -> Response:
    """With its split, and the columns' labels."""
    kind = negotiate(request, (Kind.JSON, Kind.CSV))
    return await _data(request, kind)


@routes.get("/v1/sessions/{id}/data.csv", **looking("data_csv", "Every row as a table", media("csv")))
async def data_csv(request: Request) -> Response:
    """The rows as the caller gave them; where rows are held out, a last column tells each row's split."""
    return await _data(request, Kind.CSV)


async def _data(request: Request, kind: Kind) -> Response:
    stored = await now(request)
    rows = stored.session.definition.data
    if rows is None:
        raise NotFound("this session has no data")
    make: Callable[[], str | bytes] = (
        (lambda: to_csv(rows)) if kind is Kind.CSV else (lambda: to_json(data_document(stored.session.definition)))
    )
    return answer(request, stored, kind, "data", make)


@routes.get(
    "/v1/sessions/{id}/equations",
    **looking("equations", "The formulas, with symbols and with numbers", json_of(EQUATIONS), query=Format),
)
async def show_equations(request: Request) -> Response:
    """For outputs, loss, each partial, gradient and optimiser term."""
    return await _equations(request, now)


@routes.get(
    "/v1/sessions/{id}/revisions/{revision}/equations",
    **looking("equations_at", "The formulas at a revision", json_of(EQUATIONS), query=Format),
)
async def equations_at(request: Request) -> Response:
    """As they were then."""
    return await _equations(request, at_revision)


async def _equations(request: Request, which: Which) -> Response:
    kind, asked, stored = negotiate(request, (Kind.JSON,)), query_of(request, Format), await which(request)

    def make() -> bytes:
        return to_json(equations(stored, asked.format))

    return answer(request, stored, kind, f"equations.{asked.format}", make, fixed=which is at_revision)


@routes.get(
    "/v1/sessions/{id}/graph.svg", **looking("graph_svg", "The graph as a picture", media("svg"), query=Picture)
)
async def graph_svg(request: Request) -> Response:
    """With its own style, dark mode included."""
    return await _graph(request, now, Kind.SVG)


@routes.get(
    "/v1/sessions/{id}/graph.dot", **looking("graph_dot", "The graph for Graphviz", media("dot"), query=Picture)
)
async def show_graph_dot(request: Request) -> Response:
    """As DOT source."""
    return await _graph(request, now, Kind.DOT)


@routes.get(
    "/v1/sessions/{id}/revisions/{revision}/graph.svg",
    **looking("graph_svg_at", "The graph at a revision as a picture", media("svg"), query=Picture),
)
async def graph_svg_at(request: Request) -> Response:
    """The same for ever."""
    return await _graph(request, at_revision, Kind.SVG)


@routes.get(
    "/v1/sessions/{id}/revisions/{revision}/graph.dot",
    **looking("graph_dot_at", "The graph at a revision for Graphviz", media("dot"), query=Picture),
)
async def graph_dot_at(request: Request) -> Response:
    """The same for ever."""
    return await _graph(request, at_revision, Kind.DOT)


async def _graph(request: Request, which: Which, kind: Kind) -> Response:
    view = View(detail=query_of(request, Picture).detail)
    return await answer_state(request, await which(request), kind, view, fixed=which is at_revision)


@routes.get("/v1/sessions/{id}/loss.svg", **looking("loss_svg", "The losses as a chart", media("svg")))
async def loss_svg(request: Request) -> Response:
    """Of the current line, on a logarithmic scale; with those of the validation rows, if there are any."""
    stored = await now(request)
    store = service_of(request).store
    losses, validation = await store.losses(stored, CHART_POINTS), await store.validation_losses(stored, CHART_POINTS)
    return answer(request, stored, Kind.SVG, "loss", lambda: charts.loss(losses, validation, standalone=True))


@routes.get(
    "/v1/sessions/{id}/course.svg",
    **looking("course_svg", "Parameters, learning rate and gradients as a chart", media("svg")),
)
async def course_svg(request: Request) -> Response:
    """Of the current line; a tensor by its norm."""
    return await _course(request, now)


@routes.get(
    "/v1/sessions/{id}/revisions/{revision}/course.svg",
    **looking("course_svg_at", "Parameters, learning rate and gradients up to a revision, as a chart", media("svg")),
)
async def course_svg_at(request: Request) -> Response:
    """The same for ever."""
    return await _course(request, at_revision)


async def _course(request: Request, which: Which) -> Response:
    stored = await which(request)
    document = await course_of(service_of(request).store, stored)
    return answer(request, stored, Kind.SVG, "course", lambda: strips.course(document), fixed=which is at_revision)


def answer(
    request: Request, stored: Stored, kind: Kind, what: str, make: Callable[[], str | bytes], *, fixed: bool = False
) -> Response:
    """A part of a session, made only if the caller has not got it already."""
    tag = entity_tag(stored.revision, what, kind.value)
    headers = {"ETag": tag, "Cache-Control": IMMUTABLE if fixed else REVALIDATE, "Vary": "Accept"}
    if not_modified(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(make(), 200, headers, MEDIA_TYPES[kind])
