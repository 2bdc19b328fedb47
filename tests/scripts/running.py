"""Scripts made and run: many in one process, since a library takes longer to import than a script to run.

``python -m tests.scripts.running`` reads a list of scripts as JSON from standard input and writes for each what it
printed, or the error that it ended with.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import traceback

from api.scripts.repetition import Beginning
from api.scripts.script import script
from api.training.definition import define
from api.training.run import advance, arrived
from api.training.session import Session
from tests.scripts.cases import Case

DONE = "repeated, and every number is the session's"


def session_of(case: Case) -> Session:
    """The session of a case, after its steps."""
    session = Session.start(define(case.body))
    return arrived(session, advance(session.definition, session.snapshot, steps=case.steps)) if case.steps else session


def script_of(case: Case, target: str) -> str:
    """The script of a case."""
    session = session_of(case)
    start = Session.start(session.definition).snapshot
    beginning = Beginning.EDITED if case.begun else Beginning.CREATED
    return script(session, advance(session.definition, start, steps=case.begun).end, beginning, target)


def run(scripts: list[str]) -> list[str]:
    """What each of the scripts prints, or its error, from a process of their own."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "tests.scripts.running"]
    done = subprocess.run(
        command, input=json.dumps(scripts), capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def ran(text: str) -> str:
    """What a script prints, or the last lines of its error."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(text, "script", "exec"), {"__name__": "__main__"})  # noqa: S102 - what is to be tested
    except BaseException:
        return traceback.format_exc()[-1500:]
    return printed.getvalue()


if __name__ == "__main__":
    print(json.dumps([ran(text) for text in json.load(sys.stdin)]))  # noqa: T201
