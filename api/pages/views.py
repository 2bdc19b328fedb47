"""What the session page shows, worked out from the documents: the templates only lay it out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from api.pages import figures, mathml, notation, svg
from api.pages.layout import layout

PHASES = ("ready", "forward", "backward")
_NEXT = {"ready": "forward", "forward": "backward", "backward": "update"}
_LOG_ROWS = 24
_DATA_ROWS = 24
_MOST_EDITED = 12
MOST_EQUATIONS = 100
"""So many of one kind a page shows; of more, the first."""
_SHORT = 9


def trusted(markup: str) -> Markup:
    """Markup that this package made itself, to be put into a page as it is."""
    return Markup(markup)


def bar(state: dict[str, Any], current: int) -> dict[str, Any]:
    """The sticky bar: which phase this is, which action is next and how it is taken."""
    revision = state["revision"]
    past = revision < current
    action = _NEXT[state["phase"]]
    allowed = [] if past else state["allowed"]
    return {
        "title": state["phase"].capitalize(),
        "phase": state["phase"],
        "action": action,
        "past": past,
        "current": current,
        "live": not past and state["share"] is not None,
        "can": {name: name in allowed for name in ("forward", "backward", "update", "run", "undo")},
        "steps": [
            (name, "now" if name == state["phase"] else "next" if name == action else "")
            for name in ("ready", "forward", "backward", "update")
        ],
    }


def equations_heading(state: dict[str, Any]) -> tuple[str, str]:
    """The title over the equations and a remark beside it."""
    rate = f"learning rate {figures.number(state['optimizer']['learning_rate'])}"
    if state["phase"] == "forward":
        return "Forward pass", ""
    if state["phase"] == "backward":
        return "Chain rule", "point at one to trace its path"
    if state["last_update"] is None:
        return "Model", rate
    return ("Gradient descent" if state["optimizer"]["kind"] == "sgd" else "Update"), rate


def equations(state: dict[str, Any], items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The equations of this phase, each with its title, its lines and the path it traces.

    In the backward phase those are the loss by what it is computed from, then by each parameter; other partials are
    apart.
    """
    traced = anchors(state["graph"])
    shown: dict[str, dict[str, Any]] = {}
    for item in _chosen(state, items)[:MOST_EQUATIONS]:
        kind, _, key = item["about"].partition(".")
        block = shown.setdefault(item["about"], {
            "id": f"p-{key}",
            "trace": traced.index(key) if key in traced else None,
            "title": _equation_title(kind, key),
            "lines": [],
        })  # fmt: skip
        block["lines"].append(_formula(item))
    return list(shown.values())


_SHOWN = {"model": ("values",), "forward": ("values",), "backward": ("loss", "gradients"), "update": ("updated",)}


