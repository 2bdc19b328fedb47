"""The built-in data sets, as a table.

Once published, a set's rows never change, since sessions keep only its name. The generated ones are drawn from a fixed
seed and rounded to four decimals; the measured ones lie beside this file.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from api.engine.draws import Draws
from api.training import corpus

Rows = tuple[tuple[float, ...], ...]
_STREAM = 10
"""First of the streams that the generated sets are drawn from."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A built-in data set; ``make`` gives its rows, ``row_count`` of them; ``classes`` names its classes 0, 1, …"""

    name: str
    title: str
    columns: tuple[str, ...]
    targets: tuple[str, ...]
    make: Callable[[], Rows]
    row_count: int
    source: str
    classes: tuple[str, ...] = ()

    @property
    def rows(self) -> Rows:
        """The rows, each with a number for every column."""
        return _rows(self.name)


@lru_cache(maxsize=64)
def _rows(name: str) -> Rows:
    return DATASETS[name].make()


def _table(*targets: float) -> Callable[[], Rows]:
    """A truth table of two inputs."""
    inputs = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
    return lambda: tuple((*pair, target) for pair, target in zip(inputs, targets, strict=True))


def _moons() -> Rows:
    """Two half circles that interlock, with normal noise of 0.1."""
    draws = Draws(0, _STREAM)

    def half(t: float, kind: int) -> tuple[float, float]:
        x, y = math.cos(math.pi * t), math.sin(math.pi * t)
        return (1 - x, 0.5 - y) if kind else (x, y)

    return _two_classes(half, draws, 0.1)


def _circles() -> Rows:
    """A circle of radius ½ inside one of radius 1, with normal noise of 0.05."""
    draws = Draws(0, _STREAM + 1)
    return _two_classes(lambda t, kind: ((1 - kind / 2) * math.cos(2 * math.pi * t),
                                         (1 - kind / 2) * math.sin(2 * math.pi * t)), draws, 0.05)  # fmt: skip


def _spirals() -> Rows:
    """Two spirals of one and a half turns around each other, with normal noise of 0.02."""
    draws = Draws(0, _STREAM + 2)

    def arm(t: float, kind: int) -> tuple[float, float]:
        angle = 3 * math.pi * t + math.pi * kind
        return (0.1 + t) * math.cos(angle), (0.1 + t) * math.sin(angle)

    return _two_classes(arm, draws, 0.02)


def _two_classes(curve: Callable[[float, int], tuple[float, float]], draws: Draws, noise: float) -> Rows:
    rows: list[tuple[float, ...]] = []
    for place in range(50):
        for kind in (0, 1):
            x1, x2 = curve(place / 49, kind)
            rows.append((round(x1 + noise * draws.normal(), 4), round(x2 + noise * draws.normal(), 4), float(kind)))
    return tuple(rows)


def _linear_noise() -> Rows:
    """y = 2·x − 1 with normal noise of 0.3, x even between −2 and 2."""
    draws = Draws(0, _STREAM + 3)
    xs = [-2 + 4 * place / 49 for place in range(50)]
    return tuple((round(x, 4), round(2 * x - 1 + 0.3 * draws.normal(), 4)) for x in xs)


def _sequences(count: int, length: int, stream: int, target: Callable[[list[float]], float]) -> Rows:
    draws = Draws(0, stream)
    rows = []
    for _ in range(count):
        values = [round(2 * draws.uniform() - 1, 2) for _ in range(length)]
        rows.append((*values, round(target(values), 2)))
    return tuple(rows)


def _memory() -> Rows:
    """Four numbers between −1 and 1; the target is the first."""
    return _sequences(40, 4, _STREAM + 4, lambda values: values[0])


def _rises() -> Rows:
    """Six numbers between −1 and 1; the target is the largest rise over two steps, at least 0."""
    return _sequences(
        60, 6, _STREAM + 5, lambda values: max(0.0, *(b - a for a, b in zip(values, values[2:], strict=False)))
    )


