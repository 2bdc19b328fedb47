"""Scripts over HTTP: of what is there now, of a revision, of every line that a session can take."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.scripts.script import TARGETS
from tests.routes.conftest import BROWSER
from tests.scripts.running import run

Body = dict[str, Any]
BOTH: tuple[Body, ...] = (
    {},
    {"model": {"kind": "preset", "name": "xor"}, "optimizer": {"kind": "adam"}, "shuffle": True, "batch_size": 3},
)


def made(client: TestClient, body: Body) -> str:
    """The address of a new session."""
    location: str = client.post("/v1/sessions", json=body).headers["location"]
    return location


def holds(text: str, steps: int) -> None:
    """The script runs, and repeats so many steps."""
    (said,) = run([text])
    assert said.startswith(f"{steps} step"), said
    assert "every number is the session's" in said


@pytest.mark.parametrize("target", TARGETS)
def test_a_script_is_a_file_of_python(client: TestClient, session: str, target: str) -> None:
    answer = client.get(f"{session}/code?target={target}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/x-python; charset=utf-8"
    assert answer.headers["content-disposition"] == f'inline; filename="stepgrad_{target}.py"'
    assert compile(answer.text, "script", "exec")


def test_numpy_is_the_target_if_none_is_named(client: TestClient, session: str) -> None:
    assert client.get(f"{session}/code").text == client.get(f"{session}/code?target=numpy").text


def test_an_unknown_target_is_refused_with_those_there_are(client: TestClient, session: str) -> None:
    answer = client.get(f"{session}/code?target=caffe")
    assert answer.status_code == 422
    problem = answer.json()
    assert "target" in problem["detail"]
    assert all(target in problem["detail"] for target in TARGETS)


@pytest.mark.parametrize("body", BOTH)
def test_the_script_follows_the_session_through_its_phases(client: TestClient, body: Body) -> None:
    session = made(client, body)
    for action in ("forward", "backward", "update", "forward"):
        client.post(f"{session}/{action}")
        holds(client.get(f"{session}/code").text, int(action == "update") or client.get(session).json()["step"])


@pytest.mark.parametrize("body", BOTH)
def test_the_script_follows_the_present_line(client: TestClient, body: Body) -> None:
    session = made(client, body)
    client.post(f"{session}/run", json={"steps": 10})
    holds(client.get(f"{session}/code").text, 10)
    client.patch(session, json={"optimizer": {"learning_rate": 0.004}, "batch_size": 2})
    client.post(f"{session}/run", json={"steps": 7})
    text = client.get(f"{session}/code").text
    assert "It trains from step 10 to step 17" in text
    assert "last changed by hand" in text
    holds(text, 7)
    client.post(f"{session}/rewind", json={"step": 12})
    holds(client.get(f"{session}/code").text, 2)
    for _ in range(2):
        client.post(f"{session}/undo")
    holds(client.get(f"{session}/code").text, 10)
    fork = client.post(f"{session}/fork", json={"step": 4}).headers["location"]
    client.post(f"{fork}/run", json={"steps": 5})
    text = client.get(f"{fork}/code").text
    assert "The session is a fork" in text
    holds(text, 5)


def test_a_long_session_is_repeated_from_the_midst_of_it(client: TestClient) -> None:
    session = made(client, {"optimizer": {"learning_rate": 0.01}, "shuffle": True})
    client.post(f"{session}/run", json={"steps": 30_000})
    text = client.get(f"{session}/code").text
    assert "It trains from step 20000 to step 30000" in text
    assert "longer than a script should take" in text
    holds(text, 10_000)


def test_a_diverged_session_is_repeated_to_where_it_diverged(client: TestClient, session: str) -> None:
    stopped = client.post(f"{session}/run", json={"steps": 5000}).json()
    assert stopped["run"]["stopped_by"] == "diverged"
    text = client.get(f"{session}/code").text
    assert "raining has diverged" in text
    holds(text, stopped["step"])


def test_a_revision_keeps_its_script(client: TestClient, session: str) -> None:
    client.post(f"{session}/run", json={"steps": 3})
    now = client.get(f"{session}/code")
    client.post(f"{session}/run", json={"steps": 3})
    then = client.get(f"{session}/revisions/1/code")
    assert then.text == now.text
    assert then.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert client.get(f"{session}/revisions/99/code").status_code == 404


def test_a_script_that_is_known_is_not_written_again(client: TestClient, session: str) -> None:
    first = client.get(f"{session}/code?target=jax")
    tag = first.headers["etag"]
    assert client.get(f"{session}/code?target=jax", headers={"If-None-Match": tag}).status_code == 304
    assert client.get(f"{session}/code?target=numpy", headers={"If-None-Match": tag}).status_code == 200


def test_whoever_may_look_may_take_it_along(client: TestClient, session: str) -> None:
    state = client.get(session).json()
    assert state["links"]["code"] == f"{session}/code"
    read = client.get(f"/v1/sessions/{state['share']['read']}").json()
    text = client.get(f"{read['links']['code']}?target=pytorch").text
    assert text == client.get(f"{session}/code?target=pytorch").text


def test_a_browser_gets_the_text_and_links_to_it(client: TestClient, session: str) -> None:
    assert client.get(f"{session}/code", headers=BROWSER).headers["content-type"].startswith("text/x-python")
    page = client.get(session, headers=BROWSER).text
    assert all(f"/code?target={target}" in page for target in TARGETS)


def test_there_is_no_other_kind_of_it(client: TestClient, session: str) -> None:
    assert client.get(f"{session}/code.json").status_code == 404
    assert client.get("/v1/sessions/unknown/code").status_code == 404