def _chosen(state: dict[str, Any], items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kinds = _by_kind(state, items)
    return [item for kind in _SHOWN[_stage(state)] for item in kinds.get(kind, ())]


def _stage(state: dict[str, Any]) -> str:
    if state["phase"] != "ready":
        return str(state["phase"])
    return "model" if state["last_update"] is None else "update"


def anchors(graph: dict[str, Any]) -> list[str]:
    """The parameters whose paths can be traced, in the order of their classes k0, k1, …"""
    return [node["id"] for node in graph["nodes"] if node["role"] == "parameter"][: svg.TRACED]


def partials(state: dict[str, Any], items: list[dict[str, Any]], kind: str) -> list[Markup]:
    """The backward phase's other partials: those of ``kind`` ``inner`` towards parameters and results, ``data``."""
    chosen = _by_kind(state, items).get(kind, []) if state["phase"] == "backward" else []
    return [_formula(item) for item in chosen[:MOST_EQUATIONS]]


def left_out(state: dict[str, Any], items: list[dict[str, Any]]) -> int:
    """How many equations of this phase the page leaves out, because nobody would read so many."""
    kinds = _by_kind(state, items)
    groups = [_chosen(state, items)]
    if state["phase"] == "backward":
        groups += [kinds.get("inner", []), kinds.get("data", [])]
    return sum(max(0, len(group) - MOST_EQUATIONS) for group in groups)


def _by_kind(state: dict[str, Any], items: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Equations by what they are about: partials are of the loss by a result, else ``inner`` or by ``data``."""
    roles = {node["id"]: node["role"] for node in state["graph"]["nodes"]}
    found: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        kind, _, about = item["about"].partition(".")
        if kind == "partials":
            target, _, source = about.partition("/")
            outward = roles.get(target) == "loss" and roles.get(source) != "parameter"
            kind = "data" if roles.get(source) == "placeholder" else "loss" if outward else "inner"
        found.setdefault(kind, []).append(item)
    return found


def _equation_title(kind: str, key: str) -> Markup | None:
    words = {"gradients": "Loss with respect to {}", "partials": "Loss with respect to {}", "updated": "New {}"}
    return Markup(words[kind]).format(notation.html(key.rpartition("/")[2])) if kind in words else None


def _formula(item: dict[str, Any]) -> Markup:
    return mathml.equation(item["symbolic"], item["substituted"], item["value"])


def natural_width(graph: dict[str, Any]) -> int:
    """How wide the picture of the graph is at its smallest, in pixels."""
    plan = layout(graph)
    return math.ceil(plan.width) if plan else 360


def key(graph: dict[str, Any]) -> list[str]:
    """The legend: the roles that occur."""
    roles = {node["role"] for node in graph["nodes"]}
    return [role for role in svg.ROLES if role in roles]


def node_rows(graph: dict[str, Any]) -> list[dict[str, Any]]:
    """The graph as a table, one row per node with the partials of the edges into it."""
    incoming: dict[str, list[dict[str, Any]]] = {}
    for edge in graph["edges"]:
        incoming.setdefault(edge["target"], []).append(edge)
    return [
        {
            "name": notation.html(node["id"]),
            "role": node["role"],
            "formula": node["formula"] or (node["op"] and notation.operation_sign(node["op"])) or "",
            "value": _maybe(node["value"]),
            "gradient": _maybe(node["gradient"]),
            "partials": [
                (notation.html(edge["source"]), figures.values(figures.folded(edge["partial"]["value"])))
                for edge in incoming.get(node["id"], ())
                if edge["partial"]["value"] is not None
            ],
        }
        for node in graph["nodes"]
    ]


def _maybe(value: Any) -> str:
    return figures.NOTHING if value is None else figures.values(value)


def data_table(state: dict[str, Any], data: dict[str, Any] | None) -> dict[str, Any] | None:
    """The data with the batch marked; of many rows only those around the batch, with what is left out counted."""
    if data is None:
        return None
    rows = data["rows"]
    batch = list(state["batch_rows"])
    predictions = _predictions(state, len(batch))
    chosen = _around(batch, len(rows))
    columns = [figures.column([rows[r][i] for r in chosen]) for i in range(len(data["columns"]))]
    outputs = {name: dict(zip(batch, figures.column(values), strict=True)) for name, values in predictions.items()}
    lines: list[dict[str, Any]] = []
    last = -1
    for place, row in enumerate(chosen):
        if row > last + 1:
            lines.append({"folded": row - last - 1})
        cells = [column[place] for column in columns] + [known.get(row, figures.NOTHING) for known in outputs.values()]
        lines.append({"folded": 0, "number": row + 1, "current": row in batch, "cells": cells})
        last = row
    if last < len(rows) - 1:
        lines.append({"folded": len(rows) - 1 - last})
    labels = data.get("labels") or data["columns"]
    named = zip(data["columns"], labels, strict=True)
    heads = [notation.html(name) if label == name else escape(label) for name, label in named]
    return {
        "heads": heads + [notation.html(name) for name in outputs],
        "lines": lines,
        "span": len(heads) + len(outputs) + 1,
        "count": len(rows),
        "even": len(heads) < 6 and all(len(cell) < 7 for line in lines for cell in line.get("cells", ())),
    }


def _predictions(state: dict[str, Any], count: int) -> dict[str, list[Any]]:
    """Each output's one number per row of the batch; empty where outputs are not such."""
    found: dict[str, list[Any]] = {}
    names = [node["id"] for node in state["graph"]["nodes"] if node["role"] == "model"]
    for name, value in (state["outputs"] or dict.fromkeys(names[-1:])).items():
        if value is None:
            found[name] = [None] * count
        elif isinstance(value, list) and len(value) == count and not any(isinstance(one, list) for one in value):
            found[name] = value
    return found


def _around(batch: Sequence[int], count: int) -> list[int]:
    """Which rows to show: all if they are few, else those of the batch and next to it."""
    if count <= _DATA_ROWS:
        return list(range(count))
    chosen = set(sorted(batch)[: _DATA_ROWS // 2])
    for distance in (1, 2, 3):
        for row in sorted(batch)[: _DATA_ROWS // 2]:
            chosen.update(r for r in (row - distance, row + distance) if 0 <= r < count and len(chosen) < _DATA_ROWS)
    return sorted(chosen)


def log_rows(history: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The last finished steps, newest first: epoch, batch, loss, milliseconds."""
    last = history[-_LOG_ROWS:]
    losses = figures.column([item["loss"] for item in last])
    times = [figures.NOTHING if item["seconds"] is None else f"{1000 * item['seconds']:.2f}" for item in last]
    rows = zip(last, losses, times, strict=True)
    return [(item["step"], item["epoch"], item["batch"], loss, time) for item, loss, time in rows][::-1]


TEACHING = ("loss_growing", "diverged")
"""The warnings that a learner is shown; those about the service are for whoever runs it, who reads them as JSON."""


def warnings(state: dict[str, Any]) -> list[dict[str, Any]]:
    """What a learner should hear; the first warning comes with the fields of a fork that learns more slowly."""
    shown = [item for item in state["warnings"] if item["code"] in TEACHING]
    return [
        {
            "code": item["code"],
            # programs are told the call that helps; here stands a button instead
            "message": item["message"].partition(": POST ")[0].rstrip(".") + ".",
            "fork": _calmer(state) if item is shown[0] else None,
        }
        for item in shown
    ]


def _calmer(state: dict[str, Any]) -> dict[str, Any]:
    """The optimizer as it is but for a fifth of its learning rate, as a form's fields."""
    rate = float(f"{float(state['optimizer']['learning_rate']) / 5:.2g}")
    given = state["definition"].get("optimizer") or {}
    fields = {name: value for name, value in given.items() if isinstance(value, str | int | float) and value != ""}
    return {"rate": rate, "fields": {**fields, "learning_rate": rate}}


def editable(state: dict[str, Any]) -> list[tuple[str, Any]]:
    """The scalar parameters that the edit form offers, if they are few enough."""
    scalars = [(name, value) for name, value in state["parameters"].items() if isinstance(value, int | float)]
    return scalars if len(scalars) <= _MOST_EDITED else []
