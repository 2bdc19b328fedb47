"""Up to which learning rate gradient descent settles where the loss is curved in a known way.

Near a minimum a gradient is the curvature times the distance, g = H·w. Plain gradient descent, momentum and Nesterov's
method then are linear maps of parameters and slots from one step to the next, so they settle while the map of a whole
epoch has no eigenvalue beyond the unit circle: for plain descent on one matrix, while the rate is below 2/λmax
(D. P. Bertsekas, Nonlinear Programming, 1.2). The map's factors are read off the optimiser's own rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.engine import descent
from api.engine.rules import Rule

Array = NDArray[np.float64]
LINEAR = ("sgd", "momentum", "nesterov")
"""The optimisers whose step is linear in parameters, gradient and slots."""
FORMULAS = {
    ("sgd", "torch"): r"\frac{2}{\lambda_{\max}}",
    ("sgd", "keras"): r"\frac{2}{\lambda_{\max}}",
    ("sgd", "article"): r"\frac{2}{\lambda_{\max}}",
    ("momentum", "torch"): r"\frac{2 (1 + \mu)}{(1 - \tau) \lambda_{\max}}",
    ("momentum", "keras"): r"\frac{2 (1 + \mu)}{\lambda_{\max}}",
    ("momentum", "article"): r"\frac{2 (1 + \mu)}{(1 - \mu) \lambda_{\max}}",
    ("nesterov", "torch"): r"\frac{2 (1 + \mu)}{(1 + 2 \mu) \lambda_{\max}}",
    ("nesterov", "keras"): r"\frac{2 (1 + \mu)}{(1 + 2 \mu) \lambda_{\max}}",
    ("nesterov", "article"): r"\frac{2 (1 + \mu)}{3 (1 - \mu) \lambda_{\max}}",
}
"""The bound of the rate where all steps see the same curvature, without weight decay; μ is ``momentum``, τ
``dampening``."""
_LATE = 10.0
"""What a slot that counts steps is taken to hold: the first step of torch's momentum is unlike all others."""
NEARLY = 1e-6
"""By how much a spectral radius may exceed 1, in flat directions and by the error of the curvature."""
_FINER = 1.03
_FURTHEST = 1e5
_CLOSE = 1e-13
RATES = 440
"""Rates that are tried at most in search of the largest."""


def kind_of(optimizer: Mapping[str, Any]) -> str:
    """The kind whose rule an optimiser follows: sgd with momentum is ``momentum`` or ``nesterov``."""
    if optimizer["kind"] == "sgd" and optimizer.get("momentum"):
        return "nesterov" if optimizer.get("nesterov") else "momentum"
    return str(optimizer["kind"])


def unbounded_reason(optimizer: Mapping[str, Any]) -> str | None:
    """Why no bound of the learning rate holds for an optimiser; None where one does."""
    if kind_of(optimizer) not in LINEAR:
        kind = optimizer["kind"]
        return f"the steps of {kind} are not linear in the gradient, so that no fixed learning rate bounds them"
    if "clip" in optimizer:
        return "a clipped gradient is not linear, so that steps that grow are cut off before they diverge"
    return None


@dataclass(frozen=True, slots=True)
class LinearStep:
    """One step of a linear optimiser: ``after`` has for the parameter and each slot its factors of (parameter, slots …,
    gradient), ``place`` the factors of (parameter, slots …) for where the gradient is taken.

    Each is a pair, the factors at rate 0 and what each unit of the learning rate adds to them.
    """

    after: tuple[Array, Array]
    place: tuple[Array, Array]

    @staticmethod
    def of(optimizer: Mapping[str, Any]) -> LinearStep:
        """Read off the optimiser's rule by feeding it units."""
        (after, place), (later, elsewhere) = (_factors(optimizer, rate) for rate in (0.0, 1.0))
        return LinearStep((after, later - after), (place, elsewhere - place))

    @property
    def parts(self) -> int:
        """The parameter and its slots."""
        return len(self.place[0])

    def matrix(self, curvature: Array, rate: float) -> Array:
        """The step as a matrix that acts on all parameters, then on each slot of all of them."""
        after, place = self.after[0] + rate * self.after[1], self.place[0] + rate * self.place[1]
        parts, unit = range(self.parts), np.eye(len(curvature))
        return np.block(
            [[after[to, part] * unit + (after[to, -1] * place[part]) * curvature for part in parts] for to in parts]
        )

    def radius(self, curvatures: Sequence[Array], rate: float) -> float:
        """The spectral radius of all steps together, one for each of ``curvatures`` in their order.

        Below 1 the distance to the minimum shrinks in the long run, above 1 it grows.
        """
        with np.errstate(all="ignore"):
            whole = self.matrix(curvatures[0], rate)
            for curvature in curvatures[1:]:
                whole = self.matrix(curvature, rate) @ whole
        if not np.isfinite(whole).all():
            return math.inf
        return float(np.abs(np.linalg.eigvals(whole)).max(initial=0.0))


