"""Every 4xx and 5xx as one RFC 9457 problem document: the table of statuses and the document's two renderings.

``PROBLEMS`` maps the exceptions of ``engine.errors`` and ``HTTP_PROBLEMS`` the framework's own statuses; a test proves
the first total over the tree. A browser gets the same problem as a page with the same status.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.documents.state import to_json
from api.engine import errors
from api.engine.wording import SHOWN_CHARACTERS
from api.pages.html import problem_page
from api.routes.negotiation import Kind, preferred, split_suffix

log = logging.getLogger("stepgrad")


class ProblemType(NamedTuple):
    """One kind of problem: its HTTP status, the CODE of ``/problems/CODE`` and its title."""

    status: int
    code: str
    title: str


PROBLEMS: dict[type[errors.StepgradError], ProblemType] = {
    errors.InvalidInput: ProblemType(422, "invalid", "The request has no meaning here"),
    errors.FormulaError: ProblemType(422, "invalid", "The formula cannot be read"),
    errors.LimitExceeded: ProblemType(422, "limit-exceeded", "More than is allowed"),
    errors.BodyTooLarge: ProblemType(413, "limit-exceeded", "The body is too large"),
    errors.NotJSON: ProblemType(400, "not-json", "The body is not JSON"),
    errors.UnsupportedMediaType: ProblemType(415, "unsupported-media-type", "This kind of body is not read"),
    errors.BodyTooSlow: ProblemType(408, "request-timeout", "The request took too long"),
    errors.KeyNeeded: ProblemType(401, "server-key-needed", "The server's key is needed"),
    errors.StateConflict: ProblemType(409, "conflict", "Not possible in the present state"),
    errors.WrongPhase: ProblemType(409, "wrong-phase", "Not in this phase"),
    errors.Diverged: ProblemType(409, "diverged", "The training has diverged"),
    errors.NothingToUndo: ProblemType(409, "nothing-to-undo", "There is nothing to undo"),
    errors.KeyTaken: ProblemType(409, "conflict", "Not possible in the present state"),
    errors.RunInProgress: ProblemType(409, "run-in-progress", "A run is under way"),
    errors.NoAttemptLeft: ProblemType(409, "no-attempt-left", "All attempts are used"),
    errors.StaleRevision: ProblemType(412, "stale-revision", "The session has moved on"),
    errors.NotFound: ProblemType(404, "not-found", "There is no such thing"),
    errors.ReadOnly: ProblemType(403, "read-only", "This link only allows to look"),
    errors.StoreUnavailable: ProblemType(503, "store-unavailable", "The database cannot be used now"),
    errors.StoreDamaged: ProblemType(503, "store-damaged", "The database is damaged"),
    errors.StoreFull: ProblemType(507, "store-full", "The database has no room left"),
    errors.StepgradError: ProblemType(500, "internal-error", "Something went wrong here"),
}

HTTP_PROBLEMS: dict[int, tuple[ProblemType, str]] = {
    400: (ProblemType(400, "bad-request", "The request cannot be read"), "the request is malformed"),
    404: (PROBLEMS[errors.NotFound], "nothing is at this address"),
    405: (ProblemType(405, "method-not-allowed", "Not with this method"), "this address does not accept the method"),
    408: (PROBLEMS[errors.BodyTooSlow], "the request did not arrive in time"),
    413: (PROBLEMS[errors.BodyTooLarge], "the body is longer than is read"),
    431: (ProblemType(431, "headers-too-large", "The headers are too large"), "more headers than are read"),
    500: (PROBLEMS[errors.StepgradError], "the fault is the service's and has been logged; nothing was changed"),
    503: (ProblemType(503, "overloaded", "Too many requests at once"), "the service is busy; try again in a moment"),
}

UNKNOWN_HOST = ProblemType(400, "unknown-host", "This name is not served")
TOO_MANY = ProblemType(429, "too-many-requests", "Too many requests")

CODES: dict[str, ProblemType] = {
    kind.code: kind
    for kind in (*PROBLEMS.values(), *(kind for kind, _ in HTTP_PROBLEMS.values()), UNKNOWN_HOST, TOO_MANY)
}


def problem_type(error: errors.StepgradError) -> ProblemType:
    """The table's row for an error: its own class's or the nearest ancestor's."""
    return next(PROBLEMS[cls] for cls in type(error).__mro__ if cls in PROBLEMS)


def document(kind: ProblemType, detail: str, request: Request, **members: Any) -> dict[str, Any]:
    """A problem document; ``members`` that are None are left out."""
    root = request.scope.get("root_path", "")
    fixed = {"type": f"{root}/problems/{kind.code}", "title": kind.title, "status": kind.status, "detail": detail}
    path = "/".join(map(_short, request.scope["path"].removeprefix(root).split("/")))
    given = {name: value for name, value in members.items() if value is not None}
    return {**fixed, "instance": root + quote(path, errors="replace"), **given}


def _short(segment: str) -> str:
    return segment if len(segment) <= SHOWN_CHARACTERS else segment[: SHOWN_CHARACTERS - 1] + "…"


def members(error: errors.StepgradError) -> dict[str, Any]:
    """The members a problem has beyond RFC 9457's own: ``errors``, ``allowed``, ``revision``, ``limit``."""
    listed = getattr(error, "errors", None)
    return {
        "errors": listed and [{"pointer": fault.pointer, "detail": fault.detail} for fault in listed],
        "allowed": list(error.allowed) if isinstance(error, errors.StateConflict) else None,
        "revision": getattr(error, "revision", None),
        "limit": getattr(error, "limit", None),
    }


def render(
    request: Request,
    problem: dict[str, Any],
    headers: dict[str, str] | None = None,
    again: list[tuple[str, str]] | None = None,
) -> Response:
    """A problem document as JSON, or as a page where the request prefers one; ``again``: see ``problem_page``."""
    _, suffix = split_suffix(request.scope["path"].rpartition("/")[2])
    kind = suffix or preferred(request.headers.get("accept", "*/*"), (Kind.JSON, Kind.HTML))
    common = {"Vary": "Accept", "Cache-Control": "no-store", **(headers or {})}
    if kind is Kind.HTML:
        page = problem_page(problem, request.scope.get("root_path", ""), again)
        return Response(page, problem["status"], common, "text/html; charset=utf-8")
    return Response(to_json(problem), problem["status"], common, "application/problem+json")


def headers_of(error: errors.StepgradError) -> dict[str, str]:
    """The headers that tell a program what to do about an error."""
    if isinstance(error, errors.KeyNeeded):
        return {"WWW-Authenticate": 'Bearer realm="stepgrad"'}
    passes = isinstance(error, errors.StoreUnavailable | errors.RunInProgress) and not isinstance(
        error, errors.StoreDamaged
    )
    return {"Retry-After": "1"} if passes else {}


async def on_error(request: Request, error: Exception) -> Response:
    """Answer any exception that a handler or the router raised."""
    if isinstance(error, errors.StepgradError):
        problem = document(problem_type(error), error.detail, request, **members(error))
        return render(request, problem, headers_of(error), getattr(error, "again", None))
    status = error.status_code if isinstance(error, HTTPException) else 500
    kind, detail = HTTP_PROBLEMS.get(status, HTTP_PROBLEMS[400 if status < 500 else 500])
    if not isinstance(error, HTTPException):
        about = {"request_id": request.scope.get("request_id"), "method": request.method}
        log.error("unhandled error", exc_info=error, extra=about)
    headers = getattr(error, "headers", None)
    return render(request, document(kind, detail, request), dict(headers) if headers else None)
