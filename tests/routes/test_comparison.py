"""Variants side by side over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.documents.comparison import Comparison
from tests.routes.conftest import settings

RATES: list[dict[str, Any]] = [
    {"label": "slow", "changes": {"optimizer": {"learning_rate": 0.001}}},
    {"label": "good", "changes": {"optimizer": {"learning_rate": 0.01}}},
]


def compared(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post("/v1/compare", json=body)
    assert answer.status_code == 200, answer.text
    Comparison.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


def test_each_run_is_what_a_session_of_its_own_does(client: TestClient) -> None:
    found = compared(client, variants=[*RATES, {"changes": {"optimizer": {"kind": "adam"}, "batch_size": 4}}], epochs=5)
    assert found["epochs"] == 5
    assert [run["label"] for run in (found["base"], *found["runs"])] == ["base", "slow", "good", "variant 3"]
    bodies = [
        {},
        {"optimizer": {"learning_rate": 0.001}},
        {"optimizer": {"learning_rate": 0.01}},
        {"optimizer": {"kind": "adam"}, "batch_size": 4},
    ]
    for run, body in zip((found["base"], *found["runs"]), bodies, strict=True):
        here = client.post("/v1/sessions", json=body).headers["location"]
        state = client.post(f"{here}/run", json={"epochs": 5}).json()
        assert run["parameters"] == state["parameters"]
        items = client.get(f"{here}/history").json()["items"]
        epochs = [[item["loss"] for item in items if item["epoch"] == epoch] for epoch in range(1, 6)]
        assert run["loss"] == pytest.approx([sum(losses) / len(losses) for losses in epochs], rel=1e-14)
        assert run["final_loss"] == run["loss"][-1]
        assert (run["stopped_by"], run["steps_done"], run["drawn"]) == ("completed", len(items), [])


def test_from_a_base_of_one_s_own_every_variant_starts_alike(client: TestClient) -> None:
    base = {"model": {"kind": "preset", "name": "xor"}, "seed": 7, "shuffle": True, "batch_size": 2}
    found = compared(client, base=base, variants=[{"changes": {}}, {"changes": {"seed": 8}}], epochs=3)
    assert {**found["runs"][0], "label": "base"} == found["base"]
    assert found["runs"][1]["drawn"] == []  # only the order of the rows is another
    assert found["runs"][1]["loss"] != found["base"]["loss"]
    wider = {"layers": [{"units": 5, "activation": "tanh"}, {"units": 1, "activation": "sigmoid"}], "kind": "mlp"}
    other = compared(client, base=base, variants=[{"changes": {"model": wider}}], epochs=1)
    assert set(other["runs"][0]["drawn"]) == {"W1", "b1", "W2"}


def test_rows_held_out_are_the_same_for_all_and_their_losses_come_with_each_epoch(client: TestClient) -> None:
    base = {"model": {"kind": "preset", "name": "softmax_classifier"}, "split": {"validation": 0.2, "test": 0.1}}
    found = compared(client, base=base, variants=[{"changes": {"optimizer": {"kind": "adam"}}}], epochs=4)
    here = client.post("/v1/sessions", json=base).headers["location"]
    client.post(f"{here}/run", json={"epochs": 4})
    items = client.get(f"{here}/history").json()["items"]
    told = [item["validation_loss"] for item in items if item["validation_loss"] is not None]
    assert found["base"]["validation_loss"] == told
    assert len(found["runs"][0]["validation_loss"]) == len(told) == 4
    assert compared(client, variants=[{}], epochs=1)["base"]["validation_loss"] is None


def test_a_run_that_diverges_says_so(client: TestClient) -> None:
    found = compared(client, variants=[{"label": "wild", "changes": {"optimizer": {"learning_rate": 1e6}}}], epochs=100)
    (wild,) = found["runs"]
    assert wild["stopped_by"] == "diverged"
    assert len(wild["loss"]) < 100
    assert found["base"]["stopped_by"] == "completed"
    at_once = {"model": {"kind": "expression", "source": "L = exp(exp(w))"}, "data": None, "parameters": {"w": 10}}
    none = compared(client, base=at_once, variants=[{}], epochs=2)["base"]
    assert (none["loss"], none["final_loss"], none["data_loss"]) == ([], None, "Infinity")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/variants"),
        ({"variants": []}, "/variants"),
        ({"variants": [{}] * 21}, "/variants"),
        ({"variants": {}}, "/variants"),
        ({"variants": [{}], "epochs": 0}, "/epochs"),
        ({"variants": [{}], "epochs": 10**9}, "/epochs"),
        ({"variants": [{}], "epoch": 3}, "/epoch"),
        ({"variants": [{}, {"changes": {"optimizer": {"lr": 0.1}}}]}, "/variants/1/changes/optimizer/lr"),
        ({"variants": [{}, {"changes": {"optimizer": {"beta1": 0.1}}}]}, "/variants/1/changes/optimizer/beta1"),
        ({"variants": [{"changes": {"start": {"step": 3}}}]}, "/variants/0/changes/start"),
        ({"variants": [{"changes": {"parameters": {"w9": 1}}}]}, "/variants/0/changes/parameters/w9"),
        ({"variants": [{"changes": {"data": {"dataset": "nine"}}}]}, "/variants/0/changes/data/dataset"),
        ({"variants": [{"changes": None, "label": 3}]}, "/variants/0/label"),
        ({"variants": [{"label": "a"}, {"label": "a"}]}, "/variants/1/label"),
        ({"variants": [{"label": "a" * 201}]}, "/variants/0/label"),
        ({"variants": [{}], "base": {"model": {"kind": "mlpp"}}}, "/base/model/kind"),
        ({"variants": [{}], "base": {"optimizer": {"lr": 1}}}, "/base/optimizer/lr"),
    ],
)
def test_a_fault_is_told_with_its_place(client: TestClient, body: dict[str, Any], pointer: str) -> None:
    answer = client.post("/v1/compare", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_form_says_the_same(client: TestClient) -> None:
    right = compared(client, variants=[RATES[1]], epochs=3)
    for form in (
        {"epochs": "3", "variants.0.label": "good", "variants.0.changes.optimizer.learning_rate": "0.01"},
        {"epochs": "3", "variants": '[{"label": "good", "changes": {"optimizer": {"learning_rate": 0.01}}}]'},
    ):
        assert client.post("/v1/compare", data=form).json() == right


def test_a_comparison_of_much_work_goes_on_elsewhere_with_the_same_result_and_keeps_to_its_time(tmp_path: Path) -> None:
    body = {"model": {"kind": "preset", "name": "rnn"}, "title": "rnn"}
    with TestClient(create_app(settings(tmp_path, run_seconds=4.0))) as client:
        found = compared(client, base=body, variants=[{"changes": {"batch_size": 40}}], epochs=20)
        here = client.post("/v1/sessions", json=body).headers["location"]
        state = client.post(f"{here}/run", json={"epochs": 20}).json()
        assert found["base"]["parameters"] == state["parameters"]
        assert {run["stopped_by"] for run in (found["base"], *found["runs"])} == {"completed"}
    with TestClient(create_app(settings(tmp_path, run_seconds=0.4))) as client:
        short = compared(client, base=body, variants=[{}], epochs=20_000)
        assert {run["stopped_by"] for run in (short["base"], *short["runs"])} == {"budget"}
        assert 0 < len(short["base"]["loss"]) < 20_000


def test_many_rows_are_compared_too_and_a_fault_in_them_is_told(client: TestClient) -> None:
    rows = [[0.001 * place, 0.002 * place] for place in range(9000)]
    base = {"data": {"columns": ["u", "v"], "rows": rows}, "model": {"kind": "linear"}, "batch_size": 3000}
    found = compared(client, base=base, variants=[{"changes": {"batch_size": 9000}}, {}], epochs=2)
    assert [run["steps_done"] for run in (found["base"], *found["runs"])] == [6, 2, 6]
    answer = client.post(
        "/v1/compare", json={"base": base, "variants": [{}, {}, {"changes": {"optimizer": {"kind": "adm"}}}]}
    )
    assert answer.json()["errors"][0]["pointer"] == "/variants/2/changes/optimizer/kind"
