"""A student's own server, driven over all cases: the numbers after each call, and the order in which calls are taken.

It answers the same five calls: POST /v1/sessions, GET /v1/sessions/{id}, and POST …/forward, …/backward, …/update. What
it says of its own parameters is what its further numbers are judged from.
"""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.message import Message
from typing import Any

from api.engine.kernels import Value
from api.grading.assignment import Assignment
from api.grading.cases import Case
from api.grading.compare import Malformed, flat
from api.grading.line import Sheet
from api.grading.numbers import elements, shape, shaped
from api.grading.quantities import names_of
from api.grading.running import Run
from api.grading.working import Working
from api.training.snapshot import listed

LONGEST = 32 * 1024 * 1024
"""Bytes of an answer that are read."""
ORDER = (
    ("update", "ready"),
    ("backward", "ready"),
    ("update", "forward"),
    ("forward", "forward"),
    ("forward", "backward"),
)
"""Calls that must be refused, each with the phase in which it comes."""


class NoAnswer(Exception):
    """A call that was not answered as it should be; ``str()`` says how it was."""


@dataclass(slots=True)
class Server:
    """The address of a student's server, and what was found about the order of calls."""

    url: str
    seconds: float = 10.0
    calls: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"{self.url[:80]} is no address of a server; write http://127.0.0.1:8000, for example")
        self.url = self.url.rstrip("/")

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any, Message]:
        """One call: its status, its JSON (None if it is none), its headers. Raises NoAnswer."""
        data = None if body is None and method == "GET" else json.dumps(body or {}).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with _OPENER.open(request, timeout=self.seconds) as answer:
                return answer.status, _document(answer.read(LONGEST + 1)), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _document(error.read(LONGEST + 1)), error.headers
        except (OSError, ValueError, urllib.error.URLError) as error:
            reason = getattr(error, "reason", error)
            raise NoAnswer(f"{method} {path}: {str(reason)[:200]}") from None


class _Straight(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Straight)


def _document(text: bytes) -> Any:
    if len(text) > LONGEST:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def run(assignment: Assignment, cases: Sequence[Case], server: Server) -> tuple[Run, list[Case]]:
    """Drive a server over all cases: what it said, and the cases as it began them.

    Where a call is not answered, what it should have said is missing.
    """
    found, begun = Run(), list(cases)
    for place, case in enumerate(cases):
        try:
            if place == 0:
                _in_order(server, body_of(assignment, case), found)
            _case(server, assignment, begun, place, found)
        except NoAnswer as reason:
            if str(reason) not in found.notes:
                found.notes.append(str(reason))
            for step in range(assignment.steps):
                sheet = found.sheets.get((case.number, step), Sheet())
                said = dict.fromkeys((part for part in assignment.weights if part not in sheet.answers), str(reason))
                found.sheets[case.number, step] = Sheet(sheet.answers, sheet.state, {**said, **sheet.said})
    return found, begun


def body_of(assignment: Assignment, case: Case) -> dict[str, Any]:
    """The session to be created for a case."""
    document = assignment.definition.document
    body = {name: document[name] for name in ("model", "loss", "optimizer", "schedule")}
    data = assignment.definition.data
    rows = [row for batch in case.rows for row in batch]
    if data is not None:
        # rows that are never fed: with them the classes of a column are as many as in the assignment
        hot = {feed.columns[0]: feed.classes for feed in assignment.definition.feeds.values() if feed.classes}
        extra = [
            [float(hot[name] - 1) if name in hot else one for name, one in zip(data.columns, rows[0], strict=True)]
        ]
        table = [*rows, *(extra if hot else [])]
        body["data"] = {"columns": list(data.columns), "rows": table, "targets": list(data.targets)}
        body["batch_size"] = len(case.rows[0])
    else:
        body["data"] = None
    return {**body, "parameters": {name: listed(value) for name, value in case.parameters.items()}}


def _in_order(server: Server, body: Mapping[str, Any], found: Run) -> None:
    """Calls that come too early or twice must be refused with 409; each is tried on a session of its own."""
    way = {"ready": (), "forward": ("forward",), "backward": ("forward", "backward")}
    for action, phase in ORDER:
        base, _ = _created(server, body)
        for before in way[phase]:
            _called(server, base, before)
        status, said = 0, ""
        try:
            status, document, _ = server.ask("POST", f"{base}/{action}")
            said = "refused with 409" if status == 409 else f"answered {status}{_detail(document)}; 409 is expected"
        except NoAnswer:
            said = "not answered; 409 is expected"
        server.calls.append({"call": action, "phase": phase, "right": status == 409, "said": said})
        if status != 409:
            found.notes.append(f"{action} in phase {phase} {said}")


