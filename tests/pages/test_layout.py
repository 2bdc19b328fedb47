from __future__ import annotations

import time
from itertools import combinations, pairwise
from typing import Any

import pytest

from api.pages import layered
from api.pages import layout as module
from api.pages.layout import LARGEST, Box, Layout, layout
from tests.pages.documents import GRAPHS, article, state


def laid_out(graph: dict[str, Any]) -> Layout:
    plan = layout(graph)
    assert plan is not None
    return plan


def overlap(a: Box, b: Box) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


def chain(length: int) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = [
        {"id": f"n{i}", "role": "operation", "op": "exp", "shape": [], "value": None} for i in range(length)
    ]
    edges = [
        {"source": f"n{i}", "target": f"n{i + 1}", "partial": {"formula": "", "value": None}} for i in range(length - 1)
    ]
    return {"nodes": nodes, "edges": edges}


@pytest.mark.parametrize("name", GRAPHS)
def test_no_two_boxes_or_labels_overlap(name: str) -> None:
    plan = laid_out(GRAPHS[name])
    boxes = [*plan.nodes.items(), *((edge, route.label) for edge, route in plan.edges.items())]
    assert not [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if overlap(one, other)]


@pytest.mark.parametrize("name", GRAPHS)
def test_forward_reads_downwards_from_box_to_box(name: str) -> None:
    plan = laid_out(GRAPHS[name])
    for (source, target), route in plan.edges.items():
        above, below = plan.nodes[source], plan.nodes[target]
        (start, top), (end, bottom) = route.points[0], route.points[-1]
        assert top == above.y + above.height
        assert bottom == below.y
        assert above.x < start < above.x + above.width
        assert below.x < end < below.x + below.width
        assert all(y <= next_y for (_, y), (_, next_y) in pairwise(route.points))


@pytest.mark.parametrize("name", GRAPHS)
def test_a_label_lies_on_its_edge(name: str) -> None:
    for route in laid_out(GRAPHS[name]).edges.values():
        label = route.label
        through = [x for x, y in route.points if y in (label.y, label.y + label.height)]
        assert len(through) == 2
        assert all(abs(x - label.centre) <= 0.1 for x in through)


@pytest.mark.parametrize("name", GRAPHS)
def test_no_edge_runs_through_a_box_that_it_only_passes(name: str) -> None:
    plan = laid_out(GRAPHS[name])
    for (source, target), route in plan.edges.items():
        for node, box in plan.nodes.items():
            if node not in (source, target):
                inside = [x for x, y in route.points if box.y <= y <= box.y + box.height]
                assert not [x for x in inside if box.x <= x <= box.x + box.width], (source, target, node)


@pytest.mark.parametrize("name", GRAPHS)
def test_everything_lies_within_the_picture(name: str) -> None:
    plan = laid_out(GRAPHS[name])
    boxes = [*plan.nodes.values(), *(route.label for route in plan.edges.values())]
    assert all(box.x >= 0 and box.x + box.width <= plan.width for box in boxes)
    assert all(box.y >= 0 and box.y + box.height <= plan.height for box in boxes)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_same_graph_is_laid_out_the_same_within_50_ms(name: str) -> None:
    plans, times = [], []
    for _ in range(5):
        module._layout.cache_clear()
        start = time.perf_counter()
        plans.append(laid_out(GRAPHS[name]))
        times.append(time.perf_counter() - start)
    assert all(plan == plans[0] for plan in plans)
    assert min(times) < 0.05


def test_nothing_moves_when_numbers_come_and_change() -> None:
    plans = [laid_out(state(article(phase))["graph"]) for phase in ("ready", "forward", "backward")]
    assert plans[0] == plans[1] == plans[2]


def test_the_linear_graph_and_its_operations_are_drawn_without_crossings() -> None:
    for name in ("article, named", "article, ops"):
        assert crossings(laid_out(GRAPHS[name])) == 0


def test_layered_networks_have_the_crossings_that_cannot_be_avoided_and_no_more() -> None:
    # two inputs that each feed n units side by side cross at least n·(n − 1)/2 times; Graphviz needs 4 to 44 here
    for detail in ("named", "ops"):
        assert crossings(laid_out(GRAPHS[f"2-3-1, {detail}"])) == 3
        assert crossings(laid_out(GRAPHS[f"2-5-1, {detail}"])) == 10


def test_the_units_of_a_layer_stand_in_one_row() -> None:
    rows = laid_out(GRAPHS["2-5-1, ops"]).rows
    assert len({rows[f"h1_{unit}"] for unit in range(1, 6)}) == 1
    assert rows["x1"] == rows["x2"] == 0


def crossings(plan: Layout) -> int:
    """Pairs of edges that cross on their straight pieces between rows."""
    pieces = [piece for route in plan.edges.values() for piece in pairwise(route.points)]
    return sum(cross(a, b) for a, b in combinations(pieces, 2))


def cross(a: tuple[module.Point, module.Point], b: tuple[module.Point, module.Point]) -> bool:
    top, bottom = max(a[0][1], b[0][1]), min(a[1][1], b[1][1])
    if top >= bottom:
        return False
    return (at(a, top) - at(b, top)) * (at(a, bottom) - at(b, bottom)) < 0


def at(piece: tuple[module.Point, module.Point], y: float) -> float:
    (x0, y0), (x1, y1) = piece
    return x0 + (x1 - x0) * (y - y0) / (y1 - y0) if y1 > y0 else x0


def test_a_graph_as_deep_as_may_be_drawn_is_drawn() -> None:
    plan = laid_out(chain(LARGEST))
    assert len({box.x for box in plan.nodes.values()}) == 1


def test_a_graph_too_large_to_read_is_not_laid_out() -> None:
    assert layout(chain(LARGEST + 1)) is None
    assert layout(chain(5_000)) is None


def test_a_graph_without_nodes_takes_no_room() -> None:
    plan = laid_out({"nodes": [], "edges": []})
    assert (plan.width, plan.height) == (0, 0)


def test_crossings_are_counted_between_rows() -> None:
    assert layered.crossings([[0, 1], [2, 3]], [[3], [2], [], []]) == 1
    assert layered.crossings([[0, 1], [2, 3]], [[2], [3], [], []]) == 0
    assert layered.crossings([[0, 1], [2, 3]], [[2, 3], [2, 3], [], []]) == 1


def test_sweeps_undo_crossings_that_an_order_made() -> None:
    down = [[5], [4], [3], [], [], []]
    up = [[], [], [], [2], [1], [0]]
    assert layered.crossings([[0, 1, 2], [3, 4, 5]], down) == 3
    assert layered.crossings(layered.ordered([[0, 1, 2], [3, 4, 5]], up, down, 8), down) == 0


def test_the_isotonic_fit_pools_what_is_out_of_order() -> None:
    assert layered.isotonic([1.0, 2.0, 3.0], [1, 1, 1]) == [1.0, 2.0, 3.0]
    assert layered.isotonic([3.0, 1.0], [1, 1]) == [2.0, 2.0]
    assert layered.isotonic([3.0, 1.0], [3, 1]) == [2.5, 2.5]
    assert layered.isotonic([], []) == []
