"""Assignments, students and submissions in the database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.engine.errors import NoAttemptLeft, NotFound, ReadOnly, StoreDamaged
from api.grading.assignment import Assignment
from api.store import Store
from api.store.class_records import Course, Student, link_for, link_for_all
from tests.store.conftest import Played

REPORT: dict[str, Any] = {"score": 60.0, "mistakes": [{"code": "ascent", "message": "…", "link": "/guide.html#update"}]}
TABLES = ("assignments", "students", "submissions")
PAIRS = frozenset({("ascent", "error_sign")})


def of(**body: Any) -> Assignment:
    return Assignment.of({"seed": "s", **body})


async def enrolled(store: Store, id: str, name: str = "Ada") -> tuple[Course, Student]:
    course = await store.classes.load(link_for_all(id))
    return course, await store.classes.enrol(course, name, 2)


def test_an_assignment_is_found_by_each_of_its_ids_after_a_restart(play: Played) -> None:
    named = play(lambda store: store.classes.create(of(students=["Ada", "Bob"]), PAIRS))
    open_ = play(lambda store: store.classes.create(of(), None))

    async def look(store: Store) -> None:
        teacher = await store.classes.load(named)
        assert (teacher.teacher, teacher.student, teacher.alike) == (True, None, PAIRS)
        assert teacher.assignment.document == of(students=["Ada", "Bob"]).document
        bob = await store.classes.load(link_for(named, "Bob"))
        assert (bob.teacher, bob.student and bob.student.name, bob.key) == (False, "Bob", teacher.key)
        anybody = await store.classes.load(link_for_all(open_))
        assert (anybody.teacher, anybody.student, anybody.alike) == (False, None, None)
        for nowhere in (
            link_for_all(named),
            link_for(open_, "Ada"),
            link_for(named, "Eve"),
            "x" * 22,
            "short",
            "ü" * 22,
        ):
            with pytest.raises(NotFound):
                await store.classes.load(nowhere)

    play(look)


def test_the_database_holds_no_id(play: Played) -> None:
    id = play(lambda store: store.classes.create(of(students=["Ada"]), None))
    cells = [cell for table in TABLES for row in play.execute(f"SELECT * FROM {table}") for cell in row]
    assert cells
    for secret in (id, link_for(id, "Ada")):
        assert not any(secret in str(cell) for cell in cells)


def test_a_student_s_draw_is_chosen_once(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = await store.classes.create(of(), None)
        course, ada = await enrolled(store, id)
        assert ada.trial == 2
        again = await store.classes.enrol(course, "Ada", 5)
        assert again == ada == await store.classes.student(course, "Ada")
        assert await store.classes.student(course, "Bob") is None
        closed = await store.classes.create(of(students=["Ada"]), None)
        named = await store.classes.load(link_for(closed, "Ada"))
        assert named.student is not None
        assert named.student.trial is None
        assert (await store.classes.enrol(named, "Ada", 1)).trial == 1
        with pytest.raises(NotFound):
            await store.classes.enrol(named, "Eve", 1)

    play(scenario)


def test_submissions_are_numbered_kept_and_counted(play: Played) -> None:
    async def hand_in(store: Store) -> tuple[str, str]:
        id = await store.classes.create(of(attempts=2), None)
        course, ada = await enrolled(store, id)
        first, one, repeated = await store.classes.submit(course, ada, REPORT, {"answers": 1})
        assert (one.number, repeated) == (1, False)
        again, same, repeated = await store.classes.submit(course, ada, REPORT, {"answers": 1})
        assert (again, same.number, repeated) == (first, 1, True)
        second, two, _ = await store.classes.submit(course, ada, {**REPORT, "score": 90.0}, {"answers": 2})
        assert two.number == 2
        assert second != first
        with pytest.raises(NoAttemptLeft, match="all 2 attempts"):
            await store.classes.submit(course, ada, REPORT, {"answers": 3})
        assert (await store.classes.submit(course, ada, REPORT, {"answers": 2}))[2] is True
        return id, first

    id, first = play(hand_in)

    async def look(store: Store) -> None:
        course = await store.classes.load(link_for_all(id))
        found = await store.classes.submission(course, first)
        assert (found.student, found.number, found.score) == ("Ada", 1, 60.0)
        assert found.report == {"report": REPORT, "answers": {"answers": 1}}
        (entry,) = await store.classes.gradebook(await store.classes.load(id))
        assert (entry.student.name, entry.score, [one.number for one in entry.submissions]) == ("Ada", 90.0, [1, 2])
        assert (await store.classes.numbered(course, entry.student, 2)).score == 90.0
        assert [one.score for one in await store.classes.submissions(entry.student)] == [60.0, 90.0]
        for nothing in (store.classes.submission(course, "x" * 22), store.classes.numbered(course, entry.student, 3)):
            with pytest.raises(NotFound):
                await nothing

    play(look)


def test_a_class_that_hands_in_at_once_loses_nothing(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = await store.classes.create(of(attempts=1), None)

        async def one(number: int) -> None:
            course, student = await enrolled(store, id, f"s{number}")
            await asyncio.gather(*(store.classes.submit(course, student, REPORT, {"number": number}) for _ in range(2)))

        await asyncio.gather(*map(one, range(300)))
        entries = await store.classes.gradebook(await store.classes.load(id))
        assert len(entries) == 300
        assert all(len(entry.submissions) == 1 for entry in entries)

    play(scenario)


def test_deleting_takes_students_and_submissions_along(play: Played) -> None:
    async def scenario(store: Store) -> None:
        kept = await store.classes.create(of(), None)
        id = await store.classes.create(of(), None)
        for one in (kept, id):
            course, ada = await enrolled(store, one)
            await store.classes.submit(course, ada, REPORT, {})
        with pytest.raises(ReadOnly):
            await store.classes.delete(course)
        await store.classes.delete(await store.classes.load(id))
        for gone in (id, link_for_all(id)):
            with pytest.raises(NotFound):
                await store.classes.load(gone)

    play(scenario)
    counts = [play.execute(f"SELECT count(*) FROM {name}")[0][0] for name in TABLES]
    assert counts == [1, 1, 1]


def test_whoever_comes_after_the_deletion_is_told_so(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = await store.classes.create(of(), None)
        course, ada = await enrolled(store, id)
        await store.classes.delete(await store.classes.load(id))
        with pytest.raises(NotFound):
            await store.classes.enrol(course, "Bob", 0)
        with pytest.raises(NotFound):
            await store.classes.submit(course, ada, REPORT, {})

    play(scenario)
    assert [play.execute(f"SELECT count(*) FROM {name}")[0][0] for name in TABLES] == [0, 0, 0]


def test_an_assignment_that_nobody_uses_for_long_is_swept_away(play: Played) -> None:
    now = [1000.0]

    async def scenario(store: Store) -> None:
        used, unused = [await store.classes.create(of(), None) for _ in range(2)]
        now[0] += 80
        course, ada = await enrolled(store, used)
        await store.classes.submit(course, ada, REPORT, {})
        now[0] += 80
        assert await store.sweep() == 1
        with pytest.raises(NotFound):
            await store.classes.load(unused)
        assert (await store.classes.load(used)).teacher
        now[0] += 30
        assert await store.sweep() == 1
        assert await store.sweep() == 0

    play(scenario, retention_seconds=100, clock=lambda: now[0])


def test_a_damaged_submission_is_no_other_mark(play: Played) -> None:
    async def hand_in(store: Store) -> str:
        id = await store.classes.create(of(), None)
        await store.classes.submit(*(await enrolled(store, id)), REPORT, {})
        return id

    id = play(hand_in)
    play.execute("UPDATE submissions SET summary = replace(summary, '60.0', '90.0')")

    async def look(store: Store) -> None:
        with pytest.raises(StoreDamaged):
            await store.classes.gradebook(await store.classes.load(id))

    play(look)
