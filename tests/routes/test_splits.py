"""Rows held out, over HTTP: in every document, in runs that stop early, and after a restart."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.documents import schemas
from api.training.definition import define
from api.training.run import Goal, advance
from api.training.session import Session
from tests.routes.conftest import BROWSER, settings

IRIS: dict[str, Any] = {
    "model": {"kind": "preset", "name": "softmax_classifier"},
    "split": {"validation": 0.2, "test": 0.1},
}
NOISY: dict[str, Any] = {
    "model": {"kind": "mlp", "layers": [{"units": 24, "activation": "tanh"}, {"units": 1}]},
    "data": {"dataset": "linear_noise"},
    "split": {"validation": 0.4},
    "batch_size": 10,
    "optimizer": {"kind": "adam", "learning_rate": 0.05},
    "shuffle": True,
}


def created(client: TestClient, body: dict[str, Any]) -> str:
    answer = client.post("/v1/sessions", json=body)
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["location"]
    return location


def test_a_state_tells_how_many_rows_are_held_out_and_a_definition_which(client: TestClient) -> None:
    session = created(client, IRIS)
    state = client.get(session).json()
    schemas.State.model_validate(state)
    assert state["definition"]["split"] == IRIS["split"]
    assert state["definition"]["data"]["row_count"] == 150
    assert state["definition"]["data"]["split"] == {"train": 105, "validation": 30, "test": 15}
    assert (state["batches_per_epoch"], state["last_epoch"]) == (4, None)
    definition = client.get(f"{session}/definition").json()
    assert {len(definition["split"][name]) for name in ("validation_rows", "test_rows")} == {30, 15}
    again = created(client, definition)
    assert client.get(f"{again}/definition").json() == definition
    assert client.get(f"{again}/data").content == client.get(f"{session}/data").content


def test_data_has_every_row_with_its_split(client: TestClient) -> None:
    session = created(client, IRIS)
    held = client.get(f"{session}/definition").json()["split"]
    document = client.get(f"{session}/data").json()
    schemas.Data.model_validate(document)
    parts = {part: [row["row"] for row in document["rows"] if row["split"] == part] for part in ("validation", "test")}
    assert parts == {"validation": held["validation_rows"], "test": held["test_rows"]}
    table = list(csv.DictReader(io.StringIO(client.get(f"{session}/data.csv").text)))
    assert [row["split"] for row in table] == [row["split"] for row in document["rows"]]
    assert table[0]["sepal_length"] == "5.1"
    seen: set[int] = set()
    for _ in range(4):
        seen |= set(client.get(session).json()["batch_rows"])
        client.post(f"{session}/run", json={"steps": 1})
    assert seen == {row["row"] for row in document["rows"] if row["split"] == "train"}


def test_forms_and_forks_split_too(client: TestClient) -> None:
    fields = {"data.dataset": "iris", "model.kind": "mlp", "model.layers.0.units": "3", "split.validation": "0.2",
              "loss.kind": "softmax_cross_entropy", "split.test": "15"}  # fmt: skip
    session = client.post("/v1/sessions", data=fields).headers["location"]
    assert client.get(session).json()["definition"]["split"] == {"validation": 0.2, "test": 15}
    answer = client.post(f"{session}/fork", json={"changes": {"split": {"test": 0.5}}}).json()
    assert answer["definition"]["data"]["split"] == {"train": 75, "validation": 0, "test": 75}
    refused = client.post(f"{session}/fork", json={"changes": {"split": {"test": 150}}})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/changes/split")


@pytest.mark.parametrize(
    ("split", "pointer"),
    [
        ({"validation": "0.2"}, "/split/validation"),
        ({"validation": 1.5}, "/split/validation"),
        ({"validaton": 0.2}, "/split/validaton"),
        ({"validation_rows": [6]}, "/split/validation_rows/0"),
        ({"validation_rows": [0.5]}, "/split/validation_rows/0"),
        ({"validation": 0.9, "test": 0.9}, "/split"),
        ([0.2], "/split"),
    ],
)
def test_a_split_without_meaning_is_422(client: TestClient, split: Any, pointer: str) -> None:
    answer = client.post("/v1/sessions", json={"split": split})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_history_and_state_have_the_metrics_of_each_epoch(client: TestClient) -> None:
    session = created(client, IRIS)
    for _ in range(4):
        for action in ("forward", "backward", "update"):
            state = client.post(f"{session}/{action}").json()
    assert state["last_epoch"]["epoch"] == 1
    assert 0 <= state["last_epoch"]["validation_accuracy"] <= 1
    ran = client.post(f"{session}/run", json={"epochs": 2}).json()
    schemas.State.model_validate(ran)
    items = client.get(f"{session}/history").json()["items"]
    schemas.History.model_validate({"items": items, "next": None})
    names = ("epoch_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy")
    measured = {item["epoch"]: {name: item[name] for name in names} for item in items if item["batch"] == 4}
    assert all(item[name] is None for item in items if item["batch"] != 4 for name in names)
    assert measured[1] == {name: state["last_epoch"][name] for name in names}
    assert {"epoch": 3, **measured[3]} == ran["last_epoch"]
    assert measured[1]["epoch_loss"] == pytest.approx(sum(item["loss"] for item in items[:4]) / 4, rel=1e-15)
    table = list(csv.DictReader(io.StringIO(client.get(f"{session}/history.csv").text)))
    assert float(table[7]["validation_loss"]) == measured[2]["validation_loss"]
    assert table[6]["validation_loss"] == ""
    stepped = created(client, IRIS)
    client.post(f"{stepped}/run", json={"steps": 12})
    assert [item["test_loss"] for item in client.get(f"{stepped}/history").json()["items"]] == [
        item["test_loss"] for item in items
    ]


def test_early_stopping_names_the_best_epoch_and_rewinding_restores_it(client: TestClient) -> None:
    session = created(client, NOISY)
    state = client.post(f"{session}/run", json={"epochs": 500, "until": {"patience": 5}}).json()
    schemas.State.model_validate(state)
    run, best = state["run"], state["run"]["best"]
    assert run["stopped_by"] == "early_stopping"
    assert state["epoch"] - 1 == best["epoch"] + 5
    items = client.get(f"{session}/history?limit=1000").json()["items"]
    losses = {item["epoch"]: item["validation_loss"] for item in items if item["validation_loss"] is not None}
    assert best == {"step": 3 * best["epoch"], "epoch": best["epoch"], "validation_loss": min(losses.values())}
    assert losses[best["epoch"]] == best["validation_loss"]
    there = client.post(f"{session}/rewind", json={"step": best["step"]}).json()
    assert there["last_epoch"]["validation_loss"] == best["validation_loss"]
    assert (there["step"], there["phase"]) == (best["step"], "ready")
    assert client.get(f"{session}/revisions/1").json()["last_epoch"]["validation_loss"] == losses[max(losses)]


def test_a_run_without_patience_tells_no_best_epoch(client: TestClient) -> None:
    session = created(client, NOISY)
    assert set(client.post(f"{session}/run", json={"epochs": 2}).json()["run"]) == {"steps_done", "stopped_by"}
    waited = client.post(f"{session}/run", json={"epochs": 2, "until": {"patience": 50}}).json()["run"]
    assert (waited["stopped_by"], waited["best"]["epoch"] > 2) == ("completed", True)
    none = client.post(f"{session}/run", json={"steps": 1, "until": {"patience": 0}}).json()["run"]
    assert none == {"steps_done": 1, "stopped_by": "completed", "best": None}


@pytest.mark.parametrize(
    ("until", "pointer"),
    [
        ({"patience": 3}, "/until/patience"),
        ({"patience": -1}, "/until/patience"),
        ({"patience": 1.5}, "/until/patience"),
        ({"patience": 1, "min_delta": -1}, "/until/min_delta"),
        ({"min_delta": 1}, "/until/patience"),
        ({"patience": 1, "monitor": "val_loss"}, "/until/monitor"),
        ({"patence": 1}, "/until/patence"),
    ],
)
def test_early_stopping_without_meaning_is_422(client: TestClient, until: dict[str, Any], pointer: str) -> None:
    session = created(client, {"split": {"test": 1}})
    answer = client.post(f"{session}/run", json={"epochs": 5, "until": until})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert client.get(session).json()["revision"] == 0


def test_progress_is_streamed_with_the_last_metrics(client: TestClient) -> None:
    session = created(client, IRIS)
    answer = client.post(f"{session}/run", json={"epochs": 3}, headers={"Accept": "text/event-stream"})
    events = [dict(line.split(": ", 1) for line in part.split("\n")) for part in answer.text.strip().split("\n\n")]
    told = [json.loads(event["data"]) for event in events]
    assert [event["event"] for event in events][-1] == "state"
    last, state = told[-2], told[-1]
    assert {name: last[name] for name in ("validation_loss", "test_accuracy")} == {
        name: state["last_epoch"][name] for name in ("validation_loss", "test_accuracy")
    }
    plain = client.post("/v1/sessions").headers["location"]
    text = client.post(f"{plain}/run", json={"steps": 1}, headers={"Accept": "text/event-stream"}).text
    assert set(json.loads(text.split("data: ")[1].split("\n")[0])) == {"step", "epoch", "loss"}


def test_a_run_of_many_slices_stops_early_where_one_stretch_does(tmp_path: Path) -> None:
    """Its steps are of so much work that other processes do them, some hundreds at a time."""
    layers = [{"units": 120, "activation": "tanh"}, {"units": 1}]
    body = {**NOISY, "model": {"kind": "mlp", "scalars": True, "layers": layers}, "batch_size": 30}
    until = {"epochs": 5000, "until": {"patience": 130}}
    definition = define(body)
    start = Session.start(definition).snapshot
    whole = advance(definition, start, goal=Goal.of(start.position, until), seconds=math.inf, most=10**6)
    with TestClient(create_app(settings(tmp_path, run_seconds=300))) as client:
        session = created(client, body)
        text = client.post(f"{session}/run", json=until, headers={"Accept": "text/event-stream"}).text
    run = json.loads(text.strip().rpartition("data: ")[2])["run"]
    assert text.count("event: progress") > 1
    assert whole.goal.early is not None
    best = whole.goal.early.told
    assert run == {"steps_done": len(whole.losses), "stopped_by": "early_stopping", "best": best}


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with TestClient(create_app(settings(tmp_path))) as client:
        session = created(client, NOISY)
        client.post(f"{session}/run", json={"epochs": 30, "until": {"patience": 4}})
        client.post(f"{session}/forward")
        paths = ("", "/history?limit=1000", "/data", "/definition", "/revisions/1", "/steps/7", "/loss.svg")
        before = {path: client.get(session + path).json() if "svg" not in path else client.get(session + path).text
                  for path in paths}  # fmt: skip
    with TestClient(create_app(settings(tmp_path))) as client:
        for path, document in before.items():
            answer = client.get(session + path)
            assert (answer.text if "svg" in path else answer.json()) == document, path


def test_the_page_shows_each_row_s_split_and_the_validation_curve(client: TestClient) -> None:
    session = created(
        client, {"split": {"validation_rows": [1], "test_rows": [2]}, "optimizer": {"learning_rate": 0.01}}
    )
    client.post(f"{session}/run", json={"epochs": 3})
    page = client.get(session, headers=BROWSER).text
    assert page.count("<td>train</td>") == 4
    assert page.count("<td>validation</td>") == page.count("<td>test</td>") == 1
    assert 'class="held"' in page
    picture = client.get(f"{session}/loss.svg").text
    assert "Validation rows: Update 4 to 12" in picture
    plain = client.post("/v1/sessions").headers["location"]
    client.post(f"{plain}/run", json={"epochs": 3})
    assert 'class="held"' not in client.get(plain, headers=BROWSER).text
    assert "Validation" not in client.get(f"{plain}/loss.svg").text
