"""A training's course as strips below each other, one for each quantity, over the same updates, as SVG with classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from api.pages import figures, notation
from api.pages.charts import round_steps
from api.pages.figures import coordinate as _n
from api.pages.svg import own_style

MOST = 24
"""Parameters that have a strip of their own; of more, the first."""

_WIDTH, _STRIP, _PLOT, _FOOT = 340.0, 50.0, 34.0, 34.0
_LEFT, _RIGHT = 116.0, 270.0
_FAR = 100.0  # from the least to the greatest of positive numbers, beyond which their scale is logarithmic


class Strip(NamedTuple):
    """One quantity: how it is written, how it is spoken of, and its numbers."""

    sign: Markup
    words: str
    values: list[float]


def course(document: dict[str, Any], standalone: bool = True) -> str:
    """The strips of a course document; ``standalone`` with their own style, for ``course.svg``."""
    steps, strips = document["steps"], list(_strips(document))
    height = _STRIP * len(strips) + _FOOT
    title = "Learning rate, gradients and parameters after each update"
    opening = Markup(
        '<svg {}class="chart" viewBox="0 0 {} {}" {}role="img" aria-labelledby="ct cd"><title id="ct">{}</title>'
        '<desc id="cd">{}</desc>'
    ).format(
        Markup('xmlns="http://www.w3.org/2000/svg" ') if standalone else "",
        int(_WIDTH),
        int(height),
        Markup('width="{}" height="{}" ').format(int(_WIDTH * 1.5), int(height * 1.5)) if standalone else "",
        title,
        describe(steps, strips),
    )
    style = Markup("<style>{}</style>").format(Markup(own_style("chart"))) if standalone else Markup("")
    body = Markup("").join(_draw(strip, steps, _STRIP * place) for place, strip in enumerate(strips))
    left_out = len(document["parameters"]) - MOST
    return str(opening + style + body + _foot(steps, _STRIP * len(strips), left_out) + Markup("</svg>"))


def describe(steps: Sequence[int], strips: Sequence[Strip]) -> str:
    """The strips in words: of each its first and its last number."""
    told = [
        f"{strip.words} from {figures.number(strip.values[0])} to {figures.number(strip.values[-1])}"
        for strip in strips
    ]
    return f"Update {steps[0]} to {steps[-1]}: {'; '.join(told)}."


def _strips(document: dict[str, Any]) -> list[Strip]:
    rate = Strip(Markup('<tspan class="v">η</tspan>'), "learning rate", document["learning_rate"])
    slope = Strip(Markup('‖<tspan class="u">∇</tspan>‖'), "norm of the gradients", document["gradient_norm"])
    found = [rate, slope]
    for name, values in list(document["parameters"].items())[:MOST]:
        sign, words = notation.svg(name), notation.text(name)
        if name in document["norms"]:
            sign, words = Markup("‖{}‖").format(sign), f"norm of {words}"
        found.append(Strip(sign, words, values))
    return found


def _draw(strip: Strip, steps: Sequence[int], top: float) -> Markup:
    finite = [value for value in strip.values if math.isfinite(value)]
    least, most = min(finite, default=0.0), max(finite, default=1.0)
    power = least > 0 and most / least > _FAR
    height = math.log if power else float
    low, high = height(least), height(most)
    if low == high:  # a level line in the middle
        low, high = low - 1.0, high + 1.0
    y = [
        top + 8 + _PLOT * (1 - (height(value) - low) / (high - low)) if math.isfinite(value) else None
        for value in strip.values
    ]
    first, last = steps[0], max(steps[-1], steps[0] + 1)
    x = [_LEFT + (step - first) / (last - first) * (_RIGHT - _LEFT) for step in steps]
    text = Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>')
    parts = [
        text.format("name", 2, _n(top + 30), "start", strip.sign),
        Markup('<path class="grid" d="M{0} {2}H{1}M{0} {3}H{1}"/>').format(
            _n(_LEFT), _n(_RIGHT), _n(top + 8), _n(top + 8 + _PLOT)
        ),
    ]
    if least == most:
        parts.append(text.format("tick", _n(_LEFT - 6), _n(top + 29), "end", _short(most)))
    else:
        parts.append(text.format("tick", _n(_LEFT - 6), _n(top + 13), "end", _short(most)))
        parts.append(text.format("tick", _n(_LEFT - 6), _n(top + 12 + _PLOT), "end", _short(least)))
    parts += [Markup('<polyline class="line" points="{}"/>').format(piece) for piece in _pieces(x, y)]
    if y[-1] is not None:
        parts.append(Markup('<circle class="last" cx="{}" cy="{}" r="3.4"/>').format(_n(x[-1]), _n(y[-1])))
    parts.append(text.format("lastl", _n(_RIGHT + 8), _n(top + 29), "start", _short(strip.values[-1])))
    return Markup("").join(parts)


def _short(value: float) -> str:
    return figures.fitted(value, 62, 11)


def _pieces(x: Sequence[float], y: Sequence[float | None]) -> list[str]:
    """The line's points, a piece for each stretch of finite numbers."""
    pieces: list[list[str]] = [[]]
    for across, up in zip(x, y, strict=True):
        if up is not None:
            pieces[-1].append(f"{_n(across)},{_n(up)}")
        elif pieces[-1]:
            pieces.append([])
    return [" ".join(piece) for piece in pieces if len(piece) > 1]


def _foot(steps: Sequence[int], top: float, left_out: int) -> Markup:
    first, last = steps[0], max(steps[-1], steps[0] + 1)
    marks = Markup("")
    for step in round_steps(first, last, 4):
        x = _LEFT + (step - first) / (last - first) * (_RIGHT - _LEFT)
        marks += Markup('<path class="tk" d="M{} {}v4"/>').format(_n(x), _n(top))
        marks += Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            _n(x), _n(top + 16), step
        )
    marks += Markup('<text class="tick" x="{}" y="{}" text-anchor="start">update</text>').format(
        _n(_RIGHT + 20), _n(top + 16)
    )
    if left_out > 0:
        marks += Markup('<text class="tick" x="2" y="{}">{} more parameters</text>').format(_n(top + 30), left_out)
    return marks
