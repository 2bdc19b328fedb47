"""What a session is made of, and its data, on the wire."""

from __future__ import annotations

from typing import Any

from api.training.definition import Definition


def told(definition: Definition) -> dict[str, Any]:
    """A definition as a state tells it: without the rows of its data and of its split."""
    data = definition.data
    return definition.document | {
        "data": data.summary if data else None,
        "split": dict(definition.split.asked) or None,
    }


def data(definition: Definition) -> dict[str, Any] | None:
    """Every row with its split and label; None for a session without data."""
    rows = definition.data
    if rows is None:
        return None
    numbered = enumerate(zip(rows.split.parts, rows.rows.tolist(), strict=True))
    return rows.summary | {
        "rows": [{"row": place, "split": part, "values": values} for place, (part, values) in numbered]
    }
