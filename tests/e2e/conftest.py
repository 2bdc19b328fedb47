"""The browser, where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.browser import Browser


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Chromium with JavaScript off, one for all tests."""
    pytest.importorskip("selenium", reason="needs pip install '.[ci]'")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs chromium and chromedriver (Debian's packages chromium and chromium-driver)")
    from tests.e2e.browser import Browser

    made = Browser(program, driver)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """The browser with a window of 1440 × 900, light, on an empty page."""
    chromium.size(1440, 900)
    chromium.open("about:blank")
    return chromium
