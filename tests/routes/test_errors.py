"""The table of problems."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from api.documents.schemas import Problem
from api.engine import errors as tree
from api.pages.problems import KINDS
from api.routes.errors import CODES, PROBLEMS, problem_type
from tests.routes.conftest import BROWSER


def below(cls: type[tree.StepgradError]) -> set[type[tree.StepgradError]]:
    """A class and all its descendants that are part of the tree's own module."""
    found = {cls}
    for child in cls.__subclasses__():
        found |= below(child)
    return {each for each in found if each.__module__ == tree.__name__}


def test_every_exception_of_the_tree_has_its_own_row() -> None:
    assert set(PROBLEMS) == below(tree.StepgradError)


def test_an_exception_of_another_room_has_its_nearest_ancestor_s_row() -> None:
    class StoreAsleep(tree.StoreUnavailable):
        pass

    assert problem_type(StoreAsleep("…")).code == "store-unavailable"


def test_a_code_always_means_the_same_but_for_too_much() -> None:
    statuses: dict[str, set[int]] = {}
    for row in PROBLEMS.values():
        statuses.setdefault(row.code, set()).add(row.status)
    assert {code for code, found in statuses.items() if len(found) > 1} == {"limit-exceeded"}


def test_every_code_has_a_page() -> None:
    assert set(CODES) == set(KINDS)


@pytest.mark.parametrize("code", CODES)
def test_the_type_of_a_problem_is_an_address(client: TestClient, code: str) -> None:
    assert client.get(f"/problems/{code}", headers=BROWSER).status_code == 200
    assert client.get(f"/problems/{code}").json()["code"] == code


def test_a_browser_gets_the_same_problem_as_a_page(client: TestClient, session: str) -> None:
    for method, path in (("POST", f"{session}/backward"), ("GET", "/v1/sessions/nobody"), ("PUT", session)):
        answer = client.request(method, path)
        page = client.request(method, path, headers=BROWSER)
        problem = Problem.model_validate(answer.json())
        assert page.status_code == answer.status_code == problem.status
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert problem.title in page.text
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["vary"] == "Accept"


def test_a_long_address_is_not_repeated(client: TestClient) -> None:
    instance = client.get("/v1/sessions/" + "a" * 3000).json()["instance"]
    assert instance == "/v1/sessions/" + "a" * 39 + "%E2%80%A6"


def test_links_of_a_problem_carry_the_root_path(tmp_path: object) -> None:
    from pathlib import Path

    from api.app import create_app
    from tests.routes.conftest import settings

    app = create_app(settings(Path(str(tmp_path)), root_path="/deep/down"))
    with TestClient(app, root_path="/deep/down", follow_redirects=False) as client:
        for path in ("/v1/sessions", "/deep/down/v1/sessions"):  # a proxy may strip the prefix or leave it
            answer = client.post(path)
            assert answer.status_code == 201
            assert answer.headers["location"].startswith("/deep/down/v1/sessions/")
            assert answer.json()["links"]["self"] == answer.headers["location"]
        problem = client.post(answer.headers["location"] + "/backward").json()
        assert problem["type"] == "/deep/down/problems/wrong-phase"
        assert problem["instance"] == answer.headers["location"] + "/backward"
