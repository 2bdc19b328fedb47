"""``stepgrad grade``: a homework from its folder to a graded class, in every format, by module, command and archive."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from api.cli import main as cli
from api.grading.assignment import Assignment
from api.grading.command import main
from api.grading.distinct import Chosen
from api.grading.planting import reference_sheets
from tests.grading.students import LINEAR

NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["# Homework"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "!ls\n", "import math\n"]},
        {"cell_type": "code", "source": LINEAR.source.replace("error = p - y", "error = y - p")},
        {"cell_type": "code", "source": "1/0"},
    ]
}


@pytest.fixture(scope="module")
def homework(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A homework's folder with five students' work in it."""
    folder = tmp_path_factory.mktemp("class") / "hw3"
    assert cli(["grade", "new", str(folder), "--title", "Homework 3"]) == 0
    work = folder / "work"
    (work / "dan").mkdir(parents=True)
    (work / "ada.py").write_text(LINEAR.source)
    (work / "bob.py").write_text(LINEAR.source.replace("2 * error", "error"))
    (work / "cyd.py").write_text("def forward(parameters, inputs):\n    while True: pass\n")
    (work / "dan" / "main.py").write_text("from helper import rate\n" + LINEAR.source)
    (work / "dan" / "helper.py").write_text("rate = 1\n")
    (work / "eve.ipynb").write_text(json.dumps(NOTEBOOK))
    return folder


def paths(homework: Path) -> list[str]:
    return [str(homework / "work" / name) for name in ("ada.py", "bob.py", "cyd.py", "dan", "eve.ipynb")]


def graded(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["python", *arguments, "--seconds", "1"]) == 0
    return capsys.readouterr().out


