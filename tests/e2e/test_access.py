"""What axe-core finds wrong for those who cannot see, or not well, or use no mouse: nothing."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pages import NAMES

if TYPE_CHECKING:
    from tests.e2e.browser import Browser

# A package that brings the script; nothing else of it is used.
BRINGS = find_spec("axe_playwright_python")
INSPECT = """const done = arguments[arguments.length - 1];
axe.run().then(found => done(found.violations.map(fault => [fault.id, fault.nodes.length, fault.nodes[0].html])));"""


@pytest.mark.skipif(BRINGS is None, reason="needs pip install --no-deps axe-playwright-python")
@pytest.mark.parametrize("name", [name for name in NAMES if name != "a cell"])  # it has nothing but more of the same
def test_axe_finds_nothing(inspector: Browser, address: str, pages: dict[str, str], name: str) -> None:
    assert BRINGS is not None
    assert BRINGS.origin is not None
    script = Path(BRINGS.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    for width, dark in ((360, True), (1440, False)):
        inspector.size(width, dark=dark)
        inspector.open(address + pages[name])
        inspector.measure("document.querySelectorAll('details').forEach(part => part.open = true)")
        inspector.driver.execute_script(script)
        assert inspector.driver.execute_async_script(INSPECT) == []
