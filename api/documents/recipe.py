"""A session's recipe: the body of create that leads to where it stands, as a form's fields and as a link."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

from api.training.definition import Definition
from api.training.recipe import recipe
from api.training.session import Session
from api.training.snapshot import listed

Document = dict[str, Any]
LONGEST = 4_000
"""Characters of a query string that browsers, mail and proxies all carry; of more no link is made."""
_LITERAL = "*/:,()!@-._~'"  # what a query may hold as it is, so that people can read it
_START = {"step": 0, "phase": "ready"}
_made: WeakKeyDictionary[Definition, Document] = WeakKeyDictionary()


def body_of(session: Session, *, exact: bool) -> Document | None:
    """A short body of create that makes a session which stands where this one does; None if it is sure to be too long.

    ``exact`` says that the session came here by its definition alone. Otherwise, as after a change by hand, the new one
    has the same parameters but begins at update 0, its optimiser without memory.
    """
    definition, step = session.definition, session.position.step if exact else 0
    data = definition.data
    given = 0 if data is None or data.name else data.row_count * len(data.columns)
    if 2 * given > LONGEST or (not exact and 2 * definition.parameter_count > LONGEST):
        return None
    if not exact:
        values = {name: listed(value) for name, value in session.parameters.items()}
        definition = replace(definition, document=definition.document | {"parameters": values, "start": _START})
    if definition not in _made:
        _made[definition] = recipe(definition)
    here = {"step": step, "phase": session.phase.value}
    start = {name: value for name, value in here.items() if value != _START[name]}
    body = {name: value for name, value in _made[definition].items() if name != "start"}
    return body | ({"start": start} if start else {})


def link(root: str, body: Mapping[str, Any] | None) -> str | None:
    """The address of the recipe's page below ``root``, None if it would be too long."""
    text = None if body is None else query(body)
    return None if text is None or len(text) > LONGEST else f"{root}/v1/new" + (f"?{text}" if text else "")


def query(body: Mapping[str, Any]) -> str:
    """The query string that says ``body``; a preset by its name alone."""
    fields = dotted(body)
    if body.get("model", {}).get("kind") == "preset":
        fields = {"preset": fields["model.name"]} | {n: t for n, t in fields.items() if not n.startswith("model.")}
    return "&".join(f"{quote(name, _LITERAL)}={quote(text, _LITERAL)}" for name, text in fields.items())


def dotted(value: Any, name: str = "") -> dict[str, str]:
    """An object as the fields of a form: ``{"optimizer.learning_rate": "0.05"}``; a list of plain values as JSON."""
    parts: Mapping[Any, Any] = value if isinstance(value, Mapping) else {}
    if isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        parts = dict(enumerate(value))
    if not parts:
        return {name: value if isinstance(value, str) else _json(value)} if name else {}
    found: dict[str, str] = {}
    for part, inner in parts.items():
        found |= dotted(inner, f"{name}.{part}" if name else str(part))
    return found


def _json(value: Any) -> str:
    return json.dumps(_written(value), separators=(",", ":"), ensure_ascii=False)


def _written(value: Any) -> Any:
    """Whole numbers as people write them."""
    if isinstance(value, list):
        return [_written(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _written(item) for name, item in value.items()}
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53 and str(value) != "-0.0"
    return int(value) if whole else value