def _factors(optimizer: Mapping[str, Any], rate: float) -> tuple[Array, Array]:
    rule = descent.rule(optimizer)
    fields = descent.numbers(optimizer) | {"learning_rate": rate}
    slots = [slot for slot in rule.slots if slot not in rule.single]
    count = 1 + len(slots)
    after, place = np.zeros((count, count + 1)), np.zeros(count)
    for column, unit in enumerate(np.eye(count + 1)):
        after[:, column], where = _probed(rule, fields, slots, unit)
        if column < count:
            place[column] = where
    return after, place


def _probed(rule: Rule, fields: Mapping[str, float], slots: Sequence[str], unit: Array) -> tuple[list[float], float]:
    """Parameter and slots after a step from the numbers in ``unit``, and where the gradient was asked for."""
    asked = [float(unit[0])]

    def gradients_at(place: Mapping[str, Any]) -> dict[str, Any]:
        asked[0] = float(place["w"])
        return {"w": float(unit[-1])}

    held = {slot: {"w": _LATE} for slot in rule.slots}
    held |= {slot: {"w": float(value)} for slot, value in zip(slots, unit[1:], strict=False)}
    step = rule.floats.step(fields, {"w": float(unit[0])}, {"w": float(unit[-1])}, held, gradients_at)
    return [float(step.after["w"]), *(float(step.slots[slot]["w"]) for slot in slots)], asked[0]


def largest_rate(optimizer: Mapping[str, Any], curvature: float) -> float | None:
    """The rate below which the steps settle along a direction of this curvature; None where none does."""
    if curvature <= 0:
        return None
    if kind_of(optimizer) == "sgd" and "weight_decay" not in optimizer:
        return 2 / curvature
    step, matrix = LinearStep.of(optimizer), np.array([[curvature]])
    return _first_beyond(lambda rate: step.radius([matrix], rate), 1e-3 / curvature, 2.0)


def largest_epoch_rate(optimizer: Mapping[str, Any], curvatures: Sequence[Array]) -> float | None:
    """The same for an epoch of steps that see ``curvatures`` in this order, over all directions."""
    tops = [float(np.linalg.eigvalsh(curvature)[-1]) for curvature in curvatures]
    lows = [float(np.linalg.eigvalsh(curvature)[0]) for curvature in curvatures]
    top, step = max(tops), LinearStep.of(optimizer)
    if top <= 0:
        return None
    # below 2/λ no step of plain descent leads away, whatever the order; with slots or downward curvature it may
    plain = kind_of(optimizer) == "sgd" and "weight_decay" not in optimizer and min(lows) >= -NEARLY * top
    start = 2 / top * (1.0 if plain else 1e-3)
    return _first_beyond(lambda rate: step.radius(curvatures, rate), start, _FINER)


def _first_beyond(radius: Callable[[float], float], start: float, growth: float) -> float | None:
    """The rate from which on ``radius`` exceeds 1, looked for upward from ``start``; None if always or never."""
    good, held = start, radius(start)
    if held > 1 + NEARLY:
        return None
    bad = good * growth
    while (found := radius(bad)) <= 1 + NEARLY:
        good, held, bad = bad, found, bad * growth
        if bad > start * _FURTHEST:
            return None
    while bad - good > _CLOSE * good:
        middle = (good + bad) / 2
        found = radius(middle)
        if found <= max(1.0, held) + _CLOSE:
            good, held = middle, max(held, found)
        else:
            bad = middle
    return good
