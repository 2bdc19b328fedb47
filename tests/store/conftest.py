from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from api.store import Store

T = TypeVar("T")


class Played:
    """Runs scenarios on one database file; each call is a new process's life, as far as the store can tell."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "stepgrad.db"
        self.url = f"sqlite:///{self.path}"

    def __call__(self, scenario: Callable[[Store], Awaitable[T]], **options: Any) -> T:
        async def life() -> T:
            store = Store.open(self.url, **options)
            try:
                return await scenario(store)
            finally:
                await store.close()

        return asyncio.run(asyncio.wait_for(life(), 60))


@pytest.fixture
def play(tmp_path: Path) -> Played:
    return Played(tmp_path)
