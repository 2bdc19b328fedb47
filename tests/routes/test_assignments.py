"""Assignments over HTTP: a teacher makes one, students fetch their cases and hand in, the teacher sees the class."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.grading.assignment import Assignment
from api.grading.cases import drawn
from api.grading.planting import reference_sheets
from api.training.snapshot import listed
from tests.routes.conftest import BROWSER

Json = dict[str, Any]


def made(client: TestClient, **body: Any) -> Json:
    answer = client.post("/v1/assignments", json=body)
    assert answer.status_code == 201, answer.text
    document: Json = answer.json()
    assert answer.headers["location"] == document["links"]["self"]
    return document


def right_answers(client: TestClient, assigned: Json, link: str, student: str) -> list[Json]:
    """What somebody hands in who makes no mistake."""
    task = client.get(link, params={"student": student}).json()
    assignment = Assignment.load(assigned["assignment"])
    starts = [case["parameters"] for case in task["cases"]]
    for trial in range(50):
        cases = drawn(assignment, student, trial)
        if [{name: listed(value) for name, value in case.parameters.items()} for case in cases] == starts:
            sheets = reference_sheets(assignment, cases)
            found = [{"case": case, "step": step, **sheet.answers} for (case, step), sheet in sheets.items()]
            assert found
            return found
    raise AssertionError("the cases of the task are not the assignment's")


def halved(answers: list[Json]) -> list[Json]:
    """The factor 2 is forgotten in every gradient."""
    return [{**one, "gradients": {name: value / 2 for name, value in one["gradients"].items()}} for one in answers]


def hand_in(client: TestClient, link: str, answers: list[Json], **more: Any) -> Json:
    answer = client.post(f"{link}/submissions", json={"answers": answers, **more})
    assert answer.status_code == 201, answer.text
    report: Json = answer.json()
    return report


def test_named_students_have_links_of_their_own_and_cases_of_their_own(client: TestClient) -> None:
    assigned = made(client, title="Homework 3", students=["ada", "bob"], cases=2)
    assert assigned["link"] is None
    links = {one["student"]: one["link"] for one in assigned["students"]}
    tasks = {name: client.get(link).json() for name, link in links.items()}
    assert [task["student"] for task in tasks.values()] == ["ada", "bob"]
    assert not any(task["names_on_trust"] for task in tasks.values())
    assert tasks["ada"]["cases"] != tasks["bob"]["cases"]
    assert client.get(links["ada"]).json() == tasks["ada"]
    other = client.get(links["ada"], params={"student": "bob"})
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (422, "/student")
    taken = client.post(f"{links['ada']}/submissions", json={"student": "bob", "answers": []})
    assert taken.status_code == 422


def test_behind_one_link_for_all_names_are_on_trust_and_nobodys_marks_are_shown(client: TestClient) -> None:
    assigned = made(client)
    link = assigned["link"]
    assert client.get(link).json()["cases"] is None
    hand_in(client, link, right_answers(client, assigned, link, "Ada"), student="Ada")
    task = client.get(link, params={"student": "Ada"}).json()
    assert task["names_on_trust"]
    assert task["submissions"] == []
    assert client.post(f"{link}/submissions", json={"answers": []}).json()["errors"][0]["pointer"] == "/student"


@pytest.mark.parametrize(
    "session",
    [
        {},
        {"optimizer": {"kind": "adam", "learning_rate": 0.01}, "batch_size": 3},
        {"model": {"kind": "mlp", "layers": [{"units": 2, "activation": "tanh"}, {"units": 1}]}, "batch_size": 2},
    ],
    ids=["article", "adam", "mlp"],
)
def test_right_answers_have_full_marks_and_a_mistake_is_named(client: TestClient, session: Json) -> None:
    assigned = made(client, session=session, students=["ada"], feedback="values")
    link = assigned["students"][0]["link"]
    answers = right_answers(client, assigned, link, "ada")
    report = hand_in(client, link, answers)
    assert (report["score"], report["max_score"], report["correct"]) == (100, 100, True)
    if "model" not in session:
        report = hand_in(client, link, halved(answers))
        assert report["sections"]["gradients"]["score"] == 0
        assert report["sections"]["values"]["score"] == 20
        assert report["first_wrong"]["mistake"]["code"] == "missing_factor_2"
        assert report["mistakes"][0]["link"].startswith("/guide.html#")


@pytest.mark.parametrize("feedback", ["score", "first_wrong", "values"])
def test_students_are_told_no_more_than_the_teacher_chose(client: TestClient, feedback: str) -> None:
    assigned = made(client, students=["ada"], feedback=feedback)
    link = assigned["students"][0]["link"]
    answers = right_answers(client, assigned, link, "ada")
    wrong = [{**one, "values": {**one["values"], "L": 123.0}} for one in halved(answers)]
    report = hand_in(client, link, wrong)
    shown = json.dumps(report)
    secret = [f"{value!r}" for one in answers for value in one["gradients"].values()]
    secret += [repr(one["values"]["L"]) for one in answers]
    assert (report["first_wrong"] is None) == (feedback == "score")
    assert (report["cases"] is not None) == (feedback == "values")
    if feedback != "values":
        assert not any(number in shown for number in secret)
        assert "ratio" not in shown
    teachers = client.get(assigned["links"]["self"] + "/submissions/1-1").json()
    assert teachers["cases"] is not None
    assert teachers["answers"][0]["values"]["L"] == 123


def test_what_cannot_be_graded_costs_no_attempt_and_names_the_place(client: TestClient) -> None:
    assigned = made(client, students=["ada"], attempts=1)
    link = assigned["students"][0]["link"]
    for body, pointer in (
        ({"answers": [{"case": 9}]}, "/answers/0"),
        ({"answers": [{"gradients": {"w9": 1}}]}, "/answers/0/gradients/w9"),
        ({"answers": [{"values": {"L": "much"}}]}, "/answers/0/values/L"),
        ({"answers": [{"values": {"L": [1, 2]}}]}, "/answers/0/values/L"),
        ({"answers": "none"}, "/answers"),
        ({"answer": []}, "/answer"),
    ):
        answer = client.post(f"{link}/submissions", json=body)
        assert answer.status_code == 422, (body, answer.text)
        assert answer.json()["errors"][0]["pointer"] == pointer, answer.text
    assert client.get(link).json()["attempts_left"] == 1
    hand_in(client, link, right_answers(client, assigned, link, "ada"))
    assert client.get(link).json()["attempts_left"] == 0
    late = client.post(f"{link}/submissions", json={"answers": [{"values": {"L": 1}}]})
    assert (late.status_code, late.json()["type"]) == (409, "/problems/no-attempt-left")


def test_the_same_answers_again_are_the_same_submission(client: TestClient) -> None:
    assigned = made(client, students=["ada"], attempts=1)
    link = assigned["students"][0]["link"]
    answers = right_answers(client, assigned, link, "ada")
    report = hand_in(client, link, answers)
    again = client.post(f"{link}/submissions", json={"answers": answers})
    assert (again.status_code, again.json()["id"], again.json()["number"]) == (200, report["id"], 1)


def test_tables_and_forms_are_graded_as_json_is(client: TestClient) -> None:
    assigned = made(client, cases=1)
    link = assigned["link"]
    ways: dict[str, Any] = {
        "long": lambda one: {
            "content": "case,quantity,value\n"
            + "".join(f"1,gradients.{name},{value!r}\n" for name, value in one["gradients"].items()),
            "headers": {"Content-Type": "text/csv"},
        },
        "wide": lambda one: {
            "content": ",".join(f"dL/d{name}" for name in one["gradients"])
            + "\n"
            + ",".join(map(repr, one["gradients"].values()))
            + "\n",
            "headers": {"Content-Type": "text/csv"},
        },
        "form": lambda one: {
            "data": {"answers.0.case": "1"}
            | {f"answers.0.gradients.{name}": f"{value!r}" for name, value in one["gradients"].items()}
        },
    }
    for way, told in ways.items():
        answers = right_answers(client, assigned, link, way)
        answer = client.post(f"{link}/submissions", params={"student": way}, **told(answers[0]))
        assert answer.status_code == 201, (way, answer.text)
        assert answer.json()["sections"]["gradients"]["score"] == 60, way


def test_the_gradebook_has_the_class_and_its_most_common_mistakes(client: TestClient) -> None:
    assigned = made(client, students=["=ada()", "bob", "cy"], cases=1)
    for one in assigned["students"][:2]:
        answers = right_answers(client, assigned, one["link"], one["student"])
        hand_in(client, one["link"], halved(answers))
    hand_in(client, one["link"], answers)
    book = client.get(assigned["links"]["gradebook"]).json()
    assert [(one["student"], one["score"], len(one["submissions"])) for one in book["students"]] == [
        ("=ada()", 40, 1),
        ("bob", 100, 2),
        ("cy", None, 0),
    ]
    assert (book["mistakes"][0]["code"], book["mistakes"][0]["students"]) == ("missing_factor_2", 2)
    table = client.get(assigned["links"]["gradebook_csv"])
    assert table.headers["content-type"].startswith("text/csv")
    lines = table.text.splitlines()
    assert lines[0] == "student,score,max_score,attempts,last_at,mistake"
    assert len(lines) == 4
    assert not lines[1].startswith("=")  # a spreadsheet would run it
    for link in (assigned["students"][0]["link"], assigned["students"][2]["link"]):
        assert client.get(f"{link}/gradebook").status_code == 403
        assert client.get(f"{link}/gradebook.csv").status_code == 403
        assert client.delete(link).status_code == 403


def test_a_deleted_assignment_leaves_nothing_of_its_students(client: TestClient, tmp_path: Path) -> None:
    assigned = made(client, title="Secret homework", students=["Ada Lovelace-King"])
    link = assigned["students"][0]["link"]
    hand_in(client, link, right_answers(client, assigned, link, "Ada Lovelace-King"))
    assert client.delete(assigned["links"]["self"]).status_code == 204
    for path in (link, assigned["links"]["self"], assigned["links"]["gradebook"]):
        assert client.get(path).status_code == 404
    with closing(sqlite3.connect(tmp_path / "test.db")) as database:
        for table in ("assignments", "students", "submissions"):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_ids_of_one_kind_open_nothing_of_another(client: TestClient, session: str) -> None:
    assigned = made(client, students=["ada", "bob"])
    ada, bob = (one["link"] for one in assigned["students"])
    report = hand_in(client, ada, right_answers(client, assigned, ada, "ada"))
    assert client.get(f"{bob}/submissions/1").status_code == 404
    assert client.get(f"{ada}/submissions/{report['id']}").json()["student"] == "ada"
    assert client.get(f"{ada}/submissions/1-1").status_code == 404
    own = session.rpartition("/")[2]
    assert client.get(f"/v1/assignments/{own}").status_code == 404
    assert client.get(f"/v1/sessions/{assigned['id']}").status_code == 404
    assert client.post(f"{assigned['links']['self']}/submissions", json={"student": "eve"}).status_code in (404, 422)


def test_bad_assignments_are_refused_with_the_place(client: TestClient) -> None:
    for body, pointer in (
        ({"cases": 0}, "/cases"),
        ({"ask": {"values": -1}}, "/ask/values"),
        ({"feedback": "all"}, "/feedback"),
        ({"students": ["ada", "ada"]}, "/students"),
        ({"session": {"model": {"kind": "nothing"}}}, "/session/model"),
        ({"marks": 3}, "/marks"),
    ):
        answer = client.post("/v1/assignments", json=body)
        assert answer.status_code == 422, body
        assert answer.json()["errors"][0]["pointer"].startswith(pointer), answer.text


def test_pages_lead_from_the_form_to_the_gradebook_without_a_script(client: TestClient) -> None:
    answer = client.post(
        "/v1/assignments",
        data={"title": "<b>Week 1</b>", "students": "ada\n<i>bob</i>\n", "cases": "1", "feedback": "values"},
        headers=BROWSER,
    )
    assert answer.status_code == 303
    teacher = client.get(answer.headers["location"], headers=BROWSER).text
    assert "&lt;b&gt;Week 1&lt;/b&gt;" in teacher
    assert "<b>Week" not in teacher
    assert "<i>bob" not in teacher
    assigned = client.get(answer.headers["location"]).json()
    link = assigned["students"][0]["link"]
    task = client.get(link, headers=BROWSER).text
    answers = halved(right_answers(client, assigned, link, "ada"))[0]
    fields = {"answers.0.case": "1"} | {f"answers.0.gradients.{n}": f"{v!r}" for n, v in answers["gradients"].items()}
    assert set(fields) <= set(re.findall(r'name="([^"]+)"', task))
    sent = client.post(f"{link}/submissions", data=fields, headers=BROWSER)
    assert sent.status_code == 303, sent.text
    report = client.get(sent.headers["location"], headers=BROWSER).text
    for page in (teacher, task, report):
        assert "<script" not in page
        assert not re.search(r"\son[a-z]+=", page)
    given = f"{answers['gradients']['w1']:.6g}"[:5].replace("-", "")
    assert given in report.replace("−", "-")
    assert "/guide.html#" in report
