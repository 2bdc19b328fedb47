"""A browser without JavaScript: forms, redirects and pages."""

from __future__ import annotations

from starlette.testclient import TestClient

from tests.routes.conftest import BROWSER


def test_a_browser_s_action_goes_to_the_page_of_the_new_revision(client: TestClient, session: str) -> None:
    answer = client.post(f"{session}/forward", data={"revision": "0"}, headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{session}/revisions/1#next")
    page = client.get(answer.headers["location"], headers=BROWSER)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
    assert 'id="next"' in page.text


def test_the_same_form_sent_again_goes_to_the_same_page(client: TestClient, session: str) -> None:
    form = {"revision": "0"}
    first = client.post(f"{session}/forward", data=form, headers=BROWSER)
    again = client.post(f"{session}/forward", data=form, headers=BROWSER)
    assert (again.status_code, again.headers["location"]) == (303, first.headers["location"])
    assert client.get(session).json()["revision"] == 1


def test_a_stale_form_is_a_412_page(client: TestClient, session: str) -> None:
    client.post(f"{session}/forward", data={"revision": "0"}, headers=BROWSER)
    answer = client.post(f"{session}/run", data={"revision": "0", "epochs": "1"}, headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (412, "text/html; charset=utf-8")
    assert client.get(session).json()["revision"] == 1


def test_another_form_of_the_same_stale_page_is_412_too(client: TestClient, session: str) -> None:
    client.post(f"{session}/run", data={"revision": "0", "epochs": "1"}, headers=BROWSER)
    assert client.post(f"{session}/run", data={"revision": "0", "epochs": "2"}, headers=BROWSER).status_code == 412


def test_a_form_without_a_revision_is_stopped_by_the_phase(client: TestClient, session: str) -> None:
    assert client.post(f"{session}/forward", headers=BROWSER).status_code == 303
    assert client.post(f"{session}/forward", headers=BROWSER).status_code == 409


def test_a_session_is_created_walked_and_deleted_by_forms_alone(client: TestClient) -> None:
    form = {"title": "By hand", "model.kind": "linear", "data.dataset": "article", "optimizer.learning_rate": "0.01"}
    answer = client.post("/v1/sessions", data=form, headers=BROWSER)
    assert answer.status_code == 303
    page = answer.headers["location"].partition("#")[0]
    session = page.rpartition("/revisions/")[0]
    for revision, (action, more) in enumerate(
        [("forward", {}), ("backward", {}), ("update", {}), ("run", {"epochs": "1"}), ("undo", {})]
    ):
        answer = client.post(f"{session}/{action}", data={"revision": str(revision), **more}, headers=BROWSER)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{session}/revisions/{revision + 1}#next")
        assert client.get(answer.headers["location"], headers=BROWSER).status_code == 200
    state = client.get(session).json()
    assert (state["definition"]["title"], state["optimizer"]["learning_rate"], state["step"]) == ("By hand", 0.01, 1)
    answer = client.post(f"{session}/delete", data={"revision": "5"}, headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert client.get(session, headers=BROWSER).status_code == 404


def test_a_file_counts_as_its_text(client: TestClient) -> None:
    files = {"data.csv": ("houses.csv", "﻿size;price\n1;2\n3;5\n".encode())}
    answer = client.post("/v1/sessions", data={"batch_size": "2", "data.targets": '["price"]'}, files=files)
    assert answer.status_code == 201, answer.text
    assert answer.json()["inputs"] == {"size": [1.0, 3.0], "price": [2.0, 5.0]}


def test_a_form_from_curl_gets_json(client: TestClient, session: str) -> None:
    answer = client.post(f"{session}/forward", data={"return": "representation"}, headers={"Accept": "*/*"})
    assert answer.json()["phase"] == "forward"
    assert client.post(f"{session}/backward", data={"return": "minimal"}, headers=BROWSER).status_code == 204


def test_faults_of_a_form_are_a_page_with_their_places(client: TestClient) -> None:
    answer = client.post("/v1/sessions", data={"optimizer.lr": "0.1", "seed": "x"}, headers=BROWSER)
    assert answer.status_code == 422
    assert "/optimizer/lr" in answer.text
    assert "learning_rate" in answer.text


def test_the_client_is_served_where_no_route_is(client: TestClient) -> None:
    page = client.get("/", headers=BROWSER)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
    assert "<script" not in page.text.lower()
    assert client.get("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    assert client.post("/").status_code == 405
    assert client.get("/style.css").headers["content-type"].startswith("text/css")
