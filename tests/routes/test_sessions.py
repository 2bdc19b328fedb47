"""Every call of the contract's table, as a program sees it."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

ROWS = [(4, 1, 2), (2, 8, -14), (1, 0, 1), (3, 2, -1), (1, 4, -7), (6, 7, -8)]


def walk(client: TestClient, session: str, *actions: str) -> dict[str, Any]:
    """Do the actions; the last state."""
    state: dict[str, Any] = {}
    for action in actions:
        answer = client.post(f"{session}/{action}")
        assert answer.status_code == 200, answer.text
        state = answer.json()
    return state


def test_the_article_s_numbers_are_right_to_the_last_bit(client: TestClient, session: str) -> None:
    w1, w2, b, rate = -0.017, -0.048, 0.0, 0.05
    x1, x2, y = 4.0, 1.0, 2.0
    yhat = w1 * x1 + w2 * x2 + b
    loss = (yhat - y) * (yhat - y)
    to_yhat = 2 * (yhat - y)
    state = walk(client, session, "forward")
    assert (state["outputs"], state["loss"], state["gradients"]) == ({"yhat": [yhat]}, loss, None)
    state = walk(client, session, "backward")
    assert state["gradients"] == {"w1": to_yhat * x1, "w2": to_yhat * x2, "b": to_yhat}
    state = walk(client, session, "update")
    new = {"w1": w1 - rate * to_yhat * x1, "w2": w2 - rate * to_yhat * x2, "b": b - rate * to_yhat}
    assert state["parameters"] == pytest.approx(new, rel=1e-15)
    shown = [round(value, 6) for value in (yhat, loss, to_yhat * x1, to_yhat * x2, *state["parameters"].values())]
    assert shown == [-0.116, 4.477456, -16.928, -4.232, 0.8294, 0.1636, 0.2116]


def test_create_answers_201_with_a_location_without_host(client: TestClient) -> None:
    answer = client.post("/v1/sessions", json={"title": "mine"})
    state = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/sessions/{state['id']}"
    assert answer.headers["etag"] == '"r0"'
    assert (len(state["id"]), state["revision"], state["phase"], state["step"]) == (22, 0, "ready", 0)
    assert state["definition"]["title"] == "mine"
    assert client.get(answer.headers["location"]).json() == state


def test_no_body_and_an_empty_object_are_the_article_s_session(client: TestClient) -> None:
    ways: list[dict[str, Any]] = [{}, {"json": {}}, {"content": b"", "headers": {"Content-Type": "application/json"}}]
    for given in ways:
        state = client.post("/v1/sessions", **given).json()
        assert state["parameters"] == {"w1": -0.017, "w2": -0.048, "b": 0.0}
        assert state["batches_per_epoch"] == len(ROWS)


def test_every_accepted_write_raises_the_revision_by_one(client: TestClient, session: str) -> None:
    for revision, action in enumerate(("forward", "backward", "update", "undo", "undo"), start=1):
        answer = client.post(f"{session}/{action}")
        assert (answer.status_code, answer.headers["etag"]) == (200, f'"r{revision}"')
        assert answer.json()["revision"] == revision


def test_an_action_out_of_order_is_409_and_changes_nothing(client: TestClient, session: str) -> None:
    before = client.get(session).json()
    for action in ("backward", "update", "undo"):
        answer = client.post(f"{session}/{action}")
        problem = answer.json()
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["type"] == "/problems/" + ("nothing-to-undo" if action == "undo" else "wrong-phase")
        assert problem["allowed"] == ["forward", "run"]
        assert problem["instance"] == f"{session}/{action}"
    assert client.get(session).json() == before


def test_a_revision_is_the_same_for_ever(client: TestClient, session: str) -> None:
    states = [client.get(session).json()]
    states += [client.post(f"{session}/{action}").json() for action in ("forward", "backward", "update", "forward")]
    for revision, state in enumerate(states):
        answer = client.get(f"{session}/revisions/{revision}")
        assert answer.json() == state
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert client.get(f"{session}/revisions/5").status_code == 404
    assert client.get(f"{session}/revisions/-1").status_code == 404
    assert client.get(f"{session}/revisions/x").status_code == 404


def test_steps_inside_a_run_can_be_looked_at(client: TestClient, session: str) -> None:
    client.post(f"{session}/run", json={"steps": 10})
    there = client.get(f"{session}/steps/4", params={"phase": "backward"}).json()
    assert (there["step"], there["phase"]) == (4, "backward")
    stepped = client.post("/v1/sessions", json={"start": {"step": 4, "phase": "backward"}}).json()
    assert there["gradients"] == stepped["gradients"]
    assert client.get(f"{session}/steps/11").status_code == 404
    assert client.get(f"{session}/steps/4", params={"phase": "sideways"}).status_code == 422


def test_undo_goes_one_action_further_back_each_time(client: TestClient, session: str) -> None:
    walk(client, session, "forward", "backward")
    assert walk(client, session, "undo")["phase"] == "forward"
    assert walk(client, session, "undo")["phase"] == "ready"
    assert client.post(f"{session}/undo").json()["type"] == "/problems/nothing-to-undo"


def test_rewind_goes_to_the_start_of_a_step(client: TestClient, session: str) -> None:
    client.post(f"{session}/run", json={"steps": 10})
    state = client.post(f"{session}/rewind", json={"step": 3}).json()
    assert (state["step"], state["phase"], state["revision"]) == (3, "ready", 2)
    answer = client.post(f"{session}/rewind", json={"step": 99})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/step")
    assert client.post(f"{session}/rewind").status_code == 422


def test_a_fork_is_a_session_of_its_own(client: TestClient, session: str) -> None:
    client.post(f"{session}/run", json={"steps": 3})
    read = client.get(session).json()["share"]["read"]
    answer = client.post(f"{session}/fork", json={"step": 2, "changes": {"optimizer": {"learning_rate": 0.01}}})
    state = answer.json()
    assert answer.status_code == 201
    assert state["parent"]["read"] == read
    assert (state["step"], state["optimizer"]["learning_rate"]) == (2, 0.01)
    assert state["id"] not in session
    answer = client.post(f"{session}/fork", json={"changes": {"optimizer": {"learning_rate": -1}}})
    assert answer.json()["errors"][0]["pointer"] == "/changes/optimizer/learning_rate"


def test_what_can_be_changed_by_hand_is_changed_in_phase_ready_only(client: TestClient, session: str) -> None:
    change = {"parameters": {"w1": 1}, "optimizer": {"learning_rate": 0.5}, "batch_size": 2, "title": "new"}
    state = client.patch(session, json=change).json()
    assert (state["parameters"]["w1"], state["parameters"]["w2"]) == (1.0, -0.048)
    assert (state["optimizer"]["learning_rate"], state["definition"]["title"]) == (0.5, "new")
    assert state["batches_per_epoch"] == 3
    same = client.post(f"{session}/edit", data={"parameters.w1": "2", "title": ""}).json()
    assert (same["parameters"]["w1"], same["definition"]["title"]) == (2.0, "new")
    client.post(f"{session}/forward")
    answer = client.patch(session, json={"nonsense": 1})
    assert answer.json()["type"] == "/problems/wrong-phase", "the phase is looked at before the meaning"


def test_deleted_is_gone(client: TestClient) -> None:
    for method, more in (("DELETE", ""), ("POST", "/delete")):
        at = client.post("/v1/sessions").headers["location"]
        assert client.request(method, at + more).status_code == 204
        assert client.get(at).status_code == 404
        assert client.request(method, at + more).status_code == 404


def test_the_read_only_id_allows_to_look_and_nothing_else(client: TestClient, session: str) -> None:
    read = client.get(session).json()["share"]["read"]
    there = f"/v1/sessions/{read}"
    state = client.get(there).json()
    assert (state["id"], state["share"], state["allowed"]) == (read, None, [])
    assert session.rpartition("/")[2] not in client.get(there).text
    for path in ("history", "definition", "data", "equations", "graph.svg", "loss.svg", "revisions/0", "steps/0"):
        assert client.get(f"{there}/{path}").status_code == 200
    for path in ("forward", "run", "undo", "rewind", "fork", "edit", "delete"):
        answer = client.post(f"{there}/{path}", content=b"{", headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/read-only")
    assert client.patch(there, json={}).status_code == 403
    assert client.delete(there).status_code == 403
    assert client.post(f"{there}/check", json={"answers": {}}).status_code == 200


def test_an_unknown_id_is_404_everywhere(client: TestClient) -> None:
    for id in ("x", "A" * 22, "A" * 2000, "%00", "..%2f..", "a" * 21 + "%F0%9F%98%80"):
        for path in ("", "/history", "/live", "/revisions/0", "/steps/0", "/equations"):
            assert client.get(f"/v1/sessions/{id}{path}").status_code == 404, (id, path)
        assert client.post(f"/v1/sessions/{id}/forward").status_code == 404
        assert client.post(f"/v1/sessions/{id}/forward", json={"x": 1}).status_code == 404


def test_find_goes_to_the_session(client: TestClient, session: str) -> None:
    id = session.rpartition("/")[2]
    answer = client.get("/v1/sessions", params={"id": f" {id} "})
    assert (answer.status_code, answer.headers["location"]) == (303, session)
    assert client.get("/v1/sessions", params={"id": "nobody"}).status_code == 404
    assert client.get("/v1/sessions").status_code == 422


def test_history_comes_in_pages(client: TestClient, session: str) -> None:
    client.post(f"{session}/run", json={"steps": 7})
    seen: list[int] = []
    address: str | None = f"{session}/history?limit=3"
    while address:
        page = client.get(address).json()
        seen += [item["step"] for item in page["items"]]
        address = page["next"]
    assert seen == list(range(7))
    assert [item["step"] for item in client.get(f"{session}/history?after=5").json()["items"]] == [6]
    lines = client.get(f"{session}/history.csv").text.splitlines()
    assert (len(lines), lines[0].split(",")[:4]) == (8, ["step", "epoch", "batch", "loss"])
    for query in ("limit=0", "limit=x", "limit=99999", "after=x"):
        assert client.get(f"{session}/history?{query}").status_code == 422


def test_the_definition_posted_again_makes_the_same_session(client: TestClient) -> None:
    first = client.post(
        "/v1/sessions",
        json={"data": {"csv": "a;House size\n1;2\n3;4\n5;7"}, "seed": 7, "shuffle": True, "batch_size": 2},
    ).json()
    definition = client.get(f"/v1/sessions/{first['id']}/definition").json()
    again = client.post("/v1/sessions", json=definition)
    assert again.status_code == 201, again.text
    for field in ("parameters", "inputs", "batch_rows", "batches_per_epoch", "optimizer"):
        assert again.json()[field] == first[field]


def test_data_is_every_row(client: TestClient, session: str) -> None:
    document = client.get(f"{session}/data").json()
    assert [tuple(row["values"]) for row in document["rows"]] == ROWS
    assert client.get(f"{session}/data.csv").text.splitlines()[:2] == ["x1,x2,y", "4,1,2"]
    bare = client.post("/v1/sessions", json={"data": None, "model": {"kind": "expression", "source": "L = a*a"}})
    assert client.get(bare.headers["location"] + "/data").status_code == 404


def test_equations_come_in_three_scripts(client: TestClient, session: str) -> None:
    walk(client, session, "forward", "backward")
    for script in ("latex", "mathml", "text"):
        answer = client.get(f"{session}/equations", params={"format": script})
        about = [item["about"] for item in answer.json()]
        assert {"values.yhat", "values.L", "partials.L/yhat", "gradients.w1"} <= set(about)
    assert client.get(f"{session}/equations?format=word").status_code == 422
    at = client.get(f"{session}/revisions/0/equations")
    assert at.headers["cache-control"].endswith("immutable")


@pytest.mark.parametrize(
    ("path", "media_type", "start"),
    [
        ("/graph.svg", "image/svg+xml", "<svg"),
        ("/revisions/0/graph.svg", "image/svg+xml", "<svg"),
        (".svg", "image/svg+xml", "<svg"),
        ("/revisions/0.svg", "image/svg+xml", "<svg"),
        ("/loss.svg", "image/svg+xml", "<svg"),
        ("/graph.dot", "text/vnd.graphviz; charset=utf-8", "digraph"),
        ("/revisions/0/graph.dot", "text/vnd.graphviz; charset=utf-8", "digraph"),
        (".txt", "text/plain; charset=utf-8", ""),
        (".json", "application/json", "{"),
        ("/revisions/0.json", "application/json", "{"),
        ("/steps/0.json", "application/json", "{"),
        ("/history.json", "application/json", "{"),
        ("/equations.json", "application/json", "["),
        (".html", "text/html; charset=utf-8", "<!doctype html>"),
        ("/revisions/0.html", "text/html; charset=utf-8", "<!doctype html>"),
        ("/data.csv", "text/csv; charset=utf-8; header=present", "x1,x2,y"),
    ],
)
def test_a_suffix_beats_the_header(client: TestClient, session: str, path: str, media_type: str, start: str) -> None:
    for accept in ("application/json", "text/html", "*/*"):
        answer = client.get(session + path, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        assert answer.text.lower().startswith(start)


def test_a_suffix_that_is_not_there_is_404(client: TestClient, session: str) -> None:
    for path in (".csv", "/revisions/0.csv", ".exe", "/history.svg", "/definition.csv", "/live.json"):
        assert client.get(session + path).status_code == 404, path


def test_views_of_the_graph(client: TestClient, session: str) -> None:
    named = client.get(session).json()["graph"]
    ops = client.get(f"{session}?detail=ops").json()["graph"]
    placed = client.get(f"{session}?layout=true").json()["graph"]
    assert len(ops["nodes"]) > len(named["nodes"])
    assert all(node["width"] > 0 for node in placed["nodes"])
    assert all(len(edge["points"]) > 1 for edge in placed["edges"])
    assert client.get(f"{session}?detail=everything").status_code == 422


def test_evaluate_stores_nothing(client: TestClient) -> None:
    state = client.post("/v1/evaluate").json()
    assert (state["id"], state["revision"], state["links"], state["share"]) == (None, None, None, None)
    assert (state["phase"], state["loss"]) == ("backward", pytest.approx(4.477456))
    assert state["next_update"]["parameters"]["w1"]["after"] == pytest.approx(0.8294)
    assert client.post("/v1/evaluate", json={"optimizer": {"lr": 1}}).status_code == 422


def test_check_says_what_is_wrong_first(client: TestClient, session: str) -> None:
    walk(client, session, "forward")
    answers = {
        "values": {"yhat": -0.116, "L": 4.477456},
        "gradients": {"w1": -8.464, "nobody": 1},
        "updated": {"b": 0.2116},
        "decimals": 3,
    }
    verdicts: dict[str, Any] = {}
    for path, body in (
        (f"{session}/check", {"answers": answers}),
        (f"{session}/revisions/0/check", {"answers": answers}),
        ("/v1/check", {"session": {}, "answers": answers}),
    ):
        answer = client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        verdicts = answer.json()
        assert (verdicts["correct"], verdicts["first_wrong"]) == (False, "gradients.w1")
    assert {item["quantity"]: item["verdict"] for item in verdicts["quantities"]}["gradients.nobody"] == "malformed"
    assert client.get(session).json()["revision"] == 1
    many = client.post(f"{session}/check", json={"answers": [{"student": "a", "values": {"L": 1}}, {"student": "b"}]})
    assert [one["student"] for one in many.json()] == ["a", "b"]
    wrong = client.post("/v1/check", json={"session": {"optimizer": {"learning_rate": -1}}, "answers": {}})
    assert wrong.json()["errors"][0]["pointer"] == "/session/optimizer/learning_rate"


def test_the_service_s_own_pages(client: TestClient) -> None:
    assert client.get("/livez").json() == client.get("/readyz").json() == {"status": "ok"}
    limits = client.get("/v1/limits").json()
    assert (limits["rows"], limits["columns"], limits["run_seconds"]) == (10_000, 64, 10.0)
    catalog = client.get("/v1/catalog").json()
    assert {"models", "datasets", "operations", "losses", "optimizers", "schedules", "initializers"} <= set(catalog)
    assert client.get("/problems/wrong-phase").json()["status"] == 409
    page = client.get("/problems/wrong-phase", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert client.get("/problems/no-such-code").status_code == 404


def test_the_course_of_a_session_is_a_picture_at_each_revision(client: TestClient, session: str) -> None:
    client.post(f"{session}/run", json={"steps": 7})
    client.post(f"{session}/forward")
    now = client.get(f"{session}/course.svg")
    assert (now.status_code, now.headers["content-type"]) == (200, "image/svg+xml")
    assert now.headers["cache-control"] == "private, no-cache"
    assert "Update 0 to 7" in now.text
    before = client.get(f"{session}/revisions/0/course.svg")
    assert "Update 0 to 0" in before.text
    assert "immutable" in before.headers["cache-control"]
    etag = {"If-None-Match": now.headers["etag"]}
    assert client.get(f"{session}/course.svg", headers=etag).status_code == 304
    assert client.get(f"{session}/revisions/9/course.svg").status_code == 404
