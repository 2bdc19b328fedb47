"""The equations of a session's page: which a phase shows, with their titles, numbers and tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from api.pages import figures, grids, mathml, notation, views

MOST_EQUATIONS = 100
"""So many of one kind a page shows; of more, the first."""

_MODEL = 12


def equations_heading(state: dict[str, Any]) -> tuple[str, str]:
    """The title over the equations and a remark beside it."""
    has_rate, last = state["optimizer"]["learning_rate"] is not None, state["last_update"]
    rate = f"learning rate {figures.number((last or state)['learning_rate'])}" if has_rate else ""
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
    traced = views.anchors(state["graph"])
    shown: dict[str, dict[str, Any]] = {}
    for item in _chosen(state, items)[:MOST_EQUATIONS]:
        kind, _, key = item["about"].partition(".")
        block = shown.setdefault(item["about"], {
            "id": f"p-{key}",
            "trace": traced.index(key) if key in traced else None,
            "title": _equation_title(kind, key),
            "lines": [],
        })  # fmt: skip
        block["lines"].append(_line(state, item, sum(1 for _ in block["lines"])))
    return list(shown.values())


_SHOWN = {"model": ("values",), "forward": ("values",), "backward": ("loss", "gradients"), "update": ("updated",)}


def _chosen(state: dict[str, Any], items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kinds = _by_kind(state, items)
    return [item for kind in _SHOWN[_stage(state)] for item in kinds.get(kind, ())]


def _stage(state: dict[str, Any]) -> str:
    if state["phase"] != "ready":
        return str(state["phase"])
    return "model" if state["last_update"] is None else "update"


def model(state: dict[str, Any], items: Sequence[dict[str, Any]]) -> list[Markup]:
    """What has been learned so far, as equations in the inputs alone: after an update, and if they are few."""
    if _stage(state) != "update" or len(items) > _MODEL:
        return []
    return [mathml.equation(item["symbolic"]) for item in items]


def partials(state: dict[str, Any], items: list[dict[str, Any]], kind: str) -> list[Markup]:
    """The backward phase's other partials: those of ``kind`` ``inner`` towards parameters and results, ``data``."""
    chosen = _by_kind(state, items).get(kind, []) if state["phase"] == "backward" else []
    return [_line(state, item, 0) for item in chosen[:MOST_EQUATIONS]]


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


def _line(state: dict[str, Any], item: dict[str, Any], place: int) -> Markup:
    """An equation; what a tensor has become stands below it as a small table."""
    if item["substituted"] is not None or item["value"] is None:
        return mathml.equation(item["symbolic"], item["substituted"], item["value"])
    value, rows = _found(state, item["about"], place)
    if not grids.is_tensor(value):
        return mathml.equation(item["symbolic"], None, item["value"])
    return Markup("<div>{}{}</div>").format(mathml.equation(item["symbolic"]), grids.grid(value, "", rows))


def _found(state: dict[str, Any], about: str, place: int) -> tuple[Any, Sequence[int]]:
    """The value that an equation is about, the ``place``-th of its lines, and the batch's rows if it has them."""
    kind, _, key = about.partition(".")
    graph = state["graph"]
    if kind == "gradients":
        return state["gradients"][key], ()
    if kind == "updated":
        return state["last_update"]["parameters"][key]["terms"][place]["value"], ()
    target, _, source = key.partition("/")
    rows = state["batch_rows"] if target in grids.batched(graph) else ()
    if kind == "partials":
        edges = (edge for edge in graph["edges"] if (edge["source"], edge["target"]) == (source, target))
        return next(edges, {"partial": {"value": None}})["partial"]["value"], rows
    return next((node["value"] for node in graph["nodes"] if node["id"] == key), None), rows
