"""A session as a script of one of the targets: text in, text out."""

from __future__ import annotations

import re
from collections.abc import Callable

from api.scripts import jax_script, numpy_script, pytorch_script, tensorflow_script
from api.scripts.repetition import Beginning, Repetition, repetition
from api.scripts.target import JAX, NUMPY, PYTORCH, TENSORFLOW, Target
from api.training.session import Session
from api.training.snapshot import Snapshot

_TABLE: tuple[tuple[Target, Callable[[Repetition], list[str]]], ...] = (
    (NUMPY, numpy_script.script),
    (PYTORCH, pytorch_script.script),
    (JAX, jax_script.script),
    (TENSORFLOW, tensorflow_script.script),
)
TARGETS: dict[str, Target] = {target.name: target for target, _ in _TABLE}
_SCRIPTS = {target.name: lines for target, lines in _TABLE}
_MATH = re.compile(r"(?<![\w.\"])math\.")


def script(session: Session, start: Snapshot, beginning: Beginning, target: str) -> str:
    """The script that goes from ``start``, a state of the session's own line, to where the session stands.

    Raises ``InvalidInput`` for what a target cannot express.
    """
    expressible(session, target)
    lines = _SCRIPTS[target](repetition(session, start, beginning))
    if any(_MATH.search(line) for line in lines):
        first = next(place for place, line in enumerate(lines) if line.startswith("import "))
        lines[first:first] = ["import math", *([] if lines[first] == "import os" else [""])]
    return "\n".join(lines) + "\n"


def expressible(session: Session, target: str) -> None:
    """Raises ``InvalidInput`` if the target cannot express the session, with what it lacks and which targets can."""
