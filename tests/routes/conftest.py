"""A running application on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings


def settings(folder: Path, **changes: Any) -> Settings:
    """Settings for tests, of which ``changes`` are different."""
    given: dict[str, Any] = {"database_url": f"sqlite:///{folder}/test.db", "run_workers": 1, **changes}
    return Settings(**given)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """A client of an application with default limits; exceptions become answers, as they do in service."""
    with TestClient(create_app(settings(tmp_path)), raise_server_exceptions=False, follow_redirects=False) as made:
        yield made


@pytest.fixture
def session(client: TestClient) -> str:
    """The address of a new session: the article's own."""
    location: str = client.post("/v1/sessions").headers["location"]
    return location


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
