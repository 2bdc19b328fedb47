"""A session's walk, from the store into a folder."""

from __future__ import annotations

import asyncio
import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import client_folder
from api.engine.errors import InvalidInput, NotFound, StoreUnavailable
from api.export import Extent, chosen, write
from api.store import Store

UNKNOWN_TO_FILES = ("id", "share", "parent", "links", "allowed")


ALL = Extent()


def exported(database: Path, id: str, folder: Path, extent: Extent = ALL) -> None:
    """Export a session, and see that progress was told."""
    told: list[float] = []

    async def run() -> None:
        store = Store.open_to_read(f"sqlite:///{database}")
        try:
            count = await write(store, id, folder, client_folder(), extent, told.append)
            assert told == [(number + 1) / count for number in range(count)]
        finally:
            await store.close()

    asyncio.run(run())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def states(folder: Path) -> dict[str, dict[str, Any]]:
    """The exported states by step and phase."""
    return {
        f"{state['step']}.{state['phase']}": state
        for state in (json.loads(path.read_bytes()) for path in folder.glob("step-*.json"))
    }


def test_every_phase_of_every_step_has_a_page_with_the_services_numbers(
    client: TestClient, session: str, tmp_path: Path, folder: Path
) -> None:
    client.patch(session, json={"optimizer": {"learning_rate": 0.01}})
    for action in ("forward", "backward", "update"):
        client.post(f"{session}/{action}")
    client.patch(session, json={"parameters": {"w1": 0.5}})
    client.post(f"{session}/run", json={"steps": 5})
    client.post(f"{session}/forward")
    state = client.get(session).json()
    exported(tmp_path / "test.db", state["id"], folder)
    found = states(folder)
    assert len(found) == 6 * 3 + 2
    for place, one in found.items():
        step, _, phase = place.partition(".")
        told = client.get(f"{session}/steps/{step}?phase={phase}").json()
        assert {**one, "warnings": []} == {**told, "warnings": [], **{name: one[name] for name in UNKNOWN_TO_FILES}}
    assert found["1.ready"]["parameters"]["w1"] == 0.5
    assert json.loads((folder / "final.json").read_bytes())["loss"] == state["loss"]
    rows = list(csv.DictReader((folder / "history.csv").read_text(encoding="utf-8").splitlines()))
    items = client.get(f"{session}/history").json()["items"]
    assert [(int(row["step"]), float(row["loss"])) for row in rows] == [(item["step"], item["loss"]) for item in items]
    assert (folder / "data.csv").read_text() == client.get(f"{session}/data.csv").text


def test_the_definition_makes_the_same_session_again(
    client: TestClient, session: str, tmp_path: Path, folder: Path
) -> None:
    exported(tmp_path / "test.db", session.rpartition("/")[2], folder)
    again = client.post("/v1/sessions", json=json.loads((folder / "definition.json").read_bytes())).json()
    assert again["definition"] == client.get(session).json()["definition"]


def test_no_key_to_a_session_stands_in_its_pages(client: TestClient, tmp_path: Path, folder: Path) -> None:
    parent = client.post("/v1/sessions").json()
    fork = client.post(f"{parent['links']['self']}/fork").json()
    client.post(f"{fork['links']['self']}/run", json={"steps": 1})
    exported(tmp_path / "test.db", fork["id"], folder)
    keys = [parent["id"], parent["share"]["read"], fork["id"], fork["share"]["read"]]
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not [key for key in keys if key[:6] in text], path


def test_a_read_only_id_exports_the_same(client: TestClient, session: str, tmp_path: Path) -> None:
    client.post(f"{session}/run", json={"steps": 2})
    state = client.get(session).json()
    exported(tmp_path / "test.db", state["id"], tmp_path / "a")
    exported(tmp_path / "test.db", state["share"]["read"], tmp_path / "b")
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()
    }


def test_a_long_walk_is_thinned_and_says_so(client: TestClient, session: str, tmp_path: Path, folder: Path) -> None:
    client.patch(session, json={"optimizer": {"learning_rate": 0.001}})
    client.post(f"{session}/run", json={"steps": 2_000})
    exported(tmp_path / "test.db", session.rpartition("/")[2], folder)
    found = states(folder)
    assert {"0.ready", "20.forward", "1980.backward", "1981.ready", "2000.ready"} <= set(found)
    assert len(found) == 401
    for name in ("index.html", "step-20-forward.html"):
        assert "ne of every 20 steps is shown" in (folder / name).read_text(encoding="utf-8")


