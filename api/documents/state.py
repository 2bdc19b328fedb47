"""The state of a session as the document that JSON and HTML are both made from."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol

import pydantic_core

from api.documents.graph import chain_rule, edge_partials, graph_document
from api.documents.tensors import LONG, SHORT, tensor
from api.engine.explain import tree, with_numbers
from api.engine.latex import LATEX
from api.engine.notation import TEXT
from api.engine.optimizers import OPTIMIZERS
from api.engine.terms import Apply, Name, Term, substitute
from api.training.session import Session, Update

Document = dict[str, Any]
GROWN = 100.0
"""Times the first epoch's mean loss beyond which a session is warned."""
_ACTIONS = ("forward", "backward", "update", "run", "undo", "rewind", "fork", "edit", "delete")
_PARTS = ("definition", "data", "history", "equations", "live", "check")
_PICTURES = {"graph_svg": "graph.svg", "graph_dot": "graph.dot", "loss_svg": "loss.svg"}


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


def to_json(document: Any) -> bytes:
    """The bytes of a document: float64 in its shortest form, what is not finite as a text."""
    return pydantic_core.to_json(document, inf_nan_mode="strings")


def state(
    stored: Stored,
    *,
    base: str,
    detail: str = "named",
    arrays: str = "summary",
    layout: Callable[[Document], None] | None = None,
    notices: Iterable[Document] = (),
) -> Document:
    """The state document. ``base`` is the session's own path; ``layout`` adds coordinates to the graph it is given;
    ``notices`` are warnings about the service."""
    session, full = stored.session, arrays == "full"
    short, long = (math.inf, math.inf) if full else (SHORT, LONG)
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
        "definition": definition.document | {"data": definition.data.summary if definition.data else None},
        "inputs": {name: tensor(value, long) for name, value in session.inputs.items()},
        "parameters": {name: tensor(value, long) for name, value in session.parameters.items()},
        "parameter_count": definition.parameter_count,
        "outputs": _outputs(session, long),
        "loss": session.loss,
        "gradients": _tensors(session.gradients, long),
        "graph": graph_document(session, detail, short, partials),
        "chain_rule": chain_rule(session, named),
        "optimizer": definition.optimizer
        | {"slots": {slot: _tensors(values, long) for slot, values in session.slots.items()}},
        "last_update": last_update(session.last_update),
        "warnings": [*warnings(session, base), *notices],
        "parent": None if stored.parent is None else {"read": stored.parent[0], "revision": stored.parent[1]},
        "share": None if stored.read_only or stored.read_id is None else {"read": stored.read_id},
        "run": None if stored.run is None else dict(stored.run),
        "links": None if stored.id is None else links(base, stored.revision or 0, stored.read_only),
    }
    if layout is not None:
        layout(document["graph"])
    return document


def _tensors(values: Mapping[str, Any] | None, longest: float) -> Document | None:
    return None if values is None else {name: tensor(value, longest) for name, value in values.items()}


def _outputs(session: Session, longest: float) -> Document | None:
    if session.values is None:
        return None
    graph = session.definition.graph
    return {name: tensor(session.values[graph.index[name]], longest) for name in graph.outputs}


def links(base: str, revision: int, read_only: bool) -> dict[str, str]:
    """Where the session's other resources are, as absolute paths; a read-only id has no actions."""
    there = {"self": base, "revision": f"{base}/revisions/{revision}"}
    if not read_only:
        there |= {action: f"{base}/{action}" for action in _ACTIONS}
    there |= {part: f"{base}/{part}" for part in _PARTS}
    return there | {name: f"{base}/{path}" for name, path in _PICTURES.items()}


def warnings(session: Session, base: str) -> list[Document]:
    """What a learner should hear: that the loss grows, that training has diverged."""
    found: list[Document] = []
    rate = session.learning_rate
    progress = session.snapshot.progress
    first, last = progress.first_epoch_loss, progress.last_epoch_loss
    smaller = f'POST {base}/fork with {{"changes": {{"optimizer": {{"learning_rate": {rate / 5:g}}}}}}}'
    if first is not None and last is not None and not last <= GROWN * first:
        grown = f"is {last:.3g}" if math.isfinite(last) else "is beyond the largest number"
        message = f"An epoch's mean loss {grown}, after {first:.3g} in the first: the rate {rate:g} is too large."
        found.append({"code": "loss_growing", "message": f"{message} Try a smaller one: {smaller}"})
    if session.diverged:
        what = "The loss" if not math.isfinite(session.loss or 0.0) else "A gradient"
        message = f"{what} is no longer a finite number, so there is no step to take."
        found.append({"code": "diverged", "message": f"{message} Undo, or try a smaller rate: {smaller}"})
    return found


@lru_cache(maxsize=1024)
def last_update(update: Update | None) -> Document | None:
    """The last step taken, every term of the optimiser's rule with its numbers; None before the first.

    Writing the terms out takes as long as the rest of a state, and three states in a row show the same: not to be
    changed by whoever gets it.
    """
    if update is None:
        return None
    position = update.position
    parameters = {}
    for name, before in update.before.items():
        known = {**update.optimizer, "w": before, "g": update.gradients[name]}
        terms = []
        written = _rule(update.optimizer["kind"], update.optimizer["dialect"], name)
        for (symbol, formula, about), value in zip(written, update.terms[name], strict=True):
            numbers = all(isinstance(number, float | int | str) for number in known.values())
            substituted = TEXT.write(with_numbers(formula, known)) if numbers else None
            terms.append({**about, "substituted": substituted, "value": tensor(value, SHORT)})
            known[symbol] = value
        parameters[name] = {
            "before": tensor(before, SHORT),
            "gradient": tensor(update.gradients[name], SHORT),
            "after": tensor(update.after[name], SHORT),
            "terms": terms,
        }
    return {
        "step": position.step,
        "epoch": position.epoch,
        "batch": position.batch,
        "loss": update.loss,
        "parameters": parameters,
    }


@lru_cache(maxsize=4096)
def _rule(kind: str, dialect: str, name: str) -> list[tuple[str, Term, Document]]:
    """Each line of an optimiser's rule for one parameter: its symbol, its formula, and what is said of it."""
    return [
        (
            line.symbol,
            tree(line.formula),
            {
                "symbol": name if line.symbol == "w" else line.symbol,
                "latex": _latex_of(line.latex, name),
                "formula": TEXT.write(substitute(tree(line.formula), _symbols(name))),
            },
        )
        for line in OPTIMIZERS[kind].rule[dialect]
    ]


def _symbols(name: str) -> dict[str, Term]:
    return {"w": Name(name), "g": Apply("partial", (Name("L"), Name(name)))}


def _latex_of(latex: str, name: str) -> str:
    """The published line with this parameter in place of w."""
    return re.sub(r"(?<![\\A-Za-z])w(?![A-Za-z])", lambda _: LATEX.write(Name(name)), latex)
