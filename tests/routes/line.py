"""A session as simply as it can be told: the states of its current line, each made by stepping.

What the service answers is held against this, whatever it keeps in its cache and its database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from api.documents.state import state, to_json
from api.routes.answers import Unstored
from api.training.session import Phase, Session

NEXT = {Phase.READY: "forward", Phase.FORWARD: "backward", Phase.BACKWARD: "update"}
COMPARED = ("phase", "allowed", "step", "epoch", "batch", "batch_rows", "parameters", "loss", "gradients")


class Line:
    """Every state since the beginning, but for those that were undone."""

    def __init__(self, session: Session) -> None:
        self.states = [session]
        self.revision = 0

    @property
    def now(self) -> Session:
        """The newest state."""
        return self.states[-1]

    def copy(self) -> Line:
        """A line that goes its own way."""
        line = Line(self.states[0])
        line.states, line.revision = list(self.states), self.revision
        return line

    def accepts(self, action: str, body: Mapping[str, Any]) -> bool:
        """Whether the action is possible now."""
        if action == "undo":
            return len(self.states) > 1
        if action == "rewind":
            return self.states[0].position.step <= int(body["step"]) <= self.now.position.step
        if action == "edit":
            return self.now.phase is Phase.READY
        return action == "run" or NEXT[self.now.phase] == action

    def act(self, action: str, body: Mapping[str, Any]) -> None:
        """Take an action that is accepted."""
        if action == "undo":
            del self.states[-1]
        elif action == "rewind":
            self._rewind(body["step"])
        elif action == "edit":
            self.states.append(self.now.patch(body))
        elif action == "run":
            self.states.append(stepped(self.now, self.now.position.step + body["steps"]))
        else:
            self.states.append(getattr(self.now, action)())
        self.revision += 1

    def _rewind(self, step: int) -> None:
        while not (self.now.position.step == step and self.now.phase is Phase.READY):
            last = self.states.pop()
            if not self.states:  # a fork that began in the midst of its first step
                self.states.append(Session(last.definition, last.snapshot))
            elif self.now.position.step < step < last.position.step:  # in the midst of a run
                self.states.append(stepped(self.now, step))

    def facts(self) -> dict[str, Any]:
        """The newest state as JSON has it."""
        return facts_of(self.now, len(self.states) > 1)


def stepped(session: Session, step: int) -> Session:
    """The start of a later step, one action at a time."""
    while session.position.step < step:
        session = getattr(session, NEXT[session.phase])()
    return session


def facts_of(session: Session, undoable: bool) -> dict[str, Any]:
    """A state's facts."""
    document = state(Unstored(session), base="")
    document["allowed"] = session.allowed(undoable)
    return compared(json.loads(to_json(document)))


def compared(document: Mapping[str, Any]) -> dict[str, Any]:
    """What of an answer is compared."""
    return {name: document[name] for name in COMPARED}
