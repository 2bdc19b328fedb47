"""``kill -9`` in the midst of steps: nothing that was acknowledged is missing, nothing is there twice."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

from api.store import Store
from tests.store.conftest import Played, PlayedOnFile
from tests.store.walks import CYCLE, act, article, facts

ROOT = Path(__file__).parents[2]
SESSIONS = 4


def test_after_kill_9_every_acknowledged_step_is_there_once(play: Played) -> None:
    async def begin(store: Store) -> list[str]:
        return [(await store.create(article())).id for _ in range(SESSIONS)]

    all_ids = play(begin)
    acknowledged = dict.fromkeys(all_ids, 0)
    for round in range(4):
        command = [sys.executable, "-m", "tests.store.test_crash", play.url, *all_ids]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.05 + 0.07 * round)
            process.send_signal(signal.SIGKILL)
            for line in process.stdout.read().splitlines():
                if line.endswith("."):
                    id, revision = line[:-1].split()
                    acknowledged[id] = int(revision)
        check(play, play(lambda store: look(store, all_ids)), acknowledged)
    assert min(acknowledged.values()) > 10


async def look(store: Store, all_ids: list[str]) -> dict[str, tuple[int, int]]:
    found = {}
    for id in all_ids:
        stored = await store.load(id)
        session = article()
        for count in range(stored.revision):
            session = getattr(session, CYCLE[count % 3])()
        assert facts(session) == facts(stored.session)
        found[id] = (stored.place.key, stored.revision)
    return found


def check(play: Played, found: dict[str, tuple[int, int]], acknowledged: dict[str, int]) -> None:
    if isinstance(play, PlayedOnFile):
        assert play.execute("PRAGMA integrity_check") == [("ok",)]
    for id, (key, revision) in found.items():
        assert acknowledged[id] <= revision <= acknowledged[id] + 1
        acknowledged[id] = revision
        rows = play.execute(f"SELECT revision FROM events WHERE session_key = {key} ORDER BY revision")
        assert [row for (row,) in rows] == list(range(revision + 1))


async def step_for_ever(url: str, all_ids: list[str]) -> None:
    store = Store.open(url)
    sys.stdout.write("ready\n")
    sys.stdout.flush()

    async def walk(id: str) -> None:
        while True:
            phase = (await store.load(id)).session.phase
            stored = await act(store, id, CYCLE[("ready", "forward", "backward").index(phase)])
            sys.stdout.write(f"{id} {stored.revision}.\n")
            sys.stdout.flush()

    await asyncio.gather(*(walk(id) for id in all_ids))


if __name__ == "__main__":
    asyncio.run(step_for_ever(sys.argv[1], sys.argv[2:]))
