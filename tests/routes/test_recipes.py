"""Recipe links: a definition in an address, a page to read it, a session for everybody who follows it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.training.presets import PRESETS
from tests.routes.conftest import BROWSER

LINK = "/v1/new?preset=xor&optimizer.learning_rate=0.1&start.phase=backward"


def hidden(page: str) -> dict[str, str]:
    """The fields of the page's form."""
    return {
        unescape(name): unescape(text)
        for name, text in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    }


def offered(client: TestClient, address: str) -> str:
    """The recipe link on a session's page."""
    page = client.get(address, headers=BROWSER).text
    section = page.partition('aria-label="Recipe"')[2].partition("</section>")[0]
    found = re.search(r'href="([^"]*/v1/new[^"]*)"', section)
    assert found, section
    return unescape(found[1])


def test_programs_get_the_body_to_post(client: TestClient) -> None:
    answer = client.get(LINK)
    assert answer.json() == {
        "model": {"kind": "preset", "name": "xor"},
        "optimizer": {"learning_rate": 0.1},
        "start": {"phase": "backward"},
    }
    state = client.post("/v1/sessions", json=answer.json()).json()
    assert (state["phase"], state["optimizer"]["learning_rate"]) == ("backward", 0.1)
    assert client.get("/v1/new").json() == {}
    assert client.get("/v1/new.json?batch_size=2").json() == {"batch_size": 2}


def test_a_browser_gets_a_page_whose_one_button_makes_a_session(client: TestClient) -> None:
    page = client.get(LINK, headers=BROWSER)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.text.count("<form") == page.text.count("<button") == 1
    made = client.post("/v1/sessions", data=hidden(page.text), headers=BROWSER)
    assert made.status_code == 303
    state = client.get(made.headers["location"].partition("#")[0]).json()
    assert (state["phase"], state["optimizer"]["learning_rate"]) == ("backward", 0.1)
    assert client.get(LINK, headers=BROWSER).text == page.text, "looking makes nothing"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_a_page(client: TestClient, name: str) -> None:
    page = client.get(f"/v1/new?preset={name}", headers=BROWSER)
    assert page.status_code == 200
    assert PRESETS[name].title in unescape(page.text)
    assert hidden(page.text) == {"model.kind": "preset", "model.name": name}


BAD = [
    ("preset=nosuch", "/model/name"),
    ("preset=xor&model.kind=linear", "/model"),
    ("preset.x=1", "/model/name"),
    ("optimizer.lr=1", "/optimizer/lr"),
    ("batch_size=0", "/batch_size"),
    ("nosuch=1", "/nosuch"),
    ("revision=1", "/revision"),
    ("title=a&title.b=1", "/title/b"),
    ("model.layers.1.units=2&model.kind=mlp", "/model/layers"),
    ("start.phase=late", "/start/phase"),
    ("data.csv=x,y%0A1,oops", "/data/csv"),
    ("parameters.w1=1e999", "/parameters/w1"),
]


@pytest.mark.parametrize(("query", "pointer"), BAD)
def test_a_recipe_without_meaning_says_what_is_wrong_as_a_body_would(
    client: TestClient, query: str, pointer: str
) -> None:
    answer = client.get(f"/v1/new?{query}")
    assert answer.status_code == 422, answer.text
    assert pointer in {fault["pointer"] for fault in answer.json()["errors"]}
    page = client.get(f"/v1/new?{query}", headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (422, "text/html; charset=utf-8")


def test_too_many_fields_are_refused(client: TestClient) -> None:
    answer = client.get("/v1/new?" + "&".join(f"parameters.w{i}=1" for i in range(1001)))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/limit-exceeded")


def test_hostile_words_are_only_words(client: TestClient) -> None:
    page = client.get("/v1/new", params={"title": "<script>\"'</script>"}, headers=BROWSER).text
    assert "<script" not in page
    assert hidden(page) == {"title": "<script>\"'</script>"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": {"kind": "preset", "name": "gru"}, "seed": 4, "optimizer": {"kind": "adam"}},
        {"data": {"csv": "size;price\n1,5;2\n3;5\n"}, "title": "Häuser & Höfe"},
        {"model": {"kind": "expression", "source": "a = w*2\nL = a**2 + w"}, "data": None},
    ],
)
def test_a_session_s_page_offers_a_link_to_exactly_its_own_point(client: TestClient, body: dict[str, Any]) -> None:
    session = client.post("/v1/sessions", json=body).headers["location"]
    for action in ("forward", "backward", "update", "forward"):
        client.post(f"{session}/{action}")
    there = client.get(session).json()
    page = client.get(offered(client, session), headers=BROWSER)
    made = client.post("/v1/sessions", data=hidden(page.text), headers=BROWSER).headers["location"]
    state = client.get(made.partition("#")[0]).json()
    for part in ("phase", "step", "epoch", "batch", "parameters", "outputs", "loss", "optimizer", "definition"):
        expected = there[part] | {"start": state[part]["start"]} if part == "definition" else there[part]
        assert state[part] == expected, part
    assert state["id"] != there["id"]


def test_the_link_gives_away_no_id(client: TestClient, session: str) -> None:
    own = client.get(session).json()
    for address in (session, f"/v1/sessions/{own['share']['read']}"):
        link = offered(client, address)
        assert own["id"] not in link
        assert own["share"]["read"] not in link


def test_a_session_changed_by_hand_offers_its_parameters(client: TestClient, session: str) -> None:
    client.post(f"{session}/run", json={"steps": 4})
    client.patch(session, json={"parameters": {"b": 0.25}})
    body = client.get(offered(client, session)).json()
    assert body["parameters"] == client.get(session).json()["parameters"]
    assert "start" not in body
    client.post(f"{session}/undo")
    assert client.get(offered(client, session)).json() == {"start": {"step": 4}}


def test_a_fork_offers_a_link_too(client: TestClient, session: str) -> None:
    early = client.post(f"{session}/fork", json={"changes": {"optimizer": {"learning_rate": 0.01}}})
    assert client.get(offered(client, early.headers["location"])).json() == {"optimizer": {"learning_rate": 0.01}}
    client.post(f"{session}/run", json={"steps": 4})
    late = client.post(f"{session}/fork").headers["location"]
    body = client.get(offered(client, late)).json()
    assert body == {"parameters": client.get(session).json()["parameters"]}


def test_what_is_too_long_for_a_link_is_said_to_be(client: TestClient) -> None:
    rows = [[i + 0.123, i] for i in range(2000)]
    session = client.post("/v1/sessions", json={"data": {"columns": ["x", "y"], "rows": rows}}).headers["location"]
    page = client.get(session, headers=BROWSER).text
    assert "too long for a link" in page
    read = client.get(session).json()["share"]["read"]
    assert f"/v1/sessions/{read}/definition" in page
