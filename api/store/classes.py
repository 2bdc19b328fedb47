"""Assignments that are kept: the teacher's id, the students' links, what was handed in, and what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from api.engine.errors import NoAttemptLeft, NotFound, ReadOnly
from api.grading.assignment import Assignment
from api.store import class_statements as statements
from api.store import ids
from api.store.class_changes import (
    MOST_STUDENTS,
    CreateAssignment,
    Declined,
    DeleteAssignment,
    Enrol,
    Submit,
    find,
)
from api.store.class_records import (
    Course,
    Entry,
    Pairs,
    Student,
    Submission,
    link_for,
    link_for_all,
    submission_id,
)
from api.store.codec import decode_json
from api.store.database import Transaction
from api.store.keeper import SWEPT_AT_ONCE, Keeper
from api.store.seals import seal_text


class Classes:
    """All assignments. Any call may raise StoreUnavailable, and NotFound where an id leads nowhere."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def create(self, assignment: Assignment, alike: Pairs | None) -> str:
        """Keep a new assignment; the teacher's id."""
        id = ids.new_id()
        named = assignment.students
        row = {
            "id_hash": ids.id_hash(id),
            "link_hash": ids.id_hash(link_for_all(id)) if named is None else None,
            "document": _text(assignment.document),
            "alike": None if alike is None else _text({"pairs": sorted(alike)}),
            "created_at": self._keeper.clock(),
        }
        await self._keeper.writer.submit(
            CreateAssignment(row, [(name, ids.id_hash(link_for(id, name))) for name in named or ()])
        )
        return id

    async def load(self, id: str) -> Course:
        """The assignment that an id leads to, whoever's it is; raises NotFound."""
        found = await self._keeper.read(_find, ids.id_hash(id)) if ids.is_plausible(id) else None
        if found is None:
            raise unknown()
        return replace(found, id=id)

    async def student(self, course: Course, name: str) -> Student | None:
        """A student by name, if the name is known."""
        return await self._keeper.read(find, course.key, name)

    async def enrol(self, course: Course, name: str, trial: int) -> Student:
        """The student of this name, now with a draw of the cases: the one chosen first stays. Raises NotFound for a
        name that a class of named students has not, and ReadOnly where there are too many."""
        done: Student | Declined = await self._keeper.writer.submit(
            Enrol(course.key, name, trial, course.assignment.students is None)
        )
        if done is Declined.FULL:
            raise ReadOnly(f"this assignment has {MOST_STUDENTS} students and takes no more")
        if isinstance(done, Declined):
            raise unknown()
        return done

    async def submit(
        self, course: Course, student: Student, report: Mapping[str, Any], answers: Mapping[str, Any]
    ) -> tuple[str, Submission, bool]:
        """Keep a graded submission: its id, the submission, and whether it is the same as the last one, which is then
        kept alone. Raises NoAttemptLeft."""
        fingerprint = hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).digest()
        names = f"submission\0{student.name}\0{fingerprint.hex()}"
        score, attempts = float(report["score"]), course.assignment.document["attempts"]
        change = Submit(
            course.key,
            student.key,
            fingerprint,
            attempts,
            _text({"score": score, "mistakes": report["mistakes"]}),
            _text({"report": report, "answers": answers}),
            self._keeper.clock(),
            (course.id, names),
        )
        done: tuple[int, bool] | Declined = await self._keeper.writer.submit(change)
        if done is Declined.USED:
            raise NoAttemptLeft(f"all {attempts} attempts are used" if attempts > 1 else "the one attempt is used")
        if isinstance(done, Declined):
            raise unknown()
        number, repeated = done
        submission = Submission(student.name, number, score, change.at, report["mistakes"], {"report": report})
        return submission_id(course.id, names, number), submission, repeated

    async def submissions(self, student: Student) -> list[Submission]:
        """What a student has handed in, oldest first, without the reports."""
        return await self._keeper.read(_heads, student)

    async def submission(self, course: Course, id: str) -> Submission:
        """One submission by its id; raises NotFound."""
        found = None
        if ids.is_plausible(id):
            found = await self._keeper.read(_one, statements.find_submission, course.key, {"id_hash": ids.id_hash(id)})
        return _existing(found)

    async def numbered(self, course: Course, student: Student, number: int) -> Submission:
        """A student's submission by its number; raises NotFound."""
        which = {"student_key": student.key, "number": number}
        return _existing(await self._keeper.read(_one, statements.find_numbered, course.key, which))

    async def gradebook(self, course: Course) -> list[Entry]:
        """Every student with all submissions, in the order in which they were named or came."""
        return await self._keeper.read(_gradebook, course.key)

    async def sweep(self) -> int:
        """Delete the assignments that are as old as sessions may become without a change; their number."""
        seconds, swept = self._keeper.retention_seconds, 0
        while seconds:
            found = await self._keeper.read(_expired, self._keeper.clock() - seconds)
            for (key,) in found:
                await self._keeper.writer.submit(DeleteAssignment(key))
            swept += len(found)
            if len(found) < SWEPT_AT_ONCE:
                break
        return swept

    async def delete(self, course: Course) -> None:
        """Delete the assignment and all that its students gave."""
        if not course.teacher:
            raise ReadOnly("this is a student's link; the assignment's own id can delete it")
        await self._keeper.writer.submit(DeleteAssignment(course.key))


