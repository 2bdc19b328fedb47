"""The page that asks for a step's numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from api.documents.practice import Exercise, exercise, practice, veiled
from api.grading.sheet import Sheet
from api.pages.practice import practice_page
from tests.documents.stored import Kept, started
from tests.pages.documents import BODIES
from tests.pages.test_html import HOSTILE, checked

BASE = "/v1/sessions/" + "a" * 22
MISTAKE = {"code": "missing_factor_2", "message": "A factor 2 is <missing>.", "link": "/x/guide.html#loss"}


def work(**body: Any) -> Exercise:
    session = started(**body)
    there = session.forward().backward()
    return exercise(Kept(session), Kept(there), Kept(there.update()))


def shown(made: Exercise, sheet: Sheet, root: str = "", **said: Any) -> str:
    blank = dict.fromkeys(("given", "expected", "mistake", "detail")) | {"quantity": "values.yhat"}
    told = practice(made, sheet, blank | said if said else None, "mathml")
    return practice_page(told, veiled(made, sheet) | {"id": "a" * 22}, root)


@pytest.mark.parametrize("name", BODIES)
def test_the_page_is_valid_at_every_question_of_any_graph(name: str) -> None:
    made = work(**BODIES[name])
    for done in range(0, len(made.questions) + 1, 7):
        for tries in (0, 2):
            outline = checked(shown(made, Sheet("1" * done, tries)))
            finished = done == len(made.questions)
            assert [action for action, _ in outline.forms] == ([] if finished else [f"{BASE}/revisions/2/practice"])
            if not finished:
                assert outline.forms[0][1] == {"done": "1" * done, "tries": str(tries), "answer": ""}


def test_a_mistake_is_named_with_a_link_to_the_guide() -> None:
    text = shown(work(), Sheet("11", 1), "/x", verdict="wrong", given="-2.116", mistake=MISTAKE)
    checked(text)
    assert "A factor 2 is &lt;missing&gt;." in text
    assert 'href="/x/guide.html#loss"' in text
    assert 'action="/x/v1/sessions/' in text


def test_what_was_typed_is_text() -> None:
    for verdict in ("wrong", "shown", "unreadable"):
        text = shown(work(title=HOSTILE), Sheet("", 1), verdict=verdict, given=HOSTILE, detail=HOSTILE)
        checked(text)
        assert "&lt;script&gt;" in text


def test_an_update_comes_with_what_the_optimizer_remembers() -> None:
    made = work(optimizer={"kind": "adam"})
    asked = next(place for place, question in enumerate(made.questions) if question.section == "updated")
    text = shown(made, Sheet("1" * asked))
    for row in ("beta1", "learning rate", "epsilon"):
        assert f'<th scope="row">{row}</th>' in text
    assert re.search(r'<th scope="row">m of <i>w</i><sub>1</sub></th><td>0</td>', text)


def test_a_step_of_large_tensors_alone_says_so() -> None:
    model = {"kind": "mlp", "layers": [{"units": 40}, {"units": 1}]}
    made = work(model=model, batch_size=6)
    text = shown(Exercise(made.stored, made.traced, made.after, [], 9), Sheet())
    checked(text)
    assert "too many numbers" in text


def test_the_sheet_of_the_page_is_small_and_fetches_nothing() -> None:
    sheet = (Path(__file__).parents[2] / "client" / "practice.css").read_text(encoding="utf-8")
    assert len(sheet.encode()) < 4_000
    assert not re.search(r"url\(|@import|#[0-9a-f]{3}", sheet), "its colours are the house's"
