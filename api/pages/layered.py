"""Vertices in rows: in which row, in which order and at which x each stands. The combinatorial half of the layout.

A vertex is an integer; ``rows`` lists them from top to bottom, ``up[v]`` and ``down[v]`` are its neighbours in the next
rows. Nothing here recurses, draws at random, or depends on hashes: the same rows always give the same picture.
Method: barycentre sweeps with exchange of neighbours for the order (Sugiyama 1981, Gansner 1993), and for x the least
squares fit to the neighbours that keeps the order, by pooling adjacent violators.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Collection, Sequence
from itertools import pairwise

Rows = list[list[int]]
Neighbours = list[list[int]]


def ranks(count: int, edges: Sequence[tuple[int, int]], fed: Collection[int]) -> list[int]:
    """The row of each vertex, 0 at the top, of a graph without cycles whose edges run downwards.

    What depends on ``fed`` stands as high as it can; all else right above its first consumer, a source that has several
    one row higher.
    """
    consumers: Neighbours = [[] for _ in range(count)]
    operands: Neighbours = [[] for _ in range(count)]
    for source, target in edges:
        consumers[source].append(target)
        operands[target].append(source)
    order = _topological(consumers, operands)
    depth = [0] * count
    depends = [vertex in fed for vertex in range(count)]
    for vertex in order:
        for operand in operands[vertex]:
            depth[vertex] = max(depth[vertex], depth[operand] + 1)
            depends[vertex] = depends[vertex] or depends[operand]
    rank = list(depth)
    for vertex in reversed(order):
        if not (operands[vertex] and depends[vertex]):
            first = min((rank[consumer] for consumer in consumers[vertex]), default=max(depth) + 1)
            rank[vertex] = first - (1 if operands[vertex] or len(consumers[vertex]) < 2 else 2)
    return [one - min(rank) for one in rank]


def _topological(consumers: Neighbours, operands: Neighbours) -> list[int]:
    """All vertices, each behind its operands."""
    waiting = [len(before) for before in operands]
    order = [vertex for vertex, missing in enumerate(waiting) if not missing]
    for vertex in order:  # the list grows while it is walked
        for consumer in consumers[vertex]:
            waiting[consumer] -= 1
            if not waiting[consumer]:
                order.append(consumer)
    return order


def crossings(rows: Rows, down: Neighbours) -> int:
    """How many pairs of edges cross, edges being straight between adjacent rows."""
    total = 0
    for upper, lower in pairwise(rows):
        index = {vertex: i for i, vertex in enumerate(lower)}
        seen: list[int] = []
        for vertex in upper:
            ends = sorted(index[other] for other in down[vertex])
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def ordered(rows: Rows, up: Neighbours, down: Neighbours, sweeps: int) -> Rows:
    """``rows`` rearranged for few crossings; the best of the orders met in so many sweeps down and up."""
    index = [0] * len(up)
    current = [list(row) for row in rows]
    for row in current:
        _number(row, index)
    best, fewest, stale = [list(row) for row in rows], crossings(rows, down), 0
    for sweep in range(sweeps):
        if fewest == 0 or stale > 5:
            break
        downwards = sweep % 2 == 0
        for row in current if downwards else reversed(current):
            _sort_by_barycentre(row, up if downwards else down, index)
        _exchange_neighbours(current, up, down, index)
        count = crossings(current, down)
        stale += 1
        if count < fewest:
            best, fewest, stale = [list(row) for row in current], count, 0
    return best


def _number(row: list[int], index: list[int]) -> None:
    for i, vertex in enumerate(row):
        index[vertex] = i


def _sort_by_barycentre(row: list[int], neighbours: Neighbours, index: list[int]) -> None:
    """Order one row by its neighbours' mean place; a vertex without any stays beside the one on its left."""
    key: dict[int, float] = {}
    last = -1.0
    for vertex in row:
        near = neighbours[vertex]
        last = sum(index[other] for other in near) / len(near) if near else last
        key[vertex] = last
    row.sort(key=key.__getitem__)
    _number(row, index)


def _exchange_neighbours(rows: Rows, up: Neighbours, down: Neighbours, index: list[int], passes: int = 3) -> None:
    for _ in range(passes):
        better = False
        for row in rows:
            for i in range(len(row) - 1):
                left, right = row[i], row[i + 1]
                gain = _gain(up[left], up[right], index) + _gain(down[left], down[right], index)
                if gain > 0:
                    row[i], row[i + 1] = right, left
                    index[left], index[right] = i + 1, i
                    better = True
        if not better:
            return


def _gain(left: Sequence[int], right: Sequence[int], index: list[int]) -> int:
    """By how many crossings an exchange of two vertices with these neighbours is better; negative if worse."""
    gain = 0
    for a in left:
        place = index[a]
        for b in right:
            other = index[b]
            gain += (place > other) - (place < other)
    return gain


def placed(rows: Rows, up: Neighbours, down: Neighbours, width: Sequence[float], stiff: Sequence[float], gap: float,
           sweeps: int = 16) -> list[float]:  # fmt: skip
    """The centre x of every vertex: no two closer than their widths and ``gap`` allow, each near its neighbours' mean.

    ``stiff`` is how much a vertex insists on a straight line: high for the bends of long edges.
    """
    x = [0.0] * len(width)
    offsets = [_offsets(row, width, gap) for row in rows]
    for row, offset in zip(rows, offsets, strict=True):
        middle = (offset[0] + offset[-1]) / 2
        for vertex, place in zip(row, offset, strict=True):
            x[vertex] = place - middle
    for sweep in range(sweeps):
        downwards = sweep % 2 == 0
        sides = [up, down] if sweep >= 4 else [up] if downwards else [down]
        lines = list(zip(rows, offsets, strict=True))
        for row, offset in lines if downwards else reversed(lines):
            _settle(row, offset, sides, stiff, x)
    return x


def settle(rows: Rows, up: Neighbours, down: Neighbours, width: Sequence[float], stiff: Sequence[float], gap: float,
           x: list[float]) -> None:  # fmt: skip
    """Move the vertices of these rows once more, by other ``stiff`` than before; changes ``x``."""
    for row in rows:
        if row:
            _settle(row, _offsets(row, width, gap), [up, down], stiff, x)


def _offsets(row: list[int], width: Sequence[float], gap: float) -> list[float]:
    """How far each vertex of a row stands from the first, packed as tightly as may be."""
    places = [0.0]
    for left, right in pairwise(row):
        places.append(places[-1] + (width[left] + width[right]) / 2 + gap)
    return places


def _settle(row: list[int], offset: list[float], sides: list[Neighbours], stiff: Sequence[float],
            x: list[float]) -> None:  # fmt: skip
    """Move one row to where its neighbours want it, keeping order and distances."""
    wishes, weights = [], []
    for vertex, place in zip(row, offset, strict=True):
        total = pull = 0.0
        for side in sides:
            for other in side[vertex]:
                strength = stiff[vertex] * stiff[other]
                total += strength * x[other]
                pull += strength
        wishes.append((total / pull if pull else x[vertex]) - place)
        weights.append(pull or 0.01)
    for vertex, place, base in zip(row, offset, isotonic(wishes, weights), strict=True):
        x[vertex] = base + place


def isotonic(wishes: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing numbers nearest to ``wishes`` in weighted least squares (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for wish, weight in zip(wishes, weights, strict=True):
        pool = (wish, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, heavy, count = pools.pop()
            together = heavy + pool[1]
            pool = ((mean * heavy + pool[0] * pool[1]) / together, together, count + pool[2])
        pools.append(pool)
    return [mean for mean, _, count in pools for _ in range(count)]
