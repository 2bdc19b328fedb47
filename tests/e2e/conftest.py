"""The browser, where there is one, and pages to look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pages import made

if TYPE_CHECKING:
    from tests.e2e.browser import Browser


@contextmanager
def started(*, javascript: bool) -> Iterator[Browser]:
    """A browser of its own; skips the test where there is none."""
    pytest.importorskip("selenium", reason="needs pip install '.[ci]'")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs chromium and chromedriver (Debian's packages chromium and chromium-driver)")
    from tests.e2e.browser import Browser

    browser = Browser(program, driver, javascript=javascript)
    try:
        yield browser
    finally:
        browser.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Chromium with JavaScript off, one for all tests."""
    with started(javascript=False) as browser:
        yield browser


@pytest.fixture(scope="session")
def inspector() -> Iterator[Browser]:
    """Chromium with JavaScript on, for an inspection that is itself a script."""
    with started(javascript=True) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """The browser with a window of 1440 × 900, light, on an empty page."""
    chromium.size(1440, 900)
    chromium.open("about:blank")
    return chromium


@pytest.fixture(scope="session")
def pages(address: str) -> dict[str, str]:
    """The paths of pages of every kind, by name."""
    return made(address)
