"""Streams: whoever watches a session sees each new revision."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.routes.serving import Listener, call, serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running service whose streams give a sign of life often."""
    with serving(tmp_path_factory.mktemp("live"), "--heartbeat-seconds", "0.2") as (url, _):
        yield url


@pytest.fixture
def session(service: str) -> str:
    """The address of a new session."""
    _, state = call("POST", f"{service}/v1/sessions")
    return f"{service}{state['links']['self']}"


def event(listener: Listener) -> tuple[str, int, dict[str, Any]]:
    """The next event with data: its name, its id, its document."""
    while True:
        block = listener.until(b"\n\n").decode()
        fields = dict(
            line.partition(": ")[::2] for line in block.splitlines() if ": " in line and not line.startswith(":")
        )
        if "data" in fields:
            return fields["event"], int(fields.get("id", -1)), json.loads(fields["data"])


def test_an_event_stream_starts_with_the_present_state_and_goes_on(session: str) -> None:
    listener = Listener(f"{session}/live", Accept="text/event-stream")
    assert b"content-type: text/event-stream" in listener.until(b"\r\n\r\n").lower()
    assert event(listener)[:2] == ("state", 0)
    for revision, action in enumerate(("forward", "backward", "update"), start=1):
        _, state = call("POST", f"{session}/{action}")
        assert event(listener) == ("state", revision, state)
    listener.close()


def test_a_stream_is_resumed_after_the_event_seen_last(session: str) -> None:
    states = [call("POST", f"{session}/{action}")[1] for action in ("forward", "backward", "update")]
    by_header = Listener(f"{session}/live", Accept="text/event-stream", Last_Event_ID="1")
    by_query = Listener(f"{session}/live?last_event_id=1", Accept="text/event-stream")
    for listener in (by_header, by_query):
        assert event(listener) == ("state", 2, states[1])
        assert event(listener) == ("state", 3, states[2])
        listener.close()
    assert call("GET", f"{session}/live?last_event_id=x")[0] == 422


def test_a_silent_stream_gives_signs_of_life(session: str) -> None:
    listener = Listener(f"{session}/live", Accept="text/event-stream")
    listener.until(b": still here\n\n")
    listener.until(b": still here\n\n")
    listener.close()


def test_a_stream_ends_with_its_session(session: str) -> None:
    listener = Listener(f"{session}/live", Accept="text/event-stream")
    event(listener)
    call("DELETE", session)
    listener.end()


def test_the_live_page_grows_by_a_frame_per_revision(session: str) -> None:
    listener = Listener(f"{session}/live", Accept="text/html")
    head = listener.until(b"\r\n\r\n").lower()
    assert b"text/html" in head
    assert b"x-accel-buffering: no" in head
    assert b"content-security-policy" in head
    first = listener.until(b'class="done"')
    assert b"<!doctype html>" in first.lower()
    assert b"<script" not in first.lower()
    call("POST", f"{session}/forward")
    listener.until(b'class="done"')
    listener.until(b"<!-- still here -->")
    listener.close()


def test_a_run_as_an_event_stream_tells_its_progress(session: str) -> None:
    call("PATCH", session, {"optimizer": {"learning_rate": 0.001}})
    listener = Listener(f"{session}/run", "POST", b'{"steps": 200000}', Accept="text/event-stream")
    listener.until(b"\r\n\r\n")
    steps = []
    while True:
        name, id, document = event(listener)
        if name == "state":
            break
        assert set(document) == {"step", "epoch", "loss"}
        steps.append(document["step"])
    assert steps == sorted(steps)
    assert len(steps) > 2
    assert (id, document["step"], document["run"]) == (2, 200000, {"steps_done": 200000, "stopped_by": "completed"})
    listener.end()


def test_who_leaves_a_run_stops_it_at_the_last_committed_slice(session: str) -> None:
    call("PATCH", session, {"optimizer": {"learning_rate": 0.001}})
    for accept in ("text/event-stream", "application/json"):
        before = call("GET", session)[1]
        listener = Listener(f"{session}/run", "POST", b'{"steps": 1000000}', Accept=accept)
        if accept == "text/event-stream":
            event(listener)
        status = 200
        while status != 409:  # until the run holds the session
            status, _ = (
                call("POST", f"{session}/undo", {"revision": 0}) if accept != "text/event-stream" else (409, None)
            )
            status = 409 if status == 412 else status
        listener.close()
        while True:
            state = call("GET", session)[1]
            if state["revision"] == before["revision"] + 1:
                break
        assert state["run"]["stopped_by"] in ("disconnected", "completed")
        assert state["step"] == before["step"] + state["run"]["steps_done"]
