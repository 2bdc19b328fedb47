"""The command line: ``stepgrad serve`` and ``stepgrad migrate``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

    from api.settings import Settings

DONE, FAILED, WRONG_USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 0 on success, 2 on wrong usage, 1 if it could not be done."""
    parser = build_parser()
    chosen = vars(parser.parse_args(arguments))
    command = chosen.pop("command")
    if command is None:
        parser.print_help(sys.stderr)
        return WRONG_USAGE
    settings = read_settings(parser, {name: value for name, value in chosen.items() if value is not None})
    return COMMANDS[command](settings)


def build_parser() -> argparse.ArgumentParser:
    """The parser: every setting is a flag of ``serve``, and named with its environment variable in ``--help``."""
    from api.settings import Settings

    parser = argparse.ArgumentParser(
        prog="stepgrad", description="Backpropagation one step at a time, over HTTP.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    helps = {
        "serve": "start the API, with the client at /",
        "migrate": "bring the database's tables up to date (PostgreSQL; an SQLite file is migrated by serve)",
    }
    for name, text in helps.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)
        for field, info in Settings.model_fields.items():
            if name == "serve" or field == "database_url":
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

    from api.app import create_app
    from api.engine.errors import StepgradError
    from api.store import Store

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print(f"stepgrad is at {address(settings, listener)}", flush=True)  # noqa: T201 (what to open)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # Streams never end by themselves, and the server waits for them.
            app.state.service.closing.set()
            await super().shutdown(sockets)

    try:
        store = Store.open(settings.database_url)
    except StepgradError as error:
        return fail(error.detail)
    app = create_app(settings, store)
    config = uvicorn.Config(
        app,
        log_level=settings.log_level,
        # The access log would hold the sessions' ids, which are keys.
        access_log=False,
        server_header=False,
        # Behind our own limit, which answers with a problem document; connections that idle count here.
        limit_concurrency=8 * settings.limit_concurrency,
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
        version = upgrade(settings.database_url)
    except StepgradError as error:
        return fail(error.detail)
    print(f"the database is at version {version}")  # noqa: T201 (the command's answer)
    return DONE


def fail(message: str) -> int:
    """Say why a command could not be done."""
    print(f"stepgrad: {message}", file=sys.stderr)  # noqa: T201 (the command's answer)
    return FAILED


COMMANDS = {"serve": serve, "migrate": migrate}

if __name__ == "__main__":
    sys.exit(main())
