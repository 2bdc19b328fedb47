"""Whatever a driver or SQLAlchemy raises, as the store's own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from api.engine.errors import StoreDamaged, StoreFull, StoreUnavailable
from api.store.seals import DAMAGED


@contextmanager
def guarded() -> Iterator[None]:
    """Turns whatever a driver or SQLAlchemy raises into StoreUnavailable."""
    try:
        yield
    except DBAPIError as error:
        raise translated(error.orig or error) from error
    except (NoSuchModuleError, ImportError) as error:
        raise StoreUnavailable("the driver for this database is not installed: stepgrad[postgres] has it") from error
    except SQLAlchemyError as error:
        raise StoreUnavailable("the database gave no answer that can be used") from error
    except (AssertionError, UnicodeDecodeError) as error:  # what a database always has that nobody has damaged
        raise StoreDamaged(DAMAGED) from error
    except Exception as error:
        if any(kind.__name__ == "Error" and kind.__module__ in _DRIVERS for kind in type(error).__mro__):
            raise translated(error) from error
        raise


_DRIVERS = ("sqlite3", "pysqlite3.dbapi2", "pysqlite3", "psycopg")
_SQLITE_LOCKED = (5, 6)
_SQLITE_DAMAGED = (11,)
# A table without the columns it was made with, a text that is no UTF-8 any more: they have no code of their own.
_SQLITE_STRANGE = ("no such column", "no such table", "decode to UTF-8", "unsupported file format")

_SQLITE_REASONS = {
    5: "the database is locked by another program; try again",
    6: "the database is locked by another program; try again",
    8: "the database is read-only; the folder and the file must be writable",
    10: "the disk that holds the database gave an error",
    14: "the database cannot be opened; the folder must exist and be writable",
    26: "the file is no SQLite database; give another name, or restore a backup",
}


_POSTGRES_REASONS = {
    "55P03": "a row of the database is locked by another program; try again",
    "28000": "the database does not let this user in; look at the database URL",
    "28P01": "the database does not accept the password; look at the database URL",
    "3D000": "the server has no database of this name; create it with createdb, then run: stepgrad migrate",
    "42501": "the database's user may not do this; it must own the tables",
    "25006": "the database is read-only, perhaps a standby; give the address of the one that is written",
}
_POSTGRES_FULL = ("53100",)
_POSTGRES_DAMAGED = ("XX001", "XX002")


def translated(error: BaseException) -> StoreUnavailable:
    """The error a caller gets for one of the driver's."""
    code: int = getattr(error, "sqlite_errorcode", 0) & 0xFF
    state: str = getattr(error, "sqlstate", None) or ""
    if code == 13 or state in _POSTGRES_FULL:
        return StoreFull("the disk that holds the database is full; nothing was changed")
    strange = any(words in str(error) for words in _SQLITE_STRANGE)
    if code in _SQLITE_DAMAGED or state in _POSTGRES_DAMAGED or strange:
        return StoreDamaged(DAMAGED)
    reason = _SQLITE_REASONS.get(code) or _POSTGRES_REASONS.get(state)
    return StoreUnavailable(reason or "the database cannot be used now; try again")


def is_locked(error: object) -> bool:
    """Whether this is the StoreUnavailable of a lock that another program holds."""
    cause = getattr(error, "__cause__", None)
    origin = getattr(cause, "orig", cause)
    code: int = getattr(origin, "sqlite_errorcode", 0) & 0xFF
    return code in _SQLITE_LOCKED or getattr(origin, "sqlstate", None) == "55P03"
