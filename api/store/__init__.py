"""Sessions that survive: the only room that knows SQLAlchemy.

    routes ──► sessions.Store        the façade: load, writing, append, undo, rewind, history, runs …
                 ├─ keeper.Keeper    memory and database in step: cache, locks, listeners, failed compare and swap
                 │    ├─ writer.Writer   group commit of ``changes``
                 │    └─ reading, history   rows → sessions, exact replay inside runs
                 ├─ runs.Runs        runs longer than one stretch, under a lease
                 ├─ classes.Classes  assignments, students, submissions
                 └─ events, codec    sessions → rows and bytes
    database, statements, tables, migrations     SQL, and the one place that knows which database it is

``Store`` is imported when it is first asked for: with it come SQLAlchemy and NumPy, which a server wants only after it
has bound its port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.store.records import Answer, HistoryRow, Key, Stored

if TYPE_CHECKING:
    from api.store.migrations import migrate
    from api.store.sessions import Store

__all__ = ["Answer", "HistoryRow", "Key", "Store", "Stored", "migrate"]


def __getattr__(name: str) -> Any:
    if name == "Store":
        from api.store.sessions import Store

        return Store
    if name == "migrate":
        from api.store.migrations import migrate

        return migrate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
