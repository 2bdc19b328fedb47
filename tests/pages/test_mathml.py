from __future__ import annotations

import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree

import pytest

from api.documents.equations import equations
from api.pages import mathml
from tests.documents.stored import Kept, traced
from tests.pages.documents import BODIES, article


def text(markup: str) -> str:
    return "".join(ElementTree.fromstring(markup).itertext())


def written(item: dict[str, Any]) -> str:
    return text(mathml.equation(item["symbolic"], item["substituted"], item["value"]))


@pytest.mark.parametrize("batch", [1, 2, 6])
@pytest.mark.parametrize("name", BODIES)
def test_however_an_equation_is_cut_its_symbols_are_all_there(name: str, batch: int) -> None:
    items = equations(Kept(traced(**{**BODIES[name], "batch_size": batch})), "mathml")
    assert items
    for item in items:
        # a long fraction a/n may have become 1/n times a: then the order is another one
        assert Counter(written(item)) >= Counter(text(str(item["symbolic"])))


def test_symbols_numbers_and_value_follow_each_other() -> None:
    items = {item["about"]: item for item in equations(Kept(article()), "mathml")}
    assert written(items["gradients.w1"]).endswith("=−4.232·4=−16.928")
    assert written(items["values.yhat"]).endswith("=−0.017·4+(−0.048·1)+0=−0.116")


def test_what_only_repeats_is_left_out() -> None:
    items = {item["about"]: item for item in equations(Kept(article()), "mathml")}
    assert written(items["partials.yhat/w1"]).count("4") == 1
    assert written(items["partials.yhat/b"]).count("=") == 1


def test_long_lines_are_cut_at_signs_into_pieces_of_their_own() -> None:
    items = equations(Kept(traced(batch_size=6)), "mathml")
    for item in items:
        markup = mathml.equation(item["symbolic"], item["substituted"], item["value"])
        for piece in re.findall(r"<math.*?</math>", markup):
            assert mathml.length(piece) <= 45, piece


def test_what_is_no_mathml_of_ours_is_text() -> None:
    assert "<script" not in mathml.equation("<script>alert(1)</script>", None, None)


def test_a_matrix_is_as_wide_as_its_widest_line_and_is_not_cut() -> None:
    layers = [{"units": 2, "activation": "tanh"}, {"units": 1}]
    session = traced(model={"kind": "mlp", "layers": layers}, batch_size=2, parameters={"W1": [[1, 2], [-3, 4]]})
    items = {item["about"]: item for item in equations(Kept(session), "mathml")}
    item = items["gradients.W1"]
    markup = mathml.equation(item["symbolic"], item["substituted"], item["value"])
    pieces = re.findall(r"<math.*?</math>", markup)
    assert sum(piece.count("<mtable>") for piece in pieces) == 3
    assert all(piece.count("<mtable>") == piece.count("</mtable>") for piece in pieces)
    matrix = "<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>10</mn></mtd></mtr></mtable>"
    assert mathml.length(matrix) == 3


def sides(formula: str) -> list[str]:
    """The pieces of a formula's right-hand side as text."""
    item = next(
        item
        for item in equations(Kept(traced(model={"kind": "expression", "source": formula})), "mathml")
        if item["about"] == "values.L"
    )
    markup = mathml.equation(item["symbolic"], None, None)
    return [text(piece) for piece in re.findall(r"<math.*?</math>", markup)][1:]


def test_a_fraction_with_a_long_numerator_is_its_denominator_s_share_of_it() -> None:
    pieces = sides("L = (w1*x1 + w2*x2 + w3*x1*x2 + b*w1 - y)/(1 + x2)")
    assert pieces[0].startswith("=11+x2")
    assert pieces[1].startswith("·(w1")
    assert len(pieces) > 4
    assert sides("L = (w1 + w2)/(1 + x2)") == ["=w1+w21+x2"]


def test_a_power_with_a_long_base_is_cut_inside_its_bracket() -> None:
    pieces = sides("L = tanh(w1*x1 + w2*x2 + w3*x1*x2 + b - y)**2")
    assert pieces[-1].endswith(")2")
    assert all(len(piece) <= mathml.WIDEST for piece in pieces)


PRESETS_SHOWN = ("xor", "lstm", "gru", "self_attention", "convolution_1d")


@pytest.mark.parametrize("name", PRESETS_SHOWN)
def test_the_formulas_of_networks_are_cut_into_pieces_that_fit_a_narrow_window(name: str) -> None:
    session = traced(model={"kind": "preset", "name": name})
    for item in equations(Kept(session), "mathml"):
        for piece in re.findall(r"<math.*?</math>", mathml.equation(item["symbolic"], None, None)):
            assert mathml.length(piece) <= mathml.WIDEST, item["about"]
