"""Practice over HTTP: asked, answered, and nothing stored."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from api.documents import schemas
from api.documents.state import to_json
from tests.routes.conftest import BROWSER


def ask(client: TestClient, session: str, **fields: Any) -> dict[str, Any]:
    answer = client.get(f"{session}/practice?{urlencode(fields)}")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    schemas.Practice.model_validate(document)
    return document


def answers(client: TestClient, session: str) -> dict[str, Any]:
    """The right numbers of the article's step, from the service itself."""
    for action in ("forward", "backward", "update"):
        state = client.post(f"{session}/{action}").json()
        if action == "backward":
            found = {f"values.{node['id']}": node["value"] for node in state["graph"]["nodes"]}
            edges = state["graph"]["edges"]
            found |= {f"partials.{edge['target']}/{edge['source']}": edge["partial"]["value"] for edge in edges}
            found |= {f"gradients.{name}": value for name, value in state["gradients"].items()}
    return found | {f"updated.{name}": change["after"] for name, change in state["last_update"]["parameters"].items()}


def test_a_whole_step_can_be_practised_with_four_digits(client: TestClient, session: str) -> None:
    right = answers(client, session)
    there = f"{session}/revisions/0"
    told = ask(client, there)
    for number in range(told["questions"]):
        value = right[told["question"]["quantity"]]
        given = f"{value[0] if isinstance(value, list) else value:.4g}"
        told = ask(client, there, done=told["done"], tries=told["tries"], answer=given)
        assert told["last"]["verdict"] == "right", (number, given)
        assert told["last"]["expected"] == value
        assert told["last"]["equations"]
    assert told["question"] is None
    assert told["score"] == {"asked": 12, "right": 12, "first_try": 12}
    assert client.get(session).json()["revision"] == 3


def test_after_three_tries_the_answer_is_shown(client: TestClient, session: str) -> None:
    told = ask(client, session)
    for left in (2, 1):
        told = ask(client, session, done=told["done"], tries=told["tries"], answer="5")
        assert (told["last"]["verdict"], told["question"]["tries_left"]) == ("wrong", left)
        assert (told["last"]["expected"], told["last"]["equations"]) == (None, [])
        assert told["question"]["quantity"] == "values.yhat"
    told = ask(client, session, done=told["done"], tries=told["tries"], answer="5")
    assert (told["last"]["verdict"], told["last"]["expected"]) == ("shown", [pytest.approx(-0.116)])
    assert (told["done"], told["question"]["quantity"]) == ("0", "values.L")
    told = ask(client, session, done="0", show="1")
    assert (told["last"]["verdict"], told["done"], told["score"]["right"]) == ("shown", "00", 0)


def test_a_wrong_answer_is_told_what_kind_of_slip_it_looks_like(client: TestClient, session: str) -> None:
    for done, answer, code in (("", "-2.116", None), ("11", "-2.116", "missing_factor_2"), ("1" * 9, "-0.8634", None)):
        last = ask(client, session, done=done, answer=answer)["last"]
        assert last["verdict"] == "wrong"
        assert code in (None, last["mistake"] and last["mistake"]["code"])
        assert last["expected"] is None
    page = client.get(f"{session}/practice?done=11&answer=-2.116", headers=BROWSER).text
    assert "factor 2" in page
    assert '<a href="/guide.html#' in page


def test_what_cannot_be_read_costs_no_try(client: TestClient, session: str) -> None:
    for answer in ("five", "", "1 2", "<script>"):
        told = ask(client, session, tries=2, answer=answer)
        assert (told["last"]["verdict"], told["tries"], told["done"]) == ("unreadable", 2, "")


def test_an_answer_to_a_sheet_that_is_full_changes_nothing(client: TestClient, session: str) -> None:
    told = ask(client, session, done="1" * 12, tries=2, answer="5")
    assert (told["last"], told["question"], told["tries"]) == (None, None, 0)


@pytest.mark.parametrize(
    "query",
    ["done=1111111111111", "done=4", "done=x", "tries=3", "tries=-1", "tries=x", "answer=" + "1" * 1001, "show=7"],
)
def test_a_sheet_that_is_none_is_refused(client: TestClient, session: str, query: str) -> None:
    answer = client.get(f"{session}/practice?{query}")
    assert answer.status_code == 422
    assert "query parameter" in answer.json()["detail"]
    assert client.get(f"{session}/practice?{query}", headers=BROWSER).status_code == 422


def test_the_page_asks_the_step_of_its_revision_whatever_happens_meanwhile(client: TestClient, session: str) -> None:
    page = client.get(f"{session}/practice", headers=BROWSER)
    assert page.headers["content-type"].startswith("text/html")
    assert f'action="{session}/revisions/0/practice"' in page.text
    client.post(f"{session}/run", json={"steps": 1})
    again = client.get(f"{session}/revisions/0/practice?answer=-0.116", headers=BROWSER)
    assert "Right." in again.text
    assert client.get(f"{session}/revisions/9/practice").status_code == 404


def test_a_reader_may_practise(client: TestClient, session: str) -> None:
    state = client.get(session).json()
    read = session.replace(state["id"], state["share"]["read"])
    page = client.get(f"{read}/practice", headers=BROWSER).text
    assert f'action="{read}/revisions/0/practice"' in page
    assert state["id"] not in page


def test_a_session_at_any_phase_and_of_any_kind_can_be_practised(client: TestClient) -> None:
    for body in (
        {"data": None, "model": {"kind": "expression", "source": "q = x + y\nL = q*z"}, "parameters": {"x": -2}},
        {"model": {"kind": "mlp", "layers": [{"units": 10}]}, "data": {"dataset": "digits"}, "batch_size": 30,
         "loss": {"kind": "softmax_cross_entropy"}},
        {"parameters": {"w1": 1e200, "w2": -1e200, "b": 1e300}},
        {"optimizer": {"kind": "adam"}, "batch_size": 6},
    ):  # fmt: skip
        session = client.post("/v1/sessions", json=body).headers["location"]
        for action in ("forward", "backward", "update"):
            told = ask(client, session)
            for _ in range(told["questions"]):
                told = ask(client, session, done=told["done"], show="1")
                assert (
                    client.get(f"{session}/practice?{urlencode({'done': told['done']})}", headers=BROWSER).status_code
                    == 200
                )
            assert told["question"] is None
            client.post(f"{session}/{action}")


def test_numbers_that_are_not_finite_can_be_answered(client: TestClient) -> None:
    session = client.post("/v1/sessions", json={"parameters": {"w1": 1e200, "w2": -1e200, "b": 1e300}}).headers[
        "location"
    ]
    told = ask(client, session, done="1", answer="inf")
    assert (told["last"]["quantity"], told["last"]["verdict"]) == ("values.L", "right")
    assert b"Infinity" in to_json(told)
