"""Sessions for Schemathesis: an id out of the blue is only ever 404, so most requests get the id of a real one."""

from __future__ import annotations

import os
from itertools import count
from typing import Any

import requests
import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.generation.meta import TestPhase

ACTIONS = ("forward", "backward", "update", "forward")
CODES = ("wrong-phase", "not-found", "invalid", "nothing")
turns = count()


def new_session(steps: int) -> str:
    """The id of a new session that has taken so many of the actions, the last of which is a run."""
    service = os.environ["STEPGRAD_UNDER_TEST"]
    with requests.Session() as client:
        made: str = client.post(f"{service}/v1/sessions", json={"batch_size": 1 + steps}, timeout=20).json()["id"]
        for action in ACTIONS[:steps]:
            client.post(f"{service}/v1/sessions/{made}/{action}", timeout=20)
        if steps == len(ACTIONS):
            client.post(f"{service}/v1/sessions/{made}/run", json={"steps": 3}, timeout=20)
    return made


@schemathesis.hook
def before_call(_context: HookContext, case: Case[Any], _kwargs: dict[str, Any]) -> None:
    """Put in what a generator cannot know; where the path is meant to be wrong, or follows a link, it stays."""
    if case.meta is None or case.meta.phase.name is TestPhase.STATEFUL:
        return
    wrong = {place.container_name for place, info in case.meta.components.items() if not info.mode.is_positive}
    turn = next(turns)
    path = case.path_parameters
    if turn % 8 and "path_parameters" not in wrong:
        if "id" in path:
            path["id"] = new_session(turn % (len(ACTIONS) + 1))
        for name in {"revision", "step"} & path.keys():
            path[name] = str(turn % 3)
        if "code" in path:
            path["code"] = CODES[turn % len(CODES)]
    if turn % 3 and "headers" not in wrong:
        case.headers.pop("If-Match", None)


@schemathesis.hook
def filter_failure(_context: HookContext, failure: Failure, case: Case[Any], _response: Response) -> bool:
    """An empty field of a form is absent, so an unknown name is no fault there; a JSON schema cannot say so."""
    return not (isinstance(failure, AcceptedNegativeData) and case.media_type and "form" in case.media_type)
