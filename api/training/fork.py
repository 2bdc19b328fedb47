"""A new session from where another stands, with changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from api.engine.errors import InvalidInput
from api.engine.optimizers import OPTIMIZERS
from api.training.definition import DEFAULTS, Definition, define
from api.training.limits import Limits
from api.training.session import Phase, Session
from api.training.snapshot import Snapshot, listed, slots_of, value_of

_MERGED = ("optimizer", "schedule", "initializer", "loss")
_PHASE_KEPT = {"title", "optimizer", "schedule"}


def fork(session: Session, changes: Mapping[str, Any], *, limits: Limits = Limits()) -> Session:  # noqa: B008 - frozen
    """``session`` with ``changes`` to its definition, at the same step.

    Parameters keep their present values, but for those that ``changes`` gives, and for all if it names an initialiser;
    what a changed model adds is drawn. An object in ``changes`` that has no kind, or the same one, changes only the
    fields it names; in another dialect, an optimiser keeps the fields that this has as well. Its slots go on where its
    kind and dialect stay, and begin anew where not. The rows held out stay those that were drawn, but for other data or
    another split. The phase is kept where nothing that the forward pass sees has changed, otherwise it is ``ready``.
    """
    strange = [name for name in changes if name not in DEFAULTS or name == "start"]
    if strange:
        raise InvalidInput(f"{strange[0][:40]} is no field that a fork can change", f"/changes/{strange[0][:40]}")
    definition = _changed(session, changes, limits)
    position = session.position
    row_count = definition.row_count
    if {"data", "split"} & changes.keys() or position.offset >= max(row_count, 1):
        position = replace(position, batch=1, offset=0)
    parameters = {name: value_of(definition.document["parameters"][name]) for name in definition.names}
    kind = ("kind", "dialect")
    same = all(definition.optimizer[name] == session.definition.optimizer[name] for name in kind)
    slots = slots_of(definition, session.slots if same else {})
    progress = session.snapshot.progress
    if definition.schedule != session.definition.schedule or {"model", "data", "loss"} & changes.keys():
        progress = replace(progress, plateau=None)
    if {"model", "data", "loss", "split"} & changes.keys():
        progress = replace(progress, metrics=None)
    there = Session(definition, Snapshot(position, parameters, slots, progress))
    phase = session.phase if set(changes) <= _PHASE_KEPT else Phase.READY
    return Session.restore(definition, there.snapshot, phase, None)


def _changed(session: Session, changes: Mapping[str, Any], limits: Limits) -> Definition:
    old = session.definition.document
    body = old | dict(changes) | {"start": DEFAULTS["start"]}
    if "data" in changes and "split" not in changes and old["split"]:
        body["split"] = session.definition.split.asked  # of other rows, others are drawn
    for name in _MERGED:
        given = changes.get(name)
        if given is not None and given.get("kind", old[name].get("kind")) == old[name].get("kind"):
            body[name] = old[name] | given
    body["optimizer"] = _in_its_dialect(body["optimizer"], changes.get("optimizer") or {})
    same_model = not {"model", "data"} & changes.keys()
    kept = (
        {}
        if changes.get("initializer") is not None
        else {name: listed(value) for name, value in session.parameters.items()}
    )
    body["parameters"] = (kept if same_model else {}) | (changes.get("parameters") or {})
    if changes.get("model") is not None and changes["model"].get("kind") == "expression" and "loss" not in changes:
        body["loss"] = {"reduction": old["loss"]["reduction"]}
    if changes.get("model") is not None and changes["model"].get("kind") != "expression" and "kind" not in body["loss"]:
        body["loss"] = DEFAULTS["loss"] | body["loss"]
    try:
        definition = define(body, limits=limits)
    except InvalidInput as error:
        raise InvalidInput(
            error.detail, errors=[replace(one, pointer=f"/changes{one.pointer}") for one in error.errors]
        ) from None
    if same_model:
        return definition
    given = changes.get("parameters") or {}
    shapes = session.definition.shapes
    same = [name for name, shape in definition.shapes.items() if shapes.get(name) == shape]
    values = {name: kept[name] for name in same if name in kept and name not in given}
    parameters = definition.document["parameters"] | values
    return replace(definition, document=definition.document | {"parameters": parameters})


def _in_its_dialect(optimizer: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The optimiser's object without what was not given and its dialect does not know."""
    row = OPTIMIZERS.get(optimizer.get("kind", "sgd"))
    there = row.dialects.get(optimizer.get("dialect", "torch")) if row else None
    known = {"kind", "dialect", "clip", *(there.defaults if there else optimizer), *given}
    return {name: value for name, value in optimizer.items() if name in known}
