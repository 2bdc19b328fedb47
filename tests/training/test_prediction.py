"""Predictions: the numbers of the forward pass for rows asked for in one of three ways, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from api.engine.errors import InvalidInput, LimitExceeded
from api.engine.forward import forward
from api.engine.kernels import kernels
from api.training.definition import Definition, define
from api.training.limits import Limits
from api.training.prediction import Prediction, predict
from api.training.presets import PRESETS
from api.training.session import Session

IRIS: dict[str, Any] = {"model": {"kind": "preset", "name": "softmax_classifier"}, "split": {"validation": 0.2}}
LABELLED: dict[str, Any] = {"data": {"csv": "House size,Rooms,Price\n1,2,3\n2,3,5\n4,1,6\n"}}
FREE: dict[str, Any] = {"data": None, "model": {"kind": "expression", "source": "q = x + y\nL = q*z"},
                        "parameters": {"x": -2, "y": 5, "z": -4}}  # fmt: skip


def asked(definition: Definition, **body: Any) -> Prediction:
    return predict(definition, Session.start(definition).parameters, body, Limits())


def output(done: Prediction) -> Any:
    (value,) = done.outputs.values()
    return np.asarray(value).tolist()


def refused(definition: Definition, **body: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as caught:
        asked(definition, **body)
    return caught.value.errors[0].pointer, caught.value.errors[0].detail


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_predicts_what_its_forward_pass_shows(name: str) -> None:
    definition = define({"model": {"kind": "preset", "name": name}, "batch_size": 5, "shuffle": False})
    data, session = definition.data, Session.start(definition).forward()
    assert data is not None
    done = asked(definition, rows=data.given[:5].tolist(), columns=list(data.columns))
    graph = definition.graph
    for output_name, value in done.outputs.items():
        recorded = (session.values or [])[graph.index[output_name]]
        assert np.asarray(value).tobytes() == np.asarray(recorded).tobytes()
    assert done.loss == session.loss
    features = asked(definition, rows=data.given[:5][:, [data.columns.index(one) for one in data.features]].tolist())
    found = {name: value for name, value in features.outputs.items() if value is not None}  # a decoder reads targets
    assert found
    for name, value in found.items():
        assert np.asarray(value).tobytes() == np.asarray(done.outputs[name]).tobytes()


def test_rows_are_of_the_columns_that_are_needed_or_of_all() -> None:
    definition = define({})
    assert output(asked(definition, rows=[[4, 1], [2, 8]])) == [-0.116, -0.41800000000000004]
    whole = asked(definition, rows=[[4, 1, 2], [2, 8, -14]])
    assert (whole.asked.columns, output(whole)) == (("x1", "x2", "y"), [-0.116, -0.41800000000000004])
    assert whole.loss == pytest.approx((4.477456 + (14 - 0.418) ** 2) / 2, rel=1e-12)
    assert asked(definition, rows=[[4, 1]]).loss is None
    turned = asked(definition, rows=[[1, 4]], columns=["x2", "x1"])
    assert (turned.asked.columns, output(turned)) == (("x2", "x1"), [-0.116])


def test_a_formula_is_given_what_its_outputs_need() -> None:
    data = {"columns": ["y", "idle", "x"], "rows": [[1, 5, 2], [3, 6, 4]]}
    definition = define({"data": data, "parameters": {"w": 3},
                         "model": {"kind": "expression", "source": "yhat = w*x\nL = (yhat - y)**2"}})  # fmt: skip
    assert output(asked(definition, rows=[[2], [4]])) == [6.0, 12.0]
    assert asked(definition, rows=[[1, 9, 2]]).loss == 25.0


def test_an_output_that_needs_a_target_is_left_out_without_it() -> None:
    source = "yhat = w*x1\ne = yhat - y\nL = e**2 + 0*yhat"
    definition = define({"model": {"kind": "expression", "source": source}, "parameters": {"w": 2}})
    assert asked(definition, rows=[[3]], columns=["x1"]).outputs == {"e": None, "yhat": [6.0]}
    assert asked(definition, rows=[[3, 5]], columns=["x1", "y"]).outputs == {"e": [1.0], "yhat": [6.0]}


def test_labels_and_names_both_name_columns() -> None:
    definition = define(LABELLED)
    rows = asked(definition, rows=[[1, 2]], columns=["House size", "Rooms"])
    assert rows.asked.columns == ("House_size", "Rooms")
    assert output(asked(definition, csv="Rooms;House_size\n2;1\n")) == output(rows)
    assert output(asked(definition, csv="House size,Rooms\n1,2\n")) == output(rows)
    assert output(asked(definition, grid={"Rooms": 2, "House size": [1, 1, 1]})) == output(rows)


def test_a_grid_runs_through_its_last_column_fastest() -> None:
    definition = define({"parameters": {"w1": 1, "w2": 100, "b": 0}})
    done = asked(definition, grid={"x2": [0, 1, 2], "x1": [-1, 1, 3]})
    assert done.asked.columns == ("x1", "x2")
    assert done.asked.axes == {"x1": [-1.0, 0.0, 1.0], "x2": [0.0, 1.0]}
    assert done.asked.rows.tolist() == [[-1, 0], [-1, 1], [0, 0], [0, 1], [1, 0], [1, 1]]
    assert output(done) == [-1.0, 99.0, 0.0, 100.0, 1.0, 101.0]
    assert output(asked(definition, grid={"x1": [2, -2, 5], "x2": 1})) == [102.0, 101.0, 100.0, 99.0, 98.0]


def test_standardised_sessions_standardise_what_they_are_asked() -> None:
    definition = define(IRIS)
    data, session = definition.data, Session.start(definition)
    assert data is not None
    rows = definition.split.validation
    use = kernels(definition.graph)
    inputs = {name: use.given(value) for name, value in definition.inputs(rows).items()}
    recorded = forward(definition.graph, session.parameters, inputs)
    done = asked(definition, rows=data.given[list(rows)].tolist())
    assert np.asarray(done.outputs["yhat"]).tobytes() == recorded[definition.graph.index["yhat"]].tobytes()
    assert done.loss == float(recorded[definition.graph.loss])
    species = data.given[list(rows), 4]
    assert done.classes is not None
    assert done.named is not None
    assert done.accuracy == np.mean(np.array(done.classes.predicted(done.named)) == species)


def test_what_is_one_hot_is_given_as_its_class() -> None:
    source = "yhat = sum(k*w) + 0*x\nL = (yhat - y)**2"
    definition = define({
        "data": {"columns": ["x", "kind", "y"], "rows": [[1, 0, 1], [2, 2, 3]], "standardize": True},
        "model": {"kind": "expression", "source": source, "shapes": {"w": [3]},
                  "placeholders": {"k": {"one_hot": "kind"}}},
        "parameters": {"w": [5, 6, 7]},
    })  # fmt: skip
    assert output(asked(definition, rows=[[0, 1], [0, 2]])) == [6.0, 7.0]
    assert "kind is a class from 0 to 2; row 1 has 3" in refused(definition, rows=[[0, 1], [0, 3]])[1]
    assert "row 0 has 0.5" in refused(definition, rows=[[0, 0.5]])[1]


def test_a_session_without_data_has_outputs_all_the_same() -> None:
    definition = define(FREE)
    done = asked(definition)
    assert (dict(done.outputs), done.loss) == ({"q": 3.0}, -12.0)
    assert refused(definition, rows=[[1]]) == (
        "/rows", "this session has no data, so there are no rows to give; leave the body empty"
    )  # fmt: skip


def test_what_overflows_is_told_as_it_is() -> None:
    definition = define({"parameters": {"w1": 1e300, "w2": -1e300, "b": 0}})
    found = output(asked(definition, rows=[[1e300, 0], [0, 1e300], [1e300, 1e300]]))
    assert found[:2] == [math.inf, -math.inf]
    assert math.isnan(found[2])


@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        ({}, "", "rows, csv or grid is needed"),
        ({"rows": [[1, 2]], "csv": "x1,x2\n1,2"}, "/csv", "not rows and csv"),
        ({"csv": "x1,x2\n1,2", "columns": ["x1", "x2"]}, "/columns", "columns go with rows"),
        ({"rows": []}, "/rows", "at least one row"),
        ({"rows": [[]]}, "/rows/0", "0 cells for 2 columns, x1, x2"),
        ({"rows": [[1]]}, "/rows/0", "1 cell for 2 columns, x1, x2"),
        ({"rows": [[1, 2, 3, 4]]}, "/rows/0", "name them in columns"),
        ({"rows": [[1, 2], [1]]}, "/rows/1", "1 cell for 2 columns"),
        ({"rows": [1]}, "/rows/0", "a row must be a list of numbers, not 1"),
        ({"rows": [[1, "a"]]}, "/rows/0/1", "a cell must be a number, not 'a'"),
        ({"rows": [[1, True]]}, "/rows/0/1", "not true"),
        ({"rows": [[1, 10**400]]}, "/rows/0/1", "finite"),
        ({"rows": [[1, 2]], "columns": ["x1", "X2"]}, "/columns/1", "there is no column 'X2', did you mean 'x2'?"),
        ({"rows": [[1, 2]], "columns": ["x1", "x1"]}, "/columns/1", "there twice"),
        ({"rows": [[1]], "columns": ["x1"]}, "", "yhat cannot be predicted without the column x2"),
        ({"rows": [[1]], "columns": ["y"]}, "", "without the columns x1, x2"),
        ({"csv": "x1,q\n1,2"}, "/csv", "there is no column 'q'"),
        ({"csv": "x1,x2\n1,"}, "/csv", "line 2, column 2 ('x2'): the cell is empty"),
        ({"csv": ""}, "/csv", "empty"),
        ({"grid": {}}, "/grid", "a grid needs columns"),
        ({"grid": {"x1": [0, 1, 2]}}, "", "without the column x2"),
        ({"grid": {"x1": [0, 1], "x2": 1}}, "/grid/x1", "[min, max, points] or one number"),
        ({"grid": {"x1": [0, 1, 0], "x2": 1}}, "/grid/x1/2", "a whole number from 1, not 0"),
        ({"grid": {"x1": [0, 1, 1.5], "x2": 1}}, "/grid/x1/2", "not 1.5"),
        ({"grid": {"x1": [0, True, 2], "x2": 1}}, "/grid/x1", "or one number"),
        ({"grid": {"x1": [-1e308, 1e308, 3], "x2": 1}}, "/grid/x1", "too far apart"),
        ({"grid": {"x1": [0, 1, 2], "z": 1}}, "/grid/z", "there is no column 'z'"),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_place(body: dict[str, Any], pointer: str, said: str) -> None:
    found = refused(define({}), **body)
    assert found[0] == pointer
    assert said in found[1]


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({"grid": {"x1": [0, 1, 10**9], "x2": [0, 1, 10**9]}}, 200_000),
        ({"grid": {"x1": [0, 1, 1e300], "x2": 1}}, 200_000),
        ({"grid": {"x1": [0, 1, 500], "x2": [0, 1, 500]}}, 200_000),
    ],
)
def test_more_than_is_allowed_is_refused_before_it_is_made(body: dict[str, Any], limit: int) -> None:
    with pytest.raises(LimitExceeded) as caught:
        asked(define({}), **body)
    assert (caught.value.limit, caught.value.errors[0].pointer) == (limit, "/grid")


def test_the_numbers_of_all_outputs_are_limited() -> None:
    definition = define(IRIS)
    grid = {name: [0, 1, 20] for name in ("sepal_length", "sepal_width", "petal_length", "petal_width")}
    with pytest.raises(LimitExceeded, match="160000 rows; of this model at most 66666"):
        asked(definition, grid=grid)
    assert len(asked(definition, grid=grid | {"petal_width": [0, 1, 8]}).asked.rows) == 64_000


def test_a_model_whose_prediction_has_no_name_says_so() -> None:
    definition = define({"model": {"kind": "expression", "source": "L = (w*x1 - y)**2"}})
    assert "no outputs" in refused(definition, rows=[[1, 2]])[1]
    source = "L = (w*x1 - y)**2\nroot = sqrt(L)"
    derived = define({"model": {"kind": "expression", "source": source, "outputs": ["root"], "loss": "L"}})
    assert "computed from the loss" in refused(derived, rows=[[1, 2, 3]])[1]
