from __future__ import annotations

import re
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
        assert written(item).startswith(text(str(item["symbolic"])))


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
