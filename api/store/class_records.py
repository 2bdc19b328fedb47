"""What the store hands out of assignments, and the ids that follow from an assignment's own.

From the teacher's id follow, by HMAC, the link for all students or one for each named one, so that the teacher can be
told them again although the database has only hashes. A submission's id follows from the link it came by and what it
says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.grading.assignment import Assignment
from api.store import ids

Pairs = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Student:
    """``name`` as it was given; ``trial`` says which draw of the cases is theirs, None as long as none is chosen."""

    key: int
    name: str
    trial: int | None


@dataclass(frozen=True, slots=True)
class Course:
    """An assignment as somebody came to it by an ``id``: the teacher (``student`` is None and ``teacher`` true), or a
    student by a link of their own, or (``student`` None) by the link for all."""

    id: str
    key: int
    assignment: Assignment
    alike: Pairs | None
    created_at: float
    teacher: bool
    student: Student | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """One submission that was graded; ``report`` is None in lists."""

    student: str
    number: int
    score: float
    at: float
    mistakes: Sequence[Mapping[str, Any]]
    report: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A student's line in the gradebook."""

    student: Student
    submissions: Sequence[Submission]

    @property
    def score(self) -> float | None:
        """The best score; None without a submission."""
        return max((one.score for one in self.submissions), default=None)


def link_for_all(id: str) -> str:
    """The students' link of an assignment without named students."""
    return ids.lent_id(id, "students")


def link_for(id: str, name: str) -> str:
    """A named student's own link."""
    return ids.lent_id(id, f"student\0{name}")


def submission_id(link: str, names: str, number: int) -> str:
    """What a submission is called."""
    return ids.lent_id(link, f"{names}\0{number}")
