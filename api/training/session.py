"""A training session as a value: every action returns a new one.

    ready ──forward──▶ forward ──backward──▶ backward ──update──▶ ready (of the next batch)

``TRANSITIONS`` is the one table of what each phase accepts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from api.engine import descent
from api.engine import forward as evaluator
from api.engine.backward import Gradients, backpropagate, of_parameters
from api.engine.errors import Diverged, InvalidInput, WrongPhase
from api.engine.kernels import Value as Recorded
from api.engine.kernels import kernels
from api.engine.rules import Rule, norm
from api.engine.wording import pointer_part, shown
from api.training.data import batch_rows
from api.training.definition import SETTINGS, Definition, schedule_of, values_of
from api.training.evaluation import evaluated
from api.training.snapshot import Position, Progress, Snapshot, Value, finite, slots_of, value_of


class Phase(StrEnum):
    """Where in its cycle a session stands; ``ready`` means that a batch is fed."""

    READY = "ready"
    FORWARD = "forward"
    BACKWARD = "backward"


TRANSITIONS = {"forward": Phase.READY, "backward": Phase.FORWARD, "update": Phase.BACKWARD}
"""Each action and the phase that accepts it."""
EDITABLE = ("parameters", *SETTINGS)


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """The last step taken: its optimiser, the numbers that the rule read, and what it made of them.

    ``fields`` has the learning rate that was in force, ``terms`` for each parameter the value of each line of ``rule``.
    """

    position: Position
    optimizer: Mapping[str, Any]
    fields: Mapping[str, float]
    learning_rate: float
    loss: float
    before: Mapping[str, Value]
    gradients: Mapping[str, Value]
    slots: Mapping[str, Mapping[str, Value]]
    after: Mapping[str, Value]
    terms: Mapping[str, tuple[Value, ...]]

    @property
    def rule(self) -> Rule:
        """The optimiser's rule."""
        return descent.rule(self.optimizer)


