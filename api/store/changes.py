"""What can be written: each change is a value that applies itself inside the writer's transaction.

A change that comes too late, or whose idempotency key is taken, says so as its result and has written nothing; so it
cannot spoil the other changes of its group. Only what nobody expected raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from api.store import statements
from api.store.database import Database, Transaction
from api.store.notices import GONE, Notice
from api.store.records import KeyRow, Row, SessionRow, Slice

KEY_SECONDS = 24 * 3600.0
"""How long an idempotency key is kept."""


Order = tuple[int, bytes]


class Refused(Enum):
    """Why a change was not made."""

    MISSED = "another write came first"
    CLAIMED = "the idempotency key is taken"


class Change(Protocol):
    """Something to write; ``order`` sorts a group: the session's key, and the hash of the idempotency key."""

    @property
    def order(self) -> Order: ...

    def apply(self, transaction: Transaction) -> Any: ...


@dataclass(frozen=True, slots=True)
class Create:
    """A new session with its first event; the result is the key it got."""

    session: dict[str, Any]
    document: str
    row: Row
    slices: Sequence[Slice]
    key: KeyRow | None

    @property
    def order(self) -> Order:
        return _order(0, self.key)

    def apply(self, transaction: Transaction) -> int | Refused:
        if not _is_free(transaction, self.key):
            return Refused.CLAIMED
        key: int = transaction.row(statements.insert_session, self.session)[0]
        transaction.run(statements.insert_definition, {"session_key": key, "document": self.document})
        transaction.run(statements.insert_event, self.row._replace(session_key=key).sealed()._asdict())
        _insert_slices(transaction, [slice._replace(session_key=key) for slice in self.slices])
        _claim(transaction, self.key, key, self.row.revision)
        return key


@dataclass(frozen=True, slots=True)
class Append:
    """One action's event, if the revision before it still is the current one."""

    row: Row
    slices: Sequence[Slice]
    key: KeyRow | None
    pinned: bool | None = None

    @property
    def order(self) -> Order:
        return _order(self.row.session_key, self.key)

    def apply(self, transaction: Transaction) -> Refused | None:
        row = self.row
        if self.key is not None and not _is_free(transaction, self.key):
            return Refused.CLAIMED
        moved = {"key": row.session_key, "expected": row.revision - 1, "revision": row.revision}
        if not transaction.run(statements.move_on, moved):
            return Refused.MISSED
        transaction.run(statements.insert_event, row.sealed()._asdict())
        if self.pinned is not None:
            transaction.run(statements.pin, {"key": row.session_key, "is_pinned": self.pinned})
        _insert_slices(transaction, self.slices)
        _claim(transaction, self.key, row.session_key, row.revision)
        return None


@dataclass(frozen=True, slots=True)
class BeginRun:
    """A run's event, invisible until the run ends, and the lease that keeps other writers away."""

    row: Row
    until: float
    key: KeyRow | None

    @property
    def order(self) -> Order:
        return _order(self.row.session_key, self.key)

    def apply(self, transaction: Transaction) -> Refused | None:
        if not _is_free(transaction, self.key):
            return Refused.CLAIMED
        lease = {"key": self.row.session_key, "expected": self.row.revision - 1, "until": self.until}
        if not transaction.run(statements.begin_run, lease):
            return Refused.MISSED
        transaction.run(statements.insert_event, self.row.sealed()._asdict())
        _claim(transaction, self.key, self.row.session_key, self.row.revision)
        return None


@dataclass(frozen=True, slots=True)
class RenewRun:
    """A run's next stretch: its slice, and the event as it would stand if the run ended here."""

    row: Row
    slices: Sequence[Slice]
    lease: float
    until: float

    @property
    def order(self) -> Order:
        return _order(self.row.session_key)

    def apply(self, transaction: Transaction) -> Refused | None:
        lease = {"key": self.row.session_key, "expected": self.row.revision - 1}
        if not transaction.run(statements.renew_run, lease | {"lease": self.lease, "until": self.until}):
            return Refused.MISSED
        transaction.run(statements.finish_event, _finished(self.row))
        _insert_slices(transaction, self.slices)
        return None


