"""What pages are made from, built by the rooms that build it for the service."""

from __future__ import annotations

import json
from typing import Any

from api.documents import state as documents
from api.documents.equations import equations
from api.pages.html import SessionPage
from api.training.session import Session
from tests.documents.stored import Kept, started, traced

BASE = "/v1/sessions/" + "a" * 22


def network(inputs: int, hidden: int) -> dict[str, object]:
    """A model of two layers written out scalar by scalar."""
    lines = []
    for j in range(1, hidden + 1):
        terms = " + ".join(f"w1_{i}_{j}*x{i}" for i in range(1, inputs + 1))
        lines += [f"z1_{j} = {terms} + b1_{j}", f"h1_{j} = tanh(z1_{j})"]
    total = " + ".join(f"w2_{j}_1*h1_{j}" for j in range(1, hidden + 1))
    return {"kind": "expression", "source": "\n".join([*lines, f"yhat = {total} + b2_1", "L = (yhat - y)**2"])}


def state(kept: Kept | Session, detail: str = "named", **changed: Any) -> dict[str, Any]:
    """The state document as JSON has it; ``changed`` replaces top-level fields."""
    kept = kept if isinstance(kept, Kept) else Kept(kept)
    document = documents.state(kept, base=BASE, detail=detail)
    found: dict[str, Any] = json.loads(documents.to_json(document))
    return found | changed


def article(phase: str = "backward") -> Session:
    """The article's session in a phase of its first batch."""
    session = started()
    return {"ready": session, "forward": session.forward(), "backward": session.forward().backward()}[phase]


def page(kept: Kept | Session, **changed: Any) -> SessionPage:
    """A session's page; ``changed`` replaces fields of it, and those that only the state has there."""
    kept = kept if isinstance(kept, Kept) else Kept(kept)
    data = kept.session.definition.data
    fields: dict[str, Any] = {
        "state": state(kept),
        "equations": equations(kept, "mathml"),
        "history": [],
        "losses": [],
        "data": data and {"columns": list(data.columns), "labels": list(data.labels), "rows": data.rows.tolist()},
        "current_revision": kept.revision,
        "root": "",
    }
    return SessionPage(**(fields | changed))


def finished(losses: list[Any]) -> list[dict[str, Any]]:
    """Items of a history with these losses."""
    return [
        {"step": i, "epoch": i // 6 + 1, "batch": i % 6 + 1, "loss": loss, "seconds": 2.5e-5}
        for i, loss in enumerate(losses)
    ]


BODIES: dict[str, dict[str, Any]] = {
    "article": {},
    "batch of two": {"batch_size": 2},
    "2-3-1": {"model": network(2, 3)},
    "2-5-1": {"model": network(2, 5)},
    "one name used often": {"model": {"kind": "expression", "source": "L = (w*x1 + w*x2 - y)**2 + w*w"}},
}
GRAPHS: dict[str, dict[str, Any]] = {
    f"{name}, {detail}": state(traced(**body), detail)["graph"]
    for name, body in BODIES.items()
    for detail in ("named", "ops")
}
