"""Random programs for the property tests: formulas of all operations over numbers, and over tensors of any shape.

A program is text that is at once a formula of ours and Python: whatever gives Python's functions of these names a
meaning can run it. Where an operation is not defined everywhere, its operand is written so that it is in its domain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[np.float64]
Shape = tuple[int, ...]
_SUM, _PRODUCT, _UNARY, _POWER, _ATOM = 1, 2, 3, 4, 9
_UNARY_FORMS = (
    "tanh({})", "sigmoid({})", "relu({})", "softplus({})", "sin({})", "cos({})", "abs({})", "square({})",
    "exp(sin({}))", "exp(-square({}))", "log(0.5 + abs({}))", "log(1.5 + sin({}))", "sqrt(0.25 + square({}))",
    "sqrt(softplus({}))", "sigmoid(100*({}))",
)  # fmt: skip
_POWERS = ("{}**2", "{}**3", "{}**0", "{}**1", "(1.5 + sin({}))**-1", "(1.5 + sin({}))**0.5", "(0.5 + abs({}))**-2.5")
_LARGEST = 4
"""The longest axis of a tensor."""
Text = tuple[str, int]
"""A formula, and how tightly its outermost sign binds."""


@dataclass(frozen=True)
class Program:
    """Assignments, the last of which is the loss of one example, and the shapes of what they need."""

    lines: tuple[tuple[str, str], ...]
    placeholders: dict[str, Shape]
    parameters: dict[str, Shape]
    rows: int
    reduction: str
    seed: int

    @property
    def source(self) -> str:
        """The text of the program."""
        return "\n".join(f"{name} = {formula}" for name, formula in self.lines)

    def numbers(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Values for the parameters, and for the placeholders with their rows: quarters, so that there are ties, or
        any numbers between −2 and 2."""
        draws = np.random.default_rng(self.seed)

        def some(shape: Shape) -> Array:
            drawn = np.asarray(draws.uniform(-2, 2, shape))
            return np.round(4 * drawn) / 4 if self.seed % 2 else drawn

        parameters = {name: some(shape) for name, shape in self.parameters.items()}
        return parameters, {name: some((self.rows, *shape)) for name, shape in self.placeholders.items()}


