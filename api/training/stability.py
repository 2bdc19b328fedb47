"""How a session's loss is curved, up to which learning rate its training settles, and where it stops being finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.engine.curvature import ITERATIONS, eigenvalues, gradient_of, hessian, largest_eigenvalue
from api.engine.effort import compiled_effort, gradient_effort
from api.engine.elements import packed
from api.engine.forward import forward
from api.engine.stability import NEARLY, RATES, LinearStep, largest_epoch_rate, largest_rate, unbounded_reason
from api.training.data import batch_rows
from api.training.limits import Limits
from api.training.run import advance
from api.training.session import Session
from api.training.snapshot import finite

Array = NDArray[np.float64]
STEPS = 10_000
"""Steps that are run in search of the first that is not finite, unless said otherwise."""
_NOT_FINITE = "the curvature is not finite here"
_FLAT = "no direction curves upward here, so that curvature bounds no rate"
_SLIDING = "the loss curves downward in some direction here, so that steps lead away from this point at any rate"


@dataclass(frozen=True, slots=True)
class Curvature:
    """Of the loss of some rows at the present parameters. What could not be computed is None, and ``reason`` says why.

    Of many parameters only the ``largest`` eigenvalue is known. ``largest_rate`` is the bound along its direction.
    """

    rows: int
    loss: float
    eigenvalues: list[float] | None
    largest: float | None
    largest_rate: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch's steps in the listed order as one linear map: ``radius`` is its spectral radius at the present rate."""

    batches: int
    radius: float | None
    largest_rate: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class NonFinite:
    """The first step whose loss or gradient is not finite, within ``searched`` steps from here; None where all are.

    ``quantity`` is the loss, or the first parameter whose gradient it is.
    """

    step: int | None
    epoch: int | None
    batch: int | None
    quantity: str | None
    searched: int


@dataclass(frozen=True, slots=True)
class Stability:
    """All of it; ``constant`` says whether the curvature is the same elsewhere (a quadratic loss), None where unknown.

    ``reason`` says why no bound of the rate holds for the optimiser.
    """

    full: Curvature
    batch: Curvature
    epoch: Epoch
    constant: bool | None
    first: NonFinite
    reason: str | None


def stability(session: Session, *, limits: Limits, steps: int = STEPS) -> Stability:
    """The curvature at the present parameters, and a run of at most ``steps`` steps from here."""
    looked = _Looked(session, limits)
    everything, here = session.definition.split.train, session.batch_rows
    reason = unbounded_reason(session.definition.optimizer)
    full, batch = looked.curvature(everything, reason), looked.curvature(here, reason)
    epoch = looked.epoch(full, reason)
    return Stability(full, batch, epoch, looked.constant(everything), first_non_finite(session, steps, limits), reason)


