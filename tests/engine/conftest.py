"""What the libraries make of the golden cases: as stored, and where they are installed, as they make it now."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from typing import Any

import pytest

from tests.golden.libraries import HERE

WANTED = {"torch": "2.13.0", "keras": "3.15"}


def missing() -> str:
    """Which of the libraries is not here in the version that the dialects follow."""
    for name, version in WANTED.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if not f"{found}.".startswith(f"{version}.") and not found.startswith(f"{version}+"):
            return f"{name} {version} is needed, {found} is installed: pip install 'stepgrad[libraries]'"
    return ""


@pytest.fixture(scope="session")
def stored() -> dict[str, Any]:
    """The golden file."""
    found: dict[str, Any] = json.loads(HERE.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="session")
def live() -> dict[str, Any]:
    """The same made now, in a process of its own: both libraries are large and set the whole process's defaults."""
    if reason := missing():
        pytest.skip(reason)
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.golden.libraries"], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(made.stdout)
    return found
