"""An exported session in the browser, from a disk, JavaScript off: all there, nothing fetched, and walked by Enter."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from api.app import client_folder
from api.export import Extent, write
from api.store import Store
from tests.e2e.test_access import BRINGS, INSPECT
from tests.e2e.test_layout import CLIPPED, TOO_WIDE, TYPE_SIZES
from tests.e2e.test_walk import same
from tests.routes.serving import call, serving

if TYPE_CHECKING:
    from tests.e2e.browser import Browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a session of two steps and a half."""
    place = tmp_path_factory.mktemp("exported")
    with serving(place) as (url, _):
        state = call("POST", f"{url}/v1/sessions", {"title": "House prices"})[1]
        call("POST", url + state["links"]["run"], {"steps": 2})
        call("POST", url + state["links"]["forward"])

    async def run() -> None:
        store = Store.open_to_read(f"sqlite:///{place}/served.db")
        try:
            await write(store, state["id"], place / "out", client_folder(), Extent(), lambda *_: None)
        finally:
            await store.close()

    asyncio.run(run())
    return place / "out"


@pytest.fixture
def opened(browser: Browser, folder: Path) -> Browser:
    """The browser at the index, from the disk."""
    browser.open(f"{folder.as_uri()}/index.html")
    return browser


def test_enter_walks_every_page_and_the_numbers_are_those_beside_it(opened: Browser, folder: Path) -> None:
    opened.click("#next")
    for place in [f"{step}-{phase}" for step in (0, 1) for phase in ("ready", "forward", "backward")] + ["2-ready"]:
        assert opened.url == f"{folder.as_uri()}/step-{place}.html#next"
        assert opened.focused.get_attribute("id") == "next"
        assert opened.measure("scrollY") == 0
        state: dict[str, Any] = json.loads((folder / f"step-{place}.json").read_bytes())
        opened.one(".alt summary").click()
        rows = opened.all("table.nodes tbody tr")
        for row, node in zip(rows, state["graph"]["nodes"], strict=True):
            cells = [cell.text for cell in row.find_elements("css selector", "th, td")]
            assert same(cells[3], node["value"])
            assert same(cells[4], node["gradient"])
        opened.measure("document.querySelector('#next').focus()")
        opened.enter()
    assert opened.url.endswith("/step-2-forward.html#next")
    opened.click(".walk a[rel=prev]")
    assert opened.url.endswith("/step-2-ready.html#next")
    opened.click(".brand")
    assert opened.url == f"{folder.as_uri()}/index.html"


def test_every_link_of_every_page_stays_in_the_folder_and_is_there(opened: Browser, folder: Path) -> None:
    pages = [path.as_uri() for path in folder.glob("*.html")]
    for page in pages:
        opened.open(page)
        links = opened.measure("[...document.querySelectorAll('[href], [src], [action]')].map(e => e.href || e.src)")
        links = [link for link in links if isinstance(link, str)]
        assert len(links) > 4
        for link in links:
            target = link.partition("#")[0]
            assert target.startswith(folder.as_uri() + "/")
            assert (folder / target.rpartition("/")[2]).is_file()
        sheets = opened.measure("[...document.styleSheets].map(sheet => sheet.href)")
        assert sheets
        assert set(sheets) <= set(links)
        assert not opened.all("form, script, iframe")


def test_the_style_reaches_the_pages_from_the_disk_and_from_a_host(browser: Browser, folder: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for base in (folder.as_uri(), f"http://127.0.0.1:{server.server_port}"):
            colours = []
            for dark in (False, True):
                browser.size(1440, dark=dark)
                browser.open(f"{base}/step-0-backward.html")
                colours.append(browser.measure("getComputedStyle(document.querySelector('.parameter rect')).fill"))
                assert browser.measure("getComputedStyle(document.querySelector('.bar')).position") == "sticky"
            assert colours[0] != colours[1]
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("name", ["index", "step-0-ready", "step-0-backward", "step-2-forward"])
def test_nothing_is_wider_than_the_window_and_type_is_legible(browser: Browser, folder: Path, name: str) -> None:
    for width in (320, 360, 768, 1440):
        browser.size(width, dark=width == 360)
        browser.open(f"{folder.as_uri()}/{name}.html")
        wide = browser.measure("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide == [width, width], (width, browser.measure(TOO_WIDE))
        assert browser.measure(CLIPPED) == [], width
        assert not [text for text in browser.measure(TYPE_SIZES) if text[1] < 10.99]


@pytest.mark.skipif(BRINGS is None, reason="needs pip install --no-deps axe-playwright-python")
@pytest.mark.parametrize("name", ["index", "step-0-backward"])
def test_axe_finds_nothing(inspector: Browser, folder: Path, name: str) -> None:
    assert BRINGS is not None
    assert BRINGS.origin is not None
    script = Path(BRINGS.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    for width, dark in ((360, True), (1440, False)):
        inspector.size(width, dark=dark)
        inspector.open(f"{folder.as_uri()}/{name}.html")
        inspector.measure("document.querySelectorAll('details').forEach(part => part.open = true)")
        inspector.driver.execute_script(script)
        assert inspector.driver.execute_async_script(INSPECT) == []
