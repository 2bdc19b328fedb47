"""A session to take away: the script that repeats it in another library."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from api.routes.answering import Query, query_of
from api.routes.endpoint import router
from api.routes.negotiation import Kind, entity_tag, negotiate, not_modified
from api.routes.operations import looking, media
from api.routes.service import Service, service_of, work_of
from api.routes.sessions import at_revision
from api.routes.views import answer, now
from api.scripts.repetition import Beginning, most_steps
from api.scripts.script import TARGETS, script
from api.store import Stored
from api.training.session import Phase, Session
from api.training.snapshot import Snapshot

routes = router()

INLINE_WORK = 100_000  # operations and numbers beyond which another process writes the script
_BEGINNINGS = {"create": Beginning.CREATED, "fork": Beginning.FORKED, "patch": Beginning.EDITED}


class Library(Query):
    """Which library the script is for."""

    target: Literal["numpy", "pytorch", "jax", "tensorflow"] = "numpy"
    """The library."""


@routes.get(
    "/v1/sessions/{id}/code",
    **looking("code", "A script that repeats the session", media("python"), query=Library),
)
async def code(request: Request) -> Response:
    """It ends by asserting the session's own numbers."""
    return await _code(request, now)


@routes.get(
    "/v1/sessions/{id}/revisions/{revision}/code",
    **looking("code_at", "A script that repeats the session up to a revision", media("python"), query=Library),
)
async def code_at(request: Request) -> Response:
    """The same for ever."""
    return await _code(request, at_revision)


async def _code(request: Request, which: Callable[[Request], Awaitable[Stored]]) -> Response:
    negotiate(request, (Kind.PYTHON,))
    target, stored = TARGETS[query_of(request, Library).target], await which(request)
    what = f"code.{target.name}"
    known = not_modified(request, entity_tag(stored.revision, what, Kind.PYTHON.value))
    text = "" if known else await _written(service_of(request), stored, target.name)
    there = answer(request, stored, Kind.PYTHON, what, lambda: text, fixed=which is at_revision)
    there.headers["Content-Disposition"] = f'inline; filename="{target.filename}"'
    return there


async def _written(service: Service, stored: Stored, target: str) -> str:
    session = stored.session
    start, beginning = await _beginning(service, stored)
    if _work(session, start) > INLINE_WORK:
        return await service.workers.call(script, session, start, beginning, target)
    return script(session, start, beginning, target)


def _work(session: Session, start: Snapshot) -> int:
    """Roughly what a script costs: the steps it repeats, and the numbers it lists."""
    definition, steps = session.definition, session.position.step - start.position.step
    numbers = definition.data.rows.size if definition.data else 0
    return (3 * steps + 20) * work_of(session) + numbers + definition.parameter_count


async def _beginning(service: Service, stored: Stored) -> tuple[Snapshot, Beginning]:
    """From where on the script repeats the line: where it was last changed by hand, if that is not too long ago."""
    action, start = await service.store.beginning(stored)
    earliest = stored.session.position.step - most_steps(stored.session.definition)
    if start.position.step >= earliest:
        return start, _BEGINNINGS[action]
    there = await service.store.at_step(stored, earliest, Phase.READY)
    return there.session.snapshot, Beginning.LONG
