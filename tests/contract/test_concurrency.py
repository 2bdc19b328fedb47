"""Many clients of one service at once: whatever they do, there is one order in which they did it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx2
import pytest

CLIENTS = 8
TRIES = 24
CYCLE = ("forward", "backward", "update")
PHASES = ("ready", "forward", "backward")
BODY = {"optimizer": {"learning_rate": 0.01}, "batch_size": 4, "shuffle": True, "seed": 3}
Json = dict[str, Any]
T = TypeVar("T")


def at_once(address: str, count: int, work: Callable[[httpx2.Client], T]) -> list[T]:
    """What ``work`` returns for each of so many clients, all let off at the same moment."""
    start = threading.Barrier(count)

    def one(_: int) -> T:
        with httpx2.Client(base_url=address, timeout=60) as client:
            client.get("/livez")
            start.wait(timeout=30)
            return work(client)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@pytest.fixture(scope="module")
def line(address: str) -> list[Json]:
    """The states of one session that a single client steps, revision by revision."""
    with httpx2.Client(base_url=address) as client:
        answer = client.post("/v1/sessions", json=BODY)
        states, path = [answer.json()], answer.headers["location"]
        states += [client.post(f"{path}/{CYCLE[turn % 3]}").json() for turn in range(CLIENTS * TRIES)]
    return states


def facts(state: Json) -> Json:
    """What of a state two sessions have in common if they were stepped alike."""
    return {
        name: state[name]
        for name in ("revision", "phase", "step", "epoch", "batch_rows", "loss", "gradients", "parameters")
    }


def check(address: str, path: str, answers: list[httpx2.Response], line: list[Json]) -> int:
    """How many steps were accepted; each of them was one step of one order, and the session is where the last led."""
    accepted = sorted((a.json() for a in answers if a.status_code == 200), key=lambda state: state["revision"])
    assert [state["revision"] for state in accepted] == list(range(1, len(accepted) + 1))
    assert [facts(state) for state in accepted] == [facts(state) for state in line[1 : len(accepted) + 1]]
    assert facts(httpx2.get(address + path).json()) == facts(line[len(accepted)])
    steps = [item["step"] for item in httpx2.get(f"{address}{path}/history?limit=1000").json()["items"]]
    assert len(steps) == len(set(steps)) == len(accepted) // 3
    return len(accepted)


def create(address: str) -> str:
    path: str = httpx2.post(f"{address}/v1/sessions", json=BODY).headers["location"]
    return path


def test_eight_clients_that_just_try_never_step_twice(address: str, line: list[Json]) -> None:
    path = create(address)

    def work(client: httpx2.Client) -> list[httpx2.Response]:
        return [client.post(f"{path}/{CYCLE[turn % 3]}") for turn in range(TRIES)]

    answers = [answer for part in at_once(address, CLIENTS, work) for answer in part]
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses.keys() <= {200, 409}
    assert {a.json()["type"] for a in answers if a.status_code == 409} <= {"/problems/wrong-phase"}
    assert check(address, path, answers, line) >= TRIES


def test_eight_clients_that_say_which_revision_they_saw_never_step_twice(address: str, line: list[Json]) -> None:
    path = create(address)

    def work(client: httpx2.Client) -> list[httpx2.Response]:
        answers = []
        for _ in range(TRIES):
            seen = client.get(path)
            action = CYCLE[PHASES.index(seen.json()["phase"])]
            answer = client.post(f"{path}/{action}", headers={"If-Match": seen.headers["etag"]})
            if answer.status_code == 200:
                assert answer.json()["revision"] == seen.json()["revision"] + 1
            else:
                assert answer.json()["revision"] > seen.json()["revision"]
            answers.append(answer)
        return answers

    answers = [answer for part in at_once(address, CLIENTS, work) for answer in part]
    assert {answer.status_code for answer in answers} <= {200, 412}
    assert check(address, path, answers, line) >= TRIES


def test_eight_clients_with_one_key_make_one_step_and_get_the_same_answer(address: str, line: list[Json]) -> None:
    path = create(address)
    for turn in range(6):
        call = f"{path}/{CYCLE[turn % 3]}"
        key = {"Idempotency-Key": f"turn {turn}"}
        answers = at_once(address, CLIENTS, lambda client, call=call, key=key: client.post(call, headers=key))  # type: ignore[misc]
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.content for answer in answers} == {answers[0].content}
        assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
        assert facts(answers[0].json()) == facts(line[turn + 1])


def test_steps_undos_and_runs_at_once_leave_a_session_in_one_piece(address: str) -> None:
    path = create(address)
    actions: list[tuple[str, Json | None]] = [*((name, None) for name in CYCLE), ("undo", None), ("run", {"steps": 2})]

    def work(client: httpx2.Client) -> list[httpx2.Response]:
        return [client.post(f"{path}/{name}", json=body) for name, body in actions * 5]

    answers = [answer for part in at_once(address, CLIENTS, work) for answer in part]
    assert {answer.status_code for answer in answers} <= {200, 409}
    accepted = sorted(answer.json()["revision"] for answer in answers if answer.status_code == 200)
    assert accepted == list(range(1, len(accepted) + 1))
    for answer in (answer for answer in answers if answer.status_code == 200):
        again = httpx2.get(f"{address}{path}/revisions/{answer.json()['revision']}").json()
        assert facts(again) == facts(answer.json())
    assert httpx2.get(address + path).json()["revision"] == len(accepted)


def test_sixteen_creates_at_once_are_sixteen_sessions(address: str) -> None:
    answers = at_once(address, 16, lambda client: client.post("/v1/sessions", json=BODY))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 16
    assert {httpx2.get(address + answer.headers["location"]).json()["revision"] for answer in answers} == {0}


def test_sixteen_creates_at_once_with_one_key_are_one_session(address: str) -> None:
    key = {"Idempotency-Key": "sixteen creates, one session"}
    answers = at_once(address, 16, lambda client: client.post("/v1/sessions", json=BODY, headers=key))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
