"""Which rows train, and which are kept apart to see how well the model does on rows it has not been fed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from api.engine.draws import Draws, Stream
from api.engine.errors import FieldError, InvalidInput
from api.engine.wording import counted, near_miss, pointer_part, shown
from api.training.table import FAULTS_LISTED, raise_all

HELD_OUT = ("validation", "test")
"""The parts that are not trained on."""
FIELDS = (*HELD_OUT, *(f"{part}_rows" for part in HELD_OUT))


@dataclass(frozen=True, slots=True)
class Split:
    """The 0-based rows of each part, ascending; ``asked`` is the fraction or the count that each part was to have."""

    train: Sequence[int]
    validation: tuple[int, ...] = ()
    test: tuple[int, ...] = ()
    asked: Mapping[str, float] = field(default_factory=dict)

    @property
    def held_out(self) -> bool:
        """Whether any rows are kept apart."""
        return bool(self.validation or self.test)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows each part has."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}

    @property
    def parts(self) -> list[str]:
        """For every row the part it is in."""
        found = ["train"] * sum(self.counts.values())
        for part in HELD_OUT:
            for row in getattr(self, part):
                found[row] = part
        return found

    @property
    def document(self) -> dict[str, object] | None:
        """The canonical body, with the rows that were drawn: what counts when it is posted again."""
        return {**self.asked, **{f"{part}_rows": list(getattr(self, part)) for part in self.asked}} or None


def split_of(body: Mapping[str, object] | None, row_count: int, seed: int) -> Split:
    """The split of so many rows that a body's ``split`` asks for, drawn by ``seed`` unless its rows are listed.

    A part is a fraction of the rows (the nearest whole number of them, at least one), a number of rows, or listed. Of
    one order, drawn anew, validation takes the first rows and test those that follow. Raises ``InvalidInput`` below
    ``/split``.
    """
    body = {name: value for name, value in (body or {}).items() if value is not None}
    strange = [name for name in body if name not in FIELDS]
    raise_all([
        FieldError(f"/split/{pointer_part(name)}", f"split has no field {shown(name)}{near_miss(name, FIELDS)}")
        for name in strange
    ])  # fmt: skip
    counts = {part: _count(part, body, row_count) for part in HELD_OUT}
    if sum(counts.values()) >= max(row_count, 1):
        told = ", ".join(f"{part} {count}" for part, count in counts.items() if count)
        raise InvalidInput(
            f"split keeps {counted(sum(counts.values()), 'row')} of {row_count} apart ({told}); at least one must be "
            "left for training",
            "/split",
        )
    listed = {"validation": _listed("validation", body, row_count, ())}
    listed["test"] = _listed("test", body, row_count, listed["validation"] or ())
    rows = _drawn(counts, listed, row_count, seed)
    apart = {row for part in rows.values() for row in part}
    train = [row for row in range(row_count) if row not in apart] if apart else range(row_count)
    asked = {part: _asked(body.get(part), count) for part, count in counts.items() if count}
    return Split(tuple(train) if apart else train, rows["validation"], rows["test"], asked)


def _asked(given: object, count: int) -> float:
    return given if isinstance(given, float) and given < 1 else count


def _drawn(
    counts: Mapping[str, int], listed: Mapping[str, list[int] | None], row_count: int, seed: int
) -> dict[str, tuple[int, ...]]:
    """The rows of each part: those listed, else the next of a drawn order that are not."""
    found = {part: tuple(sorted(rows or ())) for part, rows in listed.items()}
    drawn = [part for part, count in counts.items() if count and listed[part] is None]
    if drawn:
        taken = {row for rows in found.values() for row in rows}
        order = iter([row for row in Draws(seed, Stream.SPLIT).shuffled(row_count) if row not in taken])
        found |= {part: tuple(sorted(next(order) for _ in range(counts[part]))) for part in drawn}
    return found


def _count(part: str, body: Mapping[str, object], row_count: int) -> int:
    """How many rows a part has."""
    given, rows = body.get(part), body.get(f"{part}_rows")
    count = None if given is None else _rows_of(part, given, row_count)
    if rows is None:
        return count or 0
    if not isinstance(rows, list | tuple):
        what = f"{part}_rows must be a list of row numbers from 0, not {shown(rows)}"
        raise InvalidInput(what, f"/split/{part}_rows")
    if count is not None and count != len(rows):
        raise InvalidInput(
            f"{part} asks for {counted(count, 'row')} and {part}_rows lists {len(rows)}; leave one of them out",
            f"/split/{part}",
        )
    return len(rows)


def _rows_of(part: str, given: object, row_count: int) -> int:
    if isinstance(given, int | float) and not isinstance(given, bool):
        if 0 < given < 1:
            return max(1, math.floor(given * row_count + 0.5))
        if 0 <= given < 2**53 and given == int(given):
            return int(given)
    what = f"{part} is a fraction of the rows, such as 0.2, or a whole number of them, not {shown(given)}"
    raise InvalidInput(what, f"/split/{part}")


def _listed(part: str, body: Mapping[str, object], row_count: int, taken: Sequence[int]) -> list[int] | None:
    """The rows that a body lists for a part, checked; None if it lists none. Another part has those in ``taken``."""
    given = body.get(f"{part}_rows")
    if not isinstance(given, list | tuple):
        return None
    elsewhere, seen = set(taken), set[int]()
    faults: list[FieldError] = []
    for place, row in enumerate(given):
        fault = ""
        if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < row_count:
            fault = f"a row is a whole number from 0 to {row_count - 1}, not {shown(row)}"
        elif row in seen:
            fault = f"row {row} is there twice"
        elif row in elsewhere:
            fault = f"row {row} is in validation_rows as well"
        else:
            seen.add(row)
        if fault:
            faults.append(FieldError(f"/split/{part}_rows/{place}", fault))
        if len(faults) == FAULTS_LISTED:
            break
    raise_all(faults)
    return sorted(seen)
