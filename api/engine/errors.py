"""Everything that can be wrong, as one tree; no error here knows HTTP.

    StepgradError
    ├─ InvalidInput            a value, a name or a combination that has no meaning
    │   ├─ FormulaError        … in a formula, at a line and a column
    │   └─ LimitExceeded       … or more of it than is allowed
    ├─ BodyTooLarge            more bytes than are read
    ├─ NotJSON                 the body is no JSON text at all
    ├─ UnsupportedMediaType    the body is of a kind that is not read
    ├─ BodyTooSlow             the body does not come
    ├─ KeyNeeded               only who knows the server's key may do this
    ├─ StateConflict           right in itself, but not now
    │   ├─ WrongPhase
    │   ├─ Diverged
    │   ├─ NothingToUndo
    │   ├─ RunInProgress
    │   ├─ NoAttemptLeft
    │   └─ KeyTaken            another request came first with this idempotency key
    ├─ StaleRevision           the caller has seen an older state
    ├─ NotFound
    ├─ ReadOnly                the id given only allows to look
    └─ StoreUnavailable        the database is locked, full, or not ours
        ├─ StoreFull
        └─ StoreDamaged        … or not what was written to it

Rooms above raise these; the table in ``routes.errors`` gives each its status, and a test proves the table total.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in a body: where (an RFC 6901 pointer, ``""`` for the whole) and what."""

    pointer: str
    detail: str


class StepgradError(Exception):
    """Root of the tree.

    ``detail`` is a sentence for the caller: what was found and what would do. It never quotes more than 40 characters
    of the caller's own text.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        # from another process; an exception's own way would call each class with the detail alone
        return _restored, (type(self), self.__dict__)


def _restored(kind: type[StepgradError], members: dict[str, Any]) -> StepgradError:
    error = kind.__new__(kind, members["detail"])
    error.__dict__.update(members)
    return error


class InvalidInput(StepgradError):
    """A body whose meaning is not accepted; ``errors`` lists each fault with its place."""

    def __init__(self, detail: str, pointer: str = "", errors: Iterable[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors) or (FieldError(pointer, detail),)


class FormulaError(InvalidInput):
    """A formula that cannot be read; ``line`` and ``column`` count from 1."""

    def __init__(self, reason: str, line: int, column: int, pointer: str = "/model/source") -> None:
        super().__init__(f"line {line}, column {column}: {reason}", pointer)
        self.reason = reason
        self.line = line
        self.column = column


class LimitExceeded(InvalidInput):
    """More than is allowed; ``limit`` is the largest number that is."""

    def __init__(self, detail: str, limit: int | float, pointer: str = "") -> None:
        super().__init__(detail, pointer)
        self.limit = limit


class BodyTooLarge(StepgradError):
    """A body of more bytes than are read; ``limit`` in bytes."""

    def __init__(self, detail: str, limit: int) -> None:
        super().__init__(detail)
        self.limit = limit


class NotJSON(StepgradError):
    """A body that is no JSON text."""


class UnsupportedMediaType(StepgradError):
    """A body of a media type that is not read."""


class BodyTooSlow(StepgradError):
    """A body that has not come, or not gone on, for too long."""


class KeyNeeded(StepgradError):
    """The server's key is not given, or not the right one; ``again`` are the fields of a form to be sent with it."""

    def __init__(self, detail: str, again: list[tuple[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.again = again


class StateConflict(StepgradError):
    """An action that the session's present state does not accept; ``allowed`` lists those it does."""

    def __init__(self, detail: str, allowed: Iterable[str] = ()) -> None:
        super().__init__(detail)
        self.allowed = tuple(allowed)


class WrongPhase(StateConflict):
    """An action out of order."""


class Diverged(StateConflict):
    """The loss or a gradient is not finite, so there is no step to take."""


class NothingToUndo(StateConflict):
    """The current line has no earlier action."""


class RunInProgress(StateConflict):
    """A run holds the session until it has finished."""


class NoAttemptLeft(StateConflict):
    """All attempts at an assignment have been used."""


class KeyTaken(StateConflict):
    """Another request with the same idempotency key came first; asked again, its answer can be had."""


class StaleRevision(StepgradError):
    """The caller's revision is not the current one, which is ``revision``."""

    def __init__(self, detail: str, revision: int) -> None:
        super().__init__(detail)
        self.revision = revision


class NotFound(StepgradError):
    """No such thing, or not for this caller."""


class ReadOnly(StepgradError):
    """The read-only id was used to change something."""


class StoreUnavailable(StepgradError):
    """The database cannot be used now; nothing was changed, and a later try may work."""


class StoreDamaged(StoreUnavailable):
    """What the database holds is not what was written to it; a later try gives the same."""


class StoreFull(StoreUnavailable):
    """The disk that holds the database has no room; nothing was changed."""
