"""A session against its model, whatever is asked of it in whatever order: phases, revisions, undo, forks, keys, runs.

Hypothesis chooses; each of its examples is the life of up to a few sessions on one service, 30 rules long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    rule,
    run_state_machine_as_test,
)
from starlette.testclient import TestClient

from api.app import create_app
from api.training.definition import define
from api.training.session import Session
from tests.postgres import Server
from tests.routes import conftest
from tests.routes.line import NEXT, Line, compared

pytestmark = pytest.mark.thorough
EXAMPLES, RULES = 500, 30
BODIES = (
    {"optimizer": {"learning_rate": 0.01}},
    {"optimizer": {"learning_rate": 0.01}, "batch_size": 4, "shuffle": True, "seed": 9},
    {"optimizer": {"kind": "adam"}, "schedule": {"kind": "cosine", "t_max": 5}, "batch_size": 2},
)
STEPS = ("forward", "backward", "update")
Json = dict[str, Any]


class Known:
    """A session: its path, its read-only id, and what it should be."""

    def __init__(self, document: Json, line: Line) -> None:
        self.path: str = document["links"]["self"]
        self.read: str = document["share"]["read"]
        self.line = line
        self.keyed: dict[str, tuple[str, Json, Json]] = {}
        self.past = {0: line.facts()}


def machine(clients: list[TestClient]) -> type[RuleBasedStateMachine]:
    """The rules, played on some servers of one database in turn."""

    class Machine(RuleBasedStateMachine):
        sessions = Bundle("sessions")

        def __init__(self) -> None:
            super().__init__()
            self.turn = 0

        def client(self) -> TestClient:
            self.turn += 1
            return clients[self.turn % len(clients)]

        @initialize(target=sessions, body=st.sampled_from(BODIES))
        def begin(self, body: Json) -> Known:
            return self.created(body)

        @rule(target=sessions, body=st.sampled_from(BODIES))
        def create(self, body: Json) -> Known:
            return self.created(body)

        def created(self, body: Json) -> Known:
            answer = self.client().post("/v1/sessions", json=body)
            assert answer.status_code == 201
            known = Known(answer.json(), Line(Session.start(define(body))))
            self.same(known, answer.json())
            return known

        def same(self, known: Known, document: Json) -> None:
            assert compared(document) == known.line.facts()
            assert document["revision"] == known.line.revision

        def act(self, known: Known, action: str, body: Json, headers: dict[str, str] | None = None) -> Json:
            possible = known.line.accepts(action, body)
            answer = self.client().post(f"{known.path}/{action}", json=body or None, headers=headers)
            if not possible:
                assert answer.status_code == (422 if action == "rewind" else 409), answer.text
                code = {"undo": "nothing-to-undo", "rewind": "invalid"}.get(action, "wrong-phase")
                assert answer.json()["type"] == f"/problems/{code}"
                self.look(known)
            else:
                assert answer.status_code == 200, answer.text
                known.line.act(action, body)
                known.past[known.line.revision] = known.line.facts()
                self.same(known, answer.json())
                assert answer.headers["etag"] == f'"r{known.line.revision}"'
            document: Json = answer.json()
            return document

        @rule(known=sessions)
        def go_on(self, known: Known) -> None:
            self.act(known, NEXT[known.line.now.phase], {})

        @rule(known=sessions, action=st.sampled_from((*STEPS, "undo")))
        def try_any(self, known: Known, action: str) -> None:
            self.act(known, action, {})

        @rule(known=sessions, steps=st.integers(1, 9))
        def run(self, known: Known, steps: int) -> None:
            self.act(known, "run", {"steps": steps})

        @rule(known=sessions, step=st.integers(0, 12))
        def rewind(self, known: Known, step: int) -> None:
            self.act(known, "rewind", {"step": step})

        @rule(known=sessions, value=st.sampled_from((-0.5, 0.0, 0.25)))
        def edit(self, known: Known, value: float) -> None:
            self.act(known, "edit", {"parameters": {"b": value}})

        @rule(known=sessions, off=st.integers(-1, 1))
        def say_which_revision(self, known: Known, off: int) -> None:
            action, revision = NEXT[known.line.now.phase], known.line.revision
            headers = {"If-Match": f'"r{max(0, revision + off)}"'}
            if max(0, revision + off) == revision:
                self.act(known, action, {}, headers)
                return
            answer = self.client().post(f"{known.path}/{action}", headers=headers)
            assert (answer.status_code, answer.json()["revision"]) == (412, revision)

        @rule(known=sessions, key=st.sampled_from("abc"))
        def use_a_key(self, known: Known, key: str) -> None:
            if key in known.keyed:
                return
            action = NEXT[known.line.now.phase]
            body = {} if action != "forward" else {"revision": known.line.revision}
            document = self.act(known, action, body, {"Idempotency-Key": key})
            known.keyed[key] = action, body, document

        @rule(known=sessions, key=st.sampled_from("abc"), same=st.booleans())
        def use_a_key_again(self, known: Known, key: str, same: bool) -> None:
            if key not in known.keyed:
                return
            action, body, document = known.keyed[key]
            changed = body if same else {**body, "return": "minimal", "revision": 10**9}
            answer = self.client().post(f"{known.path}/{action}", json=changed, headers={"Idempotency-Key": key})
            if same:
                assert (answer.status_code, answer.headers["idempotent-replayed"]) == (200, "true")
                assert answer.json() == document
            else:
                assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")

        @rule(known=sessions)
        def look(self, known: Known) -> None:
            self.same(known, self.client().get(known.path).json())
            looked = self.client().get(f"/v1/sessions/{known.read}").json()
            assert (looked["revision"], looked["allowed"], looked["share"]) == (known.line.revision, [], None)
            assert self.client().post(f"/v1/sessions/{known.read}/forward").status_code == 403

        @rule(known=sessions, back=st.integers(0, 40))
        def look_back(self, known: Known, back: int) -> None:
            revision = max(0, known.line.revision - back)
            answer = self.client().get(f"{known.path}/revisions/{revision}")
            assert compared(answer.json()) == known.past[revision]
            beyond = self.client().get(f"{known.path}/revisions/{known.line.revision + 1}")
            assert beyond.status_code == 404

        @rule(known=sessions)
        def read_the_log(self, known: Known) -> None:
            items = self.client().get(f"{known.path}/history?limit=1000").json()["items"]
            line = known.line
            steps = range(line.states[0].position.step, line.now.position.step)
            assert [item["step"] for item in items] == list(steps)

        @rule(target=sessions, known=sessions, rate=st.sampled_from((None, 0.005)))
        def fork(self, known: Known, rate: float | None) -> Known:
            changes: Json = {} if rate is None else {"changes": {"optimizer": {"learning_rate": rate}}}
            answer = self.client().post(f"{known.path}/fork", json=changes)
            document = answer.json()
            assert answer.status_code == 201, answer.text
            assert document["parent"] == {"read": known.read, "revision": known.line.revision}
            assert (document["revision"], document["parameters"]) == (0, known.line.facts()["parameters"])
            definition = self.client().get(f"{document['links']['self']}/definition").json()
            assert definition["optimizer"]["learning_rate"] == rate or rate is None
            return Known(document, line_of(document, known))

        @rule(known=consumes(sessions))
        def delete(self, known: Known) -> None:
            assert self.client().delete(known.path).status_code == 204
            for _ in clients:
                assert self.client().get(known.path).status_code == 404
                assert self.client().post(f"{known.path}/forward").status_code == 404

    return Machine


def line_of(document: Json, known: Known) -> Line:
    """A fork's line, which begins where its source is."""
    from api.training.fork import fork

    rate = document["definition"]["optimizer"]["learning_rate"]
    same = rate == known.line.now.definition.optimizer["learning_rate"]
    return Line(fork(known.line.now, {} if same else {"optimizer": {"learning_rate": rate}}))


@contextmanager
def served(folder: Path, urls: list[str]) -> Iterator[list[TestClient]]:
    """A client of each of some servers."""
    if not urls:
        yield []
        return
    app = create_app(conftest.settings(folder, database_url=urls[0]))
    with TestClient(app, raise_server_exceptions=False) as client, served(folder, urls[1:]) as others:
        yield [client, *others]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_session_is_what_its_model_is(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    urls = [f"sqlite:///{tmp_path}/model.db"]
    if database == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        urls = [server.migrated()] * 2
    with served(tmp_path, urls) as clients:
        checks = list(HealthCheck)
        few = settings(
            max_examples=EXAMPLES,
            stateful_step_count=RULES,
            deadline=None,
            suppress_health_check=checks,
            database=None,
            derandomize=True,
            phases=(Phase.generate, Phase.shrink),
        )
        run_state_machine_as_test(machine(clients), settings=few)
