"""Pages that stay open, JavaScript off: what is shown while more arrives, and where focus and scroll are meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

if TYPE_CHECKING:
    from tests.e2e.browser import Browser

SHOWN = "[...document.querySelectorAll('.frame')].filter(frame => getComputedStyle(frame).display != 'none')"
TITLES = "[...document.querySelectorAll('.frame h2')].map(title => title.textContent)"


@pytest.fixture
def session(address: str) -> str:
    """The address of a new session, which converges."""
    body = {"optimizer": {"learning_rate": 0.01}}
    return address + str(httpx2.post(f"{address}/v1/sessions", json=body).headers["location"])


def frames(browser: Browser) -> int:
    count: int = browser.measure("document.querySelectorAll('.frame').length")
    return count


def title(browser: Browser) -> str:
    """The title of the frame that is shown."""
    found: str = browser.measure(f"{SHOWN}.map(frame => frame.querySelector('h2').textContent).join()")
    return found


def shown_numbers(browser: Browser) -> list[str]:
    found: list[str] = browser.measure(f"[...{SHOWN}[0].querySelectorAll('.graph .gr')].map(text => text.textContent)")
    return found


def test_the_live_page_shows_steps_that_others_make_within_a_second(browser: Browser, session: str) -> None:
    browser.size(1440, 500)
    browser.open(f"{session}/live", whole=False)
    browser.until(lambda: frames(browser) == 1)
    browser.measure("document.querySelector('.b-forward').focus({preventScroll: true})")
    browser.measure("scrollTo(0, 120)")
    for count, action in enumerate(("forward", "backward", "update", "forward"), start=2):
        httpx2.post(f"{session}/{action}")
        browser.until(lambda count=count: frames(browser) == count, seconds=1)  # type: ignore[misc]
        assert browser.measure(f"{SHOWN}.length") == 1
        assert browser.measure("scrollY") == 120
        assert browser.focused.get_attribute("class") == "b-forward"
    assert title(browser).startswith("Forward update 1")


def test_the_buttons_of_the_live_page_lead_nowhere_else(browser: Browser, session: str) -> None:
    browser.open(f"{session}/live", whole=False)
    browser.until(lambda: frames(browser) == 1)
    length = browser.measure("history.length")
    for count, action in enumerate(("forward", "backward", "update"), start=2):
        browser.one(f".b-{action}").click()
        browser.until(lambda count=count: frames(browser) == count, seconds=5)  # type: ignore[misc]
        # The answer to the button went into a hidden frame: the page and the focus are where they were.
        assert browser.focused.get_attribute("class") == f"b-{action}"
    assert browser.url == f"{session}/live"
    assert browser.measure("history.length") == length
    assert httpx2.get(session).json()["step"] == 1


def test_a_reader_sees_the_same_live_and_has_no_buttons(browser: Browser, session: str) -> None:
    state: dict[str, Any] = httpx2.get(session).json()
    reader = session.replace(state["id"], state["share"]["read"])
    browser.open(f"{reader}/live", whole=False)
    browser.until(lambda: frames(browser) == 1)
    httpx2.post(f"{session}/forward")
    httpx2.post(f"{session}/backward")
    browser.until(lambda: frames(browser) == 3)
    assert not browser.all("form, button, iframe")
    assert shown_numbers(browser) == ["∇ " + text for text in ("−16.93", "0.0719", "−4.232", "0.2031", "−4.232")] + [
        "∇ −4.232",
        "∇ 4.232",
        "∇ 1",
    ]
    assert state["id"] not in browser.source


def test_a_replay_shows_exactly_one_frame_whenever_one_looks(browser: Browser, session: str) -> None:
    httpx2.post(f"{session}/run", json={"steps": 60})
    browser.open(f"{session}/replay?pace=20", whole=False)
    browser.until(lambda: frames(browser) >= 1)
    counts = []
    for _ in range(60):
        counts.append(browser.measure(f"{SHOWN}.length"))
        time.sleep(0.03)
    assert counts == [1] * 60
    assert frames(browser) > 10
    assert [one.split(" ·")[0] for one in browser.measure(TITLES)[:4]] == [
        *("Ready update 0", "Forward update 0", "Backward update 0", "Ready update 1")
    ]


def test_a_replay_stands_still_where_it_is_paused_and_goes_on_from_there(browser: Browser, session: str) -> None:
    httpx2.post(f"{session}/run", json={"steps": 30})
    browser.open(f"{session}/replay?pace=5&step=10", whole=False)
    browser.until(lambda: frames(browser) >= 3)
    browser.one(".bar .go").click()
    browser.until(lambda: browser.measure("document.readyState") == "complete")
    paused, where = frames(browser), title(browser)
    time.sleep(0.6)
    assert (frames(browser), title(browser)) == (paused, where)
    assert browser.url == f"{session}/replay?pace=5&step=10"
    assert browser.focused.text == "Pause"
    last = browser.measure(f"{TITLES}.at(-1)")
    assert where == last
    (go_on,) = [link for link in browser.all(".frame .key a") if link.is_displayed() and link.text == "Go on"]
    browser.follow(go_on.click, whole=False)
    browser.until(lambda: frames(browser) >= 1)
    titles = [f"{phase} update {step} " for step in range(10, 30) for phase in ("Ready", "Forward", "Backward")]
    before, after = (
        next(i for i, one in enumerate(titles) if text.startswith(one)) for text in (where, first(browser))
    )
    assert after == before + 1


def first(browser: Browser) -> str:
    """The title of the first frame."""
    found: str = browser.measure(f"{TITLES}[0]")
    return found


def test_a_replay_ends_where_the_session_stands(browser: Browser, session: str) -> None:
    httpx2.post(f"{session}/run", json={"steps": 3})
    browser.open(f"{session}/replay?pace=20&phase=ready")
    assert [one.split(" ·")[0] for one in browser.measure(TITLES)] == [f"Ready update {step}" for step in range(4)]
    assert browser.measure(f"{SHOWN}.length") == 1
    assert "Once more" in browser.text(".end")
