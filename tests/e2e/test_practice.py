"""A step worked out in the browser, with the keyboard alone, JavaScript off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

if TYPE_CHECKING:
    from tests.e2e.browser import Browser


@pytest.fixture
def session(address: str) -> str:
    """The address of a new session: the article's own."""
    return address + str(httpx2.post(f"{address}/v1/sessions").headers["location"])


def type_in(browser: Browser, text: str) -> None:
    """Type into whatever has the focus, and press Enter."""
    browser.focused.send_keys(text)
    browser.enter()


def question(browser: Browser) -> str:
    return browser.text(".ask h2")


def test_a_step_is_worked_out_with_the_keyboard_alone(browser: Browser, session: str) -> None:
    browser.open(f"{session}/practice")
    assert browser.focused.get_attribute("name") == "answer"
    for number, (stage, answer) in enumerate(
        [
            *(("Forward", "-0.116"), ("Forward", "4.477")),
            *(("Backward", "−4,232"), ("Backward", "4"), ("Backward", "1"), ("Backward", "1")),
            *(("Chain rule", "-16.93"), ("Chain rule", "-4.232"), ("Chain rule", "-4.232")),
            *(("Update", ".8294"), ("Update", "0.1636"), ("Update", "2.116e-1")),
        ],
        start=1,
    ):
        assert question(browser) == f"{stage} {number} of 12"
        type_in(browser, answer)
        assert browser.text(".said").startswith("Right.")
        assert len(browser.all(".marks .m1")) == number
    assert browser.text(".score") == "12 of 12 right, 12 at the first try"
    assert browser.focused.text == "Once more"
    browser.enter()
    assert question(browser) == "Forward 1 of 12"
    assert httpx2.get(session).json()["revision"] == 0


def test_a_wrong_answer_gets_the_rule_then_its_numbers_then_the_answer(browser: Browser, session: str) -> None:
    browser.open(f"{session}/practice?done=11")
    assert not browser.all(".ask form math mfrac + *, .ask form .eq")
    type_in(browser, "4.232")
    assert browser.text(".said").startswith("Not 4.232. Two tries are left.\nThe sign is the wrong way round")
    assert str(browser.one(".said a").get_attribute("href")).endswith("/guide.html#loss")
    assert browser.focused.get_attribute("aria-describedby") == "said"
    assert len(browser.all(".ask form .eq")) == 1
    before = browser.text(".ask form .eq")
    type_in(browser, "nonsense")
    assert "is no number" in browser.text(".said")
    type_in(browser, "2.116")
    assert browser.text(".said").startswith("Not 2.116. One try is left.")
    assert len(browser.text(".ask form .eq")) > len(before)
    type_in(browser, "0")
    assert browser.text(".said").startswith("This is how it goes. Your last answer was 0.")
    assert question(browser) == "Backward 4 of 12"
    assert browser.text(".score") == "2 of 3 right, 2 at the first try"
    browser.back()
    assert question(browser) == "Backward 3 of 12"


def test_an_answer_can_be_shown_at_once(browser: Browser, session: str) -> None:
    browser.open(f"{session}/practice")
    browser.tab()
    browser.tab()
    assert browser.focused.text == "Show it"
    browser.enter()
    assert browser.text(".said").replace("\n", "").endswith("=−0.116")
    assert browser.text("section[aria-label^='Found'] td:last-child") == "shown"


def test_what_is_still_to_be_found_is_not_in_the_picture(browser: Browser, session: str) -> None:
    def drawn() -> list[str]:
        found: list[str] = browser.measure(
            "[...document.querySelectorAll('.graph .n, .graph .gr')].map(text => text.textContent)"
        )
        return found

    browser.open(f"{session}/practice")
    assert drawn() == ["−0.017", "4", "−0.048", "1", "0", "2"]
    browser.open(f"{session}/practice?done=11")
    assert {"−0.116", "4.477"} <= set(drawn())
    assert "−4.232" not in drawn()
    browser.open(f"{session}/practice?done=1111111")
    assert {"4", "∇ −16.93"} <= set(drawn())
    assert "∇ −4.232" not in drawn()


def test_the_parameter_that_is_asked_for_has_its_path_lit_and_all_else_stays_legible(
    browser: Browser, session: str
) -> None:
    browser.open(f"{session}/practice?done=111111")
    lit = browser.measure("[...document.querySelectorAll('.base')].map(path => getComputedStyle(path).strokeWidth)")
    assert len(set(lit)) == 2
    faint = browser.measure("[...document.querySelectorAll('.node, .e')].map(one => getComputedStyle(one).opacity)")
    assert set(faint) == {"1"}