def first_non_finite(session: Session, steps: int, limits: Limits) -> NonFinite:
    """Run from here at the present settings, and say which step is the first that cannot be taken."""
    definition = session.definition
    graph, position = definition.graph, session.position
    each = compiled_effort(graph, min(definition.batch_size, definition.row_count))
    steps = max(1, min(steps, limits.analysis_operations // each))
    stretch = advance(definition, session.snapshot, steps=steps)
    if stretch.stopped_by != "diverged":
        return NonFinite(None, None, None, None, steps)
    there = Session(definition, stretch.end).forward().backward()
    at, name = stretch.end.position, graph.nodes[graph.loss].id
    if math.isfinite(there.loss or 0.0):
        name = next(one for one, gradient in (there.gradients or {}).items() if not finite(gradient))
    return NonFinite(at.step, at.epoch, at.batch, name, at.step - position.step + 1)


class _Looked:
    """A session looked at with what is left of the operations that one analysis may take."""

    def __init__(self, session: Session, limits: Limits) -> None:
        self.session = session
        self.definition = session.definition
        self.limits = limits
        self.left = limits.analysis_operations
        self.at = packed(self.definition.graph, session.parameters)
        self.found: dict[tuple[int, ...], Array] = {}

    def curvature(self, rows: Sequence[int], unbounded: str | None) -> Curvature:
        """Of the loss of these rows; ``unbounded`` says why no rate follows from it."""
        values = forward(self.definition.graph, self.session.parameters, self.definition.inputs(rows))
        loss = float(values[self.definition.graph.loss])
        reason = "the formula has no parameters" if not self.at.size else self._too_much([rows])
        found = None if reason else eigenvalues(self._hessian(rows))
        top = found[0] if found else None
        if reason is None and found is None:
            reason = _NOT_FINITE
        if self.at.size > self.limits.hessian_parameters:
            top, reason = self._top(rows, reason or "")
        if top is None or unbounded:
            return Curvature(len(rows), loss, found, top, None, unbounded or reason)
        rate = largest_rate(self.definition.optimizer, top)
        return Curvature(len(rows), loss, found, top, rate, _FLAT if rate is None else reason)

    def _top(self, rows: Sequence[int], reason: str) -> tuple[float | None, str]:
        """The largest eigenvalue alone, where all would be too much."""
        cost = 2 * ITERATIONS * gradient_effort(self.definition.graph, len(rows))
        if cost > self.left:
            return None, f"{reason}; even the largest eigenvalue takes {cost:,} operations"
        self.left -= cost
        top = largest_eigenvalue(self._gradient(rows), self.at)
        return top, f"{reason}; {'only the largest was' if top is not None else 'the largest was not found'}"

    def epoch(self, full: Curvature, unbounded: str | None) -> Epoch:
        """The epoch's steps one after the other."""
        batches = self._batches()
        reason = unbounded or self._unmapped(full) or self._too_much(batches) or self._too_long(len(batches), 1)
        if reason:
            return Epoch(len(batches), None, None, reason)
        curvatures = [self._hessian(rows) for rows in batches]
        if not all(np.isfinite(curvature).all() for curvature in curvatures):
            return Epoch(len(batches), None, None, _NOT_FINITE)
        optimizer, values = self.definition.optimizer, full.eigenvalues or [0.0]
        radius = LinearStep.of(optimizer).radius(curvatures, self.session.learning_rate)
        reason = _SLIDING if values[-1] < -NEARLY * max(values[0], 0.0) else self._too_long(len(batches), RATES)
        rate = None if reason else largest_epoch_rate(optimizer, curvatures)
        return Epoch(len(batches), radius, rate, reason or (_FLAT if rate is None else None))

    def constant(self, rows: Sequence[int]) -> bool | None:
        """Whether the curvature of these rows is the same at other parameters."""
        if tuple(rows) not in self.found or self._too_much([rows], again=True):
            return None
        here = self.found[tuple(rows)]
        there = hessian(self._gradient(rows), self.at + 0.5 + np.abs(self.at))
        if not (np.isfinite(here).all() and np.isfinite(there).all()):
            return None
        return bool(np.abs(there - here).max(initial=0.0) <= NEARLY * np.abs(here).max(initial=0.0))

    def _batches(self) -> list[tuple[int, ...]]:
        count, size = self.definition.row_count, self.definition.batch_size
        if not count:
            return [()]
        order = self.definition.order(1)
        return [batch_rows(order, first, size) for first in range(0, count, size)]

    def _gradient(self, rows: Sequence[int]) -> Callable[[Array], Array]:
        return gradient_of(self.definition.graph, self.definition.inputs(rows))

    def _hessian(self, rows: Sequence[int]) -> Array:
        key = tuple(rows)
        if key not in self.found:
            self.left -= self._cost(key)
            self.found[key] = hessian(self._gradient(key), self.at)
        return self.found[key]

    def _cost(self, rows: Sequence[int]) -> int:
        return 2 * self.at.size * gradient_effort(self.definition.graph, len(rows))

    def _too_much(self, batches: Sequence[Sequence[int]], again: bool = False) -> str | None:
        """Why these rows' curvature is not computed; None where it can be."""
        most, count = self.limits.hessian_parameters, self.at.size
        if count > most:
            return f"there are {count:,} parameters; curvature is worked out for at most {most:,}"
        wanted = {tuple(rows) for rows in batches}
        cost = sum(self._cost(rows) for rows in wanted if again or rows not in self.found)
        if cost > self.left:
            return f"this takes {cost:,} operations, and one analysis has {self.limits.analysis_operations:,} in all"
        return None

    def _too_long(self, batches: int, rates: int) -> str | None:
        size = self.at.size * LinearStep.of(self.definition.optimizer).parts
        cost = rates * (batches * (100 + size**3 // 200) + size**3 // 10 + 200)
        if cost > self.left:
            return f"the map of {batches:,} steps with {self.at.size:,} parameters takes more operations than are left"
        self.left -= cost
        return None

    def _unmapped(self, full: Curvature) -> str | None:
        if full.eigenvalues is None:
            return full.reason
        if self.definition.document["shuffle"] and self.definition.row_count > self.definition.batch_size:
            return "the rows are shuffled, so that every epoch is another map"
        return None if full.eigenvalues else "the formula has no parameters"
