"""``kill -9`` again and again while clients work: ``python -m tests.contract.kills --rounds 500``.

Each client has a session of its own and repeats a request, with the same idempotency key, until it is answered: by
whichever server of the next life, or by another one on the same database. So each request must be applied once,
whether it was lost on the way there, killed half-way, or answered to nobody. Afterwards every revision is compared with
a model that was told of the answered requests alone.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from api.training.definition import define
from api.training.run import advance, arrived
from api.training.session import Session
from tests.routes.line import NEXT, Line, compared
from tests.routes.serving import serving

BODY = {"optimizer": {"learning_rate": 0.01}, "batch_size": 2, "shuffle": True, "seed": 5}
LONG_RUN = 60_000
"""Steps that take so long that a run is killed in the midst of its slices now and then."""
PATIENCE_SECONDS = 180.0
"""For which a request is repeated; on a busy machine a server that is killed again and again is seldom there."""
Json = dict[str, Any]


@dataclass
class Report:
    """What became of it."""

    kills: int = 0
    answers: int = 0
    repeated: int = 0
    replayed: int = 0
    interrupted: int = 0
    problems: list[str] = field(default_factory=list)


class Lives:
    """Servers on one database, each of which lives many times; ``addresses`` are those alive."""

    def __init__(self, folder: Path, count: int, database_url: str | None) -> None:
        self._folder, self._url = folder, database_url
        self._stacks = [ExitStack() for _ in range(count)]
        self.addresses: list[str | None] = [None] * count
        self._processes: list[Any] = [None] * count

    def start(self, which: int) -> None:
        """A new life."""
        address, process = self._stacks[which].enter_context(serving(self._folder, database_url=self._url))
        self.addresses[which], self._processes[which] = address, process

    def kill(self, which: int) -> None:
        """The end of one."""
        self._processes[which].kill()
        self._processes[which].wait()
        self.addresses[which] = None
        self._stacks[which].close()

    def close(self) -> None:
        """The end of all, in good order."""
        for stack in self._stacks:
            stack.close()


class Client:
    """One session, one request after another, none of which is let go before it is answered."""

    def __init__(self, lives: Lives, seed: int, report: Report, ended: threading.Event) -> None:
        self.lives, self.report, self.ended = lives, report, ended
        self.random = random.Random(seed)
        self.line = Line(Session.start(define(BODY)))
        self.numbers = 0
        created = self.ask("POST", "/v1/sessions", BODY, f"creation of client {seed:09d}")
        self.path: str = created["links"]["self"]

    def work(self) -> None:
        """Until the end."""
        while not self.ended.is_set():
            action, body = self.next()
            document = self.ask("POST", f"{self.path}/{action}", body, f"{self.numbers}")
            self.report.answers += 1
            self.follow(action, body, document)
            expected = self.line.facts() | {"revision": self.line.revision}
            found = compared(document) | {"revision": document["revision"]}
            if found != expected:
                self.report.problems.append(f"{action} {body}: {found} instead of {expected}")
                return

    def next(self) -> tuple[str, Json]:
        """An action that is possible now."""
        self.numbers += 1
        chance = self.random.random()
        if chance < 0.01:
            return "run", {"steps": LONG_RUN}
        if chance < 0.05:
            return "run", {"steps": self.random.randint(1, 40)}
        if chance < 0.15 and self.line.accepts("undo", {}):
            return "undo", {}
        return NEXT[self.line.now.phase], {}

    def follow(self, action: str, body: Json, document: Json) -> None:
        """The same in the model; a run that was interrupted is as long as it is told to have been."""
        if action != "run":
            self.line.act(action, body)
            return
        steps = document["run"]["steps_done"]
        self.report.interrupted += document["run"]["stopped_by"] != "completed"
        if not steps:
            self.line.states.append(self.line.now)
        else:
            now = self.line.now
            self.line.states.append(arrived(now, advance(now.definition, now.snapshot, steps=steps)))
        self.line.revision += 1

    def ask(self, method: str, path: str, body: Json, key: str) -> Json:
        """The document that is answered in the end."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key.rjust(22, "-")}
        until = time.monotonic() + PATIENCE_SECONDS
        for turn in count():
            alive = [address for address in self.lives.addresses if address]
            if turn:
                time.sleep(0.02)
            if time.monotonic() > until:
                raise AssertionError(f"{method} {path}: no answer")
            if not alive:
                continue
            self.report.repeated += turn > 0
            connection = http.client.HTTPConnection(self.random.choice(alive).removeprefix("http://"), timeout=30)
            with closing(connection), suppress(OSError, http.client.HTTPException, ValueError):
                connection.request(method, path, json.dumps(body), headers)
                answer = connection.getresponse()
                document: Json = json.loads(answer.read())
                if answer.status in (200, 201):
                    self.report.replayed += answer.getheader("Idempotent-Replayed") == "true"
                    return document
                # Only what is worth another try: the run of a server that is no more, or a server on its way out.
                if document["type"].rpartition("/")[2] not in ("run-in-progress", "store-unavailable", "conflict"):
                    raise AssertionError(f"{method} {path} {body}: {document}")
        raise AssertionError("counting has no end")

    def look_back(self) -> None:
        """Every revision is there, and none but those that were answered."""
        connection = http.client.HTTPConnection(str(self.lives.addresses[0]).removeprefix("http://"), timeout=30)
        for revision in range(self.line.revision + 2):
            connection.request("GET", f"{self.path}/revisions/{revision}")
            answer = connection.getresponse()
            document = json.loads(answer.read())
            if (answer.status == 200) != (revision <= self.line.revision):
                self.report.problems.append(f"revision {revision} of {self.line.revision}: {answer.status}")
            elif answer.status == 200 and document["revision"] != revision:
                self.report.problems.append(f"revision {revision} says that it is {document['revision']}")
        connection.close()


@contextmanager
def living(lives: Lives) -> Iterator[None]:
    """All of them, from the beginning to the end."""
    for which in range(len(lives.addresses)):
        lives.start(which)
    try:
        yield
    finally:
        lives.close()


def kill(rounds: int, *, clients: int = 6, servers: int = 1, database_url: str | None = None, seed: int = 0) -> Report:
    """Kill a server so many times, and report."""
    report, ended, chance = Report(), threading.Event(), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        lives = Lives(Path(folder), servers, database_url)
        stack.enter_context(living(lives))
        pool = stack.enter_context(ThreadPoolExecutor(clients))
        made = [Client(lives, seed * 1000 + number, report, ended) for number in range(clients)]
        working = [pool.submit(client.work) for client in made]
        try:
            for turn in range(rounds):
                time.sleep(chance.uniform(0.05, 0.5))
                lives.kill(turn % servers)
                lives.start(turn % servers)
                report.kills += 1
        finally:
            ended.set()
        for done in working:
            done.result(timeout=120)
        for client in made:
            client.look_back()
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if nothing was lost and nothing was done twice."""
    parser = argparse.ArgumentParser(prog="tests.contract.kills", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--servers", type=int, default=1, help="more than one need a PostgreSQL")
    parser.add_argument("--database-url", help="a database that is migrated; by default an SQLite file of its own")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    report = kill(
        given.rounds,
        clients=given.clients,
        servers=given.servers,
        database_url=given.database_url,
        seed=given.seed,
    )
    sys.stdout.write(f"{report}\n")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
