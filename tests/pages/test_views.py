from __future__ import annotations

import re
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from api.documents.equations import equations
from api.pages import formulas, svg, views
from api.pages.html import session_page
from api.training.session import Session
from tests.documents.stored import NETWORK, Kept, traced
from tests.pages.documents import article, network, page, state

CLIENT = Path(__file__).parents[2] / "client"
STYLE = "".join((CLIENT / name).read_text(encoding="utf-8") for name in ("style.css", "session.css"))
TAG = re.compile(r"<[^>]*>")


def words(markup: Any) -> str:
    return TAG.sub("", str(markup)).replace("\u2062", "").replace("&#8290;", "")


def shown(session: Session) -> list[tuple[str, list[str]]]:
    """Title and lines of each equation of a session's page."""
    blocks = formulas.equations(state(session), equations(Kept(session), "mathml"))
    return [(words(block["title"] or ""), [words(line) for line in block["lines"]]) for block in blocks]


def apart(session: Session, kind: str) -> list[str]:
    return [words(line) for line in formulas.partials(state(session), equations(Kept(session), "mathml"), kind)]


def test_a_new_session_shows_its_formulas() -> None:
    assert shown(article("ready")) == [("", ["y^=w1x1+w2x2+b"]), ("", ["L=(y^−y)2"])]


def test_the_forward_pass_puts_the_numbers_in() -> None:
    assert shown(article("forward")) == [
        ("", ["y^=w1x1+w2x2+b=−0.017·4+(−0.048·1)+0=−0.116"]),
        ("", ["L=(y^−y)2=(−0.116−2)2≈4.47746"]),
    ]


def test_backward_starts_at_the_loss_and_then_explains_each_gradient() -> None:
    assert shown(article()) == [
        ("Loss with respect to ŷ", ["∂L∂y^=2(y^−y)=2(−0.116−2)=−4.232"]),
        ("Loss with respect to w1", ["∂L∂w1=∂L∂y^·∂y^∂w1=−4.232·4=−16.928"]),
        ("Loss with respect to w2", ["∂L∂w2=∂L∂y^·∂y^∂w2=−4.232·1=−4.232"]),
        ("Loss with respect to b", ["∂L∂b=∂L∂y^·∂y^∂b=−4.232·1=−4.232"]),
    ]


def test_other_partials_follow_and_those_of_the_data_come_last() -> None:
    assert apart(article(), "inner") == ["∂y^∂w1=x1=4", "∂y^∂w2=x2=1", "∂y^∂b=1"]
    assert apart(article(), "data") == [
        "∂y^∂x1=w1=−0.017",
        "∂y^∂x2=w2=−0.048",
        "∂L∂y=−2(y^−y)=−2(−0.116−2)=4.232",
    ]
    text = session_page(page(article()))
    assert text.index("3 partials on the way") < text.index("Partials with respect to the data")
    assert '<details class="partials"><summary>Partials with respect to the data' in text


@pytest.mark.parametrize("size", [1, 2, 6])
def test_every_partial_has_one_place(size: int) -> None:
    session = traced(model={"kind": "expression", "source": NETWORK}, batch_size=size, seed=2)
    wanted = [item for item in equations(Kept(session), "mathml") if item["about"].startswith("partials.")]
    first = [title for title, _ in shown(session)].count("Loss with respect to ŷ")
    assert first == 1
    assert first + len(apart(session, "inner")) + len(apart(session, "data")) == len(wanted)


def test_partials_are_shown_in_the_backward_phase_only() -> None:
    for session in (article("ready"), article("forward"), article().update()):
        assert apart(session, "inner") == apart(session, "data") == []


def test_after_an_update_each_parameters_step_is_worked_out() -> None:
    session = article().update()
    assert shown(session)[0] == ("New w1", ["w1←w1−η∂L∂w1=−0.017−0.05·(−16.928)=0.8294"])
    assert formulas.equations_heading(state(session)) == ("Gradient descent", "learning rate 0.05")


@pytest.mark.parametrize("size", [1, 2, 6])
def test_no_side_of_an_equation_repeats_the_one_before(size: int) -> None:
    session = traced(model={"kind": "expression", "source": NETWORK}, batch_size=size, seed=2)
    lines = [line for _, block in shown(session) for line in block] + apart(session, "inner") + apart(session, "data")
    for line in lines:
        sides = re.split("[=≈←]", line)
        assert all(one != other for one, other in pairwise(sides)), line


def test_many_parameters_get_the_whole_width_for_their_equations() -> None:
    assert '<main class="session backward"' in session_page(page(article()))
    assert '<main class="session backward wide"' in session_page(page(traced(model=network(2, 3))))


def test_what_only_the_operator_can_mend_is_not_shown_to_learners() -> None:
    notice = {"code": "sqlite_old", "message": "this SQLite can corrupt a database: use 3.51.3 or later"}
    document = state(article(), warnings=[notice])
    assert views.warnings(document) == []
    assert "SQLite" not in session_page(page(article(), state=document))


def test_a_warning_offers_the_fork_whose_rate_is_a_fifth() -> None:
    message = "The rate is too large. Try a smaller one: POST /v1/sessions/x/fork with {}"
    document = state(article(), warnings=[{"code": code, "message": message} for code in ("loss_growing", "diverged")])
    growing, diverged = views.warnings(document)
    assert growing["message"] == "The rate is too large. Try a smaller one."
    assert growing["fork"] == {"rate": 0.01, "fields": {"kind": "sgd", "dialect": "torch", "learning_rate": 0.01}}
    assert diverged["fork"] is None


def test_every_operation_is_one_link_away_and_arrows_keep_the_detail() -> None:
    text = session_page(page(article()))
    assert '/revisions/2?detail=ops">Every operation</a>' in text
    text = session_page(page(article(), state=state(article(), "ops")))
    assert '/revisions/2">Named quantities only</a>' in text
    assert '/revisions/1?detail=ops#next"' in text


def test_a_graph_too_large_to_draw_is_still_a_page() -> None:
    lines = [f"a{n} = a{n - 1} + w" if n else "a0 = w*x1" for n in range(5_000)]
    model = {"kind": "expression", "source": "\n".join([*lines, "L = a4999**2"])}
    session = traced(model=model)
    start = time.perf_counter()
    text = session_page(page(session))
    assert "too large to draw" in text
    assert "9899 more <a" in text
    assert "more nodes <a" in text
    assert len(text) < 500_000
    assert time.perf_counter() - start < 20


def test_the_style_sheet_lights_each_path_by_hover_focus_and_target_and_stays_small() -> None:
    for number in range(svg.TRACED):
        assert re.search(rf"&:has\(\.k{number}\.kx:is\(:hover, :focus-within, :target\)\) \.k{number}\b", STYLE)
    assert len(STYLE.encode()) <= 20_000
    assert not re.search(r"url\(|@import|@font-face", STYLE)
