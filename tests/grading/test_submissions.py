"""Submissions in JSON and in tables: what is read, and what is told of what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from api.engine.errors import InvalidInput
from api.grading.assignment import Assignment
from api.grading.cases import drawn
from api.grading.cells import cell
from api.grading.compare import Malformed
from api.grading.marks import graded
from api.grading.planting import reference_sheets
from api.grading.submissions import Form, of_json
from api.grading.tables import of_table

MADE = Assignment.of({"seed": "s", "cases": 2, "steps": 2})
NETWORK = Assignment.of({
    "seed": "s", "cases": 1, "ask": {"values": 1, "partials": 1, "gradients": 1, "updated": 1},
    "session": {"model": {"kind": "mlp", "layers": [{"units": 3, "activation": "tanh"}, {"units": 2}]}, "batch_size": 4,
                "data": {"columns": ["a", "b", "p", "q"], "targets": ["p", "q"], "rows": [[1, 2, 3, 4], [3, 5, 1, 0]]}},
})  # fmt: skip


def form(made: Assignment = MADE) -> Form:
    return Form(drawn(made, "ada"), made.steps)


def as_json(made: Assignment) -> list[dict[str, Any]]:
    sheets = reference_sheets(made, drawn(made, "ada"))
    return [{"case": case, "step": step, **sheet.answers} for (case, step), sheet in sheets.items()]


def as_long(made: Assignment, student: str | None = None) -> str:
    lines = [("student," if student else "") + "case,step,quantity,i,j,value"]
    for one in as_json(made):
        for section in ("values", "partials", "gradients", "updated"):
            for name, value in one.get(section, {}).items():
                rows = value if isinstance(value, list) else [value]
                for i, row in enumerate(rows):
                    for j, number in enumerate(row if isinstance(row, list) else [row]):
                        at = f"{i if isinstance(value, list) else ''},{j if isinstance(row, list) else ''}"
                        own = f"{student}," if student else ""
                        lines.append(f"{own}{one['case']},{one['step']},{section}.{name},{at},{number!r}")
    return "\n".join(lines)


@pytest.mark.parametrize("made", [MADE, NETWORK])
def test_right_answers_have_full_marks_in_any_form(made: Assignment) -> None:
    cases = drawn(made, "ada")
    as_object = of_json({"student": "ada", "answers": as_json(made)}, form(made))
    (table,) = of_table(as_long(made, "ada"), lambda _: form(made))
    for submission in (as_object, table):
        submission.must_be_gradable()
        assert submission.student == "ada"
        assert graded(made, cases, submission.sheets)["correct"], submission.faults


def test_a_wide_table_has_a_column_for_each_quantity_by_any_of_its_names() -> None:
    made = Assignment.of({"seed": "s", "cases": 1})
    cases = drawn(made, "ada")
    (right,) = as_json(made)
    head = 'student,yhat,L,dL/dw1,gradients.w2,"∂L/∂b",updated.w1,updated.w2,updated.b'
    cells = [right["values"]["yhat"][0], right["values"]["L"], *right["gradients"].values(), *right["updated"].values()]
    text = head + "\n" + "\n".join(f"{student}," + ",".join(map(repr, cells)) for student in ("Ada", "Bob"))
    found = of_table(text, lambda _: Form(cases, 1))
    assert [one.student for one in found] == ["Ada", "Bob"]
    assert all(graded(made, cases, one.sheets)["correct"] for one in found)


def test_semicolons_tabs_and_a_byte_order_mark_are_read() -> None:
    text = as_long(MADE)
    for sign in ";\t":
        (found,) = of_table("\ufeff" + text.replace(",", sign), lambda _: form())
        assert not found.faults
        assert found.student is None


@pytest.mark.parametrize(
    ("document", "pointer", "said"),
    [
        ({"answers": [{"case": 3}]}, "/answers/0", "cases are numbered from 1 to 2"),
        ({"answers": [{"step": 2}]}, "/answers/0", "steps are numbered from 0 to 1"),
        ({"answers": [{"case": "one"}]}, "/answers/0", "case must be a whole number"),
        ({"answers": [{}, {}]}, "/answers/1", "given twice"),
        ({"answers": [5]}, "/answers/0", "must be objects"),
        ({"answers": [{"gradient": {}}]}, "/answers/0/gradient", "did you mean 'gradients'"),
        ({"answers": [{"gradients": []}]}, "/answers/0/gradients", "must be an object"),
        ({"answers": [{"gradients": {"W1": 1}}]}, "/answers/0/gradients/W1", "did you mean 'w1'"),
        ({"answers": [{"gradients": {"w1": [1, 2]}}]}, "/answers/0/gradients/w1", "a single number expected"),
        ({"answers": [{"gradients": {"w1": "1"}}]}, "/answers/0/gradients/w1", "not a number"),
        (
            {"answers": [{"values": {"yhat": [[1]]}}, {"case": 2, "values": {"yhat": [1]}}]},
            "/answers/1/values/yhat",
            "3",
        ),
        ({"answers": {"gradients": {"w9": 1}}}, "/answers/gradients/w9", "there is no"),
        ({"gradients": {"w9": 1}}, "/gradients/w9", "there is no"),
        ({"answer": []}, "/answer", "did you mean 'answers'"),
    ],
)
def test_what_cannot_be_graded_is_told_with_its_place(document: Any, pointer: str, said: str) -> None:
    found = of_json(document, form())
    assert [fault.pointer for fault in found.faults] == [pointer]
    assert said in found.faults[0].detail
    with pytest.raises(InvalidInput):
        found.must_be_gradable()


@pytest.mark.parametrize(
    "document", [{}, {"answers": []}, {"answers": [{"gradients": {"w1": None}}]}, {"student": "Ada"}]
)
def test_an_empty_submission_cannot_be_graded(document: Any) -> None:
    with pytest.raises(InvalidInput, match="no answers"):
        of_json(document, form()).must_be_gradable()


@pytest.mark.parametrize("document", [5, [], {"answers": 5}, {"student": 5}])
def test_what_is_no_submission_is_refused(document: Any) -> None:
    with pytest.raises(InvalidInput):
        of_json(document, form())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs a header line"),
        ("case,quantity,value", "needs a header line"),
        ("case,case,quantity,value\n1,1,L,2", "twice"),
        ("case,quantity,value\n1,L", "line 2 has 2 cells"),
        ("quantity,value,row\nL,1,2", "line 1: there is no column 'row'"),
    ],
)
def test_what_is_no_table_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        of_table(text, lambda _: form())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("case,quantity,value\n7,L,1", "line 2: there is no case 7"),
        ("quantity,value\nq,1", "line 2: there is no 'values.q'"),
        ("quantity,value\nw1,1", "line 2: say which of w1 it is: gradients.w1 or updated.w1"),
        ("quantity,value\nL,one", "line 2: 'one' is not a number"),
        ("quantity,value\nL,1\nL,2", "line 3: values.L is given twice"),
        ("quantity,i,value\nyhat,1,2", "line 2: values.yhat[1] is outside of its shape [1]"),
        ("case,quantity,i,value\n2,yhat,1,2", "values.yhat[0] is missing (case 2, step 0)"),
        ("case,quantity,i,j,value\n2,yhat,1,1,2", "needs i"),
        ("quantity,value\nL,1_0", "not a number"),
        ("L,dL/dw9\n1,2", "line 2, column dL/dw9: there is no 'partials.L/w9'"),
        ("L\n1\n2", "given twice"),
    ],
)
def test_faults_in_a_table_are_told_with_their_line(text: str, said: str) -> None:
    (found,) = of_table(text, lambda _: form())
    assert said in found.faults[0].detail


@pytest.mark.parametrize(
    ("text", "shape", "numbers"),
    [
        ("−1.5", (), -1.5),
        (" 1e-3 ", (), 0.001),
        ("1 2 3", (3,), [1, 2, 3]),
        ("1, 2,3", (3,), [1, 2, 3]),
        ("1\n2\n3", (3,), [1, 2, 3]),
        ("1 2\n3 4", (2, 2), [[1, 2], [3, 4]]),
        ("1 2; 3 4", (2, 2), [[1, 2], [3, 4]]),
        ("1 2 3 4", (2, 2), [[1, 2], [3, 4]]),
        ("[[1, 2], [3, 4]]", (2, 2), [[1, 2], [3, 4]]),
        ("7", (1,), [7]),
        ("NaN", (), "NaN"),
        ("", (2,), None),
    ],
)
def test_a_cell_is_read_as_people_write_it(text: str, shape: tuple[int, ...], numbers: Any) -> None:
    assert cell(text, shape) == numbers


@pytest.mark.parametrize(
    ("text", "shape", "said"),
    [
        ("0,5", (), "decimal comma: write 0.5"),
        ("1 2", (), "2 numbers given, one expected"),
        ("1 2 3", (2, 2), "2 × 2 expected"),
        ("1 2\n3", (3,), "3 expected"),
        ("[1", (1,), "no list"),
        ("inf", (), "not a number"),
    ],
)
def test_a_cell_that_cannot_be_read_says_what_would_do(text: str, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(Malformed, match=said):
        cell(text, shape)
