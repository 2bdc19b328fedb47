"""Revisions, tags and retries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.routes.serving import call, serving

KEY = "a-key-of-at-least-22-characters"


@pytest.mark.parametrize("tag", ['"r0"', 'W/"r0"', '"r0.html"', 'W/"r0.ops.full"', "*", '"r9", "r0"'])
def test_if_match_compares_the_number(client: TestClient, session: str, tag: str) -> None:
    assert client.post(f"{session}/forward", headers={"If-Match": tag}).status_code == 200


@pytest.mark.parametrize("tag", ['"r1"', 'W/"r7.html"', '"abc"', "r0", '""', '"r0x"', '"r00000000000000000000000"'])
def test_another_revision_is_412_and_says_which_is_current(client: TestClient, session: str, tag: str) -> None:
    answer = client.post(f"{session}/forward", headers={"If-Match": tag})
    assert (answer.status_code, answer.json()["type"]) == (412, "/problems/stale-revision")
    assert answer.json()["revision"] == 0
    assert client.get(session).json()["revision"] == 0


def test_the_revision_may_be_in_the_body(client: TestClient, session: str) -> None:
    assert client.post(f"{session}/forward", json={"revision": 1}).status_code == 412
    assert client.post(f"{session}/forward", json={"revision": 0}).status_code == 200
    assert client.post(f"{session}/backward", data={"revision": "1"}).status_code == 200
    assert client.patch(session, json={"revision": 2, "title": "x"}).status_code == 409
    assert client.delete(session, headers={"If-Match": '"r1"'}).status_code == 412
    for wrong in ("x", -1, True, 1.5, [0]):
        answer = client.post(f"{session}/update", json={"revision": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/revision")


def test_without_a_revision_the_phase_makes_a_repeated_call_409(client: TestClient, session: str) -> None:
    assert client.post(f"{session}/forward").status_code == 200
    assert client.post(f"{session}/forward").status_code == 409
    assert client.get(session).json()["revision"] == 1


def test_a_kept_answer_comes_again(client: TestClient, session: str) -> None:
    first = client.post(f"{session}/forward", headers={"Idempotency-Key": "k"})
    client.post(f"{session}/backward")
    again = client.post(f"{session}/forward", headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert (again.json(), again.headers["etag"]) == (first.json(), first.headers["etag"])
    assert "idempotent-replayed" not in first.headers
    assert client.get(session).json()["revision"] == 2


def test_the_key_is_looked_at_before_the_revision(client: TestClient, session: str) -> None:
    with_both = {"Idempotency-Key": "k", "If-Match": '"r0"'}
    assert client.post(f"{session}/forward", headers=with_both).status_code == 200
    assert client.post(f"{session}/forward", headers=with_both).status_code == 200


def test_a_key_with_another_body_is_422(client: TestClient, session: str) -> None:
    body = {"steps": 1, "idempotency_key": "k"}
    assert client.post(f"{session}/run", json=body).status_code == 200
    answer = client.post(f"{session}/run", json={**body, "steps": 2})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/idempotency_key")
    assert client.post(f"{session}/run", json={**body, "steps": 1}).json()["run"]["steps_done"] == 1


def test_a_key_counts_for_its_session_method_and_path(client: TestClient, session: str) -> None:
    other = client.post("/v1/sessions").headers["location"]
    headers = {"Idempotency-Key": "k"}
    for path in (f"{session}/forward", f"{other}/forward", f"{session}/backward"):
        answer = client.post(path, headers=headers)
        assert answer.status_code == 200
        assert "idempotent-replayed" not in answer.headers


def test_a_refused_answer_is_not_kept(client: TestClient, session: str) -> None:
    assert client.post(f"{session}/backward", headers={"Idempotency-Key": "k"}).status_code == 409
    client.post(f"{session}/forward")
    assert client.post(f"{session}/backward", headers={"Idempotency-Key": "k"}).status_code == 200


def test_creating_with_a_key_makes_one_session(client: TestClient) -> None:
    first = client.post("/v1/sessions", json={"seed": 1}, headers={"Idempotency-Key": KEY})
    client.post(first.headers["location"] + "/forward")
    again = client.post("/v1/sessions", json={"seed": 1}, headers={"Idempotency-Key": KEY})
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert (again.headers["location"], again.json()) == (first.headers["location"], first.json())
    assert client.post("/v1/sessions", json={"seed": 2}, headers={"Idempotency-Key": KEY}).status_code == 422
    short = client.post("/v1/sessions", headers={"Idempotency-Key": "k" * 21})
    assert (short.status_code, short.json()["errors"][0]["pointer"]) == (422, "/idempotency_key")


def test_forking_with_a_key_makes_one_session(client: TestClient, session: str) -> None:
    first = client.post(f"{session}/fork", headers={"Idempotency-Key": "k"})
    again = client.post(f"{session}/fork", headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["location"] == first.headers["location"]


def test_a_state_that_is_known_is_304(client: TestClient, session: str) -> None:
    for path in (
        "",
        ".html",
        ".txt",
        "?detail=ops",
        "/history",
        "/graph.svg",
        "/revisions/0",
        "/equations",
        "/data.csv",
    ):
        answer = client.get(session + path)
        for known in (answer.headers["etag"], "W/" + answer.headers["etag"], '"x", ' + answer.headers["etag"], "*"):
            again = client.get(session + path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b""), path
            assert again.headers["etag"] == answer.headers["etag"]
            assert again.headers["cache-control"] == answer.headers["cache-control"]
    tag = client.get(session).headers["etag"]
    client.post(f"{session}/forward")
    assert client.get(session, headers={"If-None-Match": tag}).status_code == 200


def test_the_page_of_a_past_revision_is_another_page_once_the_session_has_moved_on(
    client: TestClient, session: str
) -> None:
    page = f"{session}/revisions/0.html"
    before = client.get(page)
    client.post(f"{session}/forward")
    after = client.get(page, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert "the session is at" in after.text
    assert "the session is at" not in before.text
    stale = client.post(f"{session}/backward", headers={"If-Match": after.headers["etag"]})
    assert stale.status_code == 412


def test_the_page_shows_every_operation_where_asked(client: TestClient, session: str) -> None:
    named, ops = (client.get(f"{session}.html", params={"detail": detail}) for detail in ("named", "ops"))
    assert "Every operation" in named.text
    assert "Named quantities" in ops.text
    assert ops.text.count('class="node') > named.text.count('class="node')


def test_every_representation_has_a_tag_of_its_own(client: TestClient, session: str) -> None:
    paths = (
        "",
        ".html",
        ".txt",
        ".svg",
        ".dot",
        "?detail=ops",
        "?arrays=full",
        "?layout=true",
        "?detail=ops&arrays=full",
    )
    tags = [client.get(session + path).headers["etag"] for path in paths]
    assert len(set(tags)) == len(paths)
    assert all(tag.startswith('"r0') for tag in tags)


def test_an_idempotency_key_is_not_empty(client: TestClient, session: str) -> None:
    for key in ("", "x" * 256):
        assert client.post(f"{session}/forward", headers={"Idempotency-Key": key}).status_code == 422


def test_little_is_answered_where_little_is_wanted(client: TestClient, session: str) -> None:
    answer = client.post(f"{session}/forward", json={"return": "minimal"})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (204, b"", '"r1"')
    answer = client.post(f"{session}/backward", headers={"Prefer": "return=minimal"})
    assert answer.status_code == 204
    created = client.post("/v1/sessions", json={"return": "minimal"})
    assert created.status_code == 204
    assert created.headers["location"].startswith("/v1/sessions/")
    assert client.post(f"{session}/update", json={"return": "maximal"}).status_code == 422


def test_of_eight_clients_at_once_one_acts_and_with_one_key_all_get_its_answer(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, _), ThreadPoolExecutor(8) as eight:

        def at_once(path: str, **headers: str) -> list[tuple[int, dict[str, object]]]:
            return [each.result() for each in [eight.submit(call, "POST", url + path, {}, **headers) for _ in range(8)]]

        created = at_once("/v1/sessions", Idempotency_Key=KEY)
        session = f"/v1/sessions/{created[0][1]['id']}"
        assert [(status, state["id"]) for status, state in created] == [(201, created[0][1]["id"])] * 8
        assert sorted(status for status, _ in at_once(f"{session}/forward")) == [200] + [409] * 7
        assert [state["revision"] for _, state in at_once(f"{session}/backward", Idempotency_Key="k")] == [2] * 8
        forks = at_once(f"{session}/fork", Idempotency_Key="k")
        assert len({state["id"] for _, state in forks}) == 1
