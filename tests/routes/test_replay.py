"""Stored states, streamed again at a pace one chooses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.routes.conftest import BROWSER
from tests.routes.serving import Listener, call, serving
from tests.routes.test_live import event

Shown = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running service whose streams give a sign of life often."""
    with serving(tmp_path_factory.mktemp("replay"), "--heartbeat-seconds", "0.2") as (url, _):
        yield url


@pytest.fixture
def walked(service: str) -> str:
    """The address of a session with two steps made by hand, then a run of twenty, then a forward."""
    _, state = call("POST", f"{service}/v1/sessions", {"optimizer": {"learning_rate": 0.01}})
    there = f"{service}{state['links']['self']}"
    for action in ("forward", "backward", "update") * 2:
        call("POST", f"{there}/{action}")
    call("POST", f"{there}/run", {"steps": 20})
    call("POST", f"{there}/forward")
    return there


def shown(url: str, last: str = "") -> list[Shown]:
    """Every event of a stream that ends by itself: its id and its document."""
    whole = Listener(url, Accept="text/event-stream", Last_Event_ID=last).end()
    return [read(block) for block in whole.decode().split("\n\n") if "\ndata: " in block]


def one(listener: Listener) -> Shown:
    """The next event."""
    while "\ndata: " not in (block := listener.until(b"\n\n").decode()):
        pass
    return read(block)


def read(block: str) -> Shown:
    fields = dict(line.partition(": ")[::2] for line in block.splitlines() if ": " in line)
    assert fields["event"] == "state"
    return fields["id"], json.loads(fields["data"])


def test_each_phase_of_each_step_is_shown_inside_a_run_too(walked: str) -> None:
    states = shown(f"{walked}/replay?pace=20&step=18")
    assert [place for place, _ in states] == [
        f"{step}.{phase}" for step in range(18, 23) for phase in ("ready", "forward", "backward")
    ][:-1]
    for place, state in states:
        step, _, phase = place.partition(".")
        assert call("GET", f"{walked}/steps/{step}?phase={phase}") == (200, state)


def test_only_each_so_many_th_step_or_only_one_phase_if_one_likes(walked: str) -> None:
    assert [place for place, _ in shown(f"{walked}/replay?pace=20&every=10&phase=ready")] == [
        *("0.ready", "10.ready", "20.ready", "22.ready")
    ]
    assert [place for place, _ in shown(f"{walked}/replay?pace=20&every=21&phase=")] == [
        *("0.ready", "0.forward", "0.backward", "1.ready"),
        *("21.ready", "21.forward", "21.backward", "22.ready", "22.forward"),
    ]


def test_a_replay_goes_on_behind_the_state_seen_last(walked: str) -> None:
    listener = Listener(f"{walked}/replay?pace=20&step=21", Accept="text/event-stream")
    first = one(listener)
    listener.close()
    assert first[0] == "21.ready"
    rest = ["21.forward", "21.backward", "22.ready", "22.forward"]
    by_header = shown(f"{walked}/replay?pace=20&step=21", last=first[0])
    by_query = shown(f"{walked}/replay?pace=20&step=21&last_event_id={first[0]}")
    assert [place for place, _ in by_header] == [place for place, _ in by_query] == rest


def test_a_forks_replay_begins_where_its_line_does(walked: str) -> None:
    _, state = call("POST", f"{walked}/fork", {"step": 2})
    fork = walked.partition("/v1/")[0] + state["links"]["self"]
    assert [place for place, _ in shown(f"{fork}/replay?pace=20")] == ["2.ready"]
    call("POST", f"{fork}/run", {"steps": 1})
    assert [place for place, _ in shown(f"{fork}/replay?pace=20")][:2] == ["2.ready", "2.forward"]


def test_states_come_at_the_pace_chosen(walked: str) -> None:
    took = []
    for pace in (2, 20):
        listener = Listener(f"{walked}/replay?pace={pace}", Accept="text/event-stream")
        one(listener)
        began = time.monotonic()
        for _ in range(4):
            one(listener)
        took.append(time.monotonic() - began)
        listener.close()
    assert took[0] > 1.9
    assert took[1] < took[0]


def test_a_slow_replay_gives_signs_of_life(walked: str) -> None:
    listener = Listener(f"{walked}/replay?pace=0.05", Accept="text/event-stream")
    one(listener)
    listener.until(b": still here\n\n")
    listener.until(b": still here\n\n")
    listener.close()


def test_a_replay_shows_the_line_as_it_was_when_it_began_and_ends_with_its_session(walked: str) -> None:
    listener = Listener(f"{walked}/replay?pace=5", Accept="text/event-stream")
    one(listener)
    live = Listener(f"{walked}/live", Accept="text/event-stream")
    event(live)
    call("POST", f"{walked}/rewind", {"step": 0})
    event(live)
    live.close()
    assert one(listener)[0] == "0.forward"
    call("DELETE", walked)
    listener.end()


def test_a_read_only_id_replays_without_the_sessions_own(walked: str) -> None:
    _, state = call("GET", walked)
    states = shown(f"{walked.replace(state['id'], state['share']['read'])}/replay?pace=20&step=22")
    assert {document["id"] for _, document in states} == {state["share"]["read"]}
    assert all((document["share"], document["allowed"]) == (None, []) for _, document in states)


def test_the_page_is_one_that_grows(walked: str) -> None:
    listener = Listener(f"{walked}/replay?pace=20&step=21", Accept=BROWSER["Accept"])
    head = listener.until(b"\r\n\r\n").lower()
    assert b"x-accel-buffering: no" in head
    assert b"content-security-policy" in head
    text = listener.end()
    assert text.count(b'class="done"') == 5
    assert b"last_event_id=21.backward" in text
    assert b"<script" not in text.lower()


def test_where_nothing_is_left_the_answer_is_empty_so_that_nobody_asks_again(client: TestClient, session: str) -> None:
    for query, headers in (
        ("pace=0", {}),
        ("last_event_id=0.ready", {}),
        ("", {"Last-Event-ID": "0.ready"}),
        ("phase=backward", {}),
    ):
        answer = client.get(f"{session}/replay?{query}", headers={"Accept": "text/event-stream", **headers})
        assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    "query",
    [
        *("pace=-1", "pace=21", "pace=0.01", "pace=nan", "pace=inf", "pace=x", "every=0", "every=1.5", "every=-2"),
        *("step=1", "step=-1", "step=9999999999999999999", "phase=update", "last_event_id=x", "last_event_id=0"),
    ],
)
def test_what_cannot_be_replayed_is_told_so(client: TestClient, session: str, query: str) -> None:
    for headers in ({"Accept": "text/event-stream"}, BROWSER):
        answer = client.get(f"{session}/replay?{query}", headers=headers)
        assert answer.status_code == 422
    detail = client.get(f"{session}/replay?{query}").json()["detail"]
    assert "query parameter" in detail or "last event" in detail


def test_there_is_no_replay_of_what_is_not_there(client: TestClient) -> None:
    assert client.get("/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA/replay").status_code == 404
