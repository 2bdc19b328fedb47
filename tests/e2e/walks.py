"""What the browser's tests share: where it is, and how it goes on."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import httpx2

if TYPE_CHECKING:
    from tests.e2e.browser import Browser


def state_of(browser: Browser) -> dict[str, Any]:
    """The JSON of the revision that the page shows."""
    found: dict[str, Any] = httpx2.get(browser.url.partition("#")[0], headers={"Accept": "application/json"}).json()
    return found


def start(browser: Browser, address: str) -> None:
    """The article's session, by one press on the start page."""
    browser.open(f"{address}/")
    browser.enter()


def step(browser: Browser, count: int) -> None:
    """So many presses of Enter."""
    for _ in range(count):
        browser.enter()


def numbers(text: str) -> list[float]:
    """The numbers in a text as pages write it."""
    return [float(one) for one in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", text.replace("\N{MINUS SIGN}", "-"))]


def close(value: float, shown: float) -> bool:
    """Whether a number is shown to the digits that a page has."""
    return math.isclose(value, shown, rel_tol=6e-4)
