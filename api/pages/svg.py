"""The coloured picture of a graph: values, gradients, and the partial on every edge.

Arrows run down, and in the backward phase up. Inside a page the picture is styled by the page's style sheet; alone
(``graph.svg``) it brings its own, dark mode included. No ``style`` attribute and no script anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from api.pages import figures, notation, sizes
from api.pages.figures import coordinate as _n
from api.pages.layout import LARGEST, Box, Layout, Route, layout

TRACED = 16
"""So many parameters can have their paths traced: the style sheet has a class for each, k0 to k15."""

_FLOWING = 120  # more edges than this are not animated: it would only double the page
_RANKS = 10  # classes r0 to r9 delay the animation from the first row to the last

ROLES = ("placeholder", "parameter", "model", "operation", "constant", "loss")


def graph(state: dict[str, Any], standalone: bool = False, *, linked: bool = True, mark: str = "") -> str:
    """The SVG of a state document's graph; ``standalone`` with its own style, for ``graph.svg``.

    ``linked``, each parameter is a link that traces its paths; only one such picture may stand in a page. Ids end in
    ``mark``, or in the revision: a page can hold several pictures.
    """
    mark = mark or str(state["revision"] or 0)
    plan = layout(state["graph"])
    if plan is None:
        return _too_large(state, standalone, mark)
    linked = linked and not standalone
    backward = state["phase"] == "backward"
    traces = path_classes(state["graph"])
    kind = "graph bwd" if backward else "graph fwd" if state["phase"] == "forward" else "graph"
    body = _MARKER.format(mark) + Markup("").join(
        _edges(state, plan, traces, mark, backward) + _nodes(state, plan, traces, linked)
    )
    return _frame(state, mark, kind, plan.width, plan.height, body, standalone, linked)


_MARKER = Markup(
    '<marker id="arrow-{0}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto-start-reverse" markerUnits="userSpaceOnUse"><path d="M0 .6 8 4 0 7.4z"/></marker>'
)
_OPENING = Markup(
    '<svg {}class="{}" viewBox="0 0 {} {}" width="{}" height="{}" role="{}" aria-labelledby="gt-{} gd-{}">'
    '<title id="gt-{}">{}</title><desc id="gd-{}">{}</desc>'
)
_XMLNS = Markup('xmlns="http://www.w3.org/2000/svg" ')
_LARGEST_SCALE = 1.5  # so much larger than its smallest size, at which type is 11 pixels high, a picture may be shown


def _frame(
    state: dict[str, Any],
    mark: str,
    kind: str,
    width: float,
    height: float,
    body: Markup,
    standalone: bool,
    linked: bool = False,
) -> str:
    """The ``svg`` element around ``body``."""
    style = Markup("<style>{}</style>").format(Markup(own_style("graph"))) if standalone else Markup("")
    opening = _OPENING.format(
        _XMLNS if standalone else "", kind, _n(width), _n(height),
        _n(width * _LARGEST_SCALE), _n(height * _LARGEST_SCALE), "group" if linked else "img",
        mark, mark, mark, _title(state), mark, describe(state),
    )  # fmt: skip
    return str(opening + style + body + Markup("</svg>"))


@lru_cache(maxsize=8)
def own_style(name: str) -> str:
    """The style sheet that a picture carries when it stands alone."""
    return (Path(__file__).parent / "templates" / f"{name}.css").read_text(encoding="utf-8").strip()


def _title(state: dict[str, Any]) -> str:
    return f"Computation graph, {state['phase']}, update {state['step']}"


def describe(state: dict[str, Any]) -> str:
    """The graph in a sentence per node with consumers, for those who cannot see it; short for large graphs."""
    nodes, edges = state["graph"]["nodes"], state["graph"]["edges"]
    if len(nodes) > 24:
        return f"{len(nodes)} nodes and {len(edges)} edges; the table of the graph lists them all."
    parts = []
    for node in nodes:
        value = "" if node["value"] is None else f" = {figures.values(node['value'])}"
        feeds = [notation.text(edge["target"]) for edge in edges if edge["source"] == node["id"]]
        parts.append(f"{notation.text(node['id'])}{value}{' feeds ' + ', '.join(feeds) if feeds else ''}")
    return "; ".join(parts) + "."


def path_classes(graph: dict[str, Any]) -> dict[str, set[int]]:
    """For each node the numbers, in graph order, of those parameters that reach the loss through it."""
    parameters = [node["id"] for node in graph["nodes"] if node["role"] == "parameter"]
    losses = [node["id"] for node in graph["nodes"] if node["role"] == "loss"]
    down: dict[str, list[str]] = {}
    up: dict[str, list[str]] = {}
    for edge in graph["edges"]:
        down.setdefault(edge["source"], []).append(edge["target"])
        up.setdefault(edge["target"], []).append(edge["source"])
    useful = reached(losses, up)
    traces: dict[str, set[int]] = {node["id"]: set() for node in graph["nodes"]}
    for number, parameter in enumerate(parameters):
        for node_id in reached([parameter], down) & useful:
            traces[node_id].add(number)
    return traces


def reached(starts: Iterable[str], ways: dict[str, list[str]]) -> set[str]:
    """All that can be come to from some nodes, themselves included."""
    found = set(starts)
    waiting = list(found)
    while waiting:
        for other in ways.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _classes(first: str, traces: set[int], rank: int) -> str:
    return " ".join([first, *(f"k{number}" for number in sorted(traces) if number < TRACED), f"r{rank}"])


def _rank(row: int, plan: Layout) -> int:
    last = max(plan.rows.values())
    return min(_RANKS - 1, row * (_RANKS - 1) // last) if last else 0


def _edges(state: dict[str, Any], plan: Layout, traces: dict[str, set[int]], mark: str, backward: bool) -> list[Markup]:
    edges = state["graph"]["edges"]
    drawn = []
    for edge in edges:
        source, target = edge["source"], edge["target"]
        route = plan.edges[source, target]
        # a parameter's path runs along an edge whose source it reaches: the target is then reached as well
        through = traces[source] & traces[target]
        arrow = f"marker-{'start' if backward else 'end'}"
        line = _path(route, backward)
        flow = Markup('<path class="flow" pathLength="100" d="{}"/>').format(line) if len(edges) <= _FLOWING else ""
        kind = _classes("e" if through else "e dead", through, _rank(plan.rows[source], plan))
        base = Markup('<path class="base" d="{}" {}="url(#arrow-{})"/>').format(line, Markup(arrow), mark)
        drawn.append(Markup('<g class="{}">{}{}{}</g>').format(kind, base, flow, _label(edge, route)))
    return drawn


def _path(route: Route, backward: bool) -> str:
    """A smooth line through the route's points, interrupted by the label, which leaves and arrives upright."""
    points = list(route.points)
    points[0] = (points[0][0], points[0][1] + (3 if backward else 1))
    points[-1] = (points[-1][0], points[-1][1] - (1 if backward else 3))
    (x, y), *rest = points
    parts = [f"M{_n(x)} {_n(y)}"]
    for next_x, next_y in rest:
        if next_y == route.label.y + route.label.height and y == route.label.y:
            parts.append(f"M{_n(next_x)} {_n(next_y)}")
        elif abs(next_x - x) < 0.5:
            parts.append(f"V{_n(next_y)}")
        else:
            middle = _n((y + next_y) / 2)
            parts.append(f"C{_n(x)} {middle} {_n(next_x)} {middle} {_n(next_x)} {_n(next_y)}")
        x, y = next_x, next_y
    return "".join(parts)


