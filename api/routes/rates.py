"""Rate limits, off unless set: requests to one session, and creations from one address.

A school is one address, so only what makes or computes something anew is counted by it. Each server counts for itself,
in memory; with several of them behind a proxy a caller may so be let through as often at each.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from starlette.types import Scope

SESSIONS = "/v1/sessions"
CREATING = frozenset({SESSIONS, "/v1/evaluate", "/v1/check", "/v1/assignments"})
REMEMBERED = 100_000
"""Names that are kept in mind; whoever is forgotten begins anew."""


class Excess(NamedTuple):
    """Too many requests: what to tell, how many a minute there may be, and after how many seconds one may come."""

    detail: str
    limit: int
    seconds: int


class Bucket:
    """A minute's worth of requests for each name, filled again as time goes by."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, name: str) -> int:
        """Take one; 0, or, if there is none, the whole seconds until there will be."""
        now = self._clock()
        left, then = self._left.get(name, (float(self.per_minute), now))
        left = min(self.per_minute, left + (now - then) * self.per_minute / 60)
        taken = left >= 1
        self._left[name] = (left - taken, now)
        self._left.move_to_end(name)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return 0 if taken else math.ceil((1 - left) * 60 / self.per_minute)


class Rates:
    """What the settings allow; 0 is any number."""

    def __init__(
        self, session_per_minute: int = 0, creations_per_minute: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sessions = Bucket(session_per_minute, clock) if session_per_minute else None
        self._creations = Bucket(creations_per_minute, clock) if creations_per_minute else None

    def excess(self, scope: Scope, path: str) -> Excess | None:
        """Count a request to this path, which has no root path; what is wrong if there are too many."""
        inside = path.removeprefix(SESSIONS + "/")
        session, _, action = inside.partition("/") if inside != path else ("", "", "")
        if self._creations and scope["method"] == "POST" and (path in CREATING or action == "fork"):
            seconds, limit = self._creations.wait(address(scope)), self._creations.per_minute
            if seconds:
                return Excess(f"one address may create {limit} times a minute; wait {seconds} s", limit, seconds)
        if self._sessions and session:
            seconds, limit = self._sessions.wait(session.partition(".")[0]), self._sessions.per_minute
            if seconds:
                return Excess(f"one session answers {limit} requests a minute; wait {seconds} s", limit, seconds)
        return None


def address(scope: Scope) -> str:
    """Whom a request is counted for: an IPv4 address, or the /64 network of an IPv6 one, which one caller has whole."""
    client: str = (scope.get("client") or ("",))[0]
    if ":" not in client:
        return client
    try:
        return str(ipaddress.ip_network((client, 64), strict=False))
    except ValueError:
        return client
