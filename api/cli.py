"""The command line: serve, grade, and what an operator needs beside it."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.telling import Telling

if TYPE_CHECKING:
    import socket

    from api.settings import Settings

DONE, FAILED, WRONG_USAGE = 0, 1, 2

HELP = {
    "serve": "start the API, with the client at /",
    "migrate": "bring the database's tables up to date (PostgreSQL; an SQLite file is migrated by serve)",
    "backup": "copy the SQLite database to a new file, also while a service writes it",
    "restore": "make the SQLite database what a backup is; no service may use it meanwhile",
    "client": "copy the static client to a folder, for another host than the API's",
    "export": "write a session's whole walk into a folder, as pages that need neither the service nor a script",
}


def steps(text: str) -> tuple[int | None, int | None]:
    """The ends that ``FROM:TO``, ``FROM:``, ``:TO`` or ``STEP`` names."""
    found = re.fullmatch(r"(\d{0,15}):(\d{0,15})|(\d{1,15})", text, re.ASCII)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no FROM:TO, such as 0:20, 20: or 7")
    first, last = (found[3], found[3]) if found[3] else (found[1], found[2])
    return int(first) if first else None, int(last) if last else None


def positive(text: str) -> int:
    """A whole number from 1."""
    if re.fullmatch(r"0*[1-9]\d{0,14}", text, re.ASCII) is None:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number from 1")
    return int(text)


# A command's own arguments, beside the settings.
ARGUMENTS: dict[str, dict[str, dict[str, Any]]] = {
    "backup": {"file": {"help": "file to write, which must not exist"}},
    "restore": {
        "file": {"help": "backup to read"},
        "--replace": {"action": "store_true", "help": "the present database may go"},
    },
    "client": {
        "folder": {"help": "folder to write, made if it is not there"},
        "--api-url": {
            "metavar": "URL",
            "help": "the API's address as browsers know it, such as https://api.example.org",
        },
    },
    "export": {
        "session": {"metavar": "SESSION_ID", "help": "the session's id, its read-only id or its address"},
        "folder": {"metavar": "FOLDER", "help": "folder to write, which must be empty or not there yet"},
        "--steps": {
            "metavar": "FROM:TO",
            "type": steps,
            "default": (None, None),
            "help": "only these steps, both included",
        },
        "--every": {
            "metavar": "N",
            "type": positive,
            "help": "only one of N steps; by default so many that about 100 get pages",
        },
    },
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 0 on success, 2 on wrong usage, 1 if it could not be done."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["grade"]:
        return grade(words[1:])
    parser = build_parser()
    chosen = vars(parser.parse_args([_whole(one) for one in words]))
    command = chosen.pop("command")
    if command is None:
        parser.print_help(sys.stderr)
        return WRONG_USAGE
    own = {name.lstrip("-").replace("-", "_") for name in ARGUMENTS.get(command, {})}
    given = {name: chosen.pop(name) for name in own}
    settings = read_settings(parser, {name: value for name, value in chosen.items() if value is not None})
    return COMMANDS[command](settings, **given)


def _whole(argument: str) -> str:
    """An id may begin with a minus, which would make it an option: as a path it cannot be mistaken."""
    return f"/v1/sessions/{argument}" if re.fullmatch(r"-[\w-]{21}", argument, re.ASCII) else argument


def build_parser() -> argparse.ArgumentParser:
    """The parser: every setting is a flag of ``serve``, and named with its environment variable in ``--help``."""
    from api.settings import Settings

    parser = argparse.ArgumentParser(
        prog="stepgrad", description="Backpropagation one step at a time, over HTTP.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("grade", help="mark homework without a server: stepgrad grade --help", add_help=False)
    for name, text in HELP.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)
        for argument, options in ARGUMENTS.get(name, {}).items():
            command.add_argument(argument, **options)
        for field, info in Settings.model_fields.items():
            if name == "serve" or (field == "database_url" and name != "client"):
                default = info.default if info.default not in ((), "") else "none"
                command.add_argument(
                    "--" + field.replace("_", "-"),
                    dest=field,
                    metavar="VALUE",
                    help=f"{info.description} [STEPGRAD_{field.upper()}; {default}]".replace("%", "%%"),
                )
    return parser


def read_settings(parser: argparse.ArgumentParser, given: dict[str, Any]) -> Settings:
    """The settings from flags and environment; leaves with status 2 and a line for each value that is not accepted."""
    from pydantic import ValidationError

    from api.settings import Settings

    try:
        return Settings(**given)
    except ValidationError as error:
        lines = []
        for fault in error.errors():
            name = str(fault["loc"][0]) if fault["loc"] else "settings"
            flag = "--" + name.replace("_", "-") if name in given else "STEPGRAD_" + name.upper()
            lines.append(f"{flag}: {fault['msg'][:1].lower()}{fault['msg'][1:]}")
        parser.error("\n".join(lines))


def serve(settings: Settings) -> int:
    """Listen, open the database, and answer until told to stop."""
    import socket

    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        # Bound before the large imports: a port that is taken is known at once, and callers may already queue.
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error
        return fail(f"cannot listen at {settings.host} port {settings.port}: {reason}")
    with listener:
        return answer(settings, listener)


def answer(settings: Settings, listener: socket.socket) -> int:
    """Serve at a bound socket until a signal ends it."""
    import asyncio

    import uvicorn

    from api.app import create_app, open_store
    from api.engine.errors import StepgradError
    from api.routes.logs import configure
    from api.routes.protocol import protocol

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print(f"stepgrad is at {address(settings, listener)}", flush=True)  # noqa: T201 (what to open)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # Streams never end by themselves, and the server waits for them.
            app.state.service.closing.set()
            await super().shutdown(sockets)

    configure(settings.log_level)
    try:
        with Telling("looking through the database"):
            store = open_store(settings)
        app = create_app(settings, store)
    except StepgradError as error:
        return fail(error.detail)
    config = uvicorn.Config(
        app,
        # Beyond our limit of requests at once: connections that idle count here.
        http=protocol(8 * settings.limit_concurrency, settings.root_path, lambda: app.state.express),
        ws="none",
        log_config=None,
        # uvicorn's would hold the sessions' ids, which are keys.
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=5,
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)  # the server raises it once more when it has closed
        runner.run(Server(config).serve([listener]))
    return DONE


def address(settings: Settings, listener: socket.socket) -> str:
    """The address to open in a browser."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{host}:{listener.getsockname()[1]}{settings.root_path}/"


