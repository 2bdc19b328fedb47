from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from api.pages import svg
from api.pages.figures import flat, to_float
from tests.documents.stored import started, traced
from tests.pages.documents import BODIES, article, network, state

SVG = "{http://www.w3.org/2000/svg}"


def parsed(document: dict[str, Any]) -> ElementTree.Element:
    return ElementTree.fromstring(svg.graph(document, standalone=True))


def texts(root: ElementTree.Element, kind: str) -> list[str]:
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text") if text.get("class") == kind]


def as_numbers(text: str) -> list[float]:
    text = text.partition("(")[0].replace("−", "-").replace("∞", "inf").replace("∇", "")
    return [float(part) for part in text.split(",") if part.strip() not in ("", "…")]


@pytest.mark.parametrize("detail", ["named", "ops"])
@pytest.mark.parametrize("name", BODIES)
def test_a_picture_is_well_formed_and_holds_nothing_that_runs(name: str, detail: str) -> None:
    document = state(traced(**BODIES[name]), detail)
    for standalone in (False, True):
        text = svg.graph(document, standalone)
        ElementTree.fromstring(text)
        assert not re.search(r"<script|\son\w+=|javascript:|\sstyle=|href=\"http", text)


@pytest.mark.parametrize("detail", ["named", "ops"])
@pytest.mark.parametrize("batch", [1, 2, 4])
def test_values_gradients_and_partials_are_those_of_the_document_rounded(batch: int, detail: str) -> None:
    document = state(traced(batch_size=batch), detail)
    root = parsed(document)
    nodes = document["graph"]["nodes"]
    for kind, expected in (
        ("n", [e["partial"]["value"] for e in document["graph"]["edges"]] + [node["value"] for node in nodes]),
        ("gr", [node["gradient"] for node in nodes if node["gradient"] is not None]),
    ):
        shown = texts(root, kind)
        assert len(shown) == len([one for one in expected if one is not None])
        for text, value in zip(shown, expected, strict=True):
            assert as_numbers(text), text
            for given, exact in zip(as_numbers(text), flat(value)[0], strict=False):
                assert math.isclose(given, exact, rel_tol=0.051), (text, value)  # two digits where room is scarce


def test_the_articles_numbers_are_shown_to_four_digits() -> None:
    root = parsed(state(article()))
    assert texts(root, "gr")[:3] == ["∇ −16.93", "∇ 0.0719", "∇ −4.232"]
    assert {"−0.116", "4.477", "−4.232", "4"} <= set(texts(root, "n"))


def test_names_are_set_with_hats_and_subscripts() -> None:
    assert [text.replace("\u200b", "") for text in texts(parsed(state(article("ready"))), "s")][-8:] == [
        "w1", "x1", "w2", "x2", "b", "ŷ", "y", "L",
    ]  # fmt: skip


def test_arrows_run_down_until_the_backward_phase_turns_them() -> None:
    for phase, end in (("ready", "marker-end"), ("forward", "marker-end"), ("backward", "marker-start")):
        text = svg.graph(state(article(phase)))
        assert text.count(f'{end}="url(#arrow-') == 7
        assert len(re.findall(r'marker-(?:start|end)="url', text)) == 7


def test_two_pictures_in_a_page_share_no_ids() -> None:
    found = [set(re.findall(r'\bid="([^"]*)"', svg.graph(state(article(), revision=r)))) for r in (1, 2)]
    assert found[0]
    assert not found[0] & found[1]


def test_before_the_next_batch_each_parameter_shows_what_it_was() -> None:
    root = parsed(state(article().update()))
    assert texts(root, "was") == ["−0.017", "−0.048", "0"]
    assert not texts(parsed(state(article().update().forward())), "was")


def test_a_path_is_every_node_between_a_parameter_and_the_loss() -> None:
    traces = svg.path_classes(state(traced(model=network(2, 3)))["graph"])
    first = traces["w1_1_1"]
    assert len(first) == 1
    assert [name for name, through in traces.items() if first <= through] == ["w1_1_1", "z1_1", "h1_1", "yhat", "L"]
    assert traces["x1"] == traces["y"] == set()


def test_what_has_no_share_in_any_gradient_is_marked() -> None:
    text = svg.graph(state(article()))
    assert len(re.findall(r'class="e dead', text)) == 3  # from x1, x2 and y
    many = state(traced(model=network(2, 6)))  # 25 parameters, more than there are classes to trace
    drawn = svg.graph(many)
    dead = [edge for edge in many["graph"]["edges"] if edge["source"] in ("x1", "x2", "y")]
    assert drawn.count('class="e dead') == len(dead)
    assert f"k{svg.TRACED}" not in drawn


def test_only_a_pictures_own_page_links_its_parameters() -> None:
    assert svg.graph(state(article())).count("<a ") == 3
    assert "<a " not in svg.graph(state(article()), standalone=True)
    assert "<a " not in svg.graph(state(article()), linked=False)


def test_what_is_not_finite_is_drawn() -> None:
    session = started(parameters={"w1": 1e200, "w2": -1e200, "b": 1e300}).forward()
    document = state(session)
    assert document["loss"] == "Infinity"
    assert to_float(document["loss"]) == math.inf
    assert "∞" in texts(parsed(document), "n")


def test_hostile_texts_stay_texts() -> None:
    document = state(article("ready"), "ops")
    for node in document["graph"]["nodes"]:
        node["op"] = node["op"] and "</text><script>alert(1)</script>"
    for edge in document["graph"]["edges"]:
        edge["partial"]["formula"] = "<b>&"
    text = svg.graph(document, standalone=True)
    ElementTree.fromstring(text)
    assert "<script" not in text
    assert "<b>" not in text


def test_a_graph_too_large_says_so() -> None:
    source = "\n".join([f"a{i} = a{i - 1} + x1" if i else "a0 = x1*w" for i in range(500)]) + "\nL = (a499 - y)**2"
    text = svg.graph(state(started(model={"kind": "expression", "source": source})), standalone=True)
    assert "504 nodes is too large to draw" in text
    ElementTree.fromstring(text)


def test_a_picture_is_described_in_words() -> None:
    root = parsed(state(article("forward")))
    described = root.findtext(f"{SVG}desc") or ""
    assert "w₁ = −0.017 feeds ŷ" in described
    assert "L = 4.477" in described
    assert root.findtext(f"{SVG}title") == "Computation graph, forward, update 0"


def test_the_same_document_gives_the_same_bytes() -> None:
    assert svg.graph(state(article())) == svg.graph(state(article()))