@dataclass
class _Writer:
    """Writes formulas of a wanted shape, from the outermost operation inwards."""

    draw: st.DrawFn
    tensors: bool
    known: dict[str, Shape] = field(default_factory=dict)
    fed: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def pick(self, *choices: str) -> str:
        return self.draw(st.sampled_from(choices))

    def whole(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def formula(self, shape: Shape, depth: int) -> Text:
        if depth <= 0:
            return self.leaf(shape)
        kinds = ["unary", "unary", "power", "negative", "infix", "infix", "infix", "call"]
        if self.tensors:
            kinds += ["matmul"] * 2 * (len(shape) <= 2) + ["reduced", "reduced", "transpose", "reshape", "index"]
            kinds += ["softmax", "concat"] * (len(shape) > 0)
        return getattr(self, self.pick(*kinds))(shape, depth - 1)  # type: ignore[no-any-return]

    def wrapped(self, shape: Shape, depth: int, binds: int) -> str:
        text, own = self.formula(shape, depth)
        return f"({text})" if own < binds else text

    def leaf(self, shape: Shape, depth: int = 0) -> Text:
        del depth
        there = [name for name, own in self.known.items() if own == shape]
        name = self.pick(*there, "new")
        if name == "new":
            fed = self.draw(st.booleans())
            name = f"{'x' if fed else 'w'}{len(self.known)}"
            self.known[name] = shape
            self.fed |= {name} if fed else set()
        self.used.add(name)
        return name, _ATOM

    def unary(self, shape: Shape, depth: int) -> Text:
        return self.pick(*_UNARY_FORMS).format(self.formula(shape, depth)[0]), _ATOM

    def power(self, shape: Shape, depth: int) -> Text:
        return self.pick(*_POWERS).format(self.wrapped(shape, depth, _ATOM)), _POWER

    def negative(self, shape: Shape, depth: int) -> Text:
        return f"-{self.wrapped(shape, depth, _UNARY)}", _UNARY

    def operands(self, shape: Shape) -> tuple[Shape, Shape]:
        """Two shapes that broadcast to this one."""
        if not self.tensors:
            return shape, shape
        one, other = list(shape), list(shape)
        for place in range(len(shape)):
            match self.whole(0, 3):
                case 0:
                    one[place] = 1
                case 1:
                    other[place] = 1
        short = self.whole(0, len(shape))
        dropped = other[short:] if all(a == b for a, b in zip(one[:short], shape, strict=False)) else other
        return (tuple(one), tuple(dropped)) if self.draw(st.booleans()) else (tuple(dropped), tuple(one))

    def infix(self, shape: Shape, depth: int) -> Text:
        left, right = self.operands(shape)
        sign = self.pick("+", "-", "*", "/", "constant")
        if sign == "constant":
            return f"{self.pick('0.5', '3', '1e-1', '-2', '2*3.5')}*{self.wrapped(shape, depth, _UNARY)}", _PRODUCT
        binds = _SUM if sign in "+-" else _PRODUCT
        first = self.wrapped(left, depth, binds)
        if sign == "/":
            return f"{first} / (1.5 + tanh({self.formula(right, depth)[0]}))", binds
        return f"{first} {sign} {self.wrapped(right, depth, binds + 1)}", binds

    def call(self, shape: Shape, depth: int) -> Text:
        left, right = self.operands(shape)
        first, second = self.formula(left, depth)[0], self.formula(right, depth)[0]
        return f"{self.pick('maximum', 'minimum')}({first}, {second})", _ATOM

    def matmul(self, shape: Shape, depth: int) -> Text:
        inner = (self.whole(1, _LARGEST),)
        whole = len(shape) == 2
        left = shape[:1] + inner if whole or (len(shape) == 1 and self.draw(st.booleans())) else inner
        right = inner + shape[len(left) - 1 :]
        return f"{self.wrapped(left, depth, _PRODUCT)} @ {self.wrapped(right, depth, _PRODUCT + 1)}", _PRODUCT

    def reduced(self, shape: Shape, depth: int) -> Text:
        name = self.pick("sum", "mean", "max", "logsumexp")
        if shape == () and self.draw(st.booleans()):
            return f"{name}({self.formula(self.shape(), depth)[0]})", _ATOM
        if len(shape) > 2:
            return self.leaf(shape)
        axis = self.whole(0, len(shape))
        wide = (*shape[:axis], self.whole(1, _LARGEST), *shape[axis:])
        return f"{name}({self.formula(wide, depth)[0]}, axis={self.either_way(axis, len(wide))})", _ATOM

    def either_way(self, axis: int, rank: int) -> int:
        """An axis, counted from the front or from the back."""
        return axis - rank if self.draw(st.booleans()) else axis

    def shape(self) -> Shape:
        return tuple(self.draw(st.lists(st.integers(1, _LARGEST), min_size=1, max_size=3)))

    def softmax(self, shape: Shape, depth: int) -> Text:
        axis = self.whole(-1, len(shape) - 1)
        option = "" if axis < 0 else f", axis={self.either_way(axis, len(shape))}"
        return f"{self.pick('softmax', 'log_softmax')}({self.formula(shape, depth)[0]}{option})", _ATOM

    def transpose(self, shape: Shape, depth: int) -> Text:
        return f"transpose({self.formula(tuple(reversed(shape)), depth)[0]})", _ATOM

    def concat(self, shape: Shape, depth: int) -> Text:
        axis = self.whole(0, len(shape) - 1)
        if shape[axis] < 2:
            return self.leaf(shape)
        cut = self.whole(1, shape[axis] - 1)
        parts = [(*shape[:axis], size, *shape[axis + 1 :]) for size in (cut, shape[axis] - cut)]
        inside = ", ".join(self.formula(part, depth)[0] for part in parts)
        option = "" if axis == 0 and self.draw(st.booleans()) else f", axis={self.either_way(axis, len(shape))}"
        return f"concat({inside}{option})", _ATOM

    def reshape(self, shape: Shape, depth: int) -> Text:
        count = math.prod(shape)
        first = self.draw(st.sampled_from(_divisors(count)))
        inner = self.formula((first, count // first), depth)[0]
        sizes = list(shape)
        if self.draw(st.booleans()) and sizes:
            sizes[self.whole(0, len(sizes) - 1)] = -1
        if not sizes:
            return f"sum(reshape({inner}, -1))", _ATOM
        return f"reshape({inner}, {', '.join(map(str, sizes))})", _ATOM

    def index(self, shape: Shape, depth: int) -> Text:
        wide, items = list[int](), list[str]()
        for size in shape:
            if len(wide) + len(shape) < 3 and self.draw(st.booleans()):
                self.at(wide, items)
            low, more = self.whole(0, 2), self.whole(0, 2)
            wide.append(low + size + more)
            first = "" if low == 0 and self.draw(st.booleans()) else str(low)
            last = str(low + size) if more == 0 and self.draw(st.booleans()) else str(-more) if more else ""
            items.append(f"{first}:{last}")
        if not shape:
            self.at(wide, items)
        return f"{self.wrapped(tuple(wide), depth, _ATOM)}[{', '.join(items)}]", _ATOM

    def at(self, wide: list[int], items: list[str]) -> None:
        wide.append(self.whole(1, _LARGEST))
        items.append(str(self.whole(-wide[-1], wide[-1] - 1)))


def _divisors(count: int) -> list[int]:
    return [size for size in range(1, count + 1) if count % size == 0]


@st.composite
def programs(draw: st.DrawFn, tensors: bool) -> Program:
    """A few assignments, each of which reaches the loss, and enough to run them."""
    writer = _Writer(draw, tensors)
    lines = list[tuple[str, str]]()
    for place in range(draw(st.integers(0, 3))):
        shape = writer.shape() if tensors and draw(st.booleans()) else ()
        text = writer.formula(shape, draw(st.integers(0, 4)))[0]
        lines.append((f"q{place}", text))
        writer.known[f"q{place}"] = shape
    loss = writer.formula((), draw(st.integers(0, 4)))[0]
    left = [name for name, _ in lines if name not in writer.used]
    loss += "".join(f" + mean({name})" if writer.known[name] else f" + {name}" for name in left)
    if not writer.known:
        loss += " + w"
        writer.known["w"] = ()
    lines.append(("L", loss))
    leaves = {name: shape for name, shape in writer.known.items() if name[0] in "wx"}
    return Program(
        tuple(lines),
        {name: shape for name, shape in leaves.items() if name in writer.fed},
        {name: shape for name, shape in leaves.items() if name not in writer.fed},
        draw(st.integers(1, 4)),
        draw(st.sampled_from(["mean", "sum"])),
        draw(st.integers(0, 2**16)),
    )
