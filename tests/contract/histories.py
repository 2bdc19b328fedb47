"""Many clients on few sessions, and whether all answers fit one order: ``python -m tests.contract.histories --help``.

Each client notes when it asked, when it was answered and what. Afterwards, for each session:

- the accepted writes have the revisions 1, 2, 3, … without a gap or a double, and taken in that order they lead, in a
  model that only steps, to the very states that were answered;
- every look saw the state of its revision, not older than what anybody knew when it began, not newer than what had been
  asked for when it ended;
- every refusal was right at some moment between its beginning and its end;
- a repeated key got the answer that it had before.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from api.training.definition import define
from api.training.session import Session
from tests.routes.line import Line, compared

BODY = {"optimizer": {"learning_rate": 0.01}, "batch_size": 4, "shuffle": True, "seed": 3}
ACTIONS = ("forward", "backward", "update")
TRIED = (*ACTIONS * 4, "look", "look", "look", "past", "undo", "run", "edit", "rewind", "stale", "keyed", "keyed")


@dataclass(frozen=True)
class Event:
    """One request and its answer; times in seconds of one clock."""

    session: str
    action: str
    body: dict[str, Any]
    expected: int | None
    key: str | None
    began: float
    ended: float
    status: int
    document: Any
    replayed: bool

    @property
    def wrote(self) -> bool:
        """Whether it made a revision."""
        return self.status == 200 and not self.replayed and self.action not in ("look", "past")

    @property
    def revision(self) -> int | None:
        """The revision that was answered."""
        found: int | None = self.document.get("revision") if self.status == 200 else None
        return found


class Client:
    """One after another, requests at random to one of several addresses; the seed makes them the same again."""

    def __init__(self, addresses: Sequence[str], sessions: Sequence[str], seed: int) -> None:
        self.random = random.Random(seed)
        self.hosts = [address.removeprefix("http://") for address in addresses]
        self.connections = [http.client.HTTPConnection(host, timeout=60) for host in self.hosts]
        self.sessions = sessions
        self.newest = dict.fromkeys(sessions, 0)
        self.phase: dict[str, str] = {}
        self.keyed: list[tuple[str, str, str]] = []
        self.events: list[Event] = []

    def work(self, operations: int) -> list[Event]:
        """So many requests."""
        for number in range(operations):
            self._one(self.random.choice(self.sessions), self.random.choice(TRIED), number)
        for connection in self.connections:
            connection.close()
        return self.events

    def _one(self, session: str, tried: str, number: int) -> None:
        chance, newest = self.random, self.newest[session]
        if tried == "look":
            self.call(session, "look", {})
        elif tried == "past":
            self.call(session, "past", {}, at=chance.randint(0, newest))
        elif tried == "run":
            self.call(session, "run", {"steps": chance.randint(1, 3)})
        elif tried == "edit":
            self.call(session, "edit", {"parameters": {"b": chance.randint(-4, 4) / 4}})
        elif tried == "rewind":
            self.call(session, "rewind", {"step": chance.randint(0, 3)})
        elif tried == "stale":
            self.call(session, self.likely(session), {}, expected=max(0, newest - chance.randint(0, 1)))
        elif tried == "keyed" and self.keyed and chance.random() < 0.5:
            session, action, key = chance.choice(self.keyed)
            self.call(session, action, {}, key=key)
        elif tried == "keyed":
            action, key = self.likely(session), f"{id(self)} {number}"
            if self.call(session, action, {}, key=key).status == 200:
                self.keyed.append((session, action, key))
        else:
            self.call(session, self.likely(session) if chance.random() < 0.7 else tried, {})

    def likely(self, session: str) -> str:
        """The action that was possible when this client looked last."""
        return dict(zip(("ready", "forward", "backward"), ACTIONS, strict=True))[self.phase.get(session, "ready")]

    def call(
        self,
        session: str,
        action: str,
        body: dict[str, Any],
        *,
        at: int | None = None,
        expected: int | None = None,
        key: str | None = None,
    ) -> Event:
        """One request, noted."""
        path = {"look": session, "past": f"{session}/revisions/{at}"}.get(action, f"{session}/{action}")
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        headers |= {} if expected is None else {"If-Match": f'"r{expected}"'}
        headers |= {} if key is None else {"Idempotency-Key": key}
        connection = self.random.choice(self.connections)
        method = "GET" if action in ("look", "past") else "POST"
        began = time.perf_counter()
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        document = json.loads(answer.read())
        ended = time.perf_counter()
        replayed = answer.getheader("Idempotent-Replayed") == "true"
        event = Event(session, action, body, expected, key, began, ended, answer.status, document, replayed)
        self.events.append(event)
        if event.revision is not None and event.revision >= self.newest[session]:
            self.newest[session], self.phase[session] = event.revision, document["phase"]
        return event


def load(addresses: Sequence[str], *, clients: int, operations: int, sessions: int, seed: int = 0) -> list[Event]:
    """What ``clients`` were answered to ``operations`` each, all at once."""
    paths = [create(addresses[0]) for _ in range(sessions)]
    start = threading.Barrier(clients)

    def one(number: int) -> list[Event]:
        client = Client(addresses, paths, seed * 1000 + number)
        start.wait(timeout=60)
        return client.work(operations)

    with ThreadPoolExecutor(clients) as pool:
        return [event for events in pool.map(one, range(clients)) for event in events]


def create(address: str) -> str:
    """The path of a new session."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    connection.request("POST", "/v1/sessions", json.dumps(BODY), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    path: str = json.loads(answer.read())["links"]["self"]
    connection.close()
    return path


