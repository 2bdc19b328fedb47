from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from api.pages.html import (
    SessionPage,
    live_head,
    live_tail,
    problem_page,
    problem_type_page,
    session_page,
)
from api.pages.problems import KINDS
from api.routes.errors import CODES
from tests.documents.stored import Kept, started, traced
from tests.pages.documents import BASE, BODIES, article, finished, page, state

VOID = {"meta", "link", "input", "br", "img", "hr"}
HOSTILE = "<script>alert('1')</script>\"&amp;"


class Outline(HTMLParser):
    """The tags of a page, checked for balance, its ids, its forms and what it links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.feed(text)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        if tag == "form":
            self.forms.append((given["action"], {}))
        if tag in ("input", "textarea", "select") and "name" in given:
            self.forms[-1][1][given["name"]] = given.get("value", "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass  # inside an SVG

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @property
    def fragments(self) -> set[str]:
        return {link[1:] for link in self.links if link.startswith("#")}


def checked(text: str) -> Outline:
    assert not re.search(r"<script|\son\w+\s*=|javascript:|\sstyle\s*=|<style", text)
    outline = Outline(text)
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.fragments <= set(outline.ids)
    return outline


def form(outline: Outline, action: str, field: str = "") -> dict[str, str]:
    return next(fields for address, fields in outline.forms if address == BASE + action and field in {*fields, ""})


PHASES = ("ready", "forward", "backward")


@pytest.mark.parametrize("phase", PHASES)
def test_the_articles_page_is_valid_small_and_always_the_same(phase: str) -> None:
    shown = page(article(phase), history=finished([4.0] * 60), losses=[(i, 4.0 + i) for i in range(60)])
    text = session_page(shown)
    checked(text)
    assert len(text.encode()) <= 30_000
    assert text == session_page(shown)


@pytest.mark.parametrize("name", BODIES)
def test_a_page_of_any_graph_is_valid_with_formulas_that_are_well_formed(name: str) -> None:
    text = session_page(page(traced(**BODIES[name])))
    checked(text)
    formulas = re.findall(r"<math.*?</math>", text)
    assert formulas
    for formula in formulas:
        ElementTree.fromstring(formula.replace("&nbsp;", " "))


@pytest.mark.parametrize(("phase", "action"), [("ready", "forward"), ("forward", "backward"), ("backward", "update")])
def test_the_next_button_takes_the_next_step_and_says_at_which_revision(phase: str, action: str) -> None:
    text = session_page(page(article(phase)))
    fields = form(checked(text), f"/{action}")
    assert fields["revision"] == "2"
    assert fields["idempotency_key"]
    assert re.search(rf'<button type="submit" id="next" class="go">.*?{action.capitalize()}</button>', text)


def test_every_form_that_changes_a_session_names_its_revision() -> None:
    outline = checked(session_page(page(article("ready").forward().backward().update())))
    for action, fields in outline.forms:
        if not action.endswith(("/delete", "/fork")):
            assert fields["revision"] == "2", action


def test_the_bar_counts_in_the_contracts_words_and_arrows_walk_revisions() -> None:
    text = session_page(page(Kept(article(), revision=7), current_revision=9))
    assert "update 0 · epoch 1 · batch 1 of 6" in text
    outline = checked(text)
    for revision in (6, 8):
        assert f"{BASE}/revisions/{revision}#next" in outline.links
    assert f'the session is at <a href="{BASE}#next">revision 9</a>' in text


def test_a_past_revision_has_links_where_the_present_has_buttons() -> None:
    text = session_page(page(Kept(article(), revision=7), current_revision=9))
    assert f'id="next" class="btn go" href="{BASE}/revisions/8' in text
    assert not [action for action, _ in checked(text).forms if not action.endswith(("/fork", "/delete"))]


def test_a_read_only_page_has_no_button() -> None:
    document = state(Kept(article(), read_only=True, id="b" * 22))
    assert (document["share"], document["allowed"]) == (None, [])
    text = session_page(page(article(), state=document))
    assert checked(text).forms == []
    assert "<button" not in text
    assert "read-only" in text


def test_what_is_not_allowed_cannot_be_pressed() -> None:
    text = session_page(page(Kept(article("ready"), undoable=False)))
    assert '<button type="submit" disabled>Undo</button>' in text
    busy = session_page(page(Kept(article(), running=True)))
    assert '<button type="submit" disabled>Run epoch</button>' in busy
    assert 'class="go"' not in busy
    assert 'id="next"' in busy  # where the address points to is there all the same


def test_parameters_can_be_edited_by_hand_in_phase_ready_only() -> None:
    fields = form(checked(session_page(page(article("ready")))), "/edit")
    assert fields["parameters.w1"] == "-0.017"
    assert fields["optimizer.learning_rate"] == "0.05"
    assert "/edit" not in session_page(page(article("forward")))


def diverged() -> SessionPage:
    session = started(parameters={"w1": 1e200, "w2": -1e200, "b": 1e300}).forward().backward()
    return page(session, history=finished([1.0, "Infinity"]), losses=[(0, 1.0), (1, "Infinity")])


def test_a_diverged_session_offers_a_calmer_start() -> None:
    shown = diverged()
    assert {warning["code"] for warning in shown.state["warnings"]} == {"diverged"}
    text = session_page(shown)
    outline = checked(text)
    fields = form(outline, "/fork", "step")
    assert fields["step"] == "0"
    assert fields["changes.optimizer.learning_rate"] == "0.01"
    assert fields["changes.optimizer.kind"] == "sgd"
    assert "∞" in text
    assert 'class="go"' not in text
    assert "POST" not in text


def test_hostile_titles_and_labels_are_text() -> None:
    shown = page(started(title=HOSTILE))
    assert shown.data is not None
    shown = replace(shown, data=shown.data | {"labels": [HOSTILE, "x2", "y"]})
    for text in (session_page(shown), live_head(shown.state, "") + live_tail(shown.state, "")):
        checked(text)
        assert "&lt;script&gt;" in text


def test_the_batch_is_marked_among_the_data_with_its_predictions() -> None:
    text = session_page(page(traced(batch_size=2)))
    rows = re.findall(r'<tr class="cur" aria-current="true">(.*?)</tr>', text)
    assert [re.findall(r">([^<>]+)</t", row) for row in rows] == [
        ["1", "4", "1", "2", "−0.116"],
        ["2", "2", "8", "−14", "−0.418"],
    ]


def test_of_many_rows_those_around_the_batch_are_shown_and_the_rest_counted() -> None:
    rows = [[float(i), float(i % 7)] for i in range(500)]
    session = started(data={"columns": ["x1", "y"], "rows": rows}, batch_size=3, seed=1, shuffle=True)
    text = session_page(page(session))
    numbers = [int(number) for number in re.findall(r'<th scope="row">(\d+)</th>', text)]
    assert {row + 1 for row in session.batch_rows} <= set(numbers)
    assert len(numbers) <= 24
    folded = [int(count) for count in re.findall(r"… (\d+) more …", text)]
    assert sum(folded) + len(numbers) == 500


def test_a_session_without_data_says_so() -> None:
    session = started(data=None, model={"kind": "expression", "source": "L = (w - 3)**2"}, parameters={"w": 1.0})
    text = session_page(page(session.forward().backward()))
    checked(text)
    assert "this model has none" in text


def test_the_log_is_newest_first_with_times_in_milliseconds() -> None:
    text = session_page(page(article("ready"), history=finished([4.477456, 0.5])))
    log = re.findall(r"<tr><td>(\d+)</td><td>(\d+)</td><td>([^<]+)</td><td>([^<]+)</td></tr>", text)
    assert log == [("1", "2", "0.500", "0.03"), ("1", "1", "4.477", "0.03")] or log == [
        ("1", "2", "0.500", "0.02"),
        ("1", "1", "4.477", "0.02"),
    ]


def test_everything_is_linked_below_the_root_path() -> None:
    text = session_page(page(article(), root="/x"))
    outline = checked(text)
    assert 'href="/x/style.css"' in text
    assert all(link.startswith(("/x/", "#")) for link in outline.links)
    assert all(action.startswith("/x/v1/sessions/") for action, _ in outline.forms)


def problem(**members: Any) -> dict[str, Any]:
    basic = {"type": "/problems/wrong-phase", "title": "Not in this phase", "status": 409, "detail": "not now"}
    return basic | {"instance": f"{BASE}/update"} | members


def test_a_problem_is_a_page_that_leads_back_to_the_session() -> None:
    text = problem_page(problem(allowed=["forward", "run"], revision=12), "")
    outline = checked(text)
    assert ">409<" in text
    assert "Not now." in text
    assert f"{BASE}#next" in outline.links
    assert ">forward</a>" in text
    assert "revision 12" in text
    assert "/problems/wrong-phase" in outline.links


def test_every_fault_is_listed_with_its_place() -> None:
    faults = [
        {"pointer": "/optimizer/lr", "detail": HOSTILE},
        {"pointer": "/batch_size", "detail": "must be at least 1"},
    ]
    text = problem_page(problem(type="/problems/invalid", status=422, instance="/v1/sessions", errors=faults), "/x")
    checked(text)
    assert "<code>optimizer.lr</code>" in text
    assert "must be at least 1" in text
    assert 'href="/x/"' in text


def test_a_session_that_is_not_there_is_not_led_back_to() -> None:
    text = problem_page(problem(type="/problems/not-found", status=404), "")
    assert BASE not in "".join(checked(text).links)


def test_every_kind_of_problem_has_a_page() -> None:
    assert set(KINDS) >= set(CODES)
    for code in KINDS:
        checked(problem_type_page(code, "/x"))
    with pytest.raises(KeyError):
        problem_type_page("no-such-kind", "")
