"""A graph at a glance, for a gallery: circles in the roles' colours and lines between them, forward to the right.

It is our own layout laid on its side. No number stands in it, so it changes only when the graph does.
"""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from api.pages import notation, svg
from api.pages.figures import coordinate as _n
from api.pages.layout import Box, Layout, Point, layout

_RADIUS = 33.0
_MARGIN = 8  # a circle is taller than its node's box
_NAMED = 20  # of more nodes the names would be too small to read
_LINE = 5.0  # as wide as a thin line is where the whole picture is small


def outline(graph: dict[str, Any], title: str) -> str:
    """The SVG of a state document's graph, which stands alone; ``title`` says what it is."""
    plan = layout(graph)
    if plan is None:
        raise ValueError("this graph is too large to be drawn")
    wide, high = plan.height + 2 * _MARGIN, plan.width + 2 * _MARGIN
    lines = Markup("").join(Markup('<path d="{}"/>').format(_line(plan, *ends)) for ends in plan.edges)
    circles = Markup("").join(_circle(node, plan, len(graph["nodes"]) <= _NAMED) for node in graph["nodes"])
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="{} {} {} {}" width="{}" height="{}" role="img" '
            'aria-labelledby="t"><title id="t">{}</title><style>{}path{{stroke-width:{}}}</style>{}{}</svg>'
        ).format(
            -_MARGIN, -_MARGIN, _n(wide), _n(high), _n(wide), _n(high), title, Markup(svg.own_style("outline")),
            _n(_LINE if len(graph["nodes"]) > _NAMED else _LINE / 2), lines, circles,
        )
    )  # fmt: skip


def _centre(box: Box) -> Point:
    return box.y + box.height / 2, box.centre


def _circle(node: dict[str, Any], plan: Layout, named: bool) -> Markup:
    x, y = _centre(plan.nodes[node["id"]])
    circle = Markup('<circle class="{}" cx="{}" cy="{}" r="{}"/>').format(node["role"], _n(x), _n(y), _n(_RADIUS))
    if not (named and notation.is_name(node["id"])):
        return circle
    sign = notation.symbol(node["id"])
    if len(sign.base) + len(sign.subscript) > 4:
        return circle
    below = Markup('<tspan class="sub" dy="8">{}</tspan>').format(sign.subscript) if sign.subscript else ""
    return circle + Markup('<text x="{}" y="{}">{}{}</text>').format(_n(x), _n(y + 12), sign.base, below)


def _line(plan: Layout, source: str, target: str) -> str:
    """A smooth line from circle to circle on the edge's way."""
    way = plan.edges[source, target].points[1:-1]
    (x, y), *rest = _centre(plan.nodes[source]), *((y, x) for x, y in way), _centre(plan.nodes[target])
    parts = [f"M{_n(x)} {_n(y)}"]
    for next_x, next_y in rest:
        if abs(next_y - y) < 0.5:
            parts.append(f"H{_n(next_x)}")
        else:
            middle = _n((x + next_x) / 2)
            parts.append(f"C{middle} {_n(y)} {middle} {_n(next_y)} {_n(next_x)} {_n(next_y)}")
        x, y = next_x, next_y
    return "".join(parts)
