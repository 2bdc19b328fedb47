"""The graph in Graphviz's language, with values and partials as labels."""

from __future__ import annotations

from typing import Any

from api.pages import figures, notation, sizes

# role → fill colour and text colour
_COLOURS = {
    "placeholder": ("#f8bd7c", "#2b1703"), "parameter": ("#1f6a47", "#ffffff"), "model": ("#bfe3b4", "#0d260c"),
    "operation": ("#e6e5de", "#1c1d1a"), "loss": ("#f7e27b", "#2a2302"), "constant": ("#ffffff", "#1c1d1a"),
}  # fmt: skip


def graph_dot(state: dict[str, Any]) -> str:
    """A state's graph as a DOT digraph that ``dot -Tpng`` draws."""
    nodes = [_node(node) for node in state["graph"]["nodes"]]
    edges = [_edge(edge) for edge in state["graph"]["edges"]]
    head = ['  graph [rankdir=TB]', '  node [shape=box, style="rounded,filled", fontname="sans-serif", penwidth=0]',
            '  edge [fontname="sans-serif", fontsize=10, color="#84867d", fontcolor="#a5224f"]']  # fmt: skip
    return "\n".join(["digraph stepgrad {", *head, *nodes, *edges, "}"]) + "\n"


def _node(node: dict[str, Any]) -> str:
    title = sizes.node_title(node)
    lines = [notation.text(title) if notation.is_name(title) else title]
    if node["value"] is not None:
        lines.append(figures.values(node["value"], show=2))
    if node["gradient"] is not None:
        lines.append("∇ " + figures.values(node["gradient"], show=2))
    fill, ink = _COLOURS[node["role"]]
    return f"  {_quoted(node['id'])} [label={_quoted(*lines)}, fillcolor={_quoted(fill)}, fontcolor={_quoted(ink)}]"


def _edge(edge: dict[str, Any]) -> str:
    value = edge["partial"]["value"]
    label = "" if value is None else f" [label={_quoted(figures.values(value, show=2))}]"
    return f"  {_quoted(edge['source'])} -> {_quoted(edge['target'])}{label}"


def _quoted(*lines: str) -> str:
    """DOT's quoted text: backslashes and quotes escaped, the lines one below the other."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines)
    return '"' + "\\n".join(escaped) + '"'
