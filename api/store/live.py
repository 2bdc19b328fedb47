"""Whoever watches a session hears of each new revision.

Revisions have no gaps, so the newest number is all that has to be kept for a slow listener.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager


class _Listener:
    __slots__ = ("changed", "closed", "newest")

    def __init__(self, newest: int) -> None:
        self.newest = newest
        self.closed = False
        self.changed = asyncio.Event()


class Live:
    """Listeners by the session's key."""

    def __init__(self) -> None:
        self._listeners: dict[int, set[_Listener]] = {}

    def keys(self) -> list[int]:
        """The sessions that anybody listens to."""
        return list(self._listeners)

    def __len__(self) -> int:
        return sum(map(len, self._listeners.values()))

    @contextmanager
    def listen(self, key: int, after: int) -> Iterator[AsyncIterator[int]]:
        """An iterator over the revisions later than ``after``; it ends when the session or the store does."""
        listener = _Listener(after)
        self._listeners.setdefault(key, set()).add(listener)
        try:
            yield _revisions(listener, after)
        finally:
            others = self._listeners.get(key, set())
            others.discard(listener)
            if not others:
                self._listeners.pop(key, None)

    def announce(self, key: int, revision: int) -> None:
        """A session has a new revision."""
        for listener in self._listeners.get(key, ()):
            listener.newest = max(listener.newest, revision)
            listener.changed.set()

    def end(self, key: int) -> None:
        """A session is gone."""
        for listener in self._listeners.get(key, ()):
            listener.closed = True
            listener.changed.set()

    def end_all(self) -> None:
        """The store closes."""
        for key in list(self._listeners):
            self.end(key)


async def _revisions(listener: _Listener, seen: int) -> AsyncIterator[int]:
    while True:
        while seen < listener.newest:
            seen += 1
            yield seen
        if listener.closed:
            return
        listener.changed.clear()
        await listener.changed.wait()
