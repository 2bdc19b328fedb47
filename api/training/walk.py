"""Which states of a line are shown one after the other: phases of steps, for a replay or an export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from api.training.session import Phase

_PHASES = tuple(Phase)


class Place(NamedTuple):
    """A phase of a step of a line; written ``12.forward``."""

    step: int
    phase: Phase

    @property
    def rank(self) -> int:
        """How many phases of the line come before this one."""
        return len(_PHASES) * self.step + _PHASES.index(self.phase)

    def __str__(self) -> str:
        return f"{self.step}.{self.phase}"


def place_of(text: str) -> Place | None:
    """The place that a text such as ``12.forward`` names; None if it names none."""
    step, _, phase = text.partition(".")
    known = step.isascii() and step.isdigit() and len(step) <= 15 and phase in _PHASES
    return Place(int(step), Phase(phase)) if known else None


def walk(
    now: Place,
    *,
    first: int = 0,
    last: int | None = None,
    every: int = 1,
    phase: Phase | None = None,
    after: Place | None = None,
) -> Iterator[Place]:
    """The places shown of a line that stands at ``now``, in order; only those later than ``after``.

    Of the steps ``first``, ``first + every``, … up to ``last`` each phase is shown and what the step's update led to,
    or only one ``phase``. Without ``last`` the newest state is always among them.
    """
    shown = -1 if after is None else after.rank
    begun = 0 if after is None else max(0, after.step - first) // every  # what lies before is not gone through again
    end = now.step if last is None else min(last, now.step)
    size = len(_PHASES)
    for step in range(first + begun * every, end + 1, every):
        wanted = range(step * size, step * size + size + 1) if phase is None else (Place(step, phase).rank,)
        for rank in wanted:
            if shown < rank <= now.rank:
                shown = rank
                yield _place(rank)
    if last is None:
        newest = now.rank if phase is None else now.rank - (now.rank - _PHASES.index(phase)) % size
        if newest > shown and newest >= first * size:
            yield _place(newest)


def _place(rank: int) -> Place:
    step, phase = divmod(rank, len(_PHASES))
    return Place(step, _PHASES[phase])
