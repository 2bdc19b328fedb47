"""What a session's page shows when it is pointed at, walked through by Tab, or asked for more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from tests.e2e.walks import close, start

if TYPE_CHECKING:
    from tests.e2e.browser import Browser

LIT = """[...document.querySelectorAll('.graph .e, .graph .node')].map((part, place) => [place, part])
    .filter(([place, part]) => getComputedStyle(part).getPropertyValue('--on') === '1').map(([place]) => place)"""


def test_hover_focus_and_address_light_exactly_the_same_path(browser: Browser, address: str) -> None:
    made = httpx2.post(f"{address}/v1/sessions", json={"start": {"phase": "backward"}}).headers["location"]
    browser.open(address + made)
    assert browser.measure("[...document.querySelectorAll('.node.kx')].map(a => a.getAttribute('href'))") == [
        "#p-w1",
        "#p-w2",
        "#p-b",
    ]
    seen = []
    for name in ("w1", "w2", "b"):
        lit = []
        rect = f"document.querySelector('.node[href=\"#p-{name}\"] rect').getBoundingClientRect()"
        box = browser.measure(f"(r => [r.x + r.width/2, r.y + r.height/2])({rect})")
        browser.send("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
        browser.until(lambda: browser.measure(LIT))
        lit.append(browser.measure(LIT))
        browser.send("Input.dispatchMouseEvent", type="mouseMoved", x=2, y=2)
        browser.until(lambda: not browser.measure(LIT))
        browser.measure(f"document.querySelector('.node[href=\"#p-{name}\"]').focus()")
        lit.append(browser.measure(LIT))
        browser.measure("document.activeElement.blur()")
        browser.open("about:blank")
        browser.open(f"{address}{made}#p-{name}")
        lit.append(browser.measure(LIT))
        assert lit[0] == lit[1] == lit[2]
        # its own node, the prediction, the loss, and the two edges between them
        assert len(lit[0]) == 5
        seen.append(lit[0])
        browser.open("about:blank")
        browser.open(address + made)
    assert seen[0] != seen[1] != seen[2]


def test_tab_goes_from_parameter_to_parameter_and_lights_each_path(browser: Browser, address: str) -> None:
    made = httpx2.post(f"{address}/v1/sessions", json={"start": {"phase": "backward"}}).headers["location"]
    browser.open(address + made)
    reached: list[str] = []
    while len(reached) < 3:
        browser.tab()
        target = browser.measure("document.activeElement.getAttribute('href') || ''")
        if target.startswith("#p-") and browser.measure("document.activeElement.matches('.node')"):
            assert len(browser.measure(LIT)) == 5
            reached.append(target)
    assert reached == ["#p-w1", "#p-w2", "#p-b"]


def test_more_charts_are_drawn_when_they_are_asked_for(browser: Browser, address: str) -> None:
    made = httpx2.post(f"{address}/v1/sessions").headers["location"]
    httpx2.post(f"{address}{made}/run", json={"steps": 20})
    browser.open(address + made)
    assert len(browser.all(".losses svg")) == 1
    browser.click(".losses a")
    assert len(browser.all(".losses svg")) == 2
    last = browser.all(".losses .lastl")[-1].text.replace("\N{MINUS SIGN}", "-")
    assert close(httpx2.get(address + made).json()["parameters"]["b"], float(last.replace("e", "e")))


def test_the_current_line_of_the_algorithm_is_marked(browser: Browser, address: str) -> None:
    start(browser, address)
    for word in ("feed", "forward", "backward", "update"):
        assert browser.text(".code .now").startswith(word)
        assert browser.measure("document.querySelectorAll('.code [aria-current=step]').length") == 1
        browser.enter()
