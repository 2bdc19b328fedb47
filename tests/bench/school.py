"""``python -m tests.bench.school``: 10,000 students from what an action costs here.

Measured on a real PostgreSQL, with a few clients that step: the processor seconds of an action in the server and in the
database, and the seconds of one fdatasync. Played: students who act at random moments; each action takes its turn on
its server's one core, then on its database's one core, then waits for the disk, which forces at once all that is ready.
Left out: networks, looks at pages, more cores than one for a database, and that a slow answer makes students wait.
"""

from __future__ import annotations

import math
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests import postgres
from tests.bench.durable_step import SERVE, append, serving
from tests.bench.load import Load
from tests.bench.ratios import seconds
from tests.bench.sixty_four import created, stepping

STUDENTS, PLAYED = 10_000, 60.0
CLIENTS, LOADED, FORCED = 8, 5.0, 300
SCHOOLS = ((20.0, 1, 1), (20.0, 1, 2), (5.0, 1, 2), (5.0, 1, 4), (1.0, 1, 16), (1.0, 4, 4))
"""Seconds between a student's actions, databases, servers of each."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of one action in the server and in the database, and of forcing the disk once."""

    server: float
    database: float
    force: float


def processor_seconds(pids: Sequence[int]) -> float:
    """What these processes and their children that live have used, as Linux counts it."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:  # it has just ended
            continue
        fields = text.rpartition(")")[2].split()
        if int(stat.parent.name) in pids or int(fields[1]) in pids:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure() -> Costs:
    """The costs of an action on this machine."""
    with postgres.serving(postgres.programs_folder()) as database, tempfile.TemporaryDirectory() as name:
        assert database.process is not None
        with serving(["-c", SERVE, "serve", "--database-url", database.migrated()]) as service:
            load = Load(service.port, [stepping(created(service)) for _ in range(CLIENTS)])
            load.per_second(1)
            owners = ([service.pid], [database.process.pid])
            before, counted = [processor_seconds(each) for each in owners], sum(load.statuses().values())
            load.per_second(LOADED)
            after, answered = [processor_seconds(each) for each in owners], load.statuses()
        if set(answered) != {b"200"}:
            raise AssertionError(f"{answered}")
        actions = sum(answered.values()) - counted
        with (Path(name) / "appended").open("ab", buffering=0) as file:
            force = statistics.median(seconds(partial(append, file.fileno())) for _ in range(FORCED))
    server, own = ((late - early) / actions for early, late in zip(before, after, strict=True))
    return Costs(server, own, force)


def play(costs: Costs, students: int, pause: float, databases: int, servers: int, seed: int = 1) -> list[float]:
    """The seconds from each action to its answer, sorted; students are dealt to databases, then to their servers."""
    chance, until = random.Random(seed), PLAYED
    waits: list[float] = []
    for _ in range(databases):
        free, ready, now = [0.0] * servers, [], 0.0
        while (now := now + chance.expovariate(students / databases / pause)) < until:
            server = chance.randrange(servers)
            free[server] = max(free[server], now) + costs.server
            ready.append((free[server], now))
        waits += stored(costs, sorted(ready))
    return sorted(waits)


def stored(costs: Costs, ready: Sequence[tuple[float, float]]) -> list[float]:
    """The waits of actions ``(ready, began)`` for one database, in the order in which they reach it."""
    waits, free, begins = [], 0.0, -math.inf
    for arrived, began in ready:
        free = max(free, arrived) + costs.database
        if free > begins:  # the force that was to take it has begun without it
            begins = max(free, begins + costs.force)
        waits.append(begins + costs.force - began)
    return waits


def main() -> int:
    """The table on standard output."""
    costs = measure()
    sys.stdout.write(
        f"One action: {costs.server * 1e3:.2f} ms of a server's core, {costs.database * 1e3:.2f} ms of the database's, "
        f"and {costs.force * 1e3:.2f} ms to force the disk.\n\n"
        "| an action every | databases | servers of each | a server is busy | a database is busy | p50 | p99 |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    for pause, databases, servers in SCHOOLS:
        rate = STUDENTS / pause / databases
        busy, own = rate * costs.server / servers, rate * costs.database
        times = "too few | too few"
        if max(busy, own) < 1:
            waits = play(costs, STUDENTS, pause, databases, servers)
            times = " | ".join(f"{waits[int(len(waits) * part)] * 1e3:.1f} ms" for part in (0.5, 0.99))
        sys.stdout.write(f"| {pause:g} s | {databases} | {servers} | {busy:.0%} | {own:.0%} | {times} |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