def _reversal() -> Rows:
    """Three of four symbols, and the same in reverse order: 48 of the 64 that there are."""
    drawn = Draws(0, _STREAM + 6).shuffled(64)[:48]
    words = [(float(one // 16), float(one // 4 % 4), float(one % 4)) for one in drawn]
    return tuple((*word, *reversed(word)) for word in words)


def _skip_grams() -> Rows:
    """Each word of a small corpus with each of its neighbours and three drawn words that are not that neighbour."""
    return corpus.skip_grams(Draws(0, _STREAM + 7))


def _file(name: str) -> Callable[[], Rows]:
    def read() -> Rows:
        lines = files("api.training").joinpath(name).read_text("utf-8").splitlines()
        return tuple(tuple(map(float, row)) for row in csv.reader(lines[1:]))

    return read


_GENERATED = "drawn here"
_IRIS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
_PIXELS = tuple(f"p{row}{column}" for row in range(8) for column in range(8))
_ARTICLE = ((4.0, 1.0, 2.0), (2.0, 8.0, -14.0), (1.0, 0.0, 1.0), (3.0, 2.0, -1.0), (1.0, 4.0, -7.0), (6.0, 7.0, -8.0))
_SYMBOLS, _REVERSED = ("x1", "x2", "x3"), ("y1", "y2", "y3")
_NEGATIVES = tuple(f"negative{place}" for place in range(1, corpus.NEGATIVES + 1))
_XY = ("x1", "x2", "y")

DATASETS: dict[str, Dataset] = {
    row.name: row
    for row in (
        Dataset("article", "Six rows of y = x1 − 2·x2, without noise", _XY, ("y",), lambda: _ARTICLE, 6,
                "R. Karim, “Step-by-step Tutorial on Linear Regression with Stochastic Gradient Descent”"),
        Dataset("and", "Logical and", _XY, ("y",), _table(0, 0, 0, 1), 4, "a truth table"),
        Dataset("or", "Logical or", _XY, ("y",), _table(0, 1, 1, 1), 4, "a truth table"),
        Dataset("xor", "Exclusive or: no line parts it", _XY, ("y",), _table(0, 1, 1, 0), 4,
                "a truth table; M. Minsky, S. Papert, Perceptrons, 1969"),
        Dataset("linear_noise", "A line with noise", ("x", "y"), ("y",), _linear_noise, 50, _GENERATED),
        Dataset("moons", "Two interlocking half circles", _XY, ("y",), _moons, 100, _GENERATED),
        Dataset("circles", "A circle inside another", _XY, ("y",), _circles, 100, _GENERATED),
        Dataset("spirals", "Two spirals around each other", _XY, ("y",), _spirals, 100, _GENERATED),
        Dataset("memory", "Four numbers, of which the first is to be remembered", ("s1", "s2", "s3", "s4", "y"), ("y",),
                _memory, 40, _GENERATED),
        Dataset("rises", "Six numbers and their largest rise over two steps",
                ("s1", "s2", "s3", "s4", "s5", "s6", "y"), ("y",), _rises, 60, _GENERATED),
        Dataset("reversal", "Three symbols, to be said in reverse order", (*_SYMBOLS, *_REVERSED), _REVERSED,
                _reversal, 48, _GENERATED),
        Dataset("skip_grams", "Words of a small corpus, their neighbours, and words that are none",
                ("center", "context", *_NEGATIVES), ("context", *_NEGATIVES), _skip_grams, 216, _GENERATED,
                corpus.VOCABULARY),
        Dataset("iris", "Three species of iris by four measures in cm", (*_IRIS, "species"), ("species",),
                _file("iris.csv"), 150, "R. A. Fisher, 1936; UCI Machine Learning Repository",
                ("setosa", "versicolor", "virginica")),
        Dataset("digits", "Handwritten digits of 8 × 8 pixels from 0 to 16", (*_PIXELS, "digit"), ("digit",),
                _file("digits.csv"), 200, "E. Alpaydin, C. Kaynak, 1998; UCI Machine Learning Repository, CC BY 4.0"),
    )
}  # fmt: skip
