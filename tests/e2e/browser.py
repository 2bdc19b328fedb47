"""Chromium with JavaScript turned off by a managed setting, as an administrator turns it off, driven through selenium.

Pages run nothing; ``measure`` still asks the browser about them, through its developer tools.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

FLAGS = [
    *("--headless=new", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--force-device-scale-factor=1"),
]
OFF = {"profile.managed_default_content_settings.javascript": 2}


class Browser:
    """One window; sizes are those of the page's area."""

    def __init__(self, chromium: str, driver: str, *, javascript: bool = False) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        # The driver's own waiting would never end on a page that stays open; ``open`` and ``follow`` wait.
        options.page_load_strategy = "none"
        # Chromium's own sandbox does not start for root.
        for flag in [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]:
            options.add_argument(flag)
        if not javascript:
            options.add_experimental_option("prefs", OFF)
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(driver))
        self.driver.set_script_timeout(120)  # an inspection of a large page takes its time
        self.size(1440, 900)

    def close(self) -> None:
        """End the browser."""
        self.driver.quit()

    def size(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Give the page so many CSS pixels and a light or a dark look; nothing in it moves."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        look = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in look.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, url: str, *, whole: bool = True) -> None:
        """Go to an address, and wait for the page, for all of it unless that never comes."""
        self.follow(lambda: self.driver.get(url), whole=whole)

    @property
    def url(self) -> str:
        """Where the browser is."""
        return self.driver.current_url

    @property
    def title(self) -> str:
        """The page's title."""
        return self.driver.title

    @property
    def source(self) -> str:
        """The page as text."""
        return self.driver.page_source

    @property
    def focused(self) -> WebElement:
        """The element that has the focus."""
        return self.driver.switch_to.active_element

    def one(self, selector: str) -> WebElement:
        """The first element that matches."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """Every element that matches."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """What the first element that matches shows."""
        return self.one(selector).text

    def enter(self) -> None:
        """Press Enter where the focus is, and wait for the page that follows."""
        self.follow(lambda: self.focused.send_keys(Keys.ENTER))

    def tab(self) -> None:
        """Press Tab."""
        self.focused.send_keys(Keys.TAB)

    def click(self, selector: str) -> None:
        """Click, and wait for the page that follows."""
        self.follow(self.one(selector).click)

    def back(self) -> None:
        """The browser's own button."""
        self.follow(self.driver.back)

    def reload(self) -> None:
        """The browser's own button."""
        self.follow(self.driver.refresh)

    def follow(self, act: Callable[[], None], *, whole: bool = True) -> None:
        """Do what leads to another page, and wait until that is there in full."""
        old = self.all(":root")
        act()
        self.until(lambda: not any(map(alive, old)) and self.one(":root"))
        self.until(lambda: not whole or self.measure("document.readyState") == "complete")

    def until(self, done: Callable[[], object], seconds: float = 15) -> None:
        """Wait; AssertionError when it takes too long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(WebDriverException):  # between two pages
                if done():
                    return
            time.sleep(0.02)
        raise AssertionError(f"waited in vain at {self.url}")

    def measure(self, expression: str) -> Any:
        """What the browser knows of the page, by an expression of its developer tools."""
        return self.driver.execute_script(f"return ({expression})")

    def send(self, method: str, **parameters: Any) -> Any:
        """A command of the developer tools."""
        return self.driver.execute_cdp_cmd(method, parameters)

    def picture(self, path: str) -> None:
        """Save the whole page, not only what fits the window, as a PNG."""
        width, height = self.measure("[innerWidth, document.documentElement.scrollHeight]")
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.save_screenshot(path)


def alive(element: WebElement) -> bool:
    """Whether an element's page is still the one shown."""
    try:
        return element.is_enabled()
    except WebDriverException:
        return False