@dataclass(frozen=True, eq=False)
class Session:
    """A definition and where its training stands. ``values`` and ``computed`` follow from the rest."""

    definition: Definition
    snapshot: Snapshot
    phase: Phase = Phase.READY
    values: list[Recorded] | None = None
    computed: Gradients | None = None
    last_update: Update | None = None

    @staticmethod
    def start(definition: Definition) -> Session:
        """The session at its very beginning: step 0, the first batch fed."""
        values = {name: value_of(definition.document["parameters"][name]) for name in definition.names}
        return Session(definition, Snapshot(Position(), values, slots_of(definition, {}), Progress()))

    @staticmethod
    def restore(
        definition: Definition, snapshot: Snapshot, phase: Phase, previous: tuple[Definition, Snapshot] | None
    ) -> Session:
        """The session as it was: everything else is computed again.

        ``previous`` is the start of the step before, with the definition then in force; its update is ``last_update``.
        """
        last = None
        if previous is not None:
            last = Session(previous[0], previous[1]).forward().backward().update().last_update
        session = Session(definition, snapshot, last_update=last)
        if phase is Phase.READY:
            return session
        session = session.forward()
        return session if phase is Phase.FORWARD else session.backward()

    # what can be read

    @property
    def position(self) -> Position:
        """Step, epoch and batch."""
        return self.snapshot.position

    @property
    def parameters(self) -> Mapping[str, Value]:
        """Parameter values by name, in the order of the definition."""
        return self.snapshot.parameters

    @property
    def slots(self) -> Mapping[str, Mapping[str, Value]]:
        """The optimiser's state by slot and parameter."""
        return self.snapshot.slots

    @cached_property
    def batch_rows(self) -> tuple[int, ...]:
        """The 0-based rows of the present batch; none without data."""
        if not self.definition.data:
            return ()
        return batch_rows(self.definition.order(self.position.epoch), self.position.offset, self.definition.batch_size)

    @property
    def batches_per_epoch(self) -> int:
        """How many batches the present epoch has in all."""
        left = self.definition.row_count - self.position.offset
        return self.position.batch - 1 + max(1, math.ceil(left / self.definition.batch_size))

    @cached_property
    def inputs(self) -> dict[str, Recorded]:
        """The present batch: each placeholder's value, rows first."""
        use = kernels(self.definition.graph)
        return {name: use.given(value) for name, value in self.definition.inputs(self.batch_rows).items()}

    @cached_property
    def loss(self) -> float | None:
        """The present batch's loss, once computed."""
        return None if self.values is None else float(self.values[self.definition.graph.loss])

    @cached_property
    def gradients(self) -> dict[str, Value] | None:
        """∂L/∂parameter by name, once computed; 0 for a parameter that the loss does not depend on."""
        if self.computed is None:
            return None
        return of_parameters(self.definition.graph, self.computed.of)

    @property
    def gradient_norm(self) -> float:
        """The Euclidean norm of all gradients together, in phase ``backward``."""
        return math.hypot(*(norm(gradient) for gradient in (self.gradients or {}).values()))

    @cached_property
    def learning_rate(self) -> float:
        """The learning rate of the present step, as the schedule has it."""
        return self.definition.rate(self.position.step, self.position.epoch, self.snapshot.progress.plateau)

    @cached_property
    def diverged(self) -> bool:
        """Whether the present batch's loss or a gradient is not finite."""
        numbers = [] if self.loss is None else [self.loss, *(self.gradients or {}).values()]
        return not all(map(finite, numbers))

    def allowed(self, undoable: bool) -> list[str]:
        """The actions accepted now; ``undoable`` says whether there is an earlier one on the line."""
        actions = [action for action, phase in TRANSITIONS.items() if phase is self.phase]
        stuck = self.diverged and self.phase is Phase.BACKWARD
        return ([] if stuck else [*actions, "run"]) + (["undo"] if undoable else [])

    # what can be done

    def forward(self) -> Session:
        """Feed the batch forward: every value up to the loss."""
        self._must_accept("forward")
        graph = self.definition.graph
        values = evaluator.forward(graph, self.parameters, self.inputs)
        return self._on(phase=Phase.FORWARD, values=values)

    def backward(self) -> Session:
        """Send the gradient back: every partial, every gradient."""
        self._must_accept("backward")
        computed = backpropagate(self.definition.graph, self.values or [])
        return self._on(phase=Phase.BACKWARD, computed=computed)

    def _on(self, **changes: Any) -> Session:
        """This session in a later phase of the same batch, which is not fed again."""
        later = replace(self, **changes)
        later.__dict__.update({name: self.__dict__[name] for name in ("batch_rows", "inputs") if name in self.__dict__})
        return later

    def update(self) -> Session:
        """Let the optimiser take its step, and feed the next batch. Raises ``Diverged`` where there is no step."""
        self._must_accept("update")
        self.must_be_finite()
        definition, snapshot, loss = self.definition, self.snapshot, self.loss or 0.0
        before, slots, rate, gradients = snapshot.parameters, snapshot.slots, self.learning_rate, self.gradients or {}
        fields = definition.fields | ({"learning_rate": rate} if "learning_rate" in definition.fields else {})
        rule = definition.rule.floats if definition.graph.scalar else definition.rule.arrays
        step = rule.step(fields, before, gradients, slots, self._gradients_at)
        position = snapshot.position.after(len(self.batch_rows), definition.row_count)
        progress = snapshot.progress.after(definition, (loss,), snapshot.position.batch, position.batch == 1)
        done = Update(
            snapshot.position,
            definition.optimizer,
            fields,
            rate,
            loss,
            before,
            gradients,
            slots,
            step.after,
            step.terms,
        )
        there = Snapshot(position, step.after, step.slots, progress)
        return Session(definition, evaluated(definition, there) if position.batch == 1 else there, last_update=done)

    def _gradients_at(self, parameters: Mapping[str, Value]) -> dict[str, Value]:
        """The present batch's gradients where the parameters have other values."""
        graph = self.definition.graph
        return of_parameters(graph, backpropagate(graph, evaluator.forward(graph, parameters, self.inputs)).of)

    def patch(self, changes: Mapping[str, Any]) -> Session:
        """Change parameters, optimizer, schedule, batch_size or title by hand, in phase ``ready``."""
        if self.phase is not Phase.READY:
            raise WrongPhase(f"editing is possible in phase ready, not in {self.phase}")
        strange = [name for name in changes if name not in EDITABLE]
        if strange:
            raise InvalidInput(
                f"{shown(strange[0])} cannot be changed; {', '.join(EDITABLE)} can", f"/{pointer_part(strange[0])}"
            )
        document = self.definition.document
        settings = {name: changes[name] for name in ("title", "batch_size") if name in changes}
        if "optimizer" in changes:
            same = {"kind": document["optimizer"]["kind"], "dialect": document["optimizer"]["dialect"]}
            for name, value in same.items():
                if changes["optimizer"].get(name, value) != value:
                    raise InvalidInput(f"the optimizer's {name} stays; fork with changes instead", f"/optimizer/{name}")
            settings["optimizer"] = descent.resolve(document["optimizer"] | changes["optimizer"])
        if "schedule" in changes:
            old = document["schedule"]
            same_kind = changes["schedule"].get("kind", old["kind"]) == old["kind"]
            settings["schedule"] = (old if same_kind else {}) | changes["schedule"]
        settings = self.definition.settings | settings
        settings["schedule"] = schedule_of(settings["schedule"], settings["optimizer"])
        given = values_of(changes.get("parameters") or {}, self.definition.graph)
        values = {name: value_of(value) for name, value in given.items()}
        return self._patched(self.definition.patched(settings), {**self.parameters, **values})

    def _patched(self, definition: Definition, parameters: Mapping[str, Value]) -> Session:
        """This session under other settings; a schedule that has changed begins to watch anew."""
        progress = self.snapshot.progress
        if definition.schedule != self.definition.schedule:
            progress = replace(progress, plateau=None)
        slots = slots_of(definition, self.slots)
        snapshot = Snapshot(self.position, parameters, slots, progress)
        return replace(self, definition=definition, snapshot=snapshot)

    def must_be_finite(self) -> None:
        """Raises ``Diverged`` if the loss or a gradient is not finite."""
        if self.diverged:
            what = "the loss" if not math.isfinite(self.loss or 0.0) else "a gradient"
            way_out = "undo, or fork with a smaller learning rate"
            raise Diverged(f"{what} is not finite, so there is no step to take: {way_out}", ["undo"])

    def _must_accept(self, action: str) -> None:
        if self.phase is not TRANSITIONS[action]:
            here = next(name for name, phase in TRANSITIONS.items() if phase is self.phase)
            needed = (
                f"{action} needs phase {TRANSITIONS[action]}; the session is in {self.phase}, where {here} comes next"
            )
            raise WrongPhase(needed, self.allowed(False))
