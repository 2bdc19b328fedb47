"""What a session's page is made from: its document and everything that stands beside it."""

from __future__ import annotations

from typing import Any

from api.documents.equations import equations
from api.documents.history import history_item
from api.pages.html import SessionPage, session_page
from api.routes.service import Service
from api.store import Stored

LOG_STEPS = 60
CHART_POINTS = 400


async def session_html(service: Service, stored: Stored, state: dict[str, Any], root: str) -> str:
    """The page of a stored revision; ``state`` is its document."""
    store = service.store
    step = stored.session.position.step
    rows, _ = await store.history(stored, max(0, step - LOG_STEPS) - 1, LOG_STEPS)
    current = await store.load(stored.id)
    return session_page(
        SessionPage(
            state=state,
            equations=equations(stored, "mathml"),
            history=[history_item(row) for row in rows],
            losses=await store.losses(stored, CHART_POINTS),
            data=table(stored),
            current_revision=current.revision,
            root=root,
        )
    )


def table(stored: Stored) -> dict[str, Any] | None:
    """The data as the page shows it; None without any."""
    data = stored.session.definition.data
    if data is None:
        return None
    return {"columns": list(data.columns), "labels": list(data.labels), "rows": data.rows.tolist()}
