"""Students' own servers: a right one has full marks, a wrong one is told where and why, and so is a rude one."""

from __future__ import annotations

from typing import Any

import pytest

from api.grading.assignment import Assignment
from api.grading.distinct import Chosen
from api.grading.marks import graded
from api.grading.server import Server, run
from tests.grading.planting import codes
from tests.grading.student_server import MISTAKES, SOURCE, serving

MADE = Assignment.of({"seed": "s", "steps": 2, "cases": 2})
CASES = Chosen(MADE).of("ada", fresh=True)


def marked(source: str) -> tuple[dict[str, Any], list[str], list[dict[str, Any]]]:
    """The report on a server, the notes, and what was found of its order of calls."""
    with serving(source) as url:
        server = Server(url)
        done, begun = run(MADE, CASES, server)
    return graded(MADE, begun, done.sheets), done.notes, server.calls


def test_a_right_server_has_full_marks_and_keeps_the_order_of_calls() -> None:
    report, notes, calls = marked(SOURCE)
    assert (report["score"], notes) == (100.0, [])
    assert len(calls) == 5
    assert all(call["right"] for call in calls)


@pytest.mark.parametrize(("old", "new", "wanted", "place"), MISTAKES)
def test_a_mistake_in_a_server_is_located_and_named(old: str, new: str, wanted: str, place: str) -> None:
    assert SOURCE.count(old) == 1
    report, _, _ = marked(SOURCE.replace(old, new))
    first = report["first_wrong"]
    assert first["quantity"] == place
    assert set(wanted.split()) & set(codes(first)), codes(first)


def test_calls_that_are_taken_out_of_order_are_told() -> None:
    report, notes, calls = marked(
        SOURCE.replace("session.phase != ALLOWED[action]", 'action == "backward" and not session.outputs')
    )
    assert [call["right"] for call in calls if call["call"] == "backward"] == [True]
    assert "forward in phase forward answered 200; 409 is expected" in notes
    assert report["score"] == 100.0


def test_a_server_that_begins_elsewhere_is_judged_from_where_it_is() -> None:
    own = 'self.parameters = {"w1": 0.5, "w2": -0.25, "b": 1.0}'
    report, notes, _ = marked(SOURCE.replace('self.parameters = dict(body["parameters"])', own))
    assert report["score"] == 100.0
    assert notes == [
        "case 1 began with other parameters than it was given",
        "case 2 began with other parameters than it was given",
    ]


def test_the_wrong_batch_is_seen_in_the_inputs() -> None:
    report, _, _ = marked(SOURCE.replace("self.offset + self.size]", "self.offset + self.size][::-1]"))
    assert report["first_wrong"]["quantity"] == "values.x1"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("self.answer(201", "self.answer(500", "POST /v1/sessions answered 500; 201 is expected"),
        ('"id": str(number), ', "", ""),
        ("getattr(session, action)()", "raise ValueError", "forward"),
        ("json.dumps(document)", '"no JSON"', "the state are expected"),
        ("self.loss = sum(", 'self.loss = "much" or sum(', ""),
    ],
)
def test_a_server_that_does_not_answer_gets_a_report_all_the_same(old: str, new: str, said: str) -> None:
    report, notes, _ = marked(SOURCE.replace(old, new))
    assert report["max_score"] == 100.0
    if said:
        assert any(said in note for note in notes), notes
        assert report["score"] == 0.0


def test_nobody_there_is_told_and_costs_no_exception() -> None:
    done, _ = run(MADE, CASES, Server("http://127.0.0.1:9", seconds=1))
    assert graded(MADE, CASES, done.sheets)["score"] == 0.0
    assert done.notes[0].startswith("POST /v1/sessions: ")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "file:///etc/passwd"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no address of a server"):
        Server(url)
