"""Looking deeper at a session, now or at a revision: what its gradients, its paths and its curvature are made of.

Each analysis is a row of ``ANALYSES`` and changes nothing. What takes more than a few milliseconds is done by another
process, so that nobody else waits; how much that may be at most is a matter of limits, not of time, so that the same
address always gives the same answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.documents.examples import Part, PerExample, page_size, per_example
from api.documents.gradcheck import GradientCheckDocument, gradient_check
from api.documents.landscape import LandscapeDocument, loss_landscape
from api.documents.paths import Paths, paths, route_of
from api.documents.stability import StabilityDocument, stability_document
from api.documents.state import made
from api.engine.effort import compiled_effort, effort, gradient_effort
from api.engine.elements import element_of, parameter_of
from api.engine.errors import InvalidInput, LimitExceeded
from api.engine.gradcheck import STEP
from api.routes.answering import Query, base_of, query_of
from api.routes.endpoint import router
from api.routes.negotiation import IMMUTABLE, MEDIA_TYPES, REVALIDATE, Kind, entity_tag, negotiate, not_modified
from api.routes.operations import json_of, looking
from api.routes.service import Service, service_of
from api.routes.sessions import at_revision
from api.routes.views import now
from api.store import Stored
from api.training.gradcheck import most_elements
from api.training.landscape import Axis, Walked, points_of, rows_of
from api.training.session import Session
from api.training.stability import STEPS

routes = router()

INLINE_OPERATIONS = 30_000  # some four milliseconds
PLACES = 100  # of a path walked, at most
NUMBERS = 1_000_000  # … and in all their parameters together
WALK_OPERATIONS = 400_000  # for the steps inside runs, which are computed again on one of the store's threads

Address = Annotated[str, Field(max_length=10_000)]
Bound = Annotated[float, Field(allow_inf_nan=False)]


class Differences(Query):
    """How gradients are checked."""

    step: Annotated[float, Field(gt=0, le=1)] = STEP
    """h = step · max(1, |w|)."""
    parameter: Address | None = None
    """Only this one; by default all."""


class Examples(Query):
    """Which examples."""

    after: Annotated[int, Field(ge=-1, le=2**53)] = -1
    """Only those later than this place in the batch, from 0."""
    limit: Annotated[int, Field(ge=1)] = 100
    """How many at most; fewer where gradients are long."""
    arrays: Literal["summary", "full"] = "summary"
    """Long arrays as summaries, or all in full."""


class Between(Query):
    """Which paths."""

    from_: Annotated[Address | None, Field(alias="from")] = None
    """The node whose derivative it is; by default the loss."""
    to: Address
    """The node by which it is taken."""
    detail: Literal["named", "ops"] | None = None
    """Over named quantities or primitive operations; by default named where both nodes are."""
    after: Annotated[int, Field(ge=-1)] = -1
    """Only those later than this path, from 0."""
    limit: Annotated[int, Field(ge=1)] = 100
    """How many at most."""


class Ahead(Query):
    """How far to look."""

    steps: Annotated[int, Field(ge=1, le=1_000_000)] = STEPS
    """Steps to run, at most, in search of the first that is not finite."""


class Window(Query):
    """Which part of the landscape."""

    x: Address
    """The element that changes, such as `w1` or `W1[0][2]`."""
    y: Address | None = None
    """A second one."""
    points: Annotated[int, Field(ge=2)] | None = None
    """Along each axis; by default 101 for one and 31 for two."""
    rows: Literal["batch", "all"] = "batch"
    """The loss of the present batch, or of all rows that train."""
    x_min: Bound | None = None
    x_max: Bound | None = None
    y_min: Bound | None = None
    y_max: Bound | None = None
    """By default the axes show the present point, the path walked and the lowest point in sight."""


class Task(NamedTuple):
    """What makes the document: ``make(session, *arguments)``, in roughly so many operations."""

    operations: int
    make: Callable[..., dict[str, Any]]
    arguments: tuple[Any, ...]


class Asked(NamedTuple):
    """An analysis of a session; ``base`` is the session's or revision's own path."""

    service: Service
    stored: Stored
    query: Any
    base: str

    @property
    def session(self) -> Session:
        """The session without what can be computed again: it may go to another process."""
        return Session(self.stored.session.definition, self.stored.session.snapshot)

    def fits(self, operations: int) -> int:
        """``operations`` if one analysis may take so many; raises ``LimitExceeded``."""
        most = self.service.limits.analysis_operations
        if operations > most:
            raise LimitExceeded(f"this takes {operations:,} operations; one analysis does at most {most:,}", most)
        return operations

    def limited(self) -> None:
        """Raises ``InvalidInput`` for a page that is too long."""
        if self.query.limit > self.service.limits.history_items:
            raise InvalidInput(f"query parameter limit: must be at most {self.service.limits.history_items}")


async def _gradcheck(asked: Asked) -> Task:
    session, query = asked.session, asked.query
    most = most_elements(session, asked.service.limits)
    count = session.definition.parameter_count
    if query.parameter is not None:
        parameter_of(session.definition.graph, query.parameter, "query parameter parameter")
    operations = 3 * effort(session.definition.graph, len(session.batch_rows)) * (min(most, count) + 2)
    return Task(operations, gradient_check, (most, query.step, query.parameter))


async def _per_example(asked: Asked) -> Task:
    asked.limited()
    session, query = asked.session, asked.query
    part = Part(query.after, query.limit, query.arrays == "full")
    graph = session.definition.graph
    each, most = 2 * gradient_effort(graph, 1), asked.service.limits.analysis_operations
    part = part._replace(limit=max(1, min(part.limit, most // each)))
    whole = asked.fits(gradient_effort(graph, len(session.batch_rows)) + each)
    return Task(whole + page_size(session, part) * each, per_example, (part, asked.base))


async def _paths(asked: Asked) -> Task:
    asked.limited()
    session, query = asked.session, asked.query
    graph = session.definition.graph
    route = route_of(graph, query.from_, query.to, query.detail)
    operations = asked.fits(2 * gradient_effort(graph, len(session.batch_rows)))
    return Task(operations, paths, (route, query.after, query.limit, asked.base))


async def _stability(asked: Asked) -> Task:
    session, limits = asked.session, asked.service.limits
    graph, rows = session.definition.graph, session.definition.row_count
    asked.fits(gradient_effort(graph, rows))
    operations = 8 * session.definition.parameter_count * gradient_effort(graph, rows)
    operations += asked.query.steps * compiled_effort(graph, min(session.definition.batch_size, rows))
    return Task(operations, stability_document, (limits, asked.query.steps))


async def _landscape(asked: Asked) -> Task:
    session, query, limits = asked.session, asked.query, asked.service.limits
    graph = session.definition.graph
    axes = [_axis(asked, "x"), *([_axis(asked, "y")] if query.y is not None else [])]
    if len({axis.element for axis in axes}) < len(axes):
        raise InvalidInput("query parameter y: is the same element as x")
    points = points_of(session, query.rows, len(axes), query.points, limits)
    each = effort(graph, len(rows_of(session, query.rows)))
    places = min(PLACES, NUMBERS // session.definition.parameter_count, limits.analysis_operations // each)
    snapshots = await asked.service.store.walked(asked.stored, places, WALK_OPERATIONS)
    walked = [Walked(one.position.step, one.parameters) for one in snapshots]
    operations = each * (points ** len(axes) + len(walked) + 10)
    return Task(operations, loss_landscape, (axes, points, query.rows, walked))


def _axis(asked: Asked, name: str) -> Axis:
    query, about = asked.query, f"query parameter {name}"
    element = element_of(asked.session.definition.graph, getattr(query, name), about)
    low, high = getattr(query, f"{name}_min"), getattr(query, f"{name}_max")
    if low is not None and high is not None and low >= high:
        raise InvalidInput(f"query parameter {name}_max: must be larger than {name}_min")
    return Axis(element, low, high)


class Analysis(NamedTuple):
    """One row: its address below a session, what the contract says of it, and what prepares it."""

    path: str
    name: str
    summary: str
    about: str
    query: type[Query]
    model: type[BaseModel]
    prepare: Callable[[Asked], Awaitable[Task]]


ANALYSES = (
    Analysis("gradcheck", "gradcheck", "Gradients against central differences",
             "For each number among the parameters, with the kinks that a difference crosses, in any phase.",
             Differences, GradientCheckDocument, _gradcheck),
    Analysis("per-example", "per_example", "Each example's own gradient",
             "And what it adds to the batch's, which is the sum of these contributions.",
             Examples, PerExample, _per_example),
    Analysis("paths", "paths", "The paths between two nodes",
             "The chain rule written out: each path's factors and product, their exact number, and their sum.",
             Between, Paths, _paths),
    Analysis("stability", "stability", "Curvature and the largest stable learning rate",
             "The Hessian's eigenvalues, the rates that they allow, and the first step that is not finite.",
             Ahead, StabilityDocument, _stability),
    Analysis("landscape", "landscape", "The loss along one parameter or two",
             "With the tangent at the present point and the path walked so far.",
             Window, LandscapeDocument, _landscape),
)  # fmt: skip
Which = Callable[[Request], Awaitable[Stored]]


def _register(row: Analysis, which: Which, address: str, name: str, summary: str) -> None:
    async def handler(request: Request) -> Response:
        return await _answered(request, row, which)

    handler.__name__, handler.__doc__ = name, row.about
    routes.get(f"{address}/{row.path}", **looking(name, summary, json_of(row.model), tag="analyses", query=row.query))(
        handler
    )


for _row in ANALYSES:
    _register(_row, now, "/v1/sessions/{id}", _row.name, _row.summary)
    _register(
        _row, at_revision, "/v1/sessions/{id}/revisions/{revision}", f"{_row.name}_at", f"{_row.summary}, at a revision"
    )


async def _answered(request: Request, row: Analysis, which: Which) -> Response:
    kind, stored = negotiate(request, (Kind.JSON,)), await which(request)
    query, fixed = query_of(request, row.query), which is at_revision
    digest = hashlib.sha256(query.model_dump_json().encode()).hexdigest()[:12]
    tag = entity_tag(stored.revision, row.name, digest)
    headers = {"ETag": tag, "Cache-Control": IMMUTABLE if fixed else REVALIDATE, "Vary": "Accept"}
    if not_modified(request, tag):
        return Response(status_code=304, headers=headers)
    base = base_of(request, stored.id) + (f"/revisions/{stored.revision}" if fixed else "")
    asked = Asked(service_of(request), stored, query, base)
    return Response(await _made(asked, await row.prepare(asked)), 200, headers, MEDIA_TYPES[kind])


async def _made(asked: Asked, task: Task) -> bytes:
    """The document's bytes; what takes longer is made by another process."""
    if task.operations <= INLINE_OPERATIONS:
        return made(task.make, asked.session, *task.arguments)
    return await asked.service.workers.call(made, task.make, asked.session, *task.arguments)