def _case(server: Server, assignment: Assignment, cases: list[Case], place: int, found: Run) -> None:
    base, state = _created(server, body_of(assignment, cases[place]))
    right = Working(cases[place].exercise(0))
    parameters = _whole(_mapping(state, "parameters"), right)
    if parameters and any(
        elements(parameters[name]) != elements(right.exercise.parameters[name]) for name in parameters
    ):
        found.notes.append(f"case {cases[place].number} began with other parameters than it was given")
        cases[place] = replace(cases[place], parameters=parameters)
    for step in range(assignment.steps):
        fed = {name: value for name, value in _mapping(state, "inputs").items() if name in right.exercise.inputs}
        answers: dict[str, Mapping[str, Any]] = {"values": fed if step == 0 else {}}
        slots = None
        try:
            answers["values"] = {**answers["values"], **_values(_called(server, base, "forward"), right)}
            answers["gradients"] = _named(_called(server, base, "backward"), "gradients", right)
            state = _called(server, base, "update")
            answers["updated"] = _named(state, "parameters", right)
            slots = _mapping(_mapping(state, "optimizer"), "slots")
        finally:
            sheet = Sheet({name: each for name, each in answers.items() if each}, slots or None)
            found.sheets[cases[place].number, step] = sheet


def _whole(given: Mapping[str, Any], right: Working) -> dict[str, Value]:
    """All parameters as the server has them; nothing if one is missing or is no number of the right shape."""
    found: dict[str, Value] = {}
    for name, value in right.exercise.parameters.items():
        try:
            numbers = flat(given.get(name))
        except Malformed:
            return {}
        if numbers.shape != shape(value) or not all(map(math.isfinite, numbers.elements)):
            return {}
        found[name] = shaped(numbers.elements, value)
    return found


def _created(server: Server, body: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """A new session's address and its state."""
    status, document, headers = server.ask("POST", "/v1/sessions", body)
    if status not in (200, 201):
        raise NoAnswer(f"POST /v1/sessions answered {status}{_detail(document)}; 201 is expected")
    id = document.get("id") if isinstance(document, dict) else None
    there = headers.get("Location") or (f"/v1/sessions/{id}" if id else "")
    path = urllib.parse.urlsplit(there).path
    if not path.startswith("/"):
        raise NoAnswer("POST /v1/sessions answered without Location and without an id")
    status, state, _ = server.ask("GET", path)
    if status != 200 or not isinstance(state, dict):
        raise NoAnswer(f"GET {path} answered {status}{_detail(state)}; 200 and the state are expected")
    return path, state


def _called(server: Server, base: str, action: str) -> Mapping[str, Any]:
    """The state after an action."""
    status, document, _ = server.ask("POST", f"{base}/{action}")
    if status not in (200, 204, 303):
        raise NoAnswer(f"POST …/{action} answered {status}{_detail(document)}; 200 is expected")
    if status != 200 or not isinstance(document, dict) or "phase" not in document:
        status, document, _ = server.ask("GET", base)
    if status != 200 or not isinstance(document, dict):
        raise NoAnswer(
            f"GET {base} after {action} answered {status}{_detail(document)}; 200 and the state are expected"
        )
    return document


def _detail(document: Any) -> str:
    detail = document.get("detail") if isinstance(document, dict) else None
    return f" ({str(detail)[:200]})" if detail else ""


def _values(state: Mapping[str, Any], right: Working) -> dict[str, Any]:
    """Outputs, the loss, and whatever else the state says of the graph's quantities."""
    graph = right.exercise.graph
    known = [name for name in names_of(right.exercise, "values") if graph.nodes[graph.index[name]].op]
    nodes = _mapping(state, "graph").get("nodes")
    found: dict[str, Any] = {}
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, dict) and node.get("id") in known and _is_plain(node.get("value")):
            found[node["id"]] = node["value"]
    found |= {name: value for name, value in _mapping(state, "outputs").items() if name in known}
    if state.get("loss") is not None:
        found[graph.nodes[graph.loss].id] = state["loss"]
    return found


def _named(state: Mapping[str, Any], part: str, right: Working) -> dict[str, Any]:
    return {name: value for name, value in _mapping(state, part).items() if name in right.exercise.names}


def _mapping(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = state.get(name)
    return value if isinstance(value, dict) else {}


def _is_plain(value: Any) -> bool:
    """Whether it is numbers and no summary of them."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
