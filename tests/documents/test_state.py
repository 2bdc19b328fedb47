"""The state document against the contract's own example, its schema and the mathematics."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from api.documents import schemas
from api.documents.state import state, to_json
from api.training.presets import PRESETS
from tests.documents.stored import NETWORK, Kept, started, traced

NETWORK_BODY: dict[str, object] = {
    "model": {"kind": "expression", "source": NETWORK},
    "initializer": {"kind": "uniform", "low": 0.1, "high": 1.0},
    "batch_size": 4,
    "seed": 4,
}


def document(session: Any, **options: Any) -> dict[str, Any]:
    return state(Kept(session), base="/v1/sessions/a", **options)


def test_the_article_after_backward_is_the_contracts_example() -> None:
    told = document(traced())
    assert (told["phase"], told["allowed"]) == ("backward", ["update", "run", "undo"])
    assert [told[name] for name in ("step", "epoch", "batch", "batches_per_epoch", "batch_rows")] == [0, 1, 1, 6, [0]]
    assert told["inputs"] == {"x1": [4], "x2": [1], "y": [2]}
    assert told["parameters"] == {"w1": -0.017, "w2": -0.048, "b": 0}
    assert (told["outputs"], told["loss"]) == ({"yhat": [-0.116]}, 4.477456)
    assert told["gradients"] == {"w1": -16.928, "w2": -4.232, "b": -4.232}
    assert told["chain_rule"]["w1"] == {
        "gradient": -16.928,
        "path_count": 1,
        "paths": [{"nodes": ["L", "yhat", "w1"], "partials": [[-4.232], [4]], "product": -16.928}],
    }
    assert told["optimizer"] == {"kind": "sgd", "dialect": "torch", "learning_rate": 0.05, "slots": {}}
    assert (told["last_update"], told["warnings"], told["parent"], told["share"]) == (
        None,
        [],
        None,
        {"read": "b" * 22},
    )
    nodes = {node["id"]: node for node in told["graph"]["nodes"]}
    assert nodes["yhat"] == {
        "id": "yhat",
        "role": "model",
        "op": None,
        "formula": "w1*x1 + w2*x2 + b",
        "latex": r"\hat{y}",
        "shape": [1],
        "value": [-0.116],
        "gradient": [-4.232],
    }
    edge = next(edge for edge in told["graph"]["edges"] if (edge["source"], edge["target"]) == ("w1", "yhat"))
    assert edge == {
        "source": "w1",
        "target": "yhat",
        "partial": {"latex": r"\frac{\partial \hat{y}}{\partial w_1}", "formula": "x1", "value": [4]},
        "contribution": -16.928,
    }


@pytest.mark.parametrize("detail", ["named", "ops"])
@pytest.mark.parametrize("body", [{}, {"batch_size": 4}, NETWORK_BODY], ids=["article", "batch", "network"])
def test_every_phase_fits_its_schema_and_nothing_is_missing(body: dict[str, object], detail: str) -> None:
    ready = started(**body)
    forward = ready.forward()
    backward = forward.backward()
    names = None
    for session in (ready, forward, backward, backward.update()):
        told = json.loads(to_json(document(session, detail=detail)))
        schemas.State.model_validate(told)
        assert names in (None, told.keys())
        names = told.keys()


def test_what_is_not_computed_yet_is_null() -> None:
    told = document(started())
    for name in ("outputs", "loss", "gradients", "chain_rule", "last_update"):
        assert told[name] is None
    values = {node["id"]: node["value"] for node in told["graph"]["nodes"]}
    assert values == {"w1": -0.017, "x1": [4], "w2": -0.048, "x2": [1], "b": 0, "yhat": None, "y": [2], "L": None}
    assert all(edge["partial"]["value"] is None and edge["contribution"] is None for edge in told["graph"]["edges"])
    forward = document(started().forward())
    assert forward["loss"] == 4.477456
    assert forward["gradients"] is None


@pytest.mark.parametrize("detail", ["named", "ops"])
@pytest.mark.parametrize("body", [{}, {"batch_size": 4}, NETWORK_BODY], ids=["article", "batch", "network"])
def test_a_gradient_is_the_sum_of_what_its_edges_contribute(body: dict[str, object], detail: str) -> None:
    graph = document(traced(**body), detail=detail)["graph"]
    total: dict[str, Any] = {}
    for edge in graph["edges"]:
        rows, known = edge["contribution"], total.get(edge["source"])
        total[edge["source"]] = rows if known is None else _plus(known, rows)
    for node in graph["nodes"]:
        if node["id"] in total:
            assert total[node["id"]] == pytest.approx(node["gradient"], rel=1e-12, abs=1e-15), node["id"]


def _plus(left: Any, right: Any) -> Any:
    return [a + b for a, b in zip(left, right, strict=True)] if isinstance(left, list) else left + right


@pytest.mark.parametrize("body", [{}, {"batch_size": 4}, NETWORK_BODY], ids=["article", "batch", "network"])
def test_a_gradient_is_the_sum_over_its_paths(body: dict[str, object]) -> None:
    told = document(traced(**body))
    for name, rule in told["chain_rule"].items():
        assert rule["path_count"] == len(rule["paths"])
        assert sum(path["product"] for path in rule["paths"]) == pytest.approx(told["gradients"][name], rel=1e-12)


def test_a_shared_weight_has_a_path_for_each_way() -> None:
    paths = document(traced(**NETWORK_BODY))["chain_rule"]["a1"]["paths"]
    assert [path["nodes"] for path in paths] == [["L", "yhat", "a1"], ["L", "a1"]]


def test_a_quantity_used_twice_in_a_formula_has_one_edge() -> None:
    told = document(traced(model={"kind": "expression", "source": "L = a*a + x1"}, parameters={"a": 3}))
    edge = next(edge for edge in told["graph"]["edges"] if edge["source"] == "a")
    assert (edge["partial"]["formula"], edge["partial"]["value"], edge["contribution"]) == ("2*a/n", [6.0], 6.0)


def test_detail_ops_has_one_node_per_operation_and_the_rows_of_the_loss() -> None:
    graph = document(traced(batch_size=2), detail="ops")["graph"]
    ids = [node["id"] for node in graph["nodes"]]
    assert ids == ["w1", "x1", "yhat:1", "w2", "x2", "yhat:2", "yhat:3", "b", "yhat", "y", "L:1", "L:rows", "L"]
    nodes = {node["id"]: node for node in graph["nodes"]}
    assert (nodes["L:rows"]["op"], nodes["L"]["op"], nodes["yhat:1"]["formula"]) == ("square", "mean_rows", "w1*x1")
    assert nodes["L"]["value"] == sum(nodes["L:rows"]["value"]) / 2


def test_thousands_of_paths_are_counted_and_not_listed() -> None:
    lines = [
        "h0 = w*x1",
        *(f"h{n} = h{n - 1} + sin(h{n - 1})*v{n}\ng{n} = h{n}*h{n}" for n in range(1, 3)),
        "L = h2 + g1 + g2",
    ]
    diamonds = "\n".join(
        ["a0 = w", *(f"b{n} = 2*a{n}\nc{n} = 3*a{n}\na{n + 1} = b{n} + c{n}" for n in range(80)), "L = a80*x1"]
    )
    assert document(traced(model={"kind": "expression", "source": "\n".join(lines)}))["chain_rule"]["w"]["paths"] != []
    rule = document(traced(model={"kind": "expression", "source": diamonds}, parameters={"w": 1}))["chain_rule"]["w"]
    assert (rule["path_count"], rule["paths"]) == (2**80, [])
    assert rule["gradient"] == pytest.approx(5.0**80 * 4)


def test_the_last_update_can_be_redone_on_paper() -> None:
    update = document(traced().update())["last_update"]
    assert [update[name] for name in ("step", "epoch", "batch", "loss")] == [0, 1, 1, 4.477456]
    assert update["parameters"]["w1"] == {
        "before": -0.017,
        "gradient": -16.928,
        "after": 0.8294,
        "terms": [
            {
                "symbol": "w1",
                "latex": r"w_1 - \eta \frac{\partial L}{\partial w_1}",
                "formula": "w1 - learning_rate*dL/dw1",
                "substituted": "-0.017 - 0.05*(-16.928)",
                "value": 0.8294,
            }
        ],
    }


def test_long_arrays_are_summaries_unless_all_is_asked_for() -> None:
    rows = [[n, 1.0, 2.0] for n in range(100)]
    session = traced(data={"columns": ["x1", "x2", "y"], "rows": rows}, batch_size=100, parameters={"w1": 1, "w2": 0})
    node = document(session)["graph"]["nodes"][1]
    assert node["value"] == {
        "summary": True,
        "shape": [100],
        "min": 0.0,
        "max": 99.0,
        "mean": 49.5,
        "norm": pytest.approx(math.sqrt(sum(n * n for n in range(100)))),
        "first": [0.0, 1.0, 2.0],
    }
    assert document(session)["inputs"]["x1"] == [float(n) for n in range(100)]
    assert document(session, arrays="full")["graph"]["nodes"][1]["value"] == [float(n) for n in range(100)]


def test_numbers_that_are_not_finite_are_texts() -> None:
    session = traced(parameters={"w1": 1e200, "w2": 0, "b": 0})
    told = json.loads(to_json(document(session)), parse_constant=lambda name: pytest.fail(name))
    assert told["loss"] == "Infinity"
    assert [warning["code"] for warning in told["warnings"]] == ["diverged"]
    assert told["allowed"] == ["undo"]
    schemas.State.model_validate(told)


def test_a_growing_loss_is_warned_of_long_before_it_overflows() -> None:
    session, codes = started(), list[list[str]]()
    for _ in range(12):
        for _ in range(6):
            session = session.forward().backward().update()
        codes.append([warning["code"] for warning in document(session)["warnings"]])
    assert codes[0] == []
    assert ["loss_growing"] in codes
    message = document(session)["warnings"][0]["message"]
    assert "fork" in message
    assert "0.01" in message


def test_a_read_only_id_is_shown_nothing_to_act_with() -> None:
    told = state(Kept(traced(), id="b" * 22, read_only=True), base="/v1/sessions/b")
    assert (told["share"], told["allowed"]) == (None, [])
    assert "forward" not in told["links"]
    assert told["links"]["history"] == "/v1/sessions/b/history"


def test_listed_paths_of_tensors_add_up_to_the_gradient_where_all_are_elementwise() -> None:
    complete = 0
    for name in PRESETS:
        told = document(traced(model={"kind": "preset", "name": name}), arrays="full")
        for parameter, rule in told["chain_rule"].items():
            products = [path["product"] for path in rule["paths"]]
            if products and None not in products:
                complete += 1
                total = sum(np.asarray(product) for product in products)
                assert total == pytest.approx(np.asarray(told["gradients"][parameter]), rel=1e-9, abs=1e-12), parameter
    assert complete >= 10
