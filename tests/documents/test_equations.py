"""Equations: a substituted line, worked out again, gives its value."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

import pytest

from api.documents.equations import equations
from tests.documents.stored import NETWORK, Kept, started, traced

FUNCTIONS: dict[str, Any] = {
    "tanh": math.tanh,
    "relu": lambda a: max(a, 0.0),
    "sum": sum,
    "Infinity": math.inf,
}  # fmt: skip
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


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_every_substituted_line_gives_its_value(body: dict[str, object]) -> None:
    session = traced(**body)
    for one in [*equations(Kept(session), "text"), *equations(Kept(session.update()), "text")]:
        if one["substituted"] is not None:
            text = one["substituted"]
            if "[" in text.replace("[", "", 1):  # an Iverson bracket: [z > 0] is 1 or 0
                text = text.replace("[[", "[float(").replace(" > 0]", " > 0)").replace(", [", ", float(")
            value = eval(text, {"float": float}, FUNCTIONS)  # noqa: S307 - our own text
            assert value == pytest.approx(one["value"], rel=1e-12, abs=1e-15), one


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


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
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
