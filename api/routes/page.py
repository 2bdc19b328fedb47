"""What a session's page is made from: its document and everything that stands beside it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from api.documents.course import course
from api.documents.equations import equations, model_equations
from api.documents.history import history_item
from api.documents.recipe import body_of, link
from api.pages.html import SessionPage, session_page
from api.routes.service import Service
from api.store import Store, Stored

LOG_STEPS = 60
CHART_POINTS = 400
COURSE_POINTS = 80
INLINE_PARAMETERS = 2_000
"""So many are drawn again at once, to see whether a recipe has to name them."""


async def session_html(
    service: Service, stored: Stored, state: dict[str, Any], root: str, *, charts: bool = False
) -> str:
    """The page of a stored revision; ``state`` is its document, ``charts`` whether all of them are drawn."""
    store, step = service.store, stored.session.position.step
    rows, _ = await store.history(stored, max(0, step - LOG_STEPS) - 1, min(step, LOG_STEPS))
    current = await store.load(stored.id)
    return session_page(
        replace(
            await parts(store, stored, state, root, current.revision),
            history=[history_item(row) for row in rows],
            course=await course_of(store, stored) if charts else None,
            recipe=link(root, await recipe_body(service, stored)),
        )
    )


async def parts(store: Store, stored: Stored, state: dict[str, Any], root: str, current: int) -> SessionPage:
    """What a page of a state shows, but for the log; ``current`` is the revision at which the session is by now."""
    step = stored.session.position.step
    losses, validation = await store.losses(stored, CHART_POINTS), await store.validation_losses(stored, CHART_POINTS)
    return SessionPage(
        state=state,
        equations=equations(stored, "mathml"),
        history=[],
        # a state inside a run has the whole run in its row
        losses=[(at, loss) for at, loss in losses if at < step],
        validation=[(at, loss) for at, loss in validation if at < step],
        data=table(stored),
        current_revision=current,
        root=root,
        model=model_equations(stored),
    )


async def course_of(store: Store, stored: Stored) -> dict[str, Any]:
    """How the session has come here, as numbers to be drawn."""
    return await asyncio.to_thread(course, await store.course(stored, COURSE_POINTS))


async def recipe_body(service: Service, stored: Stored) -> dict[str, Any] | None:
    """The body of create that leads to where a session stands, as exactly as a definition can."""
    exact = not stored.edited and stored.session.position.step <= service.limits.run_steps
    if exact and stored.parent is not None:  # a fork has its parameters in its definition, but neither steps nor slots
        first = await service.store.at_revision(stored, 0)
        exact = first.session.position.step == 0
    if stored.session.definition.parameter_count <= INLINE_PARAMETERS:
        return body_of(stored.session, exact=exact)
    return await asyncio.to_thread(body_of, stored.session, exact=exact)


def table(stored: Stored) -> dict[str, Any] | None:
    """The data as the page shows it; None without any."""
    data = stored.session.definition.data
    if data is None:
        return None
    split = data.split.parts if data.split.held_out else None
    return {"columns": list(data.columns), "labels": list(data.labels), "rows": data.rows.tolist(), "split": split}