def test_the_steps_asked_for_are_those_written(client: TestClient, session: str, tmp_path: Path) -> None:
    client.post(f"{session}/run", json={"steps": 9})
    id = session.rpartition("/")[2]
    for name, extent, expected in (
        ("one", Extent(3, 3), ["3.ready", "3.forward", "3.backward", "4.ready"]),
        ("end", Extent(9), ["9.ready"]),
        ("some", Extent(1, 8, 5), [f"{n}.{p}" for n in (1, 6) for p in ("ready", "forward", "backward")]),
    ):
        exported(tmp_path / "test.db", id, tmp_path / name, extent)
        assert set(expected) <= set(states(tmp_path / name))
    assert set(states(tmp_path / "one")) == {"3.ready", "3.forward", "3.backward", "4.ready"}
    assert "Steps 3 to 3 of 0 to 9." in (tmp_path / "one" / "index.html").read_text(encoding="utf-8")
    assert "8.forward" not in states(tmp_path / "some")


def test_steps_that_the_session_has_not_are_refused() -> None:
    for asked in (Extent(8), Extent(3, 2), Extent(None, 1)):
        with pytest.raises(InvalidInput):
            chosen(asked, 2, 7)
    assert chosen(Extent(), 2, 7) == Extent(2, None, 1)
    assert chosen(Extent(0, 99), 2, 7) == Extent(2, 7, 1)
    assert chosen(Extent(every=3), 0, 10**6) == Extent(0, None, 3)


def test_an_unknown_id_writes_nothing(client: TestClient, session: str, tmp_path: Path, folder: Path) -> None:
    assert client.get(session).status_code == 200
    for id in ("A" * 22, "", "x", session):
        with pytest.raises(NotFound):
            exported(tmp_path / "test.db", id, folder)
    assert not folder.exists()


BODIES: dict[str, dict[str, Any]] = {
    "without data": {
        "data": None,
        "model": {"kind": "expression", "source": "q = x + y\nL = q*z"},
        "parameters": {"x": -2, "y": 5, "z": -4},
    },
    "tensors": {
        "model": {"kind": "mlp", "layers": [{"units": 3, "activation": "tanh"}, {"units": 1}]},
        "batch_size": 4,
    },
    "diverged": {"parameters": {"w1": 1e200, "w2": -1e200, "b": 1e300}},
    "labels": {"data": {"csv": 'House <b>size</b>;"Pri<ce"\n51;148\n84;236\n'}},
    "pixels": {
        "model": {"kind": "mlp", "layers": [{"units": 10}]},
        "data": {"dataset": "digits"},
        "loss": {"kind": "softmax_cross_entropy"},
    },
}


@pytest.mark.parametrize("name", BODIES)
def test_sessions_of_every_kind_can_be_exported(client: TestClient, tmp_path: Path, folder: Path, name: str) -> None:
    answer = client.post("/v1/sessions", json=BODIES[name])
    assert answer.status_code == 201, answer.text
    session = answer.headers["location"]
    client.post(f"{session}/run", json={"steps": 2})
    client.post(f"{session}/forward")
    exported(tmp_path / "test.db", answer.json()["id"], folder)
    for path in folder.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<script|\son\w+\s*=|javascript:|\sstyle\s*=|<form", text)
        for link in re.findall(r'(?:href|src)="([^"#]+)', text):
            assert (folder / link).is_file(), link
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert "<math" in index
    assert ("data.csv" in index) == (name != "without data")


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    before = path.read_bytes()
    yield
    assert path.read_bytes() == before


def test_an_export_writes_nothing_into_the_database(
    client: TestClient, session: str, tmp_path: Path, folder: Path
) -> None:
    client.post(f"{session}/run", json={"steps": 3})
    with unchanged(tmp_path / "test.db"), unchanged(tmp_path / "test.db-wal"):
        exported(tmp_path / "test.db", session.rpartition("/")[2], folder)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no database at"):
        exported(tmp_path / "none.db", "A" * 22, folder)
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreUnavailable, match="stepgrad migrate"):
        exported(tmp_path / "empty.db", "A" * 22, folder)
    assert not (tmp_path / "none.db").exists()
    assert (tmp_path / "empty.db").read_bytes() == b""