def test_a_new_homework_has_everything_and_never_overwrites(homework: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = {str(path.relative_to(homework)) for path in homework.rglob("*") if path.is_file()}
    assert {"assignment.json", "starter.py", "gradescope.zip", "github/.github/workflows/grade.yml"} <= there
    document = json.loads((homework / "assignment.json").read_text())
    assert (document["title"], document["cases"], document["feedback"]) == ("Homework 3", 3, "first_wrong")
    assert main(["new", str(homework)]) == 2
    assert "there already" in capsys.readouterr().err
    public = json.loads((homework / "github/.grade/assignment.json").read_text())
    assert public["seed"] == "public" != document["seed"]


@pytest.mark.parametrize("model", ["linear", "mlp", "classifier", "rnn"])
def test_the_starter_is_marked_with_nothing_and_the_example_in_it_is_right(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", str(tmp_path / "hw"), "--model", model]) == 0
    capsys.readouterr()
    starter = tmp_path / "hw" / "starter.py"
    report = json.loads(graded(capsys, str(starter), "--assignment", str(tmp_path / "hw"), "--format", "json"))
    assert report["students"][0]["score"] == 0.0
    assert "NotImplementedError" in report["students"][0]["first_wrong"]["detail"]
    space: dict[str, Any] = {}
    exec(compile(starter.read_text(), "starter.py", "exec"), space)  # noqa: S102 - our own
    assert set(space["EXAMPLE"]) == {"parameters", "inputs", "optimizer", "state", "values", "gradients", "updated"}


def test_rehearsing_shows_what_everything_would_get(homework: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["grade", "rehearse", str(homework), "--format", "json"]) == 0
    lines = {line["what"]: line for line in json.loads(capsys.readouterr().out)["rehearsed"]}
    assert lines["reference"]["score"] == 100.0
    assert lines["empty starter"]["score"] == 0.0
    assert lines["missing_factor_2"]["named"] == "missing_factor_2"
    assert lines["bias_not_summed"]["named"] == "bias_not_summed"
    named = [line["named"] == what for what, line in lines.items() if what not in ("reference", "empty starter")]
    assert len(named) > 40
    assert sum(named) >= 0.9 * len(named)
    assert main(["rehearse", str(homework), "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("what,score,max_score,first_wrong,named,also,message\nreference,100.0")


def test_a_class_is_graded(homework: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(graded(capsys, *paths(homework), "--assignment", str(homework), "--format", "json"))
    found = {one["student"]: one for one in document["students"]}
    assert {name: one["score"] for name, one in found.items()} == {
        "ada": 100,
        "bob": 40,
        "cyd": 0,
        "dan": 100,
        "eve": 40,
    }
    assert found["bob"]["first_wrong"]["mistake"]["code"] == "missing_factor_2"
    assert found["eve"]["first_wrong"]["mistake"]["code"] == "error_sign"
    assert (
        found["eve"]["notes"] == ["cell 4 raised ZeroDivisionError: division by zero (line 1)"] or found["eve"]["notes"]
    )
    assert "longer than 1 seconds" in " ".join(found["cyd"]["notes"])
    assert document["sandbox"]["kind"] in ("bubblewrap", "process")


def test_a_student_s_cases_are_the_same_in_any_company(homework: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def values(*these: str) -> Any:
        document = json.loads(graded(capsys, *these, "--assignment", str(homework), "--format", "json"))
        return next(one for one in document["students"] if one["student"] == "bob")["cases"]

    both = values(*paths(homework)[:2])
    assert both == values(paths(homework)[1])


def test_text_tells_a_student_no_number_of_a_hidden_case(homework: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = graded(capsys, *paths(homework)[:2], "--assignment", str(homework))
    assert "bob: 40 of 100 (values 20/20, gradients 0/60, updated 20/20)" in text
    assert "first wrong: case 1, step 0, gradients.w1: The derivative of a square has a factor 2" in text
    assert "ada: 100 of 100" in text
    made = Assignment.load(json.loads((homework / "assignment.json").read_text()))
    sheets = reference_sheets(made, Chosen(made).of("bob"))
    for sheet in sheets.values():
        for each in sheet.answers.values():
            for value in each.values():
                for number in value if isinstance(value, list) else [value]:
                    assert repr(number) not in text
                    assert f"{number:.4g}" not in text


@pytest.mark.parametrize(("level", "said"), [("score", False), ("first_wrong", True), ("values", True)])
def test_feedback_is_what_the_assignment_says(
    homework: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], level: str, said: bool
) -> None:
    document = json.loads((homework / "assignment.json").read_text()) | {"feedback": level}
    (tmp_path / "assignment.json").write_text(json.dumps(document))
    for kind in ("text", "gradescope", "prairielearn", "junit"):
        text = graded(capsys, paths(homework)[1], "--assignment", str(tmp_path), "--format", kind)
        assert ("factor 2" in text) is said, kind


# Formats


def test_csv_has_a_line_for_each_student(homework: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = graded(capsys, *paths(homework), "--assignment", str(homework), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["student"] for row in rows] == ["ada", "bob", "cyd", "dan", "eve"]
    assert (rows[1]["score"], rows[1]["gradients"], rows[1]["mistake"]) == ("40", "0", "missing_factor_2")
    assert rows[0]["first_wrong"] == ""


def test_gradescope_s_results_are_as_it_specifies(
    homework: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fields and types of the autograder specification: score or tests, visibility words, text as output format."""
    document = json.loads(graded(capsys, paths(homework)[1], "--assignment", str(homework), "--format", "gradescope"))
    visible = {"hidden", "after_due_date", "after_published", "visible"}
    assert set(document) <= {"score", "execution_time", "output", "output_format", "test_output_format", "visibility",
                             "stdout_visibility", "tests", "extra_data", "leaderboard"}  # fmt: skip
    assert isinstance(document["score"], int | float)
    assert isinstance(document["execution_time"], int | float)
    assert {document["visibility"], document["stdout_visibility"]} <= visible
    assert document["output_format"] in ("text", "html", "simple_format", "md", "ansi")
    for test in document["tests"]:
        assert set(test) <= {"score", "max_score", "status", "name", "name_format", "number", "output", "output_format",
                             "tags", "visibility", "extra_data"}  # fmt: skip
        assert 0 <= test["score"] <= test["max_score"]
        assert test["visibility"] in visible
    assert sum(test["score"] for test in document["tests"]) == document["score"] == 40
    assert main(["python", *paths(homework), "--assignment", str(homework), "--format", "gradescope"]) == 2
    graded(capsys, *paths(homework), "--assignment", str(homework), "--format", "gradescope", "--output", str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.json" for name in ("ada", "bob", "cyd", "dan", "eve")
    }


def test_prairielearn_s_results_are_as_it_specifies(homework: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fields and types of external grading results: gradable, a score from 0 to 1, tests with points."""
    document = json.loads(graded(capsys, paths(homework)[1], "--assignment", str(homework), "--format", "prairielearn"))
    assert set(document) <= {"gradable", "score", "message", "output", "images", "tests", "format_errors", "succeeded"}
    assert document["gradable"] is True
    assert document["score"] == 0.4
    for test in document["tests"]:
        assert set(test) <= {"name", "description", "points", "max_points", "message", "output", "images"}
        assert 0 <= test["points"] <= test["max_points"]


def test_junit_s_xml_is_as_its_schema_says(homework: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Elements, attributes and their order of the schema that Jenkins publishes; counts add up."""
    text = graded(capsys, *paths(homework)[:2], "--assignment", str(homework), "--format", "junit")
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        assert set(suite.attrib) <= {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"}
        tests = [one for one in suite if one.tag == "testcase"]
        assert [one.tag for one in suite] == ["testcase"] * len(tests) + ["system-out"]
        assert int(suite.attrib["tests"]) == len(tests)
        for word, tag in (("failures", "failure"), ("errors", "error")):
            assert int(suite.attrib[word]) == sum(one.find(tag) is not None for one in tests)
        for test in tests:
            assert set(test.attrib) == {"classname", "name"}
            assert [one.tag for one in test] in ([], ["failure"], ["error"])
    kinds = {suite.attrib["name"]: suite.attrib["failures"] for suite in root}
    assert (kinds["ada"], kinds["bob"]) == ("0", "3")


# Answers


def test_worked_answers_are_graded_in_every_form(
    homework: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Assignment.load(json.loads((homework / "assignment.json").read_text()))
    chosen = Chosen(made)
    sheets = {name: reference_sheets(made, chosen.of(name)) for name in ("Ada", "Bob", "Cyd")}
    answers = [{"case": case, "step": step, **sheet.answers} for (case, step), sheet in sheets["Ada"].items()]
    (tmp_path / "Ada.json").write_text(json.dumps({"answers": answers}))
    lines = ["student,case,step,quantity,i,j,value"]
    for (case, step), sheet in sheets["Bob"].items():
        for section, each in sheet.answers.items():
            for name, value in each.items():
                for i, number in enumerate(value if isinstance(value, list) else [value]):
                    at = i if isinstance(value, list) else ""
                    half = number / 2 if section == "gradients" else number
                    lines.append(f"Bob,{case},{step},{section}.{name},{at},,{half!r}")
    (tmp_path / "long.csv").write_text("\n".join(lines))
    first = sheets["Cyd"][1, 0].answers
    wide = ["student;case;yhat;L;dL/dw1;dL/dw2;dL/db"]
    wide.append(
        ";".join(map(str, ["Cyd", 1, first["values"]["yhat"][0], first["values"]["L"], *first["gradients"].values()]))
    )
    (tmp_path / "wide.csv").write_text("\n".join(wide))
    (tmp_path / "Dan.json").write_text('{"answers": [{"gradients": {"w9": 1}}]}')
    (tmp_path / "Eve.json").write_text("{no JSON")
    assert main(["answers", str(tmp_path), "--assignment", str(homework), "--format", "json"]) == 0
    found = {one["student"]: one for one in json.loads(capsys.readouterr().out)["students"]}
    scores = {name: round(one["score"], 2) for name, one in found.items()}
    assert scores == {"Ada": 100.0, "Bob": 40.0, "Cyd": 26.67, "Dan": 0.0, "Eve": 0.0}
    assert found["Bob"]["first_wrong"]["mistake"]["code"] == "missing_factor_2"
    assert "there is no 'gradients.w9'" in found["Dan"]["notes"][0]
    assert "no JSON" in found["Eve"]["notes"][0]


# Wrong usage, and the grader's own faults


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage"),
        (["python", "nobody.py", "--assignment", "HW"], "there is no nobody.py"),
        (["python", "nobody.py", "--assignment", "nowhere.json"], "cannot be read"),
        (["python", "nobody.py"], "--assignment"),
        (["python", "HW/starter.py", "--assignment", "HW", "--format", "pdf"], "invalid choice"),
        (["python", "HW/starter.py", "--assignment", "HW", "--seconds", "0"], "--seconds"),
        (["python", "HW/work/ada.py", "HW/work/bob.py", "--assignment", "HW", "--student", "x"], "there are 2"),
        (["python", "HW/starter.py", "--assignment", "HW/starter.py"], "no JSON"),
        (["answers", "HW/github", "--assignment", "HW/nothing"], "cannot be read"),
        (["new", "HW/other", "--model", "transformer"], "there is no model"),
        (["http", "ftp://nowhere", "--assignment", "HW"], "no address"),
    ],
)
def test_wrong_usage_is_told_with_status_2(
    homework: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    given = [part.replace("HW", str(homework)) for part in arguments]
    try:
        status = main(given)
    except SystemExit as left:
        status = int(str(left.code))
    assert status == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"case": 1}, "case"),
        ({"session": {"optimizer": {"learning_rate": "fast"}}}, "/session/optimizer/learning_rate"),
        ({"session": {"model": {"kind": "expression", "source": "L = ("}}}, "/session/model/source"),
        ([], "holds no assignment"),
        ({"cases": "three"}, "/cases"),
    ],
)
def test_an_assignment_that_is_none_is_told_with_its_place(
    document: Any, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "assignment.json").write_text(json.dumps(document))
    assert cli(["grade", "rehearse", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_the_grader_s_own_fault_is_status_3(
    homework: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.grading.command.graded", None)
    assert main(["python", paths(homework)[0], "--assignment", str(homework)]) == 3
    assert "no marks were given" in capsys.readouterr().err


def test_where_no_sandbox_works_it_says_what_to_run_instead(
    homework: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert main(["python", paths(homework)[0], "--assignment", str(homework), "--sandbox", "bubblewrap"]) == 3
    assert "not installed" in capsys.readouterr().err


# The archives


def test_the_archive_runs_without_the_package(homework: Path, tmp_path: Path) -> None:
    grader = homework / "github/.grade/grader.pyz"
    command = [sys.executable, "-I", str(grader), "python", paths(homework)[1]]
    command += [
        "--assignment",
        str(homework / "assignment.json"),
        "--format",
        "json",
        "--output",
        str(tmp_path / "r.json"),
    ]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=120)
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["students"][0]["score"] == 40.0


def test_gradescope_s_archive_grades_a_submission(homework: Path, tmp_path: Path) -> None:
    """As Gradescope does it: unpacked to source, the work in submission, the student in submission_metadata.json."""
    base = tmp_path / "autograder"
    for name in ("source", "submission/inner", "venv/bin"):
        (base / name).mkdir(parents=True)
    with zipfile.ZipFile(homework / "gradescope.zip") as archive:
        archive.extractall(base / "source")
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    assert modes["run_autograder"] & 0o111
    assert modes["setup.sh"] & 0o111
    python = base / "venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (base / "submission/inner/work.py").write_text(LINEAR.source.replace("2 * error", "error"))
    (base / "submission/notes.txt").write_text("my notes")
    (base / "submission_metadata.json").write_text('{"users": [{"id": 77, "email": "a@example.org"}]}')
    environment = {**os.environ, "GRADE_BASE": str(base)}
    environment.pop("PYTHONPATH", None)
    subprocess.run(["bash", "run_autograder"], check=True, cwd=base / "source", env=environment, timeout=120)
    results = json.loads((base / "results/results.json").read_text())
    assert results["score"] == 40
    assert results["output"].startswith("77: 40 of 100")
    for script in ("setup.sh", "run_autograder"):
        subprocess.run(["bash", "-n", base / "source" / script], check=True)
    workflow = (homework / "github/.github/workflows/grade.yml").read_text()
    assert "grader.pyz python submission.py --assignment .grade/assignment.json" in workflow
