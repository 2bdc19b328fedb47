"""Chromium with JavaScript turned off, as an administrator's policy does it, driven through selenium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

pytest.importorskip("selenium", reason="needs pip install '.[ci]'")

from tests.e2e.browser import Browser

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