def _label(edge: dict[str, Any], route: Route) -> Markup:
    box = route.label
    sign = sizes.partial_sign(edge)
    value = edge["partial"]["value"]
    lines: list[tuple[str, Markup | str]] = []
    if sign == "":
        fraction = Markup("∂{}/∂{}").format(notation.svg(edge["target"], 3), notation.svg(edge["source"], 3))
        lines.append(("s", fraction))
    elif sign is not None:
        lines.append(("s", sign))
    if value is not None:
        lines.append(("n", figures.fitted(figures.folded(value), box.width, sizes.SMALL_SIZE, bold=True)))
    y = box.y + box.height / 2 + 4 - (len(lines) - 1) * sizes.LABEL_LINE / 2
    return Markup("").join(_text(kind, box, y + i * sizes.LABEL_LINE, text) for i, (kind, text) in enumerate(lines))


def _text(kind: str, box: Box, y: float, text: Markup | str) -> Markup:
    """A line of text in the middle of ``box``; plain text is escaped."""
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, _n(box.centre), _n(y), text)


def _nodes(state: dict[str, Any], plan: Layout, traces: dict[str, set[int]], linked: bool) -> list[Markup]:
    before = _before(state)
    drawn = []
    for node in state["graph"]["nodes"]:
        box = plan.nodes[node["id"]]
        through = traces[node["id"]]
        traced = linked and node["role"] == "parameter" and bool(through) and min(through) < TRACED
        kind = _classes(f"node {node['role']}{' kx' if traced else ''}", through, _rank(plan.rows[node["id"]], plan))
        inside = Markup('<rect x="{}" y="{}" width="{}" height="{}" rx="8"/>').format(
            _n(box.x), _n(box.y), _n(box.width), _n(box.height))  # fmt: skip
        inside += _lines(node, box, before.get(node["id"]))
        if traced:
            drawn.append(Markup('<a class="{}" href="#p-{}">{}</a>').format(kind, node["id"], inside))
        else:
            drawn.append(Markup('<g class="{}">{}</g>').format(kind, inside))
    return drawn


