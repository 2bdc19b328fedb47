"""Definitions: defaults, drawn values, and what is refused."""

from __future__ import annotations

import math

import pytest

from api.engine.errors import InvalidInput, LimitExceeded
from api.training.definition import Definition, define
from api.training.limits import Limits


def test_nothing_given_is_the_article() -> None:
    document = define({}).document
    assert document["parameters"] == {"w1": -0.017, "w2": -0.048, "b": 0.0}
    assert document["optimizer"] == {"kind": "sgd", "dialect": "torch", "learning_rate": 0.05}
    assert (document["data"], document["batch_size"], document["shuffle"]) == ({"dataset": "article"}, 1, False)


def test_an_object_given_takes_the_defaults_of_its_own_kind_and_dialect() -> None:
    assert define({"optimizer": {}}).fields == {"learning_rate": 0.001}
    assert define({"optimizer": {"dialect": "keras"}}).fields == {"learning_rate": 0.01}
    assert define({"initializer": {"kind": "normal"}}).document["initializer"] == {
        "kind": "normal",
        "mean": 0,
        "stddev": 0.05,
    }


@pytest.mark.parametrize(
    "body", [{"initializer": {"kind": "ones"}}, {"parameters": {"w1": 5}}, {"data": {"dataset": "article"}}]
)
def test_the_articles_parameters_are_for_the_article_alone(body: dict[str, object]) -> None:
    parameters = define(body).document["parameters"]
    assert parameters["w2"] != -0.048
    assert parameters["b"] == 0.0


def test_drawn_values_follow_the_seed_and_one_given_moves_no_other() -> None:
    def drawn(**body: object) -> dict[str, float]:
        parameters: dict[str, float] = define({"initializer": {"kind": "normal"}, **body}).document["parameters"]
        return parameters

    assert drawn(seed=1) == drawn(seed=1) != drawn(seed=2)
    assert drawn(seed=1, parameters={"w1": 9})["w2"] == drawn(seed=1)["w2"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"optimizer": {"learning_rate": 0.1}, "batch_size": 4, "shuffle": True, "seed": 3, "title": "t"},
        {"data": None, "model": {"kind": "expression", "source": "h = w*w\nL = h + v"}},
        {"data": {"csv": "House size,y\n1,2\n3,4\n"}, "loss": {"kind": "absolute_error", "reduction": "sum"}},
    ],
)
def test_a_document_posted_again_is_the_same_document(body: dict[str, object]) -> None:
    document = define(body).document
    assert define(document).document == document
    assert Definition.load(document).document == document


def test_a_linear_model_is_an_expression_over_the_columns() -> None:
    definition = define({"data": {"columns": ["size", "rooms", "price"], "rows": [[1, 2, 3]], "targets": ["price"]}})
    assert definition.graph.texts == {"yhat": "w1*size + w2*rooms + b", "L": "(yhat - price)**2"}
    assert definition.names == ("w1", "w2", "b")


def test_any_name_that_is_no_column_and_not_assigned_is_a_parameter() -> None:
    definition = define({"model": {"kind": "expression", "source": "yhat = alpha*x1 + beta\nL = (yhat - y)**2"}})
    assert definition.names == ("alpha", "beta")
    assert definition.graph.placeholders == ("x1", "y")
    assert definition.document["model"]["outputs"] == ["yhat"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"model": {"kind": "linaer"}}, "/model/kind"),
        ({"model": {}}, "/model/kind"),
        ({"model": {"kind": "linear", "units": 3}}, "/model/units"),
        ({"model": {"kind": "expression"}}, "/model/source"),
        ({"model": {"kind": "expression", "source": "L = w", "outputs": ["q"]}}, "/model/outputs/0"),
        ({"model": {"kind": "expression", "source": "L = w", "loss": "M"}}, "/model/loss"),
        ({"model": {"kind": "linear"}, "data": None}, "/data"),
        ({"data": {"columns": ["x", "b"], "rows": [[1, 2]]}}, "/data"),
        ({"data": {"columns": ["x", "y"], "rows": [[1, 2]], "targets": ["x", "y"]}}, "/data/targets"),
        ({"data": {"columns": ["y"], "rows": [[1]]}}, "/data/columns"),
        ({"loss": {"kind": "cross"}}, "/loss/kind"),
        ({"loss": {"reduction": "median"}}, "/loss/reduction"),
        ({"model": {"kind": "expression", "source": "L = w"}, "loss": {"kind": "squared_error"}}, "/loss/kind"),
        ({"optimizer": {"kind": "adamm"}}, "/optimizer/kind"),
        ({"optimizer": {"dialect": "jax"}}, "/optimizer/dialect"),
        ({"optimizer": {"lr": 0.1}}, "/optimizer/lr"),
        ({"optimizer": {"learning_rate": -1}}, "/optimizer/learning_rate"),
        ({"optimizer": {"learning_rate": math.inf}}, "/optimizer/learning_rate"),
        ({"optimizer": {"learning_rate": 10**400}}, "/optimizer/learning_rate"),
        ({"schedule": {"kind": "cosin"}}, "/schedule/kind"),
        ({"schedule": {"kind": "cosine"}}, "/schedule/t_max"),
        ({"initializer": {"kind": "constant"}}, "/initializer/value"),
        ({"parameters": {"w3": 1}}, "/parameters/w3"),
        ({"parameters": {"w1": True}}, "/parameters/w1"),
        ({"split": {"validation": 0.2, "test": 5}}, "/split"),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_place(body: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        define(body)
    assert caught.value.errors[0].pointer == pointer
    assert len(caught.value.detail) > 10


@pytest.mark.parametrize(
    ("limits", "body"),
    [
        (Limits(title_length=3), {"title": "long"}),
        (Limits(source_length=5), {"model": {"kind": "expression", "source": "L = w*w"}}),
        (Limits(parameters=1), {}),
        (Limits(nodes=3), {}),
    ],
)
def test_more_than_the_limits_is_refused(limits: Limits, body: dict[str, object]) -> None:
    with pytest.raises(LimitExceeded):
        define(body, limits=limits)


def test_a_start_may_be_counted_in_epochs() -> None:
    assert define({"start": {"epochs": 2}, "batch_size": 4}).document["start"] == {"step": 4, "phase": "ready"}
    alone = {"model": {"kind": "expression", "source": "L = w*w"}, "data": None}
    assert define(alone | {"start": {"epochs": 3, "phase": "forward"}}).document["start"]["step"] == 3
    with pytest.raises(InvalidInput) as caught:
        define({"start": {"epochs": 2, "step": 1}})
    assert caught.value.errors[0].pointer == "/start/epochs"
