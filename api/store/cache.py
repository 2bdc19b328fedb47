"""What is kept in memory: sessions used lately, and one lock for each that is being written."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Container

from api.store.records import Stored


class Cache:
    """The sessions used last, by read id; never an older revision over a newer one."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[str, Stored] = OrderedDict()

    def get(self, read_id: str) -> Stored | None:
        """The newest state known, if it still is here."""
        stored = self._entries.get(read_id)
        if stored is not None:
            self._entries.move_to_end(read_id)
        return stored

    def put(self, stored: Stored) -> None:
        """Keep this state, and let go of the session used longest ago if there are too many."""
        known = self._entries.get(stored.read_id)
        if known is None or known.revision <= stored.revision:
            self._entries[stored.read_id] = stored
            self._entries.move_to_end(stored.read_id)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)

    def evict(self, read_id: str) -> None:
        """Forget a session, so that it is read again."""
        self._entries.pop(read_id, None)

    def evict_keys(self, keys: Container[int]) -> None:
        """Forget the sessions that the database knows by these keys."""
        for read_id in [read_id for read_id, stored in self._entries.items() if stored.place.key in keys]:
            self.evict(read_id)


class Turn:
    """One writer's hold on a session; may be given up early, and twice."""

    __slots__ = ("_lock", "_users", "name")

    def __init__(self, name: str, lock: asyncio.Lock, users: list[int]) -> None:
        self.name = name
        self._lock: asyncio.Lock | None = lock
        self._users = users

    def release(self) -> None:
        """Let the next writer in."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()


class Locks:
    """A lock per session, which exists only while somebody holds or awaits it."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, list[int]]] = {}

    async def turn(self, name: str) -> Turn:
        """Wait for one's turn, which ``leave`` must end, even if it was released before."""
        entry = self._locks.get(name)
        if entry is None:
            entry = self._locks[name] = (asyncio.Lock(), [0])
        lock, users = entry
        users[0] += 1
        try:
            await lock.acquire()
        except BaseException:
            self._forget(name, users)
            raise
        return Turn(name, lock, users)

    def leave(self, turn: Turn) -> None:
        """Let the next writer in, or drop the lock if there is none."""
        turn.release()
        self._forget(turn.name, turn._users)

    def _forget(self, name: str, users: list[int]) -> None:
        users[0] -= 1
        if not users[0]:
            del self._locks[name]

    def __len__(self) -> int:
        return len(self._locks)
