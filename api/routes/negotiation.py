"""Which representation a request gets, and with which caching headers: the one place that reads ``Accept``.

``Kind`` names a representation; ``MEDIA_TYPES`` and ``SUFFIXES`` are its two spellings on the wire. The rules: a suffix
of the path beats the header; HTML only if ``text/html`` is named and JSON does not beat it by its q (a wildcard names
nothing, so ``*/*`` is JSON); text and event streams where they are asked for and nothing above is liked better; JSON
otherwise, never 406.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum

from starlette.requests import Request

from api.engine.errors import NotFound, StaleRevision


class Kind(StrEnum):
    """A representation, named by the suffix that asks for it."""

    JSON = "json"
    HTML = "html"
    TEXT = "txt"
    EVENTS = "events"
    SVG = "svg"
    DOT = "dot"
    CSV = "csv"
    PYTHON = "py"


MEDIA_TYPES: dict[Kind, str] = {
    Kind.JSON: "application/json",
    Kind.HTML: "text/html; charset=utf-8",
    Kind.TEXT: "text/plain; charset=utf-8",
    Kind.EVENTS: "text/event-stream; charset=utf-8",
    Kind.SVG: "image/svg+xml",
    Kind.DOT: "text/vnd.graphviz; charset=utf-8",
    Kind.CSV: "text/csv; charset=utf-8; header=present",
    Kind.PYTHON: "text/x-python; charset=utf-8",
}

SUFFIXES: dict[str, Kind] = {f".{kind.value}": kind for kind in Kind if kind is not Kind.EVENTS}

# What a name in Accept stands for; a picture or a table is only ever asked for by suffix.
_NAMED: dict[str, Kind] = {
    "application/json": Kind.JSON,
    "application/problem+json": Kind.JSON,
    "text/html": Kind.HTML,
    "text/plain": Kind.TEXT,
    "text/event-stream": Kind.EVENTS,
}

# Among equals: axios, for one, says "application/json, text/plain, */*" and means JSON.
_TIE_BREAK = (Kind.EVENTS, Kind.HTML, Kind.JSON, Kind.TEXT)


def split_suffix(segment: str) -> tuple[str, Kind | None]:
    """A path's last segment without its suffix, and the kind the suffix names (``("12", SVG)`` of ``12.svg``)."""
    stem, dot, suffix = segment.rpartition(".")
    kind = SUFFIXES.get(dot + suffix)
    return (stem, kind) if kind and stem else (segment, None)


def negotiate(request: Request, offers: Collection[Kind]) -> Kind:
    """The kind of representation to answer with, one of ``offers`` or JSON.

    Raises NotFound for a suffix whose kind this resource does not have.
    """
    _, kind = split_suffix(request.scope["path"].rpartition("/")[2])
    if kind is not None:
        if kind not in offers:
            raise NotFound(f"there is no .{kind} of this; there is {', '.join('.' + offer for offer in offers)}")
        return kind
    accept = request.headers.get("accept", "*/*")
    return Kind.JSON if accept == "*/*" else preferred(accept, offers)


def preferred(accept: str, offers: Collection[Kind]) -> Kind:
    """The best of ``offers`` by an Accept header alone."""
    quality = _qualities(accept)
    liked = [kind for kind in _TIE_BREAK if kind in offers and quality.get(kind, 0.0) > 0.0]
    return max(liked, key=lambda kind: quality[kind], default=Kind.JSON)


def _qualities(accept: str) -> dict[Kind, float]:
    """The highest q at which each kind is named; a name with a q that is no number counts as not named."""
    found: dict[Kind, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        kind = _NAMED.get(name)
        if kind is not None:
            given = next((p[2:] for p in parameters if p.startswith("q=")), "1")
            found[kind] = max(found.get(kind, 0.0), _q(given))
    return found


def _q(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](\.\d{0,3})?", text) else 0.0


IMMUTABLE = "private, max-age=31536000, immutable"
REVALIDATE = "private, no-cache"
PAGE = "no-cache"


def entity_tag(revision: int, *variants: str) -> str:
    """``"r12"`` for the plain JSON state of revision 12, ``"r12.html"``, ``"r12.ops.full"`` … for others."""
    return '"' + ".".join((f"r{revision}", *(variant for variant in variants if variant))) + '"'


def not_modified(request: Request, tag: str) -> bool:
    """Whether If-None-Match holds this very tag (weakly compared) or ``*``."""
    given = request.headers.get("if-none-match")
    if given is None:
        return False
    return given.strip() == "*" or tag in (part.strip().removeprefix("W/") for part in given.split(","))


_TAG = re.compile(r'(?:W/)?"r(\d{1,18})(?:\.[a-z0-9.]+)?"')


def expected_revisions(request: Request) -> frozenset[int] | None:
    """The revisions If-Match accepts; None if it is absent or ``*``; a tag that is none of ours matches no revision."""
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    tags = (_TAG.fullmatch(part.strip()) for part in given.split(","))
    return frozenset(int(tag[1]) for tag in tags if tag)


def check_revision(current: int, accepted: frozenset[int] | None) -> None:
    """Raise StaleRevision unless the current revision is among the accepted ones."""
    if accepted is not None and current not in accepted:
        seen = f"revision {max(accepted)}" if accepted else "a tag that is none of this session's"
        raise StaleRevision(f"the request was made for {seen}, the session is now at revision {current}", current)
