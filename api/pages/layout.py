"""Where the nodes, edges and labels of a graph stand: a layered layout in which forward reads downwards.

What depends on the data stands as high as its operands allow, so that the units of a layer stand in one row. Everything
else (data, parameters, what is computed from parameters alone) stands right above its first consumer, and a source that
has several one row higher: so its edges need not cross those of its neighbours.

Between two rows of nodes lies a row of labels. A label, and a long edge's way past a row of nodes, is a vertex of its
own: so a label sits on its edge and nothing lies over anything. Order and x come from :mod:`api.pages.layered`.

The layout follows from names, shapes and edges alone, never from numbers: it is computed once per structure and cached.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

from api.pages import layered, sizes

LARGEST = 400
"""A graph of more nodes is not drawn: nobody could read it, and the rows would take seconds to order."""

NODE_GAP = 5.0
MARGIN = 3.0
_THIN = 6.0  # the width of a long edge on its way past a row of nodes
_STEP = 17.0  # the least height between two rows: room for an arrow head
_APART = 12.0  # two edges meet a box no nearer to each other
_LOOSE = 0.08  # how much the label of a mere input pulls, a result's being 2
_CORNER = 13.0  # no edge meets a box nearer to its corner

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its top left corner, in pixels, y downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> float:
        """The x of the middle."""
        return self.x + self.width / 2


@dataclass(frozen=True, slots=True)
class Route:
    """An edge's way from its source's lower side to its target's upper side, and where its label stands on it."""

    points: tuple[Point, ...]
    label: Box


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture's size, its boxes by node id, its edges by (source, target), and each node's row from 0 at the top."""

    width: float
    height: float
    nodes: dict[str, Box]
    edges: dict[tuple[str, str], Route]
    rows: dict[str, int]


def layout(graph: dict[str, Any]) -> Layout | None:
    """The layout of a state's ``graph`` document, or None if it has more than :data:`LARGEST` nodes."""
    nodes = graph["nodes"]
    if len(nodes) > LARGEST:
        return None
    index = {node["id"]: i for i, node in enumerate(nodes)}
    incoming = [0] * len(nodes)
    for edge in graph["edges"]:
        incoming[index[edge["target"]]] += 1
    boxes = tuple(sizes.node_size(node, count) for node, count in zip(nodes, incoming, strict=True))
    edges = tuple(
        (index[e["source"]], index[e["target"]],
         *sizes.label_size(e, nodes[index[e["source"]]], nodes[index[e["target"]]]))
        for e in graph["edges"]
    )  # fmt: skip
    fed = frozenset(index[node["id"]] for node in nodes if node["role"] == "placeholder")
    return _layout(tuple(index), boxes, edges, fed)


Edge = tuple[int, int, float, float]