@dataclass(frozen=True, slots=True)
class EndRun:
    """The run's event in its last form becomes the current revision."""

    row: Row
    lease: float
    key: KeyRow | None

    @property
    def order(self) -> Order:
        return _order(self.row.session_key, self.key)

    def apply(self, transaction: Transaction) -> Refused | None:
        if not _is_free(transaction, self.key):
            return Refused.CLAIMED
        moved = {"key": self.row.session_key, "expected": self.row.revision - 1, "revision": self.row.revision}
        if not transaction.run(statements.end_run, moved | {"lease": self.lease}):
            return Refused.MISSED
        transaction.run(statements.finish_event, _finished(self.row))
        _claim(transaction, self.key, self.row.session_key, self.row.revision)
        return None


@dataclass(frozen=True, slots=True)
class EndCrashedRun:
    """A run whose process is gone ends at its last committed slice, or was never there if it has none."""

    session: SessionRow

    @property
    def order(self) -> Order:
        return _order(self.session.key)

    def apply(self, transaction: Transaction) -> None:
        session = self.session
        mine = {"key": session.key, "expected": session.revision, "lease": session.run_until}
        if transaction.run(statements.end_crashed_run, mine):
            return
        if transaction.run(statements.drop_crashed_run, mine):
            at = {"key": session.key, "revision": session.revision + 1}
            transaction.run(statements.delete_event, at)
            transaction.run(statements.delete_keys_of, at)


@dataclass(frozen=True, slots=True)
class Delete:
    """The session and everything that belongs to it."""

    key: int
    revision: int

    @property
    def order(self) -> Order:
        return _order(self.key)

    def apply(self, transaction: Transaction) -> Refused | None:
        found = transaction.run(statements.delete_session, {"key": self.key, "expected": self.revision})
        return None if found else Refused.MISSED


@dataclass(frozen=True, slots=True)
class ForgetKeys:
    """The idempotency keys that are too old to be answered."""

    before: float

    @property
    def order(self) -> Order:
        return _order(0)

    def apply(self, transaction: Transaction) -> int:
        return transaction.run(statements.delete_old_keys, {"since": self.before})


def _order(session_key: int, key: KeyRow | None = None) -> Order:
    return session_key, b"" if key is None else key.key_hash


def notice_of(change: Change) -> Notice | None:
    """What other servers should hear of a change that was made; None if nobody sees it yet."""
    if isinstance(change, Append | EndRun):
        return change.row.session_key, change.row.revision
    return (change.key, GONE) if isinstance(change, Delete) else None


def end_all_runs(database: Database) -> None:
    """End whatever runs the database has as crashed."""
    with closing(database.writing.connect()) as connection, database.transaction(connection) as transaction:
        for row in transaction.rows(statements.find_runs, {}):
            EndCrashedRun(SessionRow(*row)).apply(transaction)


def _finished(row: Row) -> dict[str, Any]:
    values = {f"new_{name}": value for name, value in row.sealed()._asdict().items()}
    return values | {"key": row.session_key, "at_revision": row.revision}


def _insert_slices(transaction: Transaction, slices: Sequence[Slice]) -> None:
    for slice in slices:
        transaction.run(statements.insert_slice, slice.sealed()._asdict())


def _is_free(transaction: Transaction, key: KeyRow | None) -> bool:
    if key is None:
        return True
    if transaction.shared:  # or two servers would both find it free
        transaction.run(statements.lock_key, {"number": int.from_bytes(key.key_hash[:8], "little", signed=True)})
    asked = {"key_hash": key.key_hash, "since": key.at - KEY_SECONDS}
    transaction.run(statements.free_key, asked)
    return transaction.row(statements.find_key, asked) is None


def _claim(transaction: Transaction, key: KeyRow | None, session_key: int, revision: int) -> None:
    if key is not None:
        owner = {"session_key": session_key, "revision": revision}
        transaction.run(statements.insert_key, key._asdict() | owner)
