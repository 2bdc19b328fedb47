"""Using the model over HTTP: in any phase, by anybody who may look, and nothing is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.documents.predictions import Predictions
from tests.routes.conftest import settings

ROWS = {"rows": [[4, 1], [2, 8]]}
IRIS: dict[str, Any] = {"model": {"kind": "preset", "name": "softmax_classifier"}, "split": {"validation": 0.2}}


def created(client: TestClient, body: dict[str, Any]) -> str:
    answer = client.post("/v1/sessions", json=body)
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["location"]
    return location


def test_a_prediction_is_the_same_in_any_phase_and_changes_nothing(client: TestClient, session: str) -> None:
    for phase, action in (("ready", "forward"), ("forward", "backward"), ("backward", "update")):
        before = client.get(session)
        assert before.json()["phase"] == phase
        answer = client.post(f"{session}/predict", json=ROWS, headers={"Idempotency-Key": "the same key each time"})
        assert answer.status_code == 200
        assert answer.json()["outputs"] == {"yhat": [-0.116, -0.41800000000000004]}
        assert (answer.json()["revision"], answer.json()["step"]) == (before.json()["revision"], 0)
        assert answer.headers["cache-control"] == "no-store"
        assert client.get(session).content == before.content
        client.post(f"{session}/{action}")
    trained = client.post(f"{session}/predict", json=ROWS).json()
    w1, w2, b = client.get(session).json()["parameters"].values()
    assert trained["outputs"]["yhat"][0] == pytest.approx(4 * w1 + w2 + b, rel=1e-15)
    assert trained["step"] == 1


def test_whoever_may_look_may_ask(client: TestClient, session: str) -> None:
    state = client.get(session).json()
    assert state["links"]["predict"] == f"{session}/predict"
    looking = f"/v1/sessions/{state['share']['read']}"
    assert client.get(looking).json()["links"]["predict"] == f"{looking}/predict"
    assert client.post(f"{looking}/predict", json=ROWS).json() == client.post(f"{session}/predict", json=ROWS).json()


def test_forms_may_ask_too(client: TestClient, session: str) -> None:
    expected = client.post(f"{session}/predict", json=ROWS).json()["outputs"]
    assert client.post(f"{session}/predict", data={"rows": "[[4, 1], [2, 8]]"}).json()["outputs"] == expected
    file = {"csv": ("rows.csv", "\ufeffx1;x2\r\n4;1\r\n2;8\r\n")}
    assert client.post(f"{session}/predict", files=file).json()["outputs"] == expected
    grid = {"grid.x1": "[4, 4, 1]", "grid.x2": "1"}
    assert client.post(f"{session}/predict", data=grid).json()["outputs"] == {"yhat": [-0.116]}
    listed = {"rows.0.0": "4", "rows.0.1": "1", "columns.0": "x1", "columns.1": "x2"}
    assert client.post(f"{session}/predict", data=listed).json()["outputs"] == {"yhat": [-0.116]}


def test_the_answer_can_be_a_table(client: TestClient, session: str) -> None:
    answer = client.post(f"{session}/predict.csv", json={"grid": {"x1": [0, 4, 2], "x2": [0, 1, 2]}})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text == "x1,x2,yhat\n0,0,0\n0,1,-0.048\n4,0,-0.068\n4,1,-0.116\n"
    iris = created(client, IRIS)
    table = client.post(f"{iris}/predict.csv", json={"rows": [[5, 3, 1.5, 0.2]]}).text.splitlines()
    assert table[0] == "sepal_length,sepal_width,petal_length,petal_width,yhat[0],yhat[1],yhat[2],predicted"
    assert table[1].split(",")[-1] in ("0", "1", "2")
    free = created(client, {"data": None, "model": {"kind": "expression", "source": "k = a*a\nL = k - 1"},
                            "parameters": {"a": 3}})  # fmt: skip
    assert client.post(f"{free}/predict.csv").text == "k\n9\n"
    assert client.post(f"{session}/predict.svg", json=ROWS).status_code == 404


def test_what_is_not_finite_is_a_text(client: TestClient) -> None:
    session = created(client, {"parameters": {"w1": 1e300, "w2": -1e300, "b": 0}})
    rows = {"rows": [[1e300, 0], [0, 1e300], [1e300, 1e300]]}
    assert client.post(f"{session}/predict", json=rows).json()["outputs"] == {"yhat": ["Infinity", "-Infinity", "NaN"]}
    table = client.post(f"{session}/predict.csv", json=rows).text
    assert [line.split(",")[-1] for line in table.splitlines()] == ["yhat", "Infinity", "-Infinity", "NaN"]


def test_classes_come_with_labels_and_probabilities(client: TestClient) -> None:
    iris = created(client, IRIS)
    client.post(f"{iris}/run", json={"epochs": 40})
    answer = client.post(f"{iris}/predict", json={"rows": [[5.1, 3.5, 1.4, 0.2, 0], [6.5, 3, 5.8, 2.2, 1]]}).json()
    assert answer["classes"]["labels"] == [0, 1, 2]
    assert answer["classes"]["predicted"] == [0, 2]
    assert all(sum(row) == pytest.approx(1) for row in answer["classes"]["probabilities"])
    assert answer["accuracy"] == 0.5
    assert answer["loss"] > 0
    Predictions.model_validate(answer)


@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        ({"row": [[1, 2]]}, "/row", "did you mean 'rows'?"),
        ({"rows": "1,2"}, "/rows", "must be a list"),
        ({"rows": [[1, 2]], "columns": [1, 2]}, "/columns/0", "must be a text"),
        ({"grid": [1]}, "/grid", "must be an object"),
        ({"csv": 3}, "/csv", "must be a text"),
        ({}, "", "rows, csv or grid"),
    ],
)
def test_what_cannot_be_read_is_422(
    client: TestClient, session: str, body: dict[str, Any], pointer: str, said: str
) -> None:
    answer = client.post(f"{session}/predict", json=body)
    assert answer.status_code == 422
    fault = answer.json()["errors"][0]
    assert fault["pointer"] == pointer
    assert said in fault["detail"]


def test_numbers_that_are_none_and_odd_requests_are_refused(client: TestClient, session: str) -> None:
    headers = {"Content-Type": "application/json"}
    for text, status in (
        ('{"rows": [[NaN, 1]]}', 422), ('{"grid": {"x1": [0, 1e999, 3], "x2": 1}}', 422), ('{"rows": [[1, 2]', 400),
        ("[]", 422),
    ):  # fmt: skip
        assert client.post(f"{session}/predict", content=text, headers=headers).status_code == status
    assert client.get(f"{session}/predict").status_code == 405
    assert client.post(f"/v1/sessions/{'A' * 22}/predict", json=ROWS).status_code == 404


def test_much_is_predicted_in_another_process_and_too_much_refused(tmp_path: Path) -> None:
    with TestClient(create_app(settings(tmp_path, max_predictions=2500))) as client:
        session = created(client, {})
        grid = {"x1": [-1, 1, 50], "x2": [-1, 1, 50]}
        answer = client.post(f"{session}/predict", json={"grid": grid}).json()
        assert (answer["row_count"], len(answer["outputs"]["yhat"])) == (2500, 2500)
        assert answer["outputs"]["yhat"][0] == 0.017 + 0.048
        refused = client.post(f"{session}/predict", json={"grid": {**grid, "x1": [-1, 1, 51]}})
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/limit-exceeded")
        assert refused.json()["limit"] == client.get("/v1/limits").json()["predictions"] == 2500
        wrong = client.post(f"{session}/predict", json={"rows": [[0, 0]] * 2000 + [[0]]})
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/rows/2000")
