"""A class without JavaScript: a teacher's form, a student's form, the report, and the gradebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from tests.e2e.browser import Browser


def test_a_teacher_makes_an_assignment_and_a_student_hands_it_in(browser: Browser, address: str) -> None:
    browser.open(f"{address}/")
    browser.click("nav a[href='assignment.html']")
    browser.one("input[name=title]").send_keys("Homework 3")
    browser.one("input[name=cases]").clear()
    browser.one("input[name=cases]").send_keys("1")
    browser.one("textarea[name=students]").send_keys("ada\nbob")
    browser.one("select[name=feedback] option[value=values]").click()
    browser.click("#next")
    teacher = browser.url
    assert "Homework 3" in browser.text("h1")
    assigned = httpx2.get(teacher, headers={"Accept": "application/json"}).json()
    task = assigned["students"][0]["link"]
    assert browser.all(f"a[href='{task}']")
    browser.click(f"a[href='{task}']")
    browser.one("[name='answers.0.gradients.w1']").send_keys("12.5")
    browser.click("#next")
    assert "12.5" in browser.text("main")
    assert browser.all("main math")
    browser.open(teacher)
    assert [cell.text for cell in browser.all("main tbody tr td:first-child, main tbody tr th:first-child")][:2] == [
        "ada",
        "bob",
    ]


def test_an_answer_that_is_no_number_is_a_page_that_says_where(browser: Browser, address: str) -> None:
    assigned = httpx2.post(f"{address}/v1/assignments", json={"students": ["ada"], "attempts": 1}, timeout=60).json()
    link = address + assigned["students"][0]["link"]
    browser.open(link)
    browser.one("[name='answers.0.values.L']").send_keys("much")
    browser.click("#next")
    assert browser.text(".status") == "422"
    assert "much" in browser.text("main")
    assert httpx2.get(link).json()["attempts_left"] == 1
