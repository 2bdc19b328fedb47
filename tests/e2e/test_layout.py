"""What pages look like, as far as it can be measured: widths, sizes of type, and nothing that would run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.e2e.pages import NAMES

if TYPE_CHECKING:
    from tests.e2e.browser import Browser

WIDTHS = (320, 360, 768, 1440)
TYPE_SIZES = """[...document.querySelectorAll('svg.graph text, svg.graph tspan')].map(text =>
    [text.textContent, parseFloat(getComputedStyle(text).fontSize) * (text.ownerSVGElement.getScreenCTM().a)])"""
TOO_WIDE = """[...document.querySelectorAll('body *')].filter(e => !e.closest('.pan, .scroll, .mx, .vh'))
    .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map(e => e.tagName + '.' + e.getAttribute('class')).slice(0, 5)"""
# A matrix cannot be cut: one that is wider than the window scrolls in a box of its own, which the keyboard reaches.
CLIPPED = """[...document.querySelectorAll('.mx, .eqn')].filter(e => e.scrollWidth > e.clientWidth + 1)
    .filter(e => e.tabIndex < 0 || ![...e.querySelectorAll('math:has(mtable)')]
        .some(matrix => matrix.getBoundingClientRect().width > e.clientWidth))
    .map(e => [e.textContent.slice(0, 80), e.scrollWidth, e.clientWidth])"""
RUNS = re.compile(r"<script|\bon[a-z]+\s*=\s*[\"']|javascript:|\sstyle=", re.IGNORECASE)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wider_than_the_window_and_type_is_legible(
    browser: Browser, address: str, pages: dict[str, str], name: str
) -> None:
    for dark in (False, True):
        for width in WIDTHS:
            browser.size(width, dark=dark)
            browser.open(address + pages[name])
            for unfolded in (False, True):
                if unfolded:
                    browser.measure("document.querySelectorAll('details').forEach(part => part.open = true)")
                wide = browser.measure("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
                assert wide == [width, width], (width, dark, unfolded, browser.measure(TOO_WIDE))
            assert browser.measure(CLIPPED) == [], (width, dark)
            sizes = browser.measure(TYPE_SIZES)
            assert bool(sizes) is bool(browser.all("svg.graph"))
            small = [text for text in sizes if text[1] < 10.99]
            assert not small, (width, small[:5])


@pytest.mark.parametrize("name", NAMES)
def test_no_page_holds_anything_that_runs(address: str, pages: dict[str, str], name: str) -> None:
    answer = httpx2.get(address + pages[name], headers={"Accept": "text/html"})
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert not RUNS.findall(answer.text)


@pytest.mark.parametrize("name", NAMES)
def test_pages_differ_by_day_and_by_night(browser: Browser, address: str, pages: dict[str, str], name: str) -> None:
    colours = []
    for dark in (False, True):
        browser.size(1440, dark=dark)
        browser.open(address + pages[name])
        colours.append(browser.measure("getComputedStyle(document.documentElement).backgroundColor"))
    assert colours[0] != colours[1]


def test_the_pictures_stand_alone_in_the_browser(browser: Browser, address: str, pages: dict[str, str]) -> None:
    for picture in ("graph.svg", "loss.svg"):
        browser.open(f"{address}{pages['diverged']}/{picture}")
        assert browser.measure("document.documentElement.nodeName") == "svg"
        sizes = browser.measure("[...document.querySelectorAll('text')].map(t => getComputedStyle(t).fontSize)")
        assert sizes
        assert "16px" not in sizes, "a text that no style reaches"
