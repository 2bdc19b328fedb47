"""The loss chart, on a logarithmic scale, as SVG with classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from api.pages import figures
from api.pages.figures import coordinate as _n
from api.pages.svg import own_style

_WIDTH, _HEIGHT = 320.0, 180.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 42.0, 312.0, 22.0, 146.0
_DOTS = 24  # so few points are each drawn as a dot


Points = Sequence[tuple[int, float]]


def loss(
    losses: Sequence[tuple[int, Any]],
    validation: Sequence[tuple[int, Any]] = (),
    standalone: bool = False,
    *,
    mark: str = "",
) -> str:
    """The losses as ``(step, loss)`` pairs in order, and those of the validation rows at the ends of epochs;
    ``standalone`` with its own style, for ``loss.svg``.

    Losses may be the JSON's strings for what is not finite, crosses on the upper edge; zeros lie on the lower. ``mark``
    ends the ids, so that a page can hold several charts.
    """
    # a step's loss is known with the update that ends it: the first step is update 1
    points, beside = ([(step + 1, figures.to_float(value)) for step, value in each] for each in (losses, validation))
    opening = Markup('<svg {}class="chart" viewBox="0 0 {} {}" {}role="img" aria-labelledby="lt{} ld{}">').format(
        Markup('xmlns="http://www.w3.org/2000/svg" ') if standalone else "", int(_WIDTH), int(_HEIGHT),
        Markup('width="640" height="360" ') if standalone else "", mark, mark)  # fmt: skip
    head = Markup('<title id="lt{}">Loss after each update, logarithmic scale</title><desc id="ld{}">{}</desc>').format(
        mark, mark, described(points, beside))  # fmt: skip
    style = Markup("<style>{}</style>").format(Markup(own_style("chart"))) if standalone else ""
    return str(opening + head + style + (_Scale(points, beside).draw() if points else _empty()) + Markup("</svg>"))


def described(points: Points, validation: Points) -> str:
    """Both curves in words."""
    return describe(points) + (f" Validation rows: {describe(validation)}" if validation else "")


def describe(points: Points) -> str:
    """The curve in words: how many losses, the first, the last, the lowest."""
    if not points:
        return "No update yet."
    finite = [value for _, value in points if math.isfinite(value)]
    lowest = f", lowest {figures.number(min(finite))}" if finite else ""
    return (f"Update {points[0][0]} to {points[-1][0]}: first {figures.number(points[0][1])}, "
            f"last {figures.number(points[-1][1])}{lowest}.")  # fmt: skip


def _empty() -> Markup:
    return Markup('<text class="tick" x="160" y="90" text-anchor="middle">The first update draws a point here.</text>')


class _Scale:
    """The axes of one chart: decades upwards, updates to the right."""

    def __init__(self, points: Points, validation: Points = ()) -> None:
        self.points, self.validation = points, validation
        every = [value for _, value in (*points, *validation)]
        positive = [value for value in every if 0 < value < math.inf] or [1.0]
        self.low = math.floor(math.log10(min(positive)))
        if any(value <= 0 for value in every):
            self.low -= 1  # zero has no place on this scale: it lies below everything that has
        self.high = max(math.ceil(math.log10(max(positive))), self.low + 1)
        self.first = points[0][0]
        self.last = max(points[-1][0], self.first + 1)

    def x(self, step: float) -> float:
        return _LEFT + (step - self.first) / (self.last - self.first) * (_RIGHT - _LEFT)

    def y(self, value: float) -> float:
        """Where a loss stands; zero on the lower edge, what is not finite on the upper."""
        if not math.isfinite(value):
            return _TOP
        if value <= 0:
            return _BOTTOM
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return _BOTTOM - share * (_BOTTOM - _TOP)

    def draw(self) -> Markup:
        lines = self._line("line", self.points) + self._line("held", self.validation)
        return self._grid() + self._steps() + lines + self._dots() + self._legend()

    def _grid(self) -> Markup:
        decades = range(self.low, self.high + 1)
        every = -(-len(decades) // 6)
        lines = Markup("")
        for power in decades[::every]:
            y = _BOTTOM - (power - self.low) / (self.high - self.low) * (_BOTTOM - _TOP)
            lines += Markup('<path class="grid" d="M{} {}H{}"/>').format(_n(_LEFT), _n(y), _n(_RIGHT))
            lines += Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(
                _n(_LEFT - 6), _n(y + 4), _decade(power))  # fmt: skip
        return lines

    def _steps(self) -> Markup:
        marks = Markup("")
        for step in round_steps(self.first, self.last):
            x = self.x(step)
            marks += Markup('<path class="tk" d="M{} {}v4"/>').format(_n(x), _n(_BOTTOM))
            anchor = "end" if x > _RIGHT - 8 else "middle"
            marks += Markup('<text class="tick" x="{}" y="{}" text-anchor="{}">{}</text>').format(
                _n(x), _n(_BOTTOM + 16), anchor, step)  # fmt: skip
        name = Markup('<text class="tick" x="{}" y="{}" text-anchor="end">update</text>')
        return marks + name.format(_n(_RIGHT), _n(_HEIGHT - 4))

    def _line(self, style: str, points: Points) -> Markup:
        pieces: list[list[str]] = [[]]
        for step, value in points:
            if math.isfinite(value):
                pieces[-1].append(f"{_n(self.x(step))},{_n(self.y(value))}")
            elif pieces[-1]:
                pieces.append([])
        return Markup("").join(
            Markup('<polyline class="{}" points="{}"/>').format(style, " ".join(piece))
            for piece in pieces
            if len(piece) > 1
        )

    def _legend(self) -> Markup:
        """What the second curve is, if there is one."""
        if not self.validation:
            return Markup("")
        dots = Markup("").join(
            Markup('<circle class="hpt" cx="{}" cy="{}" r="2.6"/>').format(_n(self.x(step)), _n(self.y(value)))
            for step, value in self.validation
            if len(self.validation) <= _DOTS and math.isfinite(value)
        )
        line = Markup('<path class="held" d="M{} {}h16"/>').format(_n(_LEFT), _n(_TOP - 12))
        name = Markup('<text class="tick" x="{}" y="{}">validation</text>').format(_n(_LEFT + 20), _n(_TOP - 8))
        return dots + line + name

    def _dots(self) -> Markup:
        dots = Markup("")
        for step, value in self.points:
            x, y = _n(self.x(step)), _n(self.y(value))
            if not math.isfinite(value):
                dots += Markup('<path class="bad" d="M{} {}m-4-4 8 8m0-8-8 8"/>').format(x, y)
            elif len(self.points) <= _DOTS:
                dots += Markup('<circle class="pt" cx="{}" cy="{}" r="2.6"/>').format(x, y)
        return dots + self._last()

    def _last(self) -> Markup:
        """The last loss in figures, clear of the curve: above it, below it, or over the chart."""
        step, value = self.points[-1]
        x, y = self.x(step), self.y(value)
        beside = [self.y(other) for place, other in (*self.points, *self.validation) if abs(self.x(place) - x) < 66]
        above, below = min(beside) - 9, max(beside) + 18
        text_y = above if above > _TOP + 6 else below if below < _BOTTOM - 4 else _TOP - 10
        dot = Markup('<circle class="last" cx="{}" cy="{}" r="4"/>').format(_n(x), _n(y))
        anchor = "end" if x > _LEFT + 60 else "start"
        text = Markup('<text class="lastl" x="{}" y="{}" text-anchor="{}">{}</text>').format(
            _n(x), _n(text_y), anchor, figures.number(value))  # fmt: skip
        return (dot if math.isfinite(value) else Markup("")) + text


def _decade(power: int) -> str:
    return figures.number(10.0**power, 1) if -3 <= power <= 4 else f"10{figures.superscript(power)}"


def round_steps(first: int, last: int, most: int = 6) -> list[int]:
    """Round numbers between two steps, both ends' neighbours included, at most ``most`` of them."""
    stride = 1
    for smaller, larger in pairwise(n * 10**power for power in range(18) for n in (1, 2, 5)):
        stride = smaller
        if (last - first) // smaller < most:
            break
        stride = larger
    start = -(-first // stride) * stride
    return list(range(start, last + 1, stride))