def migrate(settings: Settings) -> int:
    """Bring the database's tables up to date."""
    from api.engine.errors import StepgradError
    from api.store import migrate as upgrade

    try:
        with Telling("migrating the database"):
            version = upgrade(settings.database_url)
    except StepgradError as error:
        return fail(error.detail)
    return done(f"the database is at version {version}")


def backup(settings: Settings, file: str) -> int:
    """Copy the database."""
    from api.engine.errors import StepgradError
    from api.store.backups import backup as copy

    try:
        with Telling("copying the database") as telling:
            size = copy(settings.database_url, Path(file), telling.at)
    except StepgradError as error:
        return fail(error.detail)
    return done(f"{file} has the database, {size:,} bytes")


def restore(settings: Settings, file: str, replace: bool) -> int:
    """Put a backup in the database's place."""
    from api.engine.errors import StepgradError
    from api.store.backups import restore as put_back

    try:
        with Telling("restoring the database") as telling:
            version = put_back(settings.database_url, Path(file), telling.at, replace=replace)
    except StepgradError as error:
        return fail(error.detail)
    return done(f"the database is what {file} was, at version {version}")


def client(_settings: Settings, folder: str, api_url: str | None) -> int:
    """Copy the client."""
    from api.app import client_folder
    from api.engine.errors import StepgradError
    from api.hosting import export

    if api_url is None:
        fail("give the API's address: --api-url https://…")
        return WRONG_USAGE
    try:
        count = export(client_folder(), Path(folder), api_url)
    except StepgradError as error:
        fail(error.detail)
        return WRONG_USAGE
    except OSError as error:
        return fail(f"{folder} cannot be written: {os.strerror(error.errno or 0)}")
    return done(f"{folder} has the client, {count} files, for the API at {api_url}")


def export(
    settings: Settings, session: str, folder: str, steps: tuple[int | None, int | None], every: int | None
) -> int:
    """Write a session's walk into a folder."""
    import asyncio

    from api.app import client_folder
    from api.engine.errors import StepgradError
    from api.export import Extent, write
    from api.store import Store

    async def run() -> int:
        store = Store.open_to_read(settings.database_url)
        try:
            id = session.rstrip("/").rpartition("/")[2]
            return await write(store, id, Path(folder), client_folder(), Extent(*steps, every), telling.at)
        finally:
            await store.close()

    try:
        with Telling("writing pages") as telling:
            pages = asyncio.run(run())
    except StepgradError as error:
        return fail(error.detail, WRONG_USAGE)
    except OSError as error:
        return fail(f"{folder} cannot be written: {os.strerror(error.errno or 0)}", WRONG_USAGE)
    return done(f"{pages} pages; open {Path(folder) / 'index.html'}")


def done(message: str) -> int:
    """Say what a command has done."""
    print(message)  # noqa: T201 (the command's answer)
    return DONE


def grade(arguments: Sequence[str]) -> int:
    """Mark homework; what ``stepgrad grade`` is told is checked as what the service is told."""
    from api.grading.command import main

    return main(arguments, checked_assignment)


def checked_assignment(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """An assignment's document with its types checked; raises InvalidInput."""
    from pydantic import ValidationError

    from api.documents.assignment_bodies import AssignmentBody
    from api.documents.bodies import given
    from api.engine.errors import FieldError, InvalidInput

    try:
        return given(AssignmentBody.model_validate(document))
    except ValidationError as error:
        faults = [FieldError("/" + "/".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors()[:10]]
        raise InvalidInput(faults[0].detail, errors=faults) from None


def fail(message: str, status: int = FAILED) -> int:
    """Say why a command could not be done."""
    print(f"stepgrad: {message}", file=sys.stderr)  # noqa: T201 (the command's answer)
    return status


COMMANDS: dict[str, Callable[..., int]] = {
    "serve": serve,
    "migrate": migrate,
    "backup": backup,
    "restore": restore,
    "client": client,
    "export": export,
}

if __name__ == "__main__":
    sys.exit(main())
