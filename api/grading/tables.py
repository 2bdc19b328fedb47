"""Submissions in tables, as spreadsheets and form services export them.

long   student,case,step,quantity,i,j,value
wide   student and a column for each quantity; case and step where there are several
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from api.engine.errors import FieldError, InvalidInput
from api.engine.wording import near_miss, shown
from api.grading.cells import cell, fit
from api.grading.compare import Malformed
from api.grading.quantities import quantity_of
from api.grading.submissions import PLACES, Form, Submission, whole
from api.training.table import sniff

LONG = ("quantity", "value")
INDICES = ("i", "j", "k", "l")


def of_table(text: str, form_of: Callable[[str | None], Form], pointer: str = "") -> list[Submission]:
    """The submissions in a long or a wide table, one for each student in it, in the order of their first line.

    ``form_of`` gives what a student's answers must look like. Raises ``InvalidInput`` where there is no table at all.
    """
    header, records = _records(text, pointer)
    if all(name in header for name in LONG):
        strange = [name for name in header if name not in ("student", *PLACES, *LONG, *INDICES)]
        if strange:
            raise InvalidInput(
                f"line 1: there is no column {shown(strange[0])}{near_miss(strange[0], INDICES)}", pointer
            )
        return _long(records, form_of, pointer)
    return _wide(header, records, form_of, pointer)


def students_in(text: str, pointer: str = "") -> list[str]:
    """The students that a table names, each once. Raises ``InvalidInput`` where there is no table at all."""
    _, records = _records(text, pointer)
    return list(dict.fromkeys(name for _, record in records if (name := record.get("student", "").strip())))


def _records(text: str, pointer: str) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The header's names and each line as a mapping."""
    text = text.removeprefix("\ufeff")
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=sniff(text), strict=True)
        lines = [(reader.line_num, cells) for cells in reader if any(one.strip() for one in cells)]
    except csv.Error as error:
        raise InvalidInput(f"the table cannot be read: {error}", pointer) from None
    if len(lines) < 2:
        raise InvalidInput("the table needs a header line and a line of answers", pointer)
    header = [_column(name) for name in lines[0][1]]
    twice = next((name for place, name in enumerate(header) if name in header[:place]), None)
    if twice is not None:
        raise InvalidInput(f"line 1: the column {shown(twice)} is there twice", pointer)
    for line, cells in lines[1:]:
        if len(cells) != len(header):
            raise InvalidInput(f"line {line} has {len(cells)} cells, the header {len(header)}", pointer)
    return header, [(line, dict(zip(header, cells, strict=True))) for line, cells in lines[1:]]


def _column(name: str) -> str:
    plain = name.strip()
    return plain.lower() if plain.lower() in ("student", *PLACES, *LONG) else plain


def _by_student(
    records: Sequence[tuple[int, dict[str, str]]], form_of: Callable[[str | None], Form], pointer: str
) -> Iterator[tuple[Submission, Form, tuple[int, int], int, dict[str, str]]]:
    """Each line with the submission it belongs to, and its case and step."""
    found: dict[str | None, tuple[Submission, Form]] = {}
    for line, record in records:
        student = record.get("student", "").strip() or None
        if student not in found:
            found[student] = Submission(student), form_of(student)
        submission, form = found[student]
        try:
            place = form.place(record.get("case", "").strip() or 1, record.get("step", "").strip() or 0)
        except Malformed as reason:
            submission.faults.append(FieldError(pointer, f"line {line}: {reason}"))
            place = (0, 0)
        yield submission, form, place, line, record


def _long(
    records: Sequence[tuple[int, dict[str, str]]], form_of: Callable[[str | None], Form], pointer: str
) -> list[Submission]:
    submissions: dict[int, Submission] = {}
    arrays: dict[tuple[int, tuple[int, int], str, str], np.ndarray] = {}
    for submission, form, place, line, record in _by_student(records, form_of, pointer):
        submissions[id(submission)] = submission
        if place[0] == 0:
            continue
        try:
            section, name = quantity_of(form.exercise(place[0]), record["quantity"])
            wanted = form.wanted(place[0], section, name)
            at = _index(record, wanted, f"{section}.{name}")
            key = (id(submission), place, section, name)
            array = arrays.setdefault(key, np.full(wanted, None, dtype=object))
            if array[at] is not None:
                raise Malformed(f"{section}.{name}{list(at) or ''} is given twice")
            value = cell(record["value"], ())
            array[at] = math.nan if value is None else value
        except Malformed as reason:
            submission.faults.append(FieldError(pointer, f"line {line}: {reason}"))
    for (of, place, section, name), array in arrays.items():
        missing = next((at for at in np.ndindex(array.shape) if array[at] is None), None)
        if missing is not None:
            what = f"{section}.{name}{list(missing) or ''} is missing (case {place[0]}, step {place[1]})"
            submissions[of].faults.append(FieldError(pointer, what))
            continue
        blank = [one for one in array.ravel().tolist() if isinstance(one, float) and math.isnan(one)]
        value = None if len(blank) == array.size else array.tolist() if array.shape else array.item()
        submissions[of].answers.setdefault(place, {}).setdefault(section, {})[name] = value
    return list(submissions.values())


def _index(record: Mapping[str, str], wanted: tuple[int, ...], what: str) -> tuple[int, ...]:
    given = [record.get(name, "").strip() for name in INDICES]
    while given and not given[-1]:
        given.pop()
    if math.prod(wanted) == 1 and all(one in ("", "0") for one in given):
        return (0,) * len(wanted)
    names = ", ".join(INDICES[: len(wanted)])
    if len(given) != len(wanted):
        raise Malformed(f"{what} needs {names or 'no index'}: its shape is {list(wanted) or 'a single number'}")
    at = tuple(whole(one, name) for one, name in zip(given, INDICES, strict=False))
    if any(not 0 <= one < size for one, size in zip(at, wanted, strict=True)):
        raise Malformed(f"{what}{list(at)} is outside of its shape {list(wanted)}; indices count from 0")
    return at


def _wide(
    header: Sequence[str],
    records: Sequence[tuple[int, dict[str, str]]],
    form_of: Callable[[str | None], Form],
    pointer: str,
) -> list[Submission]:
    submissions: dict[int, Submission] = {}
    columns = [name for name in header if name not in ("student", *PLACES)]
    for submission, form, place, line, record in _by_student(records, form_of, pointer):
        submissions[id(submission)] = submission
        if place[0] == 0:
            continue
        if place in submission.answers:
            submission.faults.append(
                FieldError(pointer, f"line {line}: case {place[0]}, step {place[1]} is given twice")
            )
            continue
        answers = submission.answers.setdefault(place, {})
        for column in columns:
            try:
                section, name = quantity_of(form.exercise(place[0]), column)
                wanted = form.wanted(place[0], section, name)
                value = cell(record[column], wanted)
                fit(value, wanted)
                answers.setdefault(section, {})[name] = value
            except Malformed as reason:
                submission.faults.append(FieldError(pointer, f"line {line}, column {column[:40]}: {reason}"))
    return list(submissions.values())
