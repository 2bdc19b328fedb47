"""How a session has moved, as numbers to be drawn: its parameters, its learning rate, the size of its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.engine.rules import norm
from api.training.session import Phase, Session

Document = dict[str, Any]


def course(sessions: Sequence[Session]) -> Document:
    """``steps``, and for each of them ``learning_rate``, ``gradient_norm``, and by name ``parameters``, where a tensor
    is told by its norm; ``norms`` names those. The last session may be in any phase, the others are ready."""
    numbers = [_numbers(session) for session in sessions]
    names = sessions[-1].definition.names
    return {
        "steps": [session.position.step for session in sessions],
        "learning_rate": [session.learning_rate for session in sessions],
        "gradient_norm": [_gradient_norm(session) for session in sessions],
        "parameters": {name: [each[name] for each in numbers] for name in names},
        "norms": [name for name, shape in sessions[-1].definition.shapes.items() if shape],
    }


def _numbers(session: Session) -> dict[str, float]:
    return {
        name: value if isinstance(value, float) else float(norm(value)) for name, value in session.parameters.items()
    }


def _gradient_norm(session: Session) -> float:
    if session.phase is Phase.READY:
        session = session.forward()
    return (session.backward() if session.phase is Phase.FORWARD else session).gradient_norm
