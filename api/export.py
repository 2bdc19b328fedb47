"""``stepgrad export``: a session's walk, read from the store state by state and written as pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from api.documents.history import history_item
from api.documents.state import state, to_json
from api.engine.errors import InvalidInput
from api.pages.export import ROOT, Export, Overview
from api.routes.page import course_of, parts
from api.routes.views import csv_table
from api.store import Store, Stored
from api.training.data import to_csv
from api.training.session import Phase
from api.training.walk import Place, walk

MOST_STEPS = 100
"""Of a longer walk only so many steps get pages, unless more are asked for."""
_LOG = 24
Told = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Extent:
    """Which steps get pages: from ``first`` to ``last``, both included, and of those each ``every``-th."""

    first: int | None = None
    last: int | None = None
    every: int | None = None


async def write(store: Store, id: str, folder: Path, client: Path, asked: Extent, told: Told) -> int:
    """Write the walk of a session into a folder; the number of its pages, the index not counted.

    ``client`` is the folder with the style sheets, ``told`` hears after each page which share is done. Raises NotFound
    for an id that is unknown, InvalidInput for a folder that is not empty or steps that the session has not, OSError.
    """
    stored = await store.load(id)
    # Who publishes pages does not give away a key: neither ids nor links stand in them.
    stored = replace(stored, read_only=True)
    first = await store.first_step(stored)
    extent = chosen(asked, first, stored.session.position.step)
    places = list(_places(stored, extent))
    log = _Log(store, stored, first)
    with Export(folder, client, places, _note(extent, stored.session.position.step)) as files:
        for number, place in enumerate(places):
            there = await store.at_step(stored, place.step, place.phase)
            page = await parts(store, there, document(there), ROOT, stored.revision)
            files.add(number, replace(page, history=await log.before(place.step)))
            told((number + 1) / len(places))
        files.finish(await _overview(store, stored, log, places))
    return len(places)


def chosen(asked: Extent, first: int, newest: int) -> Extent:
    """The steps that get pages, of a line from ``first`` to ``newest``; raises InvalidInput."""
    begin, end = asked.first or 0, newest if asked.last is None else asked.last
    if begin > newest:
        raise InvalidInput(f"the session is at step {newest}; there is no step {begin}")
    if end < max(begin, first):
        raise InvalidInput(f"steps are given as FROM:TO, with TO not before FROM; the session has {first}:{newest}")
    begin, end = max(begin, first), min(end, newest)
    every = asked.every or -(-(end - begin) // MOST_STEPS)
    return Extent(begin, None if asked.last is None else end, max(1, every))


def _places(stored: Stored, extent: Extent) -> Iterator[Place]:
    session = stored.session
    now = Place(session.position.step, session.phase)
    return walk(now, first=extent.first or 0, last=extent.last, every=extent.every or 1)


def _note(extent: Extent, newest: int) -> str:
    """What a reader should know of what is left out."""
    parts = []
    if (extent.every or 1) > 1:
        parts.append(f"one of every {extent.every:,} steps is shown")
    if extent.first or extent.last is not None:
        last = newest if extent.last is None else extent.last
        parts.append(f"steps {extent.first:,} to {last:,} of 0 to {newest:,}")
    return ", ".join(parts)


def document(stored: Stored, arrays: str = "summary") -> dict[str, Any]:
    """The state document without what only the service knows to use."""
    return state(stored, base="", arrays=arrays) | {"id": None, "share": None, "parent": None, "links": None}


class _Log:
    """The finished steps of a line that begins with step ``first``; each is read once."""

    def __init__(self, store: Store, stored: Stored, first: int) -> None:
        self._store, self._stored, self._first = store, stored, first
        self._known: dict[int, dict[str, Any]] = {}

    async def before(self, step: int) -> list[dict[str, Any]]:
        """Those that a page of this step lists."""
        wanted = range(max(self._first, step - _LOG), step)
        missing = [one for one in wanted if one not in self._known]
        if missing:
            rows, _ = await self._store.history(self._stored, missing[0] - 1, missing[-1] - missing[0] + 1)
            self._known |= {row.step: history_item(row) for row in rows}
        return [self._known[one] for one in wanted]

    def of(self, steps: Iterable[int]) -> list[dict[str, Any]]:
        """Those of these steps that were on some page."""
        return [self._known[step] for step in steps if step in self._known]


async def _overview(store: Store, stored: Stored, log: _Log, places: Sequence[Place]) -> Overview:
    definition = stored.session.definition
    items = log.of(place.step for place in places if place.phase is Phase.BACKWARD)
    files: dict[str, str | bytes] = {
        "definition.json": to_json(definition.document),
        "final.json": to_json(document(stored, arrays="full")),
        "history.csv": csv_table(items),
    }
    if definition.data is not None:
        files["data.csv"] = to_csv(definition.data)
    page = await parts(store, stored, document(stored), ROOT, stored.revision)
    return Overview(replace(page, course=await course_of(store, stored)), items, definition.document, files)
