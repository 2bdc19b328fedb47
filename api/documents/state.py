"""The state of a session as the document that JSON and HTML are both made from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol

import pydantic_core

from api.documents.counts import parameter_counts
from api.documents.definition import told
from api.documents.graph import chain_rule, edge_partials, graph_document
from api.documents.history import last_epoch
from api.documents.tensors import LONG, SHORT, tensor
from api.documents.updates import last_update
from api.training.session import Session

Document = dict[str, Any]
GROWN = 100.0
"""Times the first epoch's mean loss beyond which a session is warned."""
_ACTIONS = ("forward", "backward", "update", "run", "undo", "rewind", "fork", "edit", "delete")
_PARTS = ("definition", "data", "history", "equations", "live", "replay", "check", "practice", "predict", "code")
_ANALYSES = ("gradcheck", "paths", "stability", "landscape")
_ADDRESSES = {
    "per_example": "per-example",
    "graph_svg": "graph.svg",
    "graph_dot": "graph.dot",
    "loss_svg": "loss.svg",
    "course_svg": "course.svg",
}


class Stored(Protocol):
    """What a document says of a session besides its numbers."""

    @property
    def id(self) -> str | None: ...
    @property
    def read_id(self) -> str | None: ...
    @property
    def read_only(self) -> bool: ...
    @property
    def revision(self) -> int | None: ...
    @property
    def session(self) -> Session: ...
    @property
    def undoable(self) -> bool: ...
    @property
    def parent(self) -> tuple[str, int] | None: ...
    @property
    def run(self) -> Mapping[str, Any] | None: ...
    @property
    def running(self) -> bool: ...
    @property
    def pinned(self) -> bool: ...


def to_json(document: Any) -> bytes:
    """The bytes of a document: float64 in its shortest form, what is not finite as a text."""
    return pydantic_core.to_json(document, inf_nan_mode="strings")


def made(make: Callable[..., Document], *arguments: Any) -> bytes:
    """The bytes of the document that ``make(*arguments)`` builds: what another process can be asked for."""
    return to_json(make(*arguments))


def state(
    stored: Stored,
    *,
    base: str,
    detail: str = "named",
    arrays: str = "summary",
    layout: Callable[[Document], None] | None = None,
    notices: Iterable[Document] = (),
    expires_at: str | None = None,
) -> Document:
    """The state document. ``base`` is the session's own path; ``arrays`` says which are written out: ``summary`` short
    ones, ``long`` up to 4,096 numbers everywhere, ``full`` all; ``layout`` adds coordinates to the graph it is given;
    ``notices`` are warnings about the service, ``expires_at`` is when it will delete the session."""
    session = stored.session
    short, long = {"full": (math.inf, math.inf), "long": (LONG, LONG)}.get(arrays, (SHORT, LONG))
    definition, position = session.definition, session.position
    named = edge_partials(session, "named")
    partials = named if detail == "named" else edge_partials(session, detail)
    document: Document = {
        "id": stored.id,
        "revision": stored.revision,
        "phase": session.phase.value,
        "allowed": [] if stored.read_only or stored.running else session.allowed(stored.undoable),
        "step": position.step,
        "epoch": position.epoch,
        "batch": position.batch,
        "batches_per_epoch": session.batches_per_epoch,
        "batch_rows": list(session.batch_rows),
        "definition": told(definition),
        "inputs": {name: tensor(value, long) for name, value in session.inputs.items()},
        "parameters": {name: tensor(value, long) for name, value in session.parameters.items()},
        "parameter_count": definition.parameter_count,
        "parameter_counts": parameter_counts(definition.graph),
        "outputs": _outputs(session, long),
        "loss": session.loss,
        "gradients": _tensors(session.gradients, long),
        "graph": graph_document(session, detail, short, partials),
        "chain_rule": chain_rule(session, named),
        "learning_rate": session.learning_rate,
        "optimizer": _optimizer(session, long),
        "last_update": last_update(session, short),
        "last_epoch": last_epoch(session.snapshot),
        "warnings": [*warnings(session, base), *notices],
        "parent": None if stored.parent is None else {"read": stored.parent[0], "revision": stored.parent[1]},
        "share": None if stored.read_only or stored.read_id is None else {"read": stored.read_id},
        "run": None if stored.run is None else dict(stored.run),
        "links": None if stored.id is None else links(base, stored.revision or 0, stored.read_only),
        "pinned": stored.pinned,
        "expires_at": expires_at,
    }
    if layout is not None:
        layout(document["graph"])
    return document


def _optimizer(session: Session, longest: float) -> Document:
    """The optimiser with its slots; its learning rate is the base rate, null where the rule has none."""
    slots = {slot: _tensors(values, longest) for slot, values in session.slots.items()}
    optimizer = session.definition.optimizer
    return optimizer | {"learning_rate": optimizer.get("learning_rate"), "slots": slots}


def _tensors(values: Mapping[str, Any] | None, longest: float) -> Document | None:
    return None if values is None else {name: tensor(value, longest) for name, value in values.items()}


def _outputs(session: Session, longest: float) -> Document | None:
    if session.values is None:
        return None
    graph = session.definition.graph
    return {name: tensor(session.values[graph.index[name]], longest) for name in graph.outputs}


def links(base: str, revision: int, read_only: bool) -> dict[str, str]:
    """Where the session's other resources are, as absolute paths; a read-only id has no actions."""
    return {"self": base, "revision": f"{base}/revisions/{revision}", **_lasting_links(base, read_only)}


@lru_cache(maxsize=4096)
def _lasting_links(base: str, read_only: bool) -> dict[str, str]:
    there = {} if read_only else {action: f"{base}/{action}" for action in _ACTIONS}
    there |= {part: f"{base}/{part}" for part in (*_PARTS, *_ANALYSES)}
    return there | {name: f"{base}/{path}" for name, path in _ADDRESSES.items()}


def warnings(session: Session, base: str) -> list[Document]:
    """What a learner should hear: that the loss grows, that training has diverged."""
    found: list[Document] = []
    rate, progress = session.learning_rate, session.snapshot.progress
    first, last = progress.first_epoch_loss, progress.last_epoch_loss
    base_rate = session.definition.optimizer.get("learning_rate")
    smaller = "other parameters to begin with" if base_rate is None else _smaller(base_rate, base)
    if first is not None and last is not None and not last <= GROWN * first:
        grown = f"is {last:.3g}" if math.isfinite(last) else "is beyond the largest number"
        message = f"An epoch's mean loss {grown}, after {first:.3g} in the first"
        message += "." if base_rate is None else f": the rate {rate:g} is too large."
        found.append({"code": "loss_growing", "message": f"{message} Try {smaller}"})
    if session.diverged:
        what = "The loss" if not math.isfinite(session.loss or 0.0) else "A gradient"
        message = f"{what} is no longer a finite number, so there is no step to take."
        found.append({"code": "diverged", "message": f"{message} Undo, or try {smaller}"})
    return found


def _smaller(rate: float, base: str) -> str:
    return f'a smaller rate: POST {base}/fork with {{"changes": {{"optimizer": {{"learning_rate": {rate / 5:g}}}}}}}'
