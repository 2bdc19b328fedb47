"""Every statement about assignments, their students and submissions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, exists, func, insert, select, update

from api.store.tables import assignments, students, submissions


def _all(table: Any, *left_out: str) -> dict[str, Any]:
    return {name: bindparam(name, type_=each.type) for name, each in table.columns.items() if name not in left_out}


_assignment = (assignments.c.key, assignments.c.document, assignments.c.alike, assignments.c.created_at)
_student = (students.c.key, students.c.name, students.c.trial)
_head = (submissions.c.number, submissions.c.at, submissions.c.summary)

insert_assignment = insert(assignments).values(_all(assignments, "key")).returning(assignments.c.key)
find_by_id = select(*_assignment).where(assignments.c.id_hash == bindparam("id_hash"))
find_by_link = select(*_assignment).where(assignments.c.link_hash == bindparam("id_hash"))
find_by_student = (
    select(*_assignment, *_student)
    .join(students, students.c.assignment_key == assignments.c.key)
    .where(students.c.id_hash == bindparam("id_hash"))
)
delete_assignment = delete(assignments).where(assignments.c.key == bindparam("key"))
_handed_in_since = (
    exists()
    .where(students.c.assignment_key == assignments.c.key)
    .where(submissions.c.student_key == students.c.key, submissions.c.at >= bindparam("before"))
)
find_expired_assignments = (
    select(assignments.c.key)
    .where(assignments.c.created_at < bindparam("before"), ~_handed_in_since)
    .limit(bindparam("most"))
)
"""Assignments that are old and to which nobody has handed in anything of late."""
lock_assignment = select(assignments.c.key).where(assignments.c.key == bindparam("key")).with_for_update()

insert_student = insert(students).values(_all(students, "key")).returning(students.c.key)
find_student = select(*_student).where(
    students.c.assignment_key == bindparam("assignment_key"), students.c.name == bindparam("name")
)
count_students = select(func.count()).where(students.c.assignment_key == bindparam("assignment_key"))
set_trial = (
    update(students)
    .where(students.c.key == bindparam("key"), students.c.trial.is_(None))
    .values(trial=bindparam("trial"))
)
find_class = select(*_student).where(students.c.assignment_key == bindparam("assignment_key")).order_by(students.c.key)

insert_submission = insert(submissions).values(_all(submissions))
find_heads = (
    select(*_head, submissions.c.fingerprint)
    .where(submissions.c.student_key == bindparam("student_key"))
    .order_by(submissions.c.number)
)
find_all_heads = (
    select(students.c.key, *_head)
    .join(students, students.c.key == submissions.c.student_key)
    .where(students.c.assignment_key == bindparam("assignment_key"))
    .order_by(students.c.key, submissions.c.number)
)
_whole = (students.c.name, *_head, submissions.c.report)
_submission = select(*_whole).join(students, students.c.key == submissions.c.student_key)
find_submission = _submission.where(
    students.c.assignment_key == bindparam("assignment_key"),
    submissions.c.id_hash == bindparam("id_hash"),
)
find_numbered = _submission.where(
    students.c.assignment_key == bindparam("assignment_key"),
    students.c.key == bindparam("student_key"),
    submissions.c.number == bindparam("number"),
)
