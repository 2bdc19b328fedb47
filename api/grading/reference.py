"""The right numbers of the step that a session is in."""

from __future__ import annotations

from typing import Any

from api.grading.compare import Answers, Reference, check
from api.grading.diagnosis import Diagnosis
from api.grading.exercise import Exercise
from api.grading.numbers import elements
from api.grading.working import Working
from api.training.session import Session
from api.training.snapshot import finite


def reference(session: Session) -> Reference:
    """What every quantity of the session's present step should be, with all that is needed to follow up what is not."""
    return reference_of(Diagnosis(Exercise.of(session)))


def checked(session: Session, answers: Answers | list[Answers]) -> dict[str, Any] | list[dict[str, Any]]:
    """The verdicts on answers to a session's present step, see ``compare.check``."""
    return check(reference(session), answers)


def reference_of(diagnosis: Diagnosis) -> Reference:
    """The same of an exercise; there is no update where the loss or a gradient is not finite."""
    right, graph = diagnosis.right, diagnosis.exercise.graph
    nodes = graph.nodes
    return Reference(
        values={node.id: right.values[node.index] for node in graph.named},
        partials={
            f"{nodes[target].id}/{nodes[source].id}": value for (source, target), value in right.partials.items()
        },
        gradients=right.gradients,
        updated=right.updated if _has_step(right) else {},
        diagnosis=diagnosis,
    )


def _has_step(right: Working) -> bool:
    loss = elements(right.values[right.exercise.graph.loss])[0]
    return finite(loss) and all(map(finite, right.gradients.values()))
