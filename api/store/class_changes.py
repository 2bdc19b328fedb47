"""What can be written about assignments; each change applies itself inside the writer's transaction.

On a database of several servers each locks its assignment first, and no other row before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from api.store import class_statements as statements
from api.store import ids
from api.store.changes import Order
from api.store.class_records import Student, submission_id
from api.store.database import Transaction

MOST_STUDENTS = 10_000
"""Names that may be given through one link."""


class Declined(Enum):
    """Why a change about an assignment was not made."""

    GONE = "there is no such assignment, or no such student of it"
    FULL = "the assignment takes no more students"
    USED = "no attempt is left"


def find(transaction: Transaction, assignment_key: int, name: str) -> Student | None:
    """A student of an assignment by name."""
    row = transaction.row(statements.find_student, {"assignment_key": assignment_key, "name": name})
    return None if row is None else Student(*row)


@dataclass(frozen=True, slots=True)
class CreateAssignment:
    row: Mapping[str, Any]
    named: Sequence[tuple[str, bytes]]

    @property
    def order(self) -> Order:
        return 0, b""

    def apply(self, transaction: Transaction) -> int:
        key: int = transaction.row(statements.insert_assignment, self.row)[0]
        for name, id_hash in self.named:
            student = {"assignment_key": key, "name": name, "id_hash": id_hash, "trial": None}
            transaction.row(statements.insert_student, student)
        return key


@dataclass(frozen=True, slots=True)
class Enrol:
    key: int
    name: str
    trial: int
    anybody: bool

    @property
    def order(self) -> Order:
        return _order(self.key)

    def apply(self, transaction: Transaction) -> Student | Declined:
        if not _lock(transaction, self.key):
            return Declined.GONE
        student = find(transaction, self.key, self.name)
        if student is not None:
            transaction.run(statements.set_trial, {"key": student.key, "trial": self.trial})
            return student if student.trial is not None else replace(student, trial=self.trial)
        if not self.anybody:
            return Declined.GONE
        if transaction.row(statements.count_students, {"assignment_key": self.key})[0] >= MOST_STUDENTS:
            return Declined.FULL
        new = {"assignment_key": self.key, "name": self.name, "id_hash": None, "trial": self.trial}
        return Student(transaction.row(statements.insert_student, new)[0], self.name, self.trial)


@dataclass(frozen=True, slots=True)
class Submit:
    key: int
    student_key: int
    fingerprint: bytes
    attempts: int | None
    summary: str
    report: str
    at: float
    link: tuple[str, str]

    @property
    def order(self) -> Order:
        return _order(self.key)

    def apply(self, transaction: Transaction) -> tuple[int, bool] | Declined:
        """The submission's number and whether it repeats the last one."""
        if not _lock(transaction, self.key):
            return Declined.GONE
        before = transaction.rows(statements.find_heads, {"student_key": self.student_key})
        if before and bytes(before[-1][3]) == self.fingerprint:
            return before[-1][0], True
        if self.attempts is not None and len(before) >= self.attempts:
            return Declined.USED
        number = before[-1][0] + 1 if before else 1
        id, names = self.link
        row = {
            "student_key": self.student_key,
            "number": number,
            "id_hash": ids.id_hash(submission_id(id, names, number)),
            "fingerprint": self.fingerprint,
            "summary": self.summary,
            "report": self.report,
            "at": self.at,
        }
        transaction.run(statements.insert_submission, row)
        return number, False


@dataclass(frozen=True, slots=True)
class DeleteAssignment:
    key: int

    @property
    def order(self) -> Order:
        return _order(self.key)

    def apply(self, transaction: Transaction) -> None:
        transaction.run(statements.delete_assignment, {"key": self.key})


def _order(key: int) -> Order:
    return 0, b"assignment" + key.to_bytes(8, "big")


def _lock(transaction: Transaction, key: int) -> bool:
    return transaction.row(statements.lock_assignment, {"key": key}) is not None