@lru_cache(maxsize=512)
def _layout(
    names: tuple[str, ...], boxes: tuple[tuple[float, float], ...], edges: tuple[Edge, ...], fed: frozenset[int]
) -> Layout:
    if not names:
        return Layout(0.0, 0.0, {}, {}, {})
    net = _Net(boxes, edges, fed)
    net.arrange()
    ways = net.ways()
    tops = net.heights(ways)
    left = min(x - width / 2 for x, width in zip(net.x, net.width, strict=True)) - MARGIN
    right = max(x + width / 2 for x, width in zip(net.x, net.width, strict=True)) + MARGIN
    placed: dict[str, Box] = {}
    for i, name in enumerate(names):
        width, height = boxes[i]
        row = net.row[i]
        top = tops[row] + (net.height[row] - height) / 2
        placed[name] = Box(_round(net.x[i] - width / 2 - left), _round(top), width, height)
    routes = {}
    for edge, way in zip(edges, ways, strict=True):
        source, target = names[edge[0]], names[edge[1]]
        routes[source, target] = _route(way, tops, net.height, left, placed[source], placed[target])
    bottom = tops[-1] + net.height[-1] + MARGIN
    rows = {name: net.row[i] // 2 for i, name in enumerate(names)}
    return Layout(_round(right - left), _round(bottom), placed, routes, rows)


def _round(x: float) -> float:
    return round(x, 1) + 0.0  # + 0.0 turns −0.0 into 0.0


@dataclass(slots=True)
class _Way:
    """One edge: the x where it leaves and arrives, and for each row it passes that row and its x there."""

    leaves: float
    arrives: float
    passes: list[tuple[int, float]]
    label: tuple[int, float, float]  # row, width, height


def _route(way: _Way, tops: list[float], heights: list[float], left: float, source: Box, target: Box) -> Route:
    points = [(way.leaves - left, source.y + source.height)]
    label = Box(0, 0, 0, 0)
    for row, x in way.passes:
        above, below = tops[row], tops[row] + heights[row]
        if row == way.label[0]:
            _, width, height = way.label
            above += (heights[row] - height) / 2
            below = above + height
            label = Box(_round(x - left - width / 2), _round(above), _round(width), height)
        points += [(x - left, above), (x - left, below)]
    points.append((way.arrives - left, target.y))
    return Route(tuple((_round(x), _round(y)) for x, y in points), label)


@dataclass(slots=True)
class _Net:
    """The graph with every label and every passing edge as a vertex; nodes are the first vertices, in their order."""

    boxes: tuple[tuple[float, float], ...]
    edges: tuple[Edge, ...]
    fed: frozenset[int]
    row: list[int] = field(default_factory=list)
    width: list[float] = field(default_factory=list)
    x: list[float] = field(default_factory=list)
    height: list[float] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    up: list[list[int]] = field(default_factory=list)
    down: list[list[int]] = field(default_factory=list)
    chains: list[list[int]] = field(default_factory=list)  # per edge: its vertices, from source to target
    labels: list[int] = field(default_factory=list)  # per edge: the row of its label

    def arrange(self) -> None:
        """Give every vertex its row, its order in the row, and its x."""
        self.row = [2 * rank for rank in layered.ranks(len(self.boxes), [edge[:2] for edge in self.edges], self.fed)]
        self.width = [width for width, _ in self.boxes]
        self._choose_label_rows()
        self._string_chains()
        self._measure_rows()
        many = len(self.width)
        sweeps = 24 if many < 500 else 8 if many < 3000 else 2
        self.rows = layered.ordered(self._first_order(), self.up, self.down, sweeps)
        stiff = [1.0] * len(self.boxes) + [2.0] * (many - len(self.boxes))
        for (source, *_), chain in zip(self.edges, self.chains, strict=True):
            if not self.up[source]:  # data and parameters hang on at the side; the line of results runs straight
                for vertex in chain:
                    stiff[vertex] = _LOOSE
        self.x = layered.placed(self.rows, self.up, self.down, self.width, stiff, NODE_GAP, 24 if many < 1000 else 8)
        for source, *_ in self.edges:
            if not self.up[source] and len(self.down[source]) == 1:
                stiff[source] = 100.0  # now bring its label right below it
        layered.settle(self.rows[1::2], self.up, self.down, self.width, stiff, NODE_GAP, self.x)

    def _choose_label_rows(self) -> None:
        """Put each label in the emptiest row of labels on its edge's way, the nearest to the source if several are."""
        filled: dict[int, float] = {}
        spans = sorted(range(len(self.edges)), key=lambda e: self.row[self.edges[e][1]] - self.row[self.edges[e][0]])
        self.labels = [0] * len(self.edges)
        for e in spans:
            source, target, width, _ = self.edges[e]
            best = min(range(self.row[source] + 1, self.row[target], 2), key=lambda row: (filled.get(row, 0.0), row))
            filled[best] = filled.get(best, 0.0) + width
            self.labels[e] = best

    def _string_chains(self) -> None:
        self.up = [[] for _ in self.boxes]
        self.down = [[] for _ in self.boxes]
        for (source, target, width, _), label in zip(self.edges, self.labels, strict=True):
            chain = []
            above = source
            for row in range(self.row[source] + 1, self.row[target]):
                vertex = len(self.width)
                self.width.append(width if row == label else _THIN)
                self.row.append(row)
                self.up.append([above])
                self.down.append([])
                self.down[above].append(vertex)
                chain.append(vertex)
                above = vertex
            self.down[above].append(target)
            self.up[target].append(above)
            self.chains.append(chain)

    def _measure_rows(self) -> None:
        self.height = [0.0] * (max(self.row) + 1)
        for i, (_, height) in enumerate(self.boxes):
            self.height[self.row[i]] = max(self.height[self.row[i]], height)
        for edge, row in zip(self.edges, self.labels, strict=True):
            self.height[row] = max(self.height[row], edge[3])

    def _first_order(self) -> list[list[int]]:
        """The rows as the graph is met from its ends upwards, operands as in the formula: trees come out flat."""
        rows: list[list[int]] = [[] for _ in self.height]
        met = [False] * len(self.width)
        stack = [i for i in range(len(self.boxes)) if not self.down[i]][::-1]
        while stack:
            vertex = stack.pop()
            if not met[vertex]:
                met[vertex] = True
                rows[self.row[vertex]].append(vertex)
                stack.extend(reversed(self.up[vertex]))
        return rows

    def ways(self) -> list[_Way]:
        """Every edge's x at each row; edges meet a box apart from each other, in the order they come from."""
        firsts = [chain[0] for chain in self.chains]
        lasts = [chain[-1] for chain in self.chains]
        leaves = self._ports([edge[0] for edge in self.edges], firsts)
        arrives = self._ports([edge[1] for edge in self.edges], lasts)
        return [
            _Way(leaves[e], arrives[e], [(self.row[v], self.x[v]) for v in chain],
                 (self.labels[e], self.edges[e][2], self.edges[e][3]))
            for e, chain in enumerate(self.chains)
        ]  # fmt: skip

    def _ports(self, ends: list[int], nexts: list[int]) -> list[float]:
        """For each edge the x at which it meets the box ``ends[e]``, coming from the vertex ``nexts[e]``."""
        ports = [0.0] * len(ends)
        meeting: dict[int, list[int]] = {}
        for e, end in enumerate(ends):
            meeting.setdefault(end, []).append(e)
        for end, edges in meeting.items():
            edges.sort(key=lambda e: self.x[nexts[e]])
            reach = self.width[end] / 2 - _CORNER
            if len(edges) > 2:
                step = min(_STEP * 2, 2 * reach / (len(edges) - 1))
                wishes = [(i - (len(edges) - 1) / 2) * step for i in range(len(edges))]
            else:
                wishes = [max(-reach, min(reach, self.x[nexts[e]] - self.x[end])) for e in edges]
                if len(wishes) == 2 and wishes[1] - wishes[0] < _APART:
                    middle = max(_APART / 2 - reach, min(reach - _APART / 2, sum(wishes) / 2))
                    wishes = [middle - _APART / 2, middle + _APART / 2]
            for e, wish in zip(edges, wishes, strict=True):
                ports[e] = self.x[end] + wish
        return ports

    def heights(self, ways: list[_Way]) -> list[float]:
        """The top of every row: two rows are further apart the further an edge between them runs sideways."""
        aside = [0.0] * len(self.height)
        for way, (source, target, _, _) in zip(ways, self.edges, strict=True):
            path = [(self.row[source], way.leaves), *way.passes, (self.row[target], way.arrives)]
            for (row, x), (_, next_x) in pairwise(path):
                aside[row] = max(aside[row], abs(next_x - x))
        tops = [MARGIN]
        for row in range(len(self.height) - 1):
            tops.append(tops[-1] + self.height[row] + _STEP + min(34.0, 0.17 * aside[row]))
        return tops
