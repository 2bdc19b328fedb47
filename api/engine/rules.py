"""An optimiser's rule, line by line: read once, and from that both run and explained.

    line    = symbol "=" formula          formula in the names below, see ``explain.tree``
    names   = w (the parameter) | g (its gradient ∂L/∂w) | a field | a slot | a symbol assigned before

A symbol that is read before it is assigned is a *slot*: it keeps its value until the next step, for each parameter its
own. Two functions look at all parameters together: ``gradient(ahead)`` is ∂L/∂w where every parameter has its value of
``ahead``, and ``norm(g)`` the Euclidean norm of all gradients. So a rule has *stages*: what these functions need, the
function, and what follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.engine.arrays import ARRAY_KERNELS
from api.engine.explain import tree
from api.engine.notation import Piece, Script
from api.engine.ops import KERNELS
from api.engine.terms import Apply, Name, Term, names, substitute

Value = float | NDArray[np.float64]
Values = Mapping[str, Value]
Slots = Mapping[str, Values]
SPACE: dict[str, object] = KERNELS | {"hypot": math.hypot}
"""What a rule's Python text over floats may call."""
TOGETHER = ("gradient", "norm")
_GIVEN = ("w", "g")
_TIGHT = 9  # written so that no bracket is missing around it


def norm(value: Value) -> float:
    """The Euclidean norm of all numbers in it, also where their squares would overflow."""
    if isinstance(value, float):
        return abs(value)
    largest = float(np.abs(value).max(initial=0.0))
    return largest * float(np.linalg.norm(value / largest)) if 0 < largest < math.inf else largest


def trace(value: Value) -> float:
    """0 if every number in it is finite, else nan."""
    return float(0.0 * np.sum(0.0 * np.asarray(value)))


ARRAY_SPACE: dict[str, object] = ARRAY_KERNELS | {
    "where": np.where,
    "hypot": math.hypot,
    "length": norm,
    "trace": trace,
}
"""What a rule's Python text over arrays may call."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a rule: ``symbol`` takes the value of ``formula``."""

    symbol: str
    formula: str

    @property
    def tree(self) -> Term:
        """The formula as a tree."""
        return tree(self.formula)

    @property
    def together(self) -> str:
        """``gradient`` or ``norm`` where the line looks at all parameters, else nothing."""
        found = self.tree
        return found.operation if isinstance(found, Apply) and found.operation in TOGETHER else ""


class Stage(NamedTuple):
    """Lines for each parameter by itself, after one, if any, for all of them together."""

    together: Line | None
    lines: tuple[Line, ...]


class _Python(Script):
    """Formulas as Python over floats, with the kernels that answer as IEEE 754 does where Python would raise."""

    def power(self, base: str, exponent: str) -> str:
        if exponent == "2.0":
            return f"({base} * {base})"
        return f"power({base}, {exponent})"

    def times(self, left: str, right: str, sign: str) -> str:
        del sign  # Python has one, and always says it
        return f"{left} * {right}"

    def fraction(self, above: Piece, below: Piece) -> Piece:
        return Piece(f"divide({above.text}, {below.text})", _TIGHT)

    def cases(self, condition: str, then: str, otherwise: str) -> Piece:
        return Piece(f"({then} if {condition} else {otherwise})", _TIGHT)


class _Arrays(_Python):
    """The same over NumPy's arrays."""

    def cases(self, condition: str, then: str, otherwise: str) -> Piece:
        return Piece(f"where({condition}, {then}, {otherwise})", _TIGHT)


_PYTHON, _ARRAYS = _Python(repr), _Arrays(repr)


class Step(NamedTuple):
    """What a rule made of one step; ``terms`` has for each parameter the value of each line."""

    after: dict[str, Value]
    slots: dict[str, dict[str, Value]]
    terms: dict[str, tuple[Value, ...]]


@dataclass(frozen=True, eq=False)
class Rule:
    """The lines of one optimiser in one dialect; ``births`` are slots that do not start at 0."""

    lines: tuple[Line, ...]
    births: Mapping[str, float]

    @staticmethod
    def of(text: str, births: Mapping[str, float]) -> Rule:
        """The rule of a text with one line for each assignment."""
        parts = (line.partition(" = ") for line in text.splitlines() if line.strip())
        return Rule(tuple(Line(symbol.strip(), formula.strip()) for symbol, _, formula in parts), births)

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """What is carried from step to step, in the order of its first appearance."""
        assigned = [line.symbol for line in self.lines]
        first = {symbol: assigned.index(symbol) for symbol in assigned if symbol not in _GIVEN}
        read = [
            name for place, line in enumerate(self.lines) for name in names(line.tree) if place <= first.get(name, -1)
        ]
        return tuple(dict.fromkeys(read))

    @cached_property
    def single(self) -> frozenset[str]:
        """The slots that are one number for a parameter of any shape, as its gradient does not enter them."""
        shaped = set(_GIVEN)
        for _ in self.lines:
            shaped |= {line.symbol for line in self.lines if shaped & set(names(line.tree)) or line.together}
        return frozenset(self.slots) - shaped

    @cached_property
    def reads(self) -> frozenset[str]:
        """The fields that the lines name."""
        assigned = {line.symbol for line in self.lines}
        return frozenset(name for line in self.lines for name in names(line.tree)) - assigned - set(_GIVEN)

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The lines, cut before each one that looks at all parameters."""
        found: list[tuple[Line | None, list[Line]]] = [(None, [])]
        for line in self.lines:
            if line.together:
                found.append((line, []))
            else:
                found[-1][1].append(line)
        return tuple(Stage(together, tuple(lines)) for together, lines in found)

    @property
    def looks_ahead(self) -> bool:
        """Whether the gradient is taken at another place than the parameters'."""
        return any(line.together == "gradient" for line in self.lines)

    @property
    def hides(self) -> bool:
        """Whether a gradient that is not finite may leave parameters and slots finite."""
        return self.looks_ahead or any(line.symbol == "g" and "clip_value" in names(line.tree) for line in self.lines)

    def born(self, slot: str) -> float:
        """What a slot holds before the first step."""
        return self.births.get(slot, 0.0)

    @cached_property
    def floats(self) -> Stepper:
        """The rule for parameters that are Python's floats."""
        return Stepper(self, tuple(_kernel(stage, False) for stage in self.stages))

    @cached_property
    def arrays(self) -> Stepper:
        """The rule for parameters that are NumPy's arrays."""
        return Stepper(self, tuple(_kernel(stage, True) for stage in self.stages))


