"""A network of layers over HTTP, from its creation to its pages."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.documents import schemas
from api.training.presets import PRESETS

XOR = {"columns": ["x1", "x2", "y"], "rows": [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]}
LAYERS = [{"units": 8, "activation": "tanh"}, {"units": 1, "activation": "sigmoid"}]
NETWORK: dict[str, Any] = {
    "model": {"kind": "mlp", "layers": LAYERS},
    "data": XOR,
    "batch_size": 4,
    "loss": {"kind": "binary_cross_entropy"},
    "optimizer": {"learning_rate": 1.0},
}


def test_a_network_walks_and_every_answer_fits_its_schema(client: TestClient) -> None:
    made = client.post("/v1/sessions", json=NETWORK)
    assert made.status_code == 201
    here = made.headers["location"]
    for action in ("forward", "backward", "update"):
        state = client.post(f"{here}/{action}").json()
        schemas.State.model_validate(state)
    assert state["parameter_count"] == 33
    assert [one["text"] for one in state["parameter_counts"]] == ["2·8 = 16", "8", "8·1 = 8", "1"]
    assert len(state["parameters"]["W1"]) == 2
    edge = next(one for one in client.get(f"{here}/revisions/2").json()["graph"]["edges"] if one["source"] == "W1")
    assert (edge["partial"]["value"], edge["partial"]["formula"]) == (None, "transpose(x) @ dL/dz1")
    again = client.get(f"{here}/revisions/2?detail=ops").json()
    assert [node["op"] for node in again["graph"]["nodes"]].count("matmul") == 2


@pytest.mark.parametrize("kind", ["text/html", "text/plain"])
@pytest.mark.parametrize("detail", ["named", "ops"])
def test_a_network_has_its_pages_in_every_phase(client: TestClient, kind: str, detail: str) -> None:
    here = client.post("/v1/sessions", json=NETWORK).headers["location"]
    for action in ("forward", "backward", "update"):
        client.post(f"{here}/{action}")
        answer = client.get(f"{here}?detail={detail}", headers={"accept": kind})
        assert answer.status_code == 200
        assert "W" in answer.text
        assert "33 parameters: W1: 2·8 = 16; b1: 8; W2: 8·1 = 8; b2: 1" in answer.text
    parts = ("graph.svg", "graph.dot", "loss.svg", "equations?format=latex", "equations?format=mathml", "definition")
    for part in parts:
        assert client.get(f"{here}/{part}").status_code == 200


def test_a_network_runs_undoes_forks_and_is_checked(client: TestClient) -> None:
    here = client.post("/v1/sessions", json=NETWORK).headers["location"]
    state = client.post(f"{here}/run", json={"steps": 400}).json()
    assert state["run"] == {"steps_done": 400, "stopped_by": "completed"}
    assert client.get(f"{here}/history?after=398").json()["items"][0]["loss"] < 0.05
    inside = client.get(f"{here}/steps/100?phase=backward").json()
    assert inside["step"] == 100
    fork = client.post(f"{here}/fork", json={"step": 100}).json()
    assert fork["parameters"] == inside["parameters"]
    answers = {"gradients": inside["gradients"], "values": {"L": inside["loss"]}}
    checked = client.post(f"{fork['links']['self']}/check", json={"answers": answers}).json()
    assert checked["correct"] is True
    assert client.post(f"{here}/undo").json()["parameters"] == client.get(f"{here}/revisions/0").json()["parameters"]


def test_parameters_given_by_form_and_json_have_their_shape(client: TestClient) -> None:
    model = {"model.kind": "mlp", "model.layers.0.units": "1", "model.layers.0.activation": "identity"}
    made = client.post("/v1/sessions", data=model | {"parameters.W1": "[[1], [2]]"})
    assert made.json()["parameters"] == {"W1": [[1.0], [2.0]], "b1": [0.0]}
    wrong = client.post("/v1/sessions", json={"model": {"kind": "mlp"}, "parameters": {"W1": [1, 2]}})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "/parameters/W1"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_starts_from_the_start_page_and_has_its_pages(client: TestClient, name: str) -> None:
    form = {"model.kind": "preset", "model.name": name, "optimizer.learning_rate": "", "seed": ""}
    made = client.post("/v1/sessions", data=form, headers={"accept": "text/html"})
    assert made.status_code == 303
    here = made.headers["location"].partition("/revisions")[0]
    for action in ("forward", "backward", "update"):
        state = client.post(f"{here}/{action}").json()
        schemas.State.model_validate(state)
        for view in ("", "?detail=ops"):
            page = client.get(f"{here}{view}", headers={"accept": "text/html"})
            assert page.status_code == 200
            assert len(page.content) < 500_000
    assert client.get(f"{here}/graph.svg").status_code == 200
    assert client.post(f"{here}/run", json={"epochs": 1}).json()["run"]["stopped_by"] == "completed"
