"""The article's optimisers as one would type its formulas: independent of the engine, on the article's own data."""

from __future__ import annotations

import math
from collections.abc import Callable

ROWS = ((4, 1, 2), (2, 8, -14), (1, 0, 1), (3, 2, -1), (1, 4, -7), (6, 7, -8))
Four = tuple[float, float, float, float]
Rule = Callable[[float, float, float, float, float, int], Four]
"""(w, g, m, v, what else is carried, t) → the first, the third and so on of these after the step."""


def trained(kind: str, start: list[float], updates: int) -> list[list[float]]:
    """w1, w2, b after each update with the article's defaults, one row at a time."""
    w, found = list(start), []
    m, v, other = [0.0] * 3, [0.0] * 3, [0.0] * 3
    for t in range(1, updates + 1):
        g = gradient([w[i] - 0.01 * m[i] for i in range(3)] if kind == "nesterov" else w, *ROWS[(t - 1) % 6])
        for i in range(3):
            w[i], m[i], v[i], other[i] = RULES[kind](w[i], g[i], m[i], v[i], other[i], t)
        found.append(list(w))
    return found


def gradient(w: list[float], x1: float, x2: float, y: float) -> list[float]:
    """That of (w1·x1 + w2·x2 + b − y)²."""
    slope = 2 * (w[0] * x1 + w[1] * x2 + w[2] - y)
    return [slope * x1, slope * x2, slope]


def _sgd(w: float, g: float, m: float, v: float, o: float, _t: int) -> Four:
    return w - 0.01 * g, m, v, o


def _momentum(w: float, g: float, m: float, v: float, o: float, _t: int) -> Four:
    m = 0.9 * m + 0.1 * g
    return w - 0.01 * m, m, v, o


def _adagrad(w: float, g: float, m: float, v: float, o: float, _t: int) -> Four:
    v += g * g
    return w - 0.01 / math.sqrt(v + 1e-7) * g, m, v, o


def _rmsprop(w: float, g: float, m: float, v: float, o: float, _t: int) -> Four:
    v = 0.9 * v + 0.1 * g**2
    return w - 0.001 / math.sqrt(v + 1e-6) * g, m, v, o


def _adadelta(w: float, g: float, m: float, v: float, o: float, _t: int) -> Four:
    v = 0.95 * v + 0.05 * g**2
    d = math.sqrt(o + 1e-6) / math.sqrt(v + 1e-6) * g
    return w - d, m, v, 0.95 * o + 0.05 * d**2


def _adam(w: float, g: float, m: float, v: float, o: float, t: int) -> Four:
    m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g**2
    return w - 0.001 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v, o


def _adamax(w: float, g: float, m: float, v: float, o: float, t: int) -> Four:
    m, v = 0.9 * m + (1 - 0.9) * g, max(0.999 * v, abs(g))
    return (w - 0.002 * (m / (1 - 0.9**t)) / v if v else w), m, v, o


def _nadam(w: float, g: float, m: float, v: float, o: float, t: int) -> Four:
    m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g**2
    ahead = 0.9 * (m / (1 - 0.9**t)) + (1 - 0.9) * g / (1 - 0.9**t)
    return w - 0.002 / (math.sqrt(v / (1 - 0.999**t)) + 1e-7) * ahead, m, v, o


def _amsgrad(w: float, g: float, m: float, v: float, o: float, _t: int) -> Four:
    m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g**2
    o = max(o, v)
    return w - 0.001 * m / (math.sqrt(o) + 1e-7), m, v, o


RULES: dict[str, Rule] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _momentum,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adadelta": _adadelta,
    "adam": _adam,
    "adamax": _adamax,
    "nadam": _nadam,
    "amsgrad": _amsgrad,
}
