"""Looking deeper over HTTP: each analysis, now and at a revision, for whoever may look, and hostile asking."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.documents.examples import PerExample
from api.documents.gradcheck import GradientCheckDocument
from api.documents.landscape import LandscapeDocument
from api.documents.paths import Paths
from api.documents.stability import StabilityDocument
from api.training.presets import PRESETS
from tests.routes.conftest import settings
from tests.routes.serving import call, serving

MODELS: dict[str, Any] = {
    "gradcheck": GradientCheckDocument,
    "per-example": PerExample,
    "paths?to=b": Paths,
    "stability?steps=200": StabilityDocument,
    "landscape?x=b&points=7": LandscapeDocument,
}
NETWORK: dict[str, Any] = {
    "model": {"kind": "mlp", "layers": [{"units": 3, "activation": "tanh"}, {"units": 2}]},
    "data": {
        "columns": ["u", "v", "s", "t"],
        "rows": [[1, 2, 3, 4], [0.5, -1, 2, 1], [2, 0, 1, -1]],
        "targets": ["s", "t"],
    },
    "batch_size": 3,
}


def ok(client: TestClient, address: str) -> dict[str, Any]:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(client: TestClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 422, answer.text
    detail: str = answer.json()["detail"]
    return detail


@pytest.mark.parametrize("path", MODELS)
def test_an_analysis_is_the_same_in_every_phase_and_changes_nothing(
    client: TestClient, session: str, path: str
) -> None:
    found = ok(client, f"{session}/{path}")
    MODELS[path].model_validate(found)
    for action in ("forward", "backward"):
        client.post(f"{session}/{action}")
        assert ok(client, f"{session}/{path}") == found
    assert client.get(session).json()["revision"] == 2
    client.post(f"{session}/update")
    assert ok(client, f"{session}/{path}") != found
    there = client.get(f"{session}/revisions/1/{path}")
    assert {**there.json(), "next": None} == {**found, "next": None}
    assert "immutable" in there.headers["cache-control"]


@pytest.mark.parametrize("path", MODELS)
def test_the_read_only_id_may_look_and_a_tag_saves_the_work(client: TestClient, session: str, path: str) -> None:
    state = client.get(session).json()
    answer = client.get(f"{session}/{path}")
    shared = client.get(f"/v1/sessions/{state['share']['read']}/{path}")
    assert shared.json() == answer.json()
    tag = answer.headers["etag"]
    assert tag.startswith('"r0.')
    assert client.get(f"{session}/{path}", headers={"If-None-Match": tag}).status_code == 304
    name = path.partition("?")[0]
    assert state["links"][name.replace("-", "_")] == f"{session}/{name}"
    suffixed = path.replace(name, f"{name}.json")
    assert client.get(f"{session}/{suffixed}").json() == answer.json()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_looked_into(client: TestClient, name: str) -> None:
    made = client.post("/v1/sessions", json={"model": {"kind": "preset", "name": name}}).json()
    here, (parameter, value) = made["links"]["self"], next(iter(made["parameters"].items()))
    label = parameter + "[0]" * np.ndim(value)
    checked = ok(client, f"{here}/gradcheck")
    assert checked["verdict"] == "agrees"
    assert checked["checked"] == made["parameter_count"]
    for path in ("per-example", f"paths?to={parameter}", "stability?steps=50", f"landscape?x={label}&points=5"):
        kind = next(model for key, model in MODELS.items() if key.partition("?")[0] == path.partition("?")[0])
        kind.model_validate(ok(client, f"{here}/{path}"))


def test_gradients_of_a_network_agree_with_every_number_at_hand(client: TestClient) -> None:
    here = client.post("/v1/sessions", json=NETWORK).headers["location"]
    client.post(f"{here}/forward")
    gradients = client.post(f"{here}/backward").json()["gradients"]
    found = ok(client, f"{here}/gradcheck")
    assert (found["verdict"], found["checked"], found["parameter_count"]) == ("agrees", 17, 17)
    assert found["relative_error"] < found["tolerance"] == 1e-6
    element = found["parameters"]["W2"]["elements"][3]
    assert element["element"] == "W2[1][1]"
    assert element["analytic"] == gradients["W2"][1][1]
    assert element["numeric"] == pytest.approx(
        (element["loss_plus"] - element["loss_minus"]) / (2 * element["h"]), rel=1e-9
    )
    assert list(ok(client, f"{here}/gradcheck?parameter=b1")["parameters"]) == ["b1"]


def test_a_kink_is_named_with_node_operation_and_row(client: TestClient) -> None:
    body = {
        "model": {"kind": "expression", "source": "h = relu(w*x)\nL = (h - y)**2"},
        "data": {"columns": ["x", "y"], "rows": [[1, 5], [2, 1], [3, 0]]},
        "parameters": {"w": 1e-7},
        "batch_size": 2,
    }
    here = client.post("/v1/sessions", json=body).headers["location"]
    client.post(f"{here}/run", json={"steps": 0, "epochs": None})
    found = ok(client, f"{here}/gradcheck")
    assert found["verdict"] == "kink"
    kinks = found["parameters"]["w"]["elements"][0]["kinks"]
    assert [(kink["node"], kink["operation"], kink["row"]) for kink in kinks] == [("h", "relu", 0), ("h", "relu", 1)]
    assert kinks[0]["sides"][0] < 0 < kinks[0]["sides"][2]


def test_examples_come_in_pages_and_add_up(client: TestClient) -> None:
    here = client.post("/v1/sessions", json=NETWORK).headers["location"]
    whole = ok(client, f"{here}/per-example")
    assert whole["reduction"]["divisor"] == 6
    assert "mean over 2 outputs" in whole["reduction"]["statement"]
    assert whole["next"] is None
    for name, gradient in whole["gradient"].items():
        total = sum(np.array(one["contribution"][name]) for one in whole["examples"])
        np.testing.assert_allclose(total, gradient, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(total, whole["sum"][name], rtol=1e-15)
    assert whole["difference"] < 1e-14
    pages, address = [], f"{here}/per-example?limit=2"
    while address:
        page = ok(client, address)
        pages += page["examples"]
        assert page["sum"] is None
        address = page["next"]
    assert pages == whole["examples"]
    assert ok(client, f"{here}/per-example?after=99999999999")["examples"] == []
    assert "must be at most" in refused(client, f"{here}/per-example?limit=1001")


def test_paths_between_two_nodes_add_up_and_come_in_pages(client: TestClient) -> None:
    source = "a = w*x + v\nb = sin(a)*w\nc = cos(a) + b\nL = (a*b*c - x)**2"
    body = {
        "model": {"kind": "expression", "source": source},
        "data": {"columns": ["x"], "rows": [[1], [2]]},
        "batch_size": 2,
    }
    here = client.post("/v1/sessions", json=body).headers["location"]
    client.post(f"{here}/forward")
    state = client.post(f"{here}/backward").json()
    whole = ok(client, f"{here}/paths?from=L&to=w")
    assert whole["path_count"] == len(whole["paths"]) == state["chain_rule"]["w"]["path_count"] == 6
    assert whole["sum"] == state["gradients"]["w"]
    assert sum(path["product"] for path in whole["paths"]) == pytest.approx(whole["sum"], rel=1e-12)
    for path, known in zip(whole["paths"], state["chain_rule"]["w"]["paths"], strict=True):
        assert path["nodes"] == known["nodes"]
        assert path["product"] == known["product"]
        assert [factor["value"] for factor in path["factors"]] == known["partials"]
    pages, address = [], f"{here}/paths?to=w&limit=3"
    while address:
        page = ok(client, address)
        pages += page["paths"]
        address = page["next"]
    assert pages == whole["paths"]
    assert ok(client, f"{here}/paths?from=c&to=a")["path_count"] == 2
    finer = ok(client, f"{here}/paths?from=L:rows&to=a&limit=1000")
    assert finer["detail"] == "ops"
    assert np.sum([path["product"] for path in finer["paths"]], axis=0).tolist() == pytest.approx(
        finer["sum"], rel=1e-12
    )


def test_paths_of_tensors_say_where_a_factor_is_no_number_and_still_add_up(client: TestClient) -> None:
    here = client.post("/v1/sessions", json=NETWORK).headers["location"]
    client.post(f"{here}/forward")
    gradients = client.post(f"{here}/backward").json()["gradients"]
    found = ok(client, f"{here}/paths?to=W1")
    (path,) = found["paths"]
    assert path["nodes"] == ["L", "yhat", "z2", "h1", "z1", "W1"]
    values = {factor["target"] + "/" + factor["source"]: factor for factor in path["factors"]}
    assert values["z1/W1"]["value"] is None
    assert values["z1/W1"]["formula"] == "transpose(x) @ dL/dz1"
    assert np.shape(values["h1/z1"]["value"]) == (3, 3)
    np.testing.assert_allclose(path["product"], gradients["W1"], rtol=1e-13)
    np.testing.assert_allclose(found["sum"], gradients["W1"], rtol=1e-15)


def test_the_number_of_paths_is_exact_where_it_has_hundreds_of_digits(client: TestClient) -> None:
    lines = [f"b{i} = sin(a{i - 1})\nc{i} = cos(a{i - 1})\na{i} = b{i}*c{i}" for i in range(1, 1001)]
    model = {"kind": "expression", "source": "a0 = w\n" + "\n".join(lines) + "\nL = a1000"}
    here = client.post("/v1/sessions", json={"model": model, "data": None}).headers["location"]
    found = ok(client, f"{here}/paths?to=w&limit=1")
    assert found["path_count"] == 2**1000
    assert len(found["paths"]) == 1
    last = ok(client, f"{here}/paths?to=w&after={2**1000 - 2}&limit=5")
    assert len(last["paths"]) == 1
    assert last["next"] is None


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("", "query parameter to: field required"),
        ("to=w3", "there is no node 'w3'"),
        ("to=yhta", "did you mean 'yhat'"),
        ("from=q&to=w1", "query parameter from"),
        ("from=w1&to=L", "L depends on w1, not the other way round: ask for from=L&to=w1"),
        ("to=yhat:1&detail=named", "ask with detail=ops"),
        ("to=w1&detail=all", "detail"),
        ("to=w1&after=-2", "after"),
        ("to=w1&limit=0", "limit"),
        ("to=w1&limit=5000", "must be at most 1000"),
        ("to=" + "w" * 20_000, "at most 10000"),
    ],
)
def test_paths_that_are_none_are_told_with_what_would_be(
    client: TestClient, session: str, query: str, part: str
) -> None:
    assert part in refused(client, f"{session}/paths?{query}")


def test_between_what_is_not_connected_there_are_no_paths_and_the_sum_is_zero(client: TestClient, session: str) -> None:
    found = ok(client, f"{session}/paths?from=w1&to=w2")
    assert (found["path_count"], found["sum"], found["paths"]) == (0, 0, [])
    same = ok(client, f"{session}/paths?from=b&to=b")
    assert (same["path_count"], same["sum"], same["paths"][0]["nodes"]) == (1, 1, ["b"])


def test_the_article_s_bounds_and_the_step_that_overflows(client: TestClient, session: str) -> None:
    found = ok(client, f"{session}/stability")
    assert found["full"]["largest_learning_rate"] == pytest.approx(0.0326, abs=5e-5)
    assert found["epoch"]["largest_learning_rate"] == pytest.approx(0.0270, abs=5e-5)
    assert found["full"]["largest_learning_rate"] == pytest.approx(2 / found["full"]["eigenvalues"][0])
    assert (found["applies"], found["constant"], found["parameters"]) == (True, True, ["w1", "w2", "b"])
    run = client.post(f"{session}/run", json={"steps": 3000}).json()
    assert run["run"]["stopped_by"] == "diverged"
    assert found["first_non_finite"]["step"] == run["step"] == 1296
    adam = client.post("/v1/sessions", json={"optimizer": {"kind": "adam"}}).headers["location"]
    other = ok(client, f"{adam}/stability?steps=10")
    assert other["applies"] is False
    assert other["full"]["largest_learning_rate"] is None
    assert "adam" in other["reason"]
    assert other["first_non_finite"] == {
        "step": None,
        "epoch": None,
        "batch": None,
        "quantity": None,
        "searched_steps": 10,
    }


def test_a_landscape_has_its_tangent_and_the_path_walked(client: TestClient, session: str) -> None:
    client.post(f"{session}/fork", json={})
    client.patch(session, json={"optimizer": {"learning_rate": 0.01}})
    client.post(f"{session}/run", json={"steps": 8})
    for action in ("forward", "backward", "update", "forward"):
        state = client.post(f"{session}/{action}").json()
    found = ok(client, f"{session}/landscape?x=w1&points=11")
    gradient = client.post(f"{session}/backward").json()["gradients"]["w1"]
    assert found["x"]["slope"] == gradient
    assert found["current"] == {"step": 9, "x": state["parameters"]["w1"], "y": None, "loss": state["loss"]}
    for end in found["tangent"]:
        assert end["loss"] == pytest.approx(state["loss"] + gradient * (end["x"] - state["parameters"]["w1"]))
    assert [place["step"] for place in found["path"]] == list(range(10))
    for place in found["path"]:
        assert place["x"] == client.get(f"{session}/steps/{place['step']}").json()["parameters"]["w1"]
        assert found["x"]["values"][0] <= place["x"] <= found["x"]["values"][-1]
    grid = ok(client, f"{session}/landscape?x=w1&y=w2&points=4&rows=all&x_min=-1&x_max=2")
    assert (np.shape(grid["loss"]), grid["row_count"], grid["tangent"]) == ((4, 4), 6, None)
    assert grid["x"]["values"] == [-1, 0, 1, 2]
    assert grid["path"][0]["y"] == -0.048


def test_an_element_of_a_tensor_is_an_axis(client: TestClient) -> None:
    here = client.post("/v1/sessions", json=NETWORK).headers["location"]
    client.post(f"{here}/forward")
    gradients = client.post(f"{here}/backward").json()["gradients"]
    for text in ("W1[1][2]", "W1[1,2]", "W1[-1][-1]"):
        found = ok(client, f"{here}/landscape?points=3&x={text}")
        assert (found["x"]["element"], found["x"]["slope"]) == ("W1[1][2]", gradients["W1"][1][2])


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("", "query parameter x: field required"),
        ("x=w9", "there is no parameter 'w9'"),
        ("x=x1", "no parameter but a placeholder"),
        ("x=w1[0]", "single number"),
        ("x=w1&y=w1", "same element"),
        ("x=w1&y=", "there is no parameter ''"),
        ("x=w1&points=1", "points"),
        ("x=w1&points=10001", "at most 10,000 points"),
        ("x=w1&y=b&points=101", "at most 100 points"),
        ("x=w1&x_min=2&x_max=2", "must be larger"),
        ("x=w1&x_min=nan", "finite"),
        ("x=w1&x_max=1e999", "finite"),
        ("x=w1&rows=some", "rows"),
    ],
)
def test_a_landscape_that_is_none_is_told_why(client: TestClient, session: str, query: str, part: str) -> None:
    assert part in refused(client, f"{session}/landscape?{query}")


@pytest.mark.parametrize("step", ["0", "-1", "nan", "inf", "2", "x"])
def test_a_step_is_a_number_between_0_and_1(client: TestClient, session: str, step: str) -> None:
    assert "query parameter step" in refused(client, f"{session}/gradcheck?step={step}")


def test_sessions_without_data_rows_or_parameters_can_be_looked_into(client: TestClient) -> None:
    for body in (
        {"model": {"kind": "expression", "source": "L = w*w"}, "data": None},
        {"model": {"kind": "expression", "source": "L = w*w"}},
        {"model": {"kind": "expression", "source": "L = x1*x2"}},
    ):
        here = client.post("/v1/sessions", json=body).headers["location"]
        GradientCheckDocument.model_validate(ok(client, f"{here}/gradcheck"))
        PerExample.model_validate(ok(client, f"{here}/per-example"))
        StabilityDocument.model_validate(ok(client, f"{here}/stability?steps=5"))
        Paths.model_validate(ok(client, f"{here}/paths?to=L"))
        if "w" in body["model"]["source"]:  # type: ignore[index]
            LandscapeDocument.model_validate(ok(client, f"{here}/landscape?x=w"))
    assert "the formula has none" in refused(client, f"{here}/landscape?x=w")


def test_a_session_that_has_diverged_can_be_looked_into(client: TestClient, session: str) -> None:
    client.post(f"{session}/run", json={"steps": 3000})
    assert ok(client, f"{session}/gradcheck")["verdict"] == "undefined"
    assert ok(client, f"{session}/per-example")["loss"] == "Infinity"
    assert ok(client, f"{session}/paths?to=w1")["path_count"] == 1
    assert ok(client, f"{session}/stability")["first_non_finite"]["step"] == 1296
    found = ok(client, f"{session}/landscape?x=w1&y=b&points=5")
    assert len(found["path"]) == 101


def test_what_takes_more_than_one_analysis_may_is_refused(tmp_path: Path) -> None:
    with TestClient(create_app(settings(tmp_path, max_analysis_operations=1000))) as client:
        here = client.post("/v1/sessions", json={"batch_size": 6}).headers["location"]
        body = {"model": {"kind": "mlp", "layers": [{"units": 10}]}, "data": {"dataset": "digits"}, "batch_size": 200}
        made = client.post("/v1/sessions", json={**body, "loss": {"kind": "softmax_cross_entropy"}})
        large = made.headers["location"]
        assert client.get(f"{here}/gradcheck").status_code == 200
        for path in ("gradcheck", "per-example", "paths?to=W1", "stability", "landscape?x=W1[0][0]"):
            answer = client.get(f"{large}/{path}")
            assert (answer.status_code, answer.json()["type"]) == (422, "/problems/limit-exceeded"), path
        assert client.get("/v1/limits").json()["analysis_operations"] == 1000


def test_while_analyses_go_on_others_are_answered(tmp_path: Path) -> None:
    layers = [{"units": 12, "activation": "tanh"}, {"units": 12, "activation": "tanh"}, {"units": 1}]
    body = {
        "model": {"kind": "mlp", "layers": layers, "scalars": True},
        "data": {"dataset": "moons"},
        "batch_size": 32,
    }
    with serving(tmp_path, "--run-workers", "1") as (url, _):
        here = url + call("POST", f"{url}/v1/sessions", body)[1]["links"]["self"]
        statuses: list[int] = []
        paths = ("gradcheck", "stability", "landscape?x=w1_1_1&y=w1_1_2&points=12")
        work = [
            threading.Thread(target=lambda path=path: statuses.append(call("GET", f"{here}/{path}")[0]))
            for path in paths
        ]
        for thread in work:
            thread.start()
        answered = 0
        while any(thread.is_alive() for thread in work):
            assert call("GET", here)[0] == 200
            answered += 1
        assert statuses == [200] * 3
        assert answered > 20  # where one of the analyses held the loop, there would be next to none