def unknown() -> NotFound:
    """There is no such assignment, or not for this caller."""
    return NotFound("there is no assignment, or no such student of one, with this id")


def _existing(found: Submission | None) -> Submission:
    if found is None:
        raise NotFound("this assignment has no such submission")
    return found


@lru_cache(maxsize=256)
def _assignment(document: str) -> Assignment:
    return Assignment.load(decode_json(document))


def _text(value: Mapping[str, Any]) -> str:
    """JSON with its checksum, in ASCII: what students send may be no text that a database takes."""
    return seal_text(json.dumps(value, allow_nan=False))


# --- reading


def _find(transaction: Transaction, id_hash: bytes) -> Course | None:
    at = {"id_hash": id_hash}
    for statement, teacher in ((statements.find_by_id, True), (statements.find_by_link, False)):
        row = transaction.row(statement, at)
        if row is not None:
            return _course(row, teacher)
    row = transaction.row(statements.find_by_student, at)
    return None if row is None else replace(_course(row[:4], False), student=Student(*row[4:]))


def _course(row: Sequence[Any], teacher: bool) -> Course:
    key, document, alike, created_at = row
    pairs = None if alike is None else frozenset((one, other) for one, other in decode_json(alike)["pairs"])
    return Course("", key, _assignment(document), pairs, created_at, teacher)


def _expired(transaction: Transaction, before: float) -> list[tuple[int]]:
    return transaction.rows(statements.find_expired_assignments, {"before": before, "most": SWEPT_AT_ONCE})


def _heads(transaction: Transaction, student: Student) -> list[Submission]:
    rows = transaction.rows(statements.find_heads, {"student_key": student.key})
    return [_head(student.name, row[:3]) for row in rows]


def _head(name: str, row: Sequence[Any]) -> Submission:
    number, at, summary = row
    told = decode_json(summary)
    return Submission(name, number, told["score"], at, told["mistakes"])


def _one(transaction: Transaction, statement: Any, assignment_key: int, which: Mapping[str, Any]) -> Submission | None:
    row = transaction.row(statement, {"assignment_key": assignment_key, **which})
    return None if row is None else replace(_head(row[0], row[1:4]), report=decode_json(row[4]))


def _gradebook(transaction: Transaction, assignment_key: int) -> list[Entry]:
    at = {"assignment_key": assignment_key}
    everyone = [Student(*row) for row in transaction.rows(statements.find_class, at)]
    handed_in: dict[int, list[Submission]] = {student.key: [] for student in everyone}
    names = {student.key: student.name for student in everyone}
    for key, *row in transaction.rows(statements.find_all_heads, at):
        handed_in[key].append(_head(names[key], row))
    return [Entry(student, handed_in[student.key]) for student in everyone]
