"""What the session page shows, worked out from the documents: the templates only lay it out."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from api.pages import figures, notation, svg
from api.pages.layout import layout

PHASES = ("ready", "forward", "backward")
_NEXT = {"ready": "forward", "forward": "backward", "backward": "update"}
_LOG_ROWS = 24
_DATA_ROWS = 24
_MOST_EDITED = 24
_EDITED_NUMBERS = 36
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


def anchors(graph: dict[str, Any]) -> list[str]:
    """The parameters whose paths can be traced, in the order of their classes k0, k1, …"""
    return [node["id"] for node in graph["nodes"] if node["role"] == "parameter"][: svg.TRACED]


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
    split = data.get("split")
    outputs = {name: dict(zip(batch, figures.column(values), strict=True)) for name, values in predictions.items()}
    lines: list[dict[str, Any]] = []
    last = -1
    for place, row in enumerate(chosen):
        if row > last + 1:
            lines.append({"folded": row - last - 1})
        cells = [column[place] for column in columns] + [known.get(row, figures.NOTHING) for known in outputs.values()]
        cells += [split[row]] if split else []
        lines.append({"folded": 0, "number": row + 1, "current": row in batch, "cells": cells})
        last = row
    if last < len(rows) - 1:
        lines.append({"folded": len(rows) - 1 - last})
    labels = data.get("labels") or data["columns"]
    named = zip(data["columns"], labels, strict=True)
    heads = [notation.html(name) if label == name else escape(label) for name, label in named]
    return {
        "heads": heads + [notation.html(name) for name in outputs] + (["Split"] if split else []),
        "lines": lines,
        "span": len(heads) + len(outputs) + (2 if split else 1),
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


def editable(state: dict[str, Any]) -> list[tuple[str, str]]:
    """The parameters that the edit form offers, the first of many, as what a form says of them: a tensor is JSON."""
    small = [
        (name, json.dumps(value, separators=(",", ":")))
        for name, value in state["parameters"].items()
        if not isinstance(value, dict) and len(figures.flat(value)[0]) <= _EDITED_NUMBERS
    ]
    return small[:_MOST_EDITED]
