"""What the service says about itself: JSON lines on standard error, one for each request, one for each mishap.

No line has a session's id, which is a key, nor anything of a body: a request is told by its route's pattern, an
exception by its type and the lines of code it came through, without the words it carries.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.types import Scope

log = logging.getLogger("stepgrad.requests")

Observer = Callable[[Scope, int, float], None]
"""Hears of each request when it has been answered: its scope, the status, the seconds it took."""


class Lines(logging.Formatter):
    """Records as JSON lines; structlog is imported for the first of them, since many a service never writes one."""

    def __init__(self) -> None:
        super().__init__()
        self._formatter: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        if self._formatter is None:
            self._formatter = _formatter()
        return self._formatter.format(record)


def configure(level: str) -> None:
    """Send every logger's records there; uvicorn's own from warnings on, for it tells little else."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


def observe(scope: Scope, status: int, seconds: float) -> None:
    """Log a request."""
    if log.isEnabledFor(logging.INFO):
        told = {"request_id": scope["request_id"], "method": scope["method"], "route": route_of(scope)}
        log.info("request", extra=told | {"status": status, "seconds": round(seconds, 6)})


def route_of(scope: Scope) -> str | None:
    """The pattern of the path that was asked for; None where no route has it."""
    path: str | None = getattr(scope.get("route"), "path", None)
    return path


def _formatter() -> logging.Formatter:
    import structlog

    frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=30)

    def exceptions(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        given = event.pop("exc_info", None)
        if given:
            event["exception"] = [_without_words(stack) for stack in frames(given)]
        return event

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            exceptions,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(),
        ],
    )


def _without_words(stack: dict[str, Any]) -> dict[str, Any]:
    places = [f"{frame['filename']}:{frame['lineno']} {frame['name']}" for frame in stack["frames"]]
    return {"type": stack["exc_type"], "frames": places}
