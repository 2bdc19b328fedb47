"""Equations: a substituted line, worked out again, gives its value."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from api.documents.equations import equations
from api.training.presets import PRESETS
from tests.documents.reading import gives_its_value
from tests.documents.stored import NETWORK, Kept, started, traced

BODIES: list[dict[str, object]] = [
    {},
    {"batch_size": 2},
    {"batch_size": 6, "loss": {"reduction": "sum"}},
    {"model": {"kind": "expression", "source": NETWORK}, "batch_size": 3, "seed": 2},
    {"data": None, "model": {"kind": "expression", "source": "q = a + b\nL = q*c - a/b"}, "seed": 2},
]


def told(session: Any, format: str = "text") -> dict[str, dict[str, Any]]:
    return {one["about"]: one for one in equations(Kept(session), format)}


def test_the_articles_equations_as_text() -> None:
    lines = told(traced())
    assert lines["values.yhat"] == {
        "about": "values.yhat",
        "symbolic": "yhat = w1*x1 + w2*x2 + b",
        "substituted": "[-0.017*4 + (-0.048*1) + 0]",
        "value": [-0.116],
    }
    assert lines["values.L"]["substituted"] == "(-0.116 - 2)**2"
    assert lines["partials.L/yhat"]["symbolic"] == "dL/dyhat = 2*(yhat - y)"
    assert lines["gradients.w1"]["symbolic"] == "dL/dw1 = dL/dyhat*dyhat/dw1"
    assert lines["gradients.w1"]["substituted"] == "-4.232*4"
    update = told(traced().update())["updated.w1"]
    assert update["symbolic"] == "w1 = w1 - learning_rate*dL/dw1"
    assert update["substituted"] == "-0.017 - 0.05*(-16.928)"
    assert update["value"] == 0.8294


LAYERS = [{"units": 3, "activation": "tanh"}, {"units": 2}, {"units": 1, "activation": "relu"}]
TENSORS: list[dict[str, Any]] = [
    {"model": {"kind": "mlp", "layers": LAYERS}, "batch_size": batch, "optimizer": optimizer}
    for batch in (1, 3, 6)
    for optimizer in ({"kind": "adam"}, {"kind": "sgd", "momentum": 0.9, "weight_decay": 0.1, "clip": {"value": 1}})
] + [{"model": {"kind": "preset", "name": name}, "batch_size": batch} for name in PRESETS for batch in (1, 2)]


@pytest.mark.parametrize("body", BODIES + TENSORS, ids=range(len(BODIES + TENSORS)))
def test_every_substituted_line_gives_its_value(body: dict[str, object]) -> None:
    session = traced(**body)
    for one in [*equations(Kept(session), "text"), *equations(Kept(session.update()), "text")]:
        gives_its_value(one)


@pytest.mark.parametrize("name", PRESETS)
def test_most_lines_of_tensors_have_numbers(name: str) -> None:
    session = traced(model={"kind": "preset", "name": name})
    lines = equations(Kept(session), "text")
    assert sum(one["substituted"] is not None for one in lines) > 0.7 * len(lines)
    assert all(one["substituted"] for one in lines if one["about"].startswith("values."))


def test_a_small_layer_is_written_with_its_matrices() -> None:
    body = {"model": {"kind": "mlp", "layers": [{"units": 2}]}, "batch_size": 2, "loss": {"reduction": "sum"}}
    data = {"columns": ["x1", "x2", "y1", "y2"], "rows": [[1, 2, 0, 1], [3, 4, 5, 6]], "targets": ["y1", "y2"]}
    session = traced(**body, data=data, parameters={"W1": [[1, -1], [0.5, 2]], "b1": [0, 1]})
    text, latex = told(session), told(session, "latex")
    assert text["values.z1"]["substituted"] == (
        "[[1, 2] @ [[1, -1], [0.5, 2]] + [0, 1], [3, 4] @ [[1, -1], [0.5, 2]] + [0, 1]]"
    )
    assert text["values.L"]["substituted"] == "sum(([2, 4] - [0, 1])**2) + sum(([5, 6] - [5, 6])**2)"
    assert text["partials.L/yhat"]["substituted"] == "[2*([2, 4] - [0, 1]), 2*([5, 6] - [5, 6])]"
    assert text["gradients.W1"]["substituted"] == "transpose([[1, 2], [3, 4]]) @ [[4, 6], [0, 0]]"
    assert text["gradients.b1"]["substituted"] == "[4, 6] + [0, 0]"
    assert told(session.update())["updated.W1"]["substituted"] == "[[1, -1], [0.5, 2]] - 0.05*[[4, 6], [8, 12]]"
    assert latex["gradients.W1"]["substituted"] == (
        r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}^{\top} \, \begin{bmatrix} 4 & 6 \\ 0 & 0 \end{bmatrix}"
    )
    markup = told(session, "mathml")["gradients.W1"]["substituted"]
    assert markup.count("<mtable>") == 2
    assert "<mtr><mtd><mn>4</mn></mtd><mtd><mn>6</mn></mtd></mtr>" in markup


@pytest.mark.parametrize("shapes", [{}, {"w": [2]}], ids=["numbers", "tensors"])
def test_of_many_uses_the_first_are_told(shapes: dict[str, list[int]]) -> None:
    lines = ["h0 = w*x1"] + [f"h{place} = tanh(h{place - 1}*w)" for place in range(1, 400)]
    source = "\n".join([*lines, f"L = {'sum(h399)' if shapes else 'h399'}"])
    session = traced(model={"kind": "expression", "source": source, "shapes": shapes}, batch_size=2)
    told_text = told(session)["gradients.w"]["symbolic"]
    assert told_text.endswith(" + …")
    assert told_text.count("+") == 6
    assert told(session, "latex")["gradients.w"]["symbolic"].endswith(r"+ \dots")


def test_a_parameter_may_be_called_n() -> None:
    body = {"model": {"kind": "expression", "source": "yhat = n*x1\nL = (yhat - y)**2"}, "batch_size": 2}
    lines = told(traced(**body, parameters={"n": 3}))
    assert lines["partials.L/yhat"]["symbolic"] == "dL/dyhat = 2*(yhat - y)/rows"
    for line in lines.values():
        gives_its_value(line)


def test_a_tie_is_told_as_one() -> None:
    source = "L = maximum(w*x1, 3) + minimum(v*x1, 8) + relu(w - 1)"
    lines = told(traced(model={"kind": "expression", "source": source}, parameters={"w": 1, "v": 2}))  # x1 = 4
    assert lines["partials.L/v"]["substituted"] == "[[2*4 == 8]/2*4]"
    assert lines["partials.L/w"]["substituted"] == "[[1*4 > 3]*4 + [1 - 1 > 0]]"
    assert lines["partials.L/v"]["value"] == [2.0]
    assert "[2·4=8]" in "".join(ElementTree.fromstring(told(traced(
        model={"kind": "expression", "source": source}, parameters={"w": 1, "v": 2}), "mathml",
    )["partials.L/v"]["substituted"]).itertext())  # fmt: skip


def test_of_a_large_tensor_the_beginning_is_written() -> None:
    layers = [{"units": 10, "activation": "tanh"}, {"units": 3}]
    body = {"model": {"kind": "mlp", "layers": layers}, "loss": {"kind": "softmax_cross_entropy"}, "batch_size": 30}
    session = traced(**body, data={"dataset": "iris"}, initializer={"kind": "ones"})
    lines = told(session)
    row, zeros = "[1, 1, 1, …]", "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]"
    weights = f"[{row}, {row}, {row}, …]"
    first, second = (f"{row} @ {weights} + {zeros}" for row in ("[5.1, 3.5, 1.4, 0.2]", "[4.9, 3, 1.4, 0.2]"))
    assert lines["values.z1"]["substituted"] == f"[{first}, {second}, …]"
    assert r"1 & 1 & 1 & \cdots \\ \vdots" in told(session, "latex")["values.z1"]["substituted"]
    assert "<mo>⋱</mo>" in told(session, "mathml")["values.z1"]["substituted"]
    assert max(len(one["substituted"] or "") for one in lines.values()) < 3000


def test_every_quantity_has_its_equation() -> None:
    lines = told(traced(**BODIES[3]))
    named = ["h1", "h2", "yhat", "L"]
    assert [about for about in lines if about.startswith("values.")] == [f"values.{name}" for name in named]
    gradients = ["u1", "v1", "c1", "u2", "v2", "c2", "a1", "a2", "d"]
    assert sorted(about for about in lines if about.startswith("gradients.")) == sorted(
        f"gradients.{g}" for g in gradients
    )
    assert "partials.h1/u1" in lines


def test_before_forward_there_are_symbols_and_no_numbers() -> None:
    lines = told(started())
    assert list(lines) == ["values.yhat", "values.L"]
    assert all(one["substituted"] is None and one["value"] is None for one in lines.values())


@pytest.mark.parametrize("body", BODIES + TENSORS, ids=range(len(BODIES + TENSORS)))
def test_mathml_is_well_formed(body: dict[str, object]) -> None:
    session = traced(**body)
    for one in [*equations(Kept(session), "mathml"), *equations(Kept(session.update()), "mathml")]:
        for part in ("symbolic", "substituted", "value"):
            if one[part] is not None:
                ElementTree.fromstring(one[part])


def test_mathml_says_where_digits_were_dropped() -> None:
    session = traced(parameters={"w1": 1 / 3, "w2": 0.5, "b": 0})
    assert "<mo>≈</mo>" in told(session, "mathml")["values.yhat"]["value"]
    assert "<mo>=</mo>" in told(traced(), "mathml")["values.yhat"]["value"]


def test_latex_uses_fractions_and_greek() -> None:
    assert (
        told(traced(), "latex")["partials.L/yhat"]["symbolic"]
        == r"\frac{\partial L}{\partial \hat{y}} = 2 (\hat{y} - y)"
    )
    assert (
        told(traced().update(), "latex")["updated.b"]["symbolic"]
        == r"b \leftarrow b - \eta \frac{\partial L}{\partial b}"
    )
    many = told(traced(batch_size=2), "latex")["gradients.w1"]["symbolic"]
    assert many == (
        r"\frac{\partial L}{\partial w_1} = "
        r"\sum_i \frac{\partial L}{\partial \hat{y}_i} \cdot \frac{\partial \hat{y}_i}{\partial w_1}"
    )


def test_of_a_long_batch_the_first_rows_are_written_out() -> None:
    rows = [[n, 1.0, 2.0] for n in range(50)]
    session = traced(data={"columns": ["x1", "x2", "y"], "rows": rows}, batch_size=50, parameters={"w1": 1, "w2": 0})
    assert told(session)["values.yhat"]["substituted"] == "[1*0 + 0*1 + 0, 1*1 + 0*1 + 0, 1*2 + 0*1 + 0, …]"
    assert told(session)["gradients.w1"]["value"] == (session.gradients or {})["w1"]
