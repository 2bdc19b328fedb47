"""Backup and restore of an SQLite file. A backup may be made while a service writes; a restore may not.

PostgreSQL has its own programs for both, and the errors here name them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from api.engine.errors import StoreDamaged, StoreUnavailable
from api.store.database import APPLICATION_ID, Database
from api.store.engines import parse_url, sqlite_driver, sqlite_path
from api.store.failures import guarded
from api.store.migrations import prepare_sqlite
from api.store.seals import DAMAGED
from api.store.tables import HEAD

PAGES = 512  # copied at once, between two words about how far it is

Progress = Callable[[float], None]
"""Is told the share that is done, from 0 to 1."""


def backup(url: str, target: Path, progress: Progress) -> int:
    """Copy the database at ``url`` to a new file, all from one moment; the size of it in bytes.

    Raises StoreUnavailable if that cannot be done; then there is no such file.
    """
    source = _sqlite_file(url, "pg_dump --format=custom --file={0} {1}", target)
    if target.exists():
        raise StoreUnavailable(f"{target} exists already; give the backup another name")
    with _new_file(target) as beside:
        with guarded(), closing(_reader(source)) as reader, closing(sqlite_driver().connect(beside)) as copy:
            # From the first look on, this connection sees no later write: the copy need not begin anew for any.
            reader.execute("BEGIN").execute("SELECT count(*) FROM sqlite_master").fetchone()
            _copy(reader, copy, progress)
            copy.execute("PRAGMA journal_mode=DELETE")
            _examine(copy)
        return beside.stat().st_size


def restore(url: str, source: Path, progress: Progress, *, replace: bool) -> str:
    """Make the database at ``url`` what the backup is, with the newest tables; the version it then has.

    Raises StoreUnavailable if the backup is none or damaged, if a service uses the database, or if there is one and
    ``replace`` does not say that it may go; then nothing is changed.
    """
    target = _sqlite_file(url, "pg_restore --clean --if-exists --dbname={1} {0}", source)
    if not source.is_file():
        raise StoreUnavailable(f"there is no backup {source}")
    if target.exists() and target.stat().st_size:
        if not replace:
            raise StoreUnavailable(f"{target} exists already; to replace it, add --replace")
        _must_be_idle(target)
    with (
        _new_file(target) as beside,
        guarded(),
        closing(_reader(source)) as reader,
        closing(sqlite_driver().connect(beside)) as copy,
    ):
        _examine(reader)
        _copy(reader, copy, progress)
        copy.execute("PRAGMA journal_mode=DELETE")
    database = Database(url)
    try:
        prepare_sqlite(database)
    finally:
        database.close()
    return HEAD


def _sqlite_file(url: str, instead: str, file: Path) -> Path:
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        address = parsed._replace(drivername="postgresql", password=None).render_as_string()
        raise StoreUnavailable(f"this is for SQLite; on PostgreSQL: {instead.format(file, address)}")
    return sqlite_path(parsed)


def _reader(path: Path) -> Any:
    return sqlite_driver().connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None)


def _copy(source: Any, target: Any, progress: Progress) -> None:
    def tell(_status: int, left: int, total: int) -> None:
        progress(1 - left / max(total, 1))

    source.backup(target, pages=PAGES, progress=tell)


def _examine(connection: Any) -> None:
    """Raise unless this is a whole database of ours, and not newer than this program."""
    if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
        raise StoreDamaged(DAMAGED)
    if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        raise StoreUnavailable("this is no database of this program")
    (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if version > HEAD:
        raise StoreUnavailable(f"this is a database of version {version[:40]}, this program knows {HEAD}")


def _must_be_idle(path: Path) -> None:
    """Raise StoreUnavailable if any program has the file open."""
    with guarded(), closing(sqlite_driver().connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            # Only who is alone may leave the write-ahead log; a damaged file may be replaced all the same.
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite_driver().OperationalError as error:
            raise StoreUnavailable("a service uses this database; stop it first") from error
        except sqlite_driver().DatabaseError:
            return


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """A file beside ``target`` that takes its place, on the disk, if the block ends well."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, target)
        for log in ("-wal", "-shm"):  # of the file that was replaced
            Path(f"{target}{log}").unlink(missing_ok=True)
        _sync_folder(target.parent)
    except OSError as error:
        raise StoreUnavailable(f"{target} cannot be written: {os.strerror(error.errno or 0)}") from error
    finally:
        for name in ("", "-journal", "-wal", "-shm"):
            Path(f"{beside}{name}").unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
