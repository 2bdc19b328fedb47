"""Training as a program of seven lines, and the one of them at which a session stands."""

from __future__ import annotations

from typing import Any, NamedTuple

from markupsafe import Markup

from api.pages import figures, notation

_NAMED = 4  # so many parameters or outputs are named


class Line(NamedTuple):
    """One line: how far it is indented, what it says, whether it was done last."""

    depth: int
    text: Markup
    current: bool


def algorithm(state: dict[str, Any]) -> list[Line]:
    """The lines for a session's own model, data and optimiser; one is current."""
    nodes = state["graph"]["nodes"]
    parameters = _names(list(state["parameters"]))
    results = _names([node["id"] for node in nodes if node["role"] in ("model", "loss")][-2:])
    loss = next((notation.html(node["id"]) for node in nodes if node["role"] == "loss"), Markup("L"))
    phase = state["phase"] if state["phase"] != "ready" or state["last_update"] is None else "update"
    batches, size = state["batches_per_epoch"], len(state["batch_rows"])
    feed = Markup("feed {} to the inputs").format(f"the next {size} rows" if size > 1 else "the next row")
    loop = Markup("for each of {} batches").format(batches) if batches > 1 else Markup("for the one batch")
    lines = [
        (0, Markup("choose first values of {}").format(parameters), ""),
        (0, Markup("for epoch 1, 2, 3, …"), ""),
        (1, loop, ""),
        (2, feed if size else Markup("take the parameters as they are"), "ready"),
        (2, Markup("forward: compute {}").format(results), "forward"),
        (2, Markup("backward: compute ∂{}/∂ of {}").format(loss, parameters), "backward"),
        (2, Markup("update {} {}").format(parameters, _rule(state)), "update"),
    ]
    return [Line(depth, text, kind == phase) for depth, text, kind in lines]


def _names(names: list[str]) -> Markup:
    told = [notation.html(name) for name in names[:_NAMED]]
    more = [Markup("{} more").format(len(names) - _NAMED)] if len(names) > _NAMED else []
    return Markup(", ").join(told + more)


def _rule(state: dict[str, Any]) -> str:
    kind = state["optimizer"]["kind"]
    there = (
        state["last_update"] if state["phase"] == "ready" and state["last_update"] else state
    )  # its rate, or the next
    rate = f" {figures.number(there['learning_rate'])}" if state["optimizer"]["learning_rate"] is not None else ""
    return f"against the gradient, rate{rate}" if kind == "sgd" else f"by {kind}{', rate' + rate if rate else ''}"