_Kernel = tuple[tuple[str, ...], Callable[..., tuple[Value, ...]]]


class Stepper(NamedTuple):
    """A rule over one kind of numbers: each stage's lines as a function, with the names of its arguments."""

    rule: Rule
    kernels: tuple[_Kernel, ...]

    def step(
        self,
        fields: Values,
        parameters: Values,
        gradients: Values,
        slots: Slots,
        gradients_at: Callable[[Values], Values],
    ) -> Step:
        """One step for all parameters; ``gradients_at`` gives the gradients where the parameters have other values."""
        rule = self.rule
        known: dict[str, dict[str, Value]] = {
            name: {**fields, "w": value, "g": gradients[name], **{slot: slots[slot][name] for slot in rule.slots}}
            for name, value in parameters.items()
        }
        terms: dict[str, list[Value]] = {name: [] for name in parameters}
        for stage, (arguments, kernel) in zip(rule.stages, self.kernels, strict=True):
            if stage.together is not None:
                found = _together(stage.together, known, gradients_at)
                for name, value in found.items():
                    known[name][stage.together.symbol] = value
                    terms[name].append(value)
            for name, at in known.items():
                with np.errstate(all="ignore"):
                    values = kernel(*(at[argument] for argument in arguments))
                at.update(zip((line.symbol for line in stage.lines), values, strict=True))
                terms[name] += values
        return Step(
            {name: at["w"] for name, at in known.items()},
            {slot: {name: at[slot] for name, at in known.items()} for slot in rule.slots},
            {name: tuple(values) for name, values in terms.items()},
        )


@dataclass(frozen=True)
class Dialect:
    """One optimiser in one dialect: its rule, its fields with their defaults, its slots that do not start at 0.

    ``lead`` is what comes before clipping, where the gradient is not that at ``w``; ``decoupled`` says that weight
    decay is, whatever the dialect.
    """

    lines: str
    defaults: Mapping[str, float | bool]
    births: Mapping[str, float] = field(default_factory=dict)
    lead: str = ""
    decoupled: bool = False


@dataclass(frozen=True)
class Optimizer:
    """One row of the table of optimisers."""

    kind: str
    title: str
    dialects: Mapping[str, Dialect]
    source: str


def _together(line: Line, known: Mapping[str, dict[str, Value]], gradients_at: Callable[[Values], Values]) -> Values:
    (argument,) = names(line.tree)
    values = {name: at[argument] for name, at in known.items()}
    if line.together == "gradient":
        return gradients_at(values)
    return dict.fromkeys(values, math.hypot(*map(norm, values.values())))


def _kernel(stage: Stage, arrays: bool) -> _Kernel:
    """The lines of a stage as a function; several may assign one symbol, so each value is kept where it is made."""
    named = list(dict.fromkeys(name for line in stage.lines for name in names(line.tree)))
    assigned = [line.symbol for line in stage.lines]
    arguments = tuple(name for name in named if name not in assigned[: _first_read(stage.lines, name)])
    parts = list(enumerate(written(stage.lines, {}, arrays)))
    plain = "plain" if arrays else ""
    body = "".join(f"    t{place} = {symbol} = {plain}({text})\n" for place, (symbol, text) in parts)
    made = "".join(f"t{place}, " for place, _ in parts)
    text = f"def kernel({', '.join(arguments)}):\n{body}    return ({made})\n"
    here = (ARRAY_SPACE if arrays else SPACE) | {"plain": _plain}
    exec(text, here)  # noqa: S102 - our own table's text
    return arguments, here["kernel"]  # type: ignore[return-value]


def _plain(value: Any) -> Value:
    """A single number as a float, whatever NumPy made it."""
    return value if isinstance(value, np.ndarray) and value.ndim else float(value)


def _first_read(lines: Sequence[Line], name: str) -> int:
    return next(place for place, line in enumerate(lines) if name in names(line.tree))


def written(lines: Sequence[Line], called: Mapping[str, str], arrays: bool = False) -> Iterator[tuple[str, str]]:
    """Each line's symbol and formula as Python text, with other texts for the names in ``called``."""
    script = _ARRAYS if arrays else _PYTHON
    texts = {name: Name(text) for name, text in called.items()}
    for line in lines:
        yield called.get(line.symbol, line.symbol), script.write(substitute(line.tree, texts))
