"""Many steps in one request."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from tests.routes.conftest import settings
from tests.routes.serving import call, serving

CALM = {"optimizer": {"learning_rate": 0.001}}


def test_a_run_does_what_stepping_does(client: TestClient) -> None:
    stepped = client.post("/v1/sessions", json={"batch_size": 4, "shuffle": True}).headers["location"]
    run = client.post("/v1/sessions", json={"batch_size": 4, "shuffle": True}).headers["location"]
    for _ in range(7):
        for action in ("forward", "backward", "update"):
            state = client.post(f"{stepped}/{action}").json()
    ran = client.post(f"{run}/run", json={"steps": 7}).json()
    for field in ("step", "epoch", "batch", "phase", "parameters", "inputs", "last_update", "batch_rows", "warnings"):
        if field != "warnings":
            assert ran[field] == state[field], field
    assert ran["run"] == {"steps_done": 7, "stopped_by": "completed"}
    assert ran["revision"] == 1


def test_a_run_finishes_the_cycle_already_begun(client: TestClient, session: str) -> None:
    client.post(f"{session}/forward")
    state = client.post(f"{session}/run", json={"steps": 1}).json()
    assert (state["step"], state["phase"], state["run"]["steps_done"]) == (1, "ready", 1)
    state = client.post(f"{session}/run", json={"epochs": 1}).json()
    assert (state["epoch"], state["batch"], state["run"]["steps_done"]) == (2, 1, 5)


@pytest.mark.parametrize(
    ("until", "steps"), [({"step": 3}, 3), ({"epoch": 2}, 6), ({"loss_below": 1e9}, 1), ({"step": 0}, 0)]
)
def test_a_run_stops_early_where_it_is_told(
    client: TestClient, session: str, until: dict[str, float], steps: int
) -> None:
    state = client.post(f"{session}/run", json={"steps": 50, "until": until}).json()
    assert state["run"] == {"steps_done": steps, "stopped_by": "until"}


def test_the_whole_run_is_one_action_for_undo(client: TestClient, session: str) -> None:
    before = client.get(session).json()
    client.post(f"{session}/run", json={"steps": 500})
    after = client.post(f"{session}/undo").json()
    assert after["revision"] == 2
    for field in ("step", "phase", "parameters", "inputs"):
        assert after[field] == before[field]


def test_the_article_s_data_diverges_and_stays_readable(client: TestClient, session: str) -> None:
    client.post(f"{session}/run", json={"epochs": 3})
    warned = client.post(f"{session}/run", json={"epochs": 20}).json()
    assert "loss_growing" in [warning["code"] for warning in warned["warnings"]]
    state = client.post(f"{session}/run", json={"epochs": 1000}).json()
    assert state["run"]["stopped_by"] == "diverged"
    assert (state["phase"], state["allowed"], state["epoch"]) == ("backward", ["undo"], 217)
    assert "diverged" in [warning["code"] for warning in state["warnings"]]
    for action in ("update", "run"):
        answer = client.post(f"{session}/{action}", json={"steps": 1} if action == "run" else None)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/diverged")
    for path in ("", ".html", ".txt", ".svg", "/equations", "/history?after=1200", "/loss.svg"):
        assert client.get(session + path).status_code == 200, path
    assert client.post(f"{session}/undo").json()["phase"] == "ready"


def test_a_run_over_its_time_stops_at_the_budget_and_can_go_on(tmp_path: Path) -> None:
    with TestClient(create_app(settings(tmp_path, run_seconds=0.3, max_run_steps=10**9))) as client:
        session = client.post("/v1/sessions", json=CALM).headers["location"]
        state = client.post(f"{session}/run", json={"steps": 10**8}).json()
        assert state["run"]["stopped_by"] == "budget"
        assert (state["step"], state["revision"]) == (state["run"]["steps_done"], 1)
        assert client.post(f"{session}/run", json={"steps": 1}).json()["step"] == state["step"] + 1
        at = state["step"] // 2
        there = client.get(f"{session}/steps/{at}").json()
        assert there["step"] == at
        answer = client.post("/v1/sessions", json={**CALM, "start": {"step": 10**8}})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/start/step")


def test_a_start_far_on_is_reached_as_a_run_would(client: TestClient) -> None:
    created = client.post("/v1/sessions", json={**CALM, "start": {"step": 9000, "phase": "forward"}}).json()
    session = client.post("/v1/sessions", json=CALM).headers["location"]
    client.post(f"{session}/run", json={"steps": 9000})
    ran = client.post(f"{session}/forward").json()
    for field in ("step", "epoch", "phase", "parameters", "loss", "last_update"):
        assert created[field] == ran[field], field


def test_while_a_run_goes_on_others_read_and_other_writes_are_409(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, _):
        state = call("POST", f"{url}/v1/sessions", CALM)[1]
        session = url + state["links"]["self"]
        answers: list[tuple[int, dict[str, object]]] = []
        run = threading.Thread(target=lambda: answers.append(call("POST", f"{session}/run", {"steps": 1_000_000})))
        run.start()
        refused = 0
        while run.is_alive():
            assert call("GET", f"{session}/revisions/0")[0] == 200
            status, problem = call("POST", f"{session}/undo", {"revision": 77})
            if status == 409:
                refused += 1
                assert problem["type"] == "/problems/run-in-progress"
                assert call("GET", session)[1]["revision"] in (0, 1)
        run.join()
        assert refused > 0
        assert answers[0][0] == 200
        assert answers[0][1]["run"] == {"steps_done": 1_000_000, "stopped_by": "completed"}
        assert call("GET", session)[1]["revision"] == 1


def test_a_step_of_much_work_is_done_in_another_process_with_the_same_result(client: TestClient) -> None:
    rows = [[0.001 * i, 0.002 * i] for i in range(10_000)]
    body = {"data": {"columns": ["u", "v"], "rows": rows}, "batch_size": 10_000}
    session = client.post("/v1/sessions", json={**body, "model": {"kind": "linear"}}).headers["location"]
    stepped = [client.post(f"{session}/{action}").json() for action in ("forward", "backward", "update")][-1]
    client.post(f"{session}/rewind", json={"step": 0})
    ran = client.post(f"{session}/run", json={"steps": 1}).json()
    assert ran["parameters"] == stepped["parameters"]
