"""A session's data on the wire."""

from __future__ import annotations

from typing import Any

from api.documents.state import Stored


def data(stored: Stored) -> dict[str, Any] | None:
    """Every row with its split and label; None for a session without data."""
    rows = stored.session.definition.data
    if rows is None:
        return None
    return rows.summary | {
        "rows": [{"row": place, "split": "train", "values": values} for place, values in enumerate(rows.rows.tolist())]
    }