def _before(state: dict[str, Any]) -> dict[str, Any]:
    """What the last update changed each parameter from, while nothing has happened since."""
    if state["phase"] != "ready" or state["last_update"] is None:
        return {}
    return {name: change["before"] for name, change in state["last_update"]["parameters"].items()}


def _lines(node: dict[str, Any], box: Box, before: Any) -> Markup:
    """Name, value, gradient, as far as there are any, centred in the box."""
    room = box.width - 8
    corner = Markup("")
    if node["op"] is not None and notation.is_name(node["id"]):  # its name does not say how it is computed
        sign = notation.operation_sign(str(node["op"]))
        if len(sign) < 3:
            corner = Markup('<text class="op" x="{}" y="{}">{}</text>').format(_n(box.x + 10), _n(box.y + 15), sign)
    title = sizes.node_title(node)
    name = notation.svg(title) if notation.is_name(title) else Markup('<tspan class="u">{}</tspan>').format(title)
    lines: list[tuple[str, Markup | str]] = [("s", name)]
    if node["value"] is not None and not (node["role"] == "constant" and title != node["id"]):
        lines.append(("n", figures.fitted(node["value"], room, sizes.VALUE_SIZE)))
    if node["gradient"] is not None:
        lines.append(("gr", figures.fitted(node["gradient"], room, sizes.SMALL_SIZE, "∇ ", bold=True)))
    elif before is not None:
        lines.append(("was", figures.fitted(before, room, sizes.SMALL_SIZE)))
    middle = box.y + box.height / 2
    starts = {1: (6.0,), 2: (-3.0, 14.0), 3: (-11.0, 6.0, 21.0)}[len(lines)]
    return corner + Markup("").join(
        _text(kind, box, middle + start, text) for (kind, text), start in zip(lines, starts, strict=True)
    )


def _too_large(state: dict[str, Any], standalone: bool, mark: str) -> str:
    count = len(state["graph"]["nodes"])
    lines = (f"A graph of {count} nodes is too large to draw", f"(up to {LARGEST} are): see it as a table or as DOT.")
    body = Markup("").join(
        Markup('<text class="s" x="180" y="{}">{}</text>').format(30 + 20 * i, line) for i, line in enumerate(lines)
    )
    return _frame(state, mark, "graph", 360, 70, body, standalone)
