"""What the libraries themselves make of the cases: where they are installed, as they make it now."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from typing import Any

import pytest

WANTED = {"torch": "2.13", "keras": "3.15"}


def missing() -> str:
    """Which of the libraries is not here in the version that its dialect follows."""
    for name, version in WANTED.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if not found.startswith(f"{version}."):
            return f"needs {name} {version}, there is {found}: pip install -e '.[libraries]'"
    return ""


@pytest.fixture(scope="session")
def live() -> dict[str, Any]:
    """Every case, made in a process of its own: both libraries are large and set the whole process's defaults."""
    if reason := missing():
        pytest.skip(reason)
    command = [sys.executable, "-W", "ignore", "-m", "tests.libraries.made"]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(made.stdout)
    return found
