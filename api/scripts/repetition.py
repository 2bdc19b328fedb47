"""What a script is to repeat: from which state on, over which steps, and to which numbers, with how much room for
rounding.

A script adds up in another order than the session did, so its last bits differ. Most training forgets that or carries
it along; some magnifies it until nothing agrees (a diverging network, the sign of a gradient that is 0 but for
rounding). So the steps are run twice, as they were and with last bits shaken on the way, and a script begins so late
that the shaking does not show in what it asserts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

import numpy as np

from api.engine import forward as evaluator
from api.engine.graph import Graph
from api.engine.kernels import kernels
from api.training.definition import Definition
from api.training.loops import train
from api.training.session import Phase, Session
from api.training.snapshot import Snapshot, Value

RTOL = 1e-9
"""What a script asserts its numbers to, relatively."""
MOST_STEPS = 10_000
_WORK = 400_000
"""Operations, about, that a script repeats at most; a larger array counts for more than one."""
_MOST_ROWS = 100_000
"""Rows of a drawn order that a script lists at most."""
_SHAKES = 64
_ULPS = 2.0**-51
_EXACT = {
    "negative", "identity", "relu", "abs", "maximum", "minimum", "transpose", "max", "concat", "reshape", "index"
}  # fmt: skip
"""Operations that give numbers as they were given them."""
_KEPT_LOSSES = 24
_LEAST = 1e-12


class Beginning(StrEnum):
    """Why a script begins where it does."""

    CREATED = "created"
    FORKED = "forked"
    EDITED = "edited"
    LONG = "long"
    SENSITIVE = "sensitive"


@dataclass(frozen=True, slots=True)
class Room:
    """How far losses, parameters, outputs and gradients may be off where numbers nearly cancel."""

    losses: float
    parameters: float
    outputs: float
    gradients: float


@dataclass(frozen=True, eq=False)
class Repetition:
    """From ``start`` to where ``session`` stands: ``losses`` has one for each step between, ``ahead`` is the session
    after forward and backward of the batch that is fed now."""

    session: Session
    start: Snapshot
    beginning: Beginning
    losses: Sequence[float]
    ahead: Session
    room: Room

    @property
    def definition(self) -> Definition:
        """The definition in force."""
        return self.session.definition

    @property
    def steps(self) -> int:
        """How many steps are repeated."""
        return len(self.losses)

    @property
    def kept(self) -> dict[int, float]:
        """The losses that are asserted, by step: all if they are few, else the first, the last and some between."""
        return {self.start.position.step + place: self.losses[place] for place in _chosen(self.steps)}


def most_steps(definition: Definition) -> int:
    """How many steps of a session a script repeats at most, so that it takes seconds."""
    rows = max(1, min(definition.batch_size, definition.row_count))
    most = min(MOST_STEPS, int(_WORK / _work(definition.graph, rows)))
    return max(1, min(most, _MOST_ROWS // rows) if definition.document["shuffle"] else most)


def _work(graph: Graph, rows: int) -> float:
    total = 1.0
    for node in graph.active:
        numbers = math.prod(node.shape) * (rows if node.batched else 1)
        inner = graph.nodes[node.operands[0]].shape[-1] if node.op == "matmul" else 1
        total += 1 + numbers * inner / 20_000
    return total


def repetition(session: Session, start: Snapshot, beginning: Beginning) -> Repetition:
    """The repetition from ``start``, or from so late a state that rounding does not show at the end."""
    with np.errstate(all="ignore"):
        return _repetition(session, start, beginning)


def _repetition(session: Session, start: Snapshot, beginning: Beginning) -> Repetition:
    definition = session.definition
    ahead = _ahead(session)
    while True:
        count = session.position.step - start.position.step
        marks = _marks(count)
        losses, states = _run(definition, start, marks, shaken=False)
        if not _same(states[-1].parameters, session.parameters):
            start, beginning = session.snapshot, Beginning.SENSITIVE  # another arithmetic has made it
            continue
        others, shaken = _run(definition, start, marks, shaken=True)
        kept = [(losses[place], others[place]) for place in _chosen(count)]
        room = _room(ahead, shaken[-1], kept)
        if not count or (room and _holds(session, room, [one for one, _ in kept])):
            return Repetition(session, start, beginning, losses, ahead, room or Room(_LEAST, _LEAST, _LEAST, _LEAST))
        later = max(1, len(marks) // 2)
        start, beginning = states[later] if count > 1 else session.snapshot, Beginning.SENSITIVE


def _ahead(session: Session) -> Session:
    session = session.forward() if session.phase is Phase.READY else session
    return session.backward() if session.phase is Phase.FORWARD else session


def _marks(count: int) -> list[int]:
    """How many steps there are between one shake and the next."""
    shakes = max(1, min(count, _SHAKES))
    ends = [count * place // shakes for place in range(shakes + 1)]
    return [end - start for start, end in pairwise(ends)]


def _run(
    definition: Definition, start: Snapshot, marks: Sequence[int], *, shaken: bool
) -> tuple[list[float], list[Snapshot]]:
    """Every loss, and the states at the marks, the first one included."""
    losses: list[float] = []
    states = [start]
    for place, steps in enumerate(marks):
        here = states[-1]
        if shaken and place:  # a script has the first ones to the last bit
            parameters = {name: _shaken(value, place) for name, value in here.parameters.items()}
            here = Snapshot(here.position, parameters, here.slots, here.progress)
        if shaken and steps:
            loss, here = _unsteady(Session(definition, here), place)
            losses, steps = [*losses, loss], steps - 1
        if steps:
            done = train(definition, here, steps)
            losses, here = losses + done.losses, done.end
        states.append(here)
    return losses, states


def _unsteady(session: Session, place: int) -> tuple[float, Snapshot]:
    """One step in which every operation is off in the last bit; where there is no such step, the state stays."""
    graph, use = session.definition.graph, kernels(session.definition.graph)
    values: list[Any] = []
    for node, value in zip(graph.nodes, evaluator.forward(graph, session.parameters, session.inputs), strict=True):
        here = value if node.op is None else use.evaluate(graph, node, values)
        values.append(here if node.op is None or node.op in _EXACT else _shaken(here, place))
    there = Session(session.definition, session.snapshot, Phase.FORWARD, values).backward()
    return float(values[graph.loss]), session.snapshot if there.diverged else there.update().snapshot


def _shaken(value: Any, place: int) -> Any:
    """A quantity, as a kernel set holds it, with other last bits. Equal numbers stay equal, and 0 and 1 as they are:
    what a function gives at its ends it gives exactly, in every library."""
    array = np.asarray(value, dtype=np.float64)
    moved = array * (1.0 + _ULPS * np.sin(1e4 * np.abs(array) + place))
    moved = np.where(np.isfinite(moved) & (np.abs(array) != 1.0), moved, array)
    return moved if isinstance(value, np.ndarray) else moved.tolist()


def _chosen(count: int) -> list[int]:
    if count <= _KEPT_LOSSES:
        return list(range(count))
    third = _KEPT_LOSSES // 3
    between = [round(third + (count - 2 * third) * (place + 0.5) / third) for place in range(third)]
    return [*range(third), *between, *range(count - third, count)]


def _same(found: Mapping[str, Value], wanted: Mapping[str, Value]) -> bool:
    return all(np.array_equal(found[name], value, equal_nan=True) for name, value in wanted.items())


def _room(ahead: Session, shaken: Snapshot, kept: Iterable[tuple[float, float]]) -> Room | None:
    """How much what is asserted moves when it is shaken, with room to spare; None if it does not stay finite."""
    other = _ahead(Session(ahead.definition, shaken))
    if ahead.diverged != other.diverged:
        return None
    pairs = list(kept)
    if not all(map(math.isfinite, (number for pair in pairs for number in pair))):
        return None
    values, others = ahead.values or [], other.values or []
    outputs = [ahead.definition.graph.index[name] for name in ahead.definition.graph.outputs]
    loss = [] if ahead.loss is None or other.loss is None else [(ahead.loss, other.loss)]
    gradients, more = ahead.gradients or {}, other.gradients or {}
    return Room(
        _spare([*pairs, *loss]),
        _spare((ahead.parameters[name], shaken.parameters[name]) for name in ahead.parameters),
        _spare((values[place], others[place]) for place in outputs),
        _spare((gradients[name], more[name]) for name in gradients),
    )


def _spare(pairs: Iterable[tuple[Any, Any]]) -> float:
    """A power of ten: a trillionth of the largest number, or a hundred times the largest difference beyond RTOL."""
    largest, moved = 0.0, 0.0
    for one, other in pairs:
        wanted, found = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
        fine = np.isfinite(wanted) & np.isfinite(found)
        if not fine.any():
            continue
        size = np.abs(wanted[fine])
        largest = max(largest, float(size.max()))
        with np.errstate(over="ignore"):
            moved = max(moved, float((np.abs(wanted[fine] - found[fine]) - RTOL / 100 * size).max()))
    need = max(_LEAST * largest, 100 * moved)
    return 10.0 ** math.ceil(math.log10(need)) if 0 < need < 1e300 else _LEAST if need <= 0 else math.inf


def _holds(session: Session, room: Room, losses: Sequence[float]) -> bool:
    """Whether the room left is small beside what is asserted."""
    parameters = [float(np.max(np.abs(value))) for value in session.parameters.values()]
    if not all(map(math.isfinite, parameters)):
        return False
    largest, loss = max(parameters, default=0.0), max(map(abs, losses), default=0.0)
    return room.parameters <= max(10 * RTOL * largest, _LEAST) and room.losses <= max(10 * RTOL * loss, _LEAST)