def check(events: Iterable[Event]) -> Counter[int]:
    """How many answers there were of each status; AssertionError names the first that fits no order."""
    found, statuses = list(events), Counter[int]()
    for session in sorted({event.session for event in found}):
        mine = sorted((event for event in found if event.session == session), key=lambda event: event.began)
        History(mine).check()
        statuses.update(event.status for event in mine)
    return statuses


class History:
    """One session's events, by their beginning."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.writes = sorted((event for event in events if event.wrote), key=lambda event: event.document["revision"])
        self.lines = [Line(Session.start(define(BODY)))]
        self.by_key = {event.key: event for event in self.writes if event.key}

    def check(self) -> None:
        """Raise AssertionError for the first event that fits no order."""
        assert [event.revision for event in self.writes] == list(range(1, len(self.writes) + 1))
        for event in self.writes:
            line = self.lines[-1].copy()
            assert line.accepts(event.action, event.body), event
            line.act(event.action, event.body)
            self.lines.append(line)
        expected = [line.facts() for line in self.lines]
        for event, least, most in zip(self.events, self.known(), self.possible(), strict=True):
            if event.revision is not None:
                assert compared(event.document) == expected[event.revision], event
                past = event.action == "past" or event.replayed
                assert (0 if past else least + event.wrote) <= event.revision <= most, (least, most, event)
                self.check_repeated(event)
            else:
                assert any(self.refuses(self.lines[at], event) for at in range(least, most + 1)), (least, most, event)

    def check_repeated(self, event: Event) -> None:
        """The same key, the same answer."""
        if event.replayed:
            assert event.key is not None
            assert event.document == self.by_key[event.key].document, event

    @staticmethod
    def refuses(line: Line, event: Event) -> bool:
        """Whether this answer is right where the line stands."""
        code = event.document["type"].rpartition("/")[2]
        if event.status == 412:
            return event.expected is not None and event.expected != line.revision
        stale = event.expected is not None and event.expected != line.revision
        right = {"undo": "nothing-to-undo", "rewind": "invalid"}.get(event.action, "wrong-phase")
        return not stale and code == right and not line.accepts(event.action, event.body)

    def known(self) -> list[int]:
        """For each event the newest revision that anybody had been answered when it began."""
        ends = sorted((event.ended, event.revision) for event in self.events if event.revision is not None)
        known, newest, place = [], 0, 0
        for event in self.events:
            while place < len(ends) and ends[place][0] < event.began:
                newest, place = max(newest, ends[place][1] or 0), place + 1
            known.append(newest)
        return known

    def possible(self) -> list[int]:
        """For each event the newest revision that can have been there when it ended."""
        starts = [event.began for event in self.writes]
        newest = []
        for event in self.events:
            later = next((place for place, began in enumerate(starts) if began >= event.ended), len(starts))
            newest.append(max(later, 0))
        return newest


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if all answers fit one order."""
    parser = argparse.ArgumentParser(prog="tests.contract.histories", description=__doc__.partition("\n\n")[0])
    parser.add_argument("addresses", nargs="+", help="http://HOST:PORT of each server of the same database")
    for name, number in (("clients", 16), ("operations", 2000), ("sessions", 5), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=number)
    given = parser.parse_args(arguments)
    began = time.perf_counter()
    events = load(
        given.addresses, clients=given.clients, operations=given.operations, sessions=given.sessions, seed=given.seed
    )
    took = time.perf_counter() - began
    statuses = check(events)
    told = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    sys.stdout.write(f"{len(events)} answers fit one order: {told}; {len(events) / took:.0f} a second\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
