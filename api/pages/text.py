"""A session's state for a terminal: plain text of at most 80 columns."""

from __future__ import annotations

import textwrap
from typing import Any

from api.pages import figures, notation

WIDTH = 80


def state_text(state: dict[str, Any]) -> str:
    """The state as ``text/plain``: where it stands, each quantity with value and gradient, and what can be done."""
    return "\n".join([*_head(state), "", *_nodes(state), *_update(state), *_warnings(state), *_foot(state)]) + "\n"


def _head(state: dict[str, Any]) -> list[str]:
    title = state["definition"].get("title")
    where = (f"{state['phase'].upper()}   update {state['step']} · epoch {state['epoch']} · "
             f"batch {state['batch']} of {state['batches_per_epoch']}")  # fmt: skip
    revision = f" · revision {state['revision']}" if state["revision"] is not None else ""
    made_up = textwrap.wrap(figures.made_up(state), WIDTH, subsequent_indent="  ", max_lines=3, placeholder=" …")
    return [*textwrap.wrap(_printable(title or ""), WIDTH), where + revision, *made_up]


def _nodes(state: dict[str, Any]) -> list[str]:
    """A table of the graph's nodes: name, value, gradient; a formula follows on its own line."""
    rows = [("", "value", "gradient")] + [
        (_printable(notation.text(node["id"])), _short(node["value"]), _short(node["gradient"]))
        for node in state["graph"]["nodes"]
    ]
    widest = min(24, max(len(row[0]) for row in rows))
    lines = [f"  {name[:24]:<{widest}}  {value:>25}  {gradient:>25}".rstrip() for name, value, gradient in rows]
    formulas = [(node["id"], node["formula"]) for node in state["graph"]["nodes"] if node["formula"]]
    written = [
        line
        for name, formula in formulas
        for line in textwrap.wrap(f"{name} = {_printable(formula)}", WIDTH - 2, subsequent_indent="      ")
    ]
    return lines + ([""] + [f"  {line}" for line in written] if state["graph"]["detail"] == "named" and written else [])


def _short(value: Any) -> str:
    return "" if value is None else figures.fitted(value, 25, 1.55)


def _update(state: dict[str, Any]) -> list[str]:
    last = state["last_update"]
    if last is None:
        return []
    lines = ["", f"last update: epoch {last['epoch']}, batch {last['batch']}, loss {figures.number(last['loss'])}"]
    for name, change in last["parameters"].items():
        before, after = figures.values(change["before"], show=2), figures.values(change["after"], show=2)
        lines.append(f"  {_printable(notation.text(name))}: {before} → {after}"[:WIDTH])
    return lines


def _warnings(state: dict[str, Any]) -> list[str]:
    lines = []
    for warning in state["warnings"]:
        sentence = f"! {warning['code']}: {_printable(warning['message'])}"
        lines += ["", *textwrap.wrap(sentence, WIDTH, subsequent_indent="  ")]
    return lines


def _foot(state: dict[str, Any]) -> list[str]:
    allowed = ", ".join(state["allowed"]) or "nothing: this is read-only, or a run is under way"
    return ["", *textwrap.wrap(f"next: {allowed}", WIDTH, subsequent_indent="      ")]


def _printable(text: str) -> str:
    """``text`` without what could steer a terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
