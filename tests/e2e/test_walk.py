"""A session from its first to its last page, with the keyboard and with clicks, JavaScript off."""

from __future__ import annotations

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.e2e.walks import close, numbers, start, state_of, step

if TYPE_CHECKING:
    from tests.e2e.browser import Browser

TRAP = (
    "<!DOCTYPE html><html lang=en><title>nothing ran</title><body onload=\"document.title = 'a handler ran'\">"
    "<script>document.title = 'a script ran'</script><noscript><p id=off>off</p></noscript>"
    "<button onclick=\"document.title = 'a click ran'\">press</button>"
)


def test_scripts_do_not_run_in_this_browser(browser: Browser) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(TRAP.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        browser.open(f"http://127.0.0.1:{server.server_port}/")
        browser.one("button").click()
        assert browser.title == "nothing ran"
        assert browser.text("#off") == "off"
        server.shutdown()


def test_five_presses_of_enter_create_a_session_and_step_it(browser: Browser, address: str) -> None:
    browser.open(f"{address}/")
    for revision, (phase, following) in enumerate(
        [
            ("ready", "Forward"),
            ("forward", "Backward"),
            ("backward", "Update"),
            ("ready", "Forward"),
            ("forward", "Backward"),
        ]
    ):
        browser.enter()
        assert re.fullmatch(rf"{address}/v1/sessions/[\w-]{{22}}/revisions/{revision}#next", browser.url)
        assert browser.focused.get_attribute("id") == "next"
        assert browser.focused.text.split()[-1] == following
        assert browser.measure("scrollY") == 0
        state = state_of(browser)
        assert (state["revision"], state["phase"]) == (revision, phase)
    assert state["step"] == 1
    assert state["parameters"] == pytest.approx({"w1": 0.8294, "w2": 0.1636, "b": 0.2116})


def test_a_scrolled_page_stays_where_it_is(browser: Browser, address: str) -> None:
    start(browser, address)
    browser.size(1440, 500)
    browser.measure("scrollTo(0, 180)")
    step(browser, 3)
    assert browser.measure("scrollY") == 0
    # The bar with the buttons sticks to the top, so it is there wherever the reader is.
    browser.measure("scrollTo(0, 400)")
    assert browser.measure("document.querySelector('.bar').getBoundingClientRect().top") == 0
    assert browser.measure("document.querySelector('#next').getBoundingClientRect().top") > 0


def test_the_numbers_on_the_page_are_those_of_the_json(browser: Browser, address: str) -> None:
    start(browser, address)
    for _ in range(4):
        state = state_of(browser)
        browser.one(".alt summary").click()
        rows = browser.all("table.nodes tbody tr")
        assert len(rows) == len(state["graph"]["nodes"])
        for row, node in zip(rows, state["graph"]["nodes"], strict=True):
            cells = [cell.text for cell in row.find_elements("css selector", "th, td")]
            for shown, name in ((cells[3], "value"), (cells[4], "gradient")):
                assert same(shown, node[name]), (node["id"], name, shown, node[name])
        if state["phase"] == "backward":
            drawn = numbers(" ".join(text.text for text in browser.all(".graph text")))
            for edge in state["graph"]["edges"]:
                (value,) = edge["partial"]["value"]
                assert any(close(value, one) for one in drawn), edge
        browser.click("#next")


def same(shown: str, value: Any) -> bool:
    """Whether the page shows these numbers; a dot where there are none."""
    if value is None:
        return shown == "·"
    values = value if isinstance(value, list) else [value]
    found = numbers(shown)
    return len(found) == len(values) and all(map(close, values, found))


def test_a_reload_and_the_address_by_itself_change_nothing(browser: Browser, address: str) -> None:
    start(browser, address)
    step(browser, 2)
    before = state_of(browser), browser.source
    browser.reload()
    assert (state_of(browser), browser.source) == before
    browser.open(browser.url.partition("/revisions")[0])
    assert state_of(browser) == before[0]


def test_a_form_sent_twice_steps_once(browser: Browser, address: str) -> None:
    start(browser, address)
    session = browser.url.partition("/revisions")[0]
    browser.enter()
    first = browser.url
    browser.back()
    assert browser.url.endswith("/revisions/0#next")
    # Whether from the history or loaded again, the old page's button asks for a step that has been made.
    browser.open(f"{session}/revisions/0")
    browser.back()
    link_or_button = browser.one("#next")
    browser.follow(link_or_button.click)
    assert browser.url == first
    assert httpx2.get(session).json()["revision"] == 1


def test_back_shows_the_revision_before_and_the_arrows_walk_them(browser: Browser, address: str) -> None:
    start(browser, address)
    step(browser, 3)
    browser.back()
    assert "revision 2" in browser.text(".bar")
    assert state_of(browser)["phase"] == "backward"
    browser.open(browser.url.partition("/revisions")[0] + "/revisions/2")
    assert "revision 3" in browser.text(".elsewhere")
    assert not browser.all("form button#next")
    browser.click(".walk a[rel=prev]")
    assert state_of(browser)["revision"] == 1
    browser.click(".elsewhere a")
    assert state_of(browser)["revision"] == 3
    assert browser.one("#next").tag_name == "button"


def test_undo_and_run_epoch_are_one_press_each(browser: Browser, address: str) -> None:
    start(browser, address)
    session = browser.url.partition("/revisions")[0]
    assert browser.one("form[action$='/undo'] button").get_attribute("disabled") is not None
    step(browser, 3)
    browser.click(".bar form[action$='/undo'] button")
    state = state_of(browser)
    assert (state["revision"], state["phase"], state["step"]) == (4, "backward", 0)
    browser.click(".bar form[action$='/run'] button")
    state = state_of(browser)
    assert (state["revision"], state["phase"], state["step"], state["epoch"]) == (5, "ready", 6, 2)
    assert len(browser.all(".log tbody tr")) == 6
    assert browser.all(".losses svg")
    browser.click(".bar form[action$='/undo'] button")
    assert (state_of(browser)["step"], state_of(browser)["phase"]) == (0, "backward")
    assert httpx2.get(session).json()["revision"] == 6


def test_learning_that_diverges_says_so_and_undo_helps(browser: Browser, address: str) -> None:
    start(browser, address)
    browser.one(".tools summary").click()
    epochs = browser.one(".tools input[name=epochs]")
    epochs.clear()
    epochs.send_keys("300")
    browser.follow(epochs.submit)
    assert {"warning-loss_growing", "warning-diverged"} <= {
        warning.get_attribute("id") for warning in browser.all(".warning")
    }
    assert state_of(browser)["run"]["stopped_by"] == "diverged"
    assert browser.focused.get_attribute("id") == "next"
    browser.click(".bar form[action$='/undo'] button")
    assert not browser.all("#warning-diverged")


def test_the_fork_that_a_warning_offers_is_calmer(browser: Browser, address: str) -> None:
    start(browser, address)
    browser.one(".tools summary").click()
    epochs = browser.one(".tools input[name=epochs]")
    epochs.clear()
    epochs.send_keys("100")
    browser.follow(epochs.submit)
    browser.click(".warning button")
    state = state_of(browser)
    assert (state["optimizer"]["learning_rate"], state["step"]) == (0.01, 0)
    assert state["parent"] is not None


def test_a_stale_form_gets_a_page_that_leads_on(browser: Browser, address: str) -> None:
    start(browser, address)
    session = browser.url.partition("/revisions")[0]
    browser.one(".tools summary").click()
    httpx2.post(f"{session}/forward")
    browser.follow(browser.one(".tools input[name=steps]").submit)
    assert browser.text(".status") == "412"
    assert "revision 1" in browser.text("#next")
    browser.click("#next")
    assert state_of(browser)["revision"] == 1


def test_what_is_not_there_is_a_page_too(browser: Browser, address: str) -> None:
    for path in ("/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA", "/nowhere"):
        browser.open(address + path)
        assert browser.text(".status") == "404"
        assert browser.all("a#next")
    browser.click(".fine a")
    assert browser.url == f"{address}/problems/not-found"


def test_a_reader_sees_all_and_can_do_nothing(browser: Browser, address: str) -> None:
    start(browser, address)
    step(browser, 2)
    browser.one(".tools summary").click()
    browser.click("section[aria-label^=Share] a")
    state = state_of(browser)
    assert (state["allowed"], state["share"]) == ([], None)
    assert not browser.all("form")


def test_a_deleted_session_is_gone(browser: Browser, address: str) -> None:
    start(browser, address)
    session = browser.url.partition("/revisions")[0]
    browser.one(".tools summary").click()
    browser.one("form[action$='/delete'] input[type=checkbox]").click()
    browser.click("form[action$='/delete'] button")
    assert httpx2.get(session).status_code == 404
