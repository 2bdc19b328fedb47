"""The server's key: where one is set, only who knows it may create sessions or have definitions evaluated.

Programs send ``Authorization: Bearer KEY``, forms the field ``server_key``; a browser is asked for it by the page of
the refusal. What a session's own id allows needs no key: a teacher creates, and students step and fork.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request

from api.engine.errors import KeyNeeded
from api.routes.bodies import Ask, read
from api.routes.service import service_of


async def admitted(request: Request) -> Ask:
    """The request's body; raises KeyNeeded, before it is read if a header already has the wrong key."""
    service = service_of(request)
    wanted = service.settings.server_key
    header = request.headers.get("authorization")
    if not wanted or header is not None:
        # A header's text is its bytes, read as Latin-1.
        if wanted and not is_key(bearer(header or "").encode("latin-1"), wanted):
            raise KeyNeeded("the Authorization header has not the server's key; send Authorization: Bearer KEY")
        return await read(request, service.limits)
    ask = await read(request, service.limits)
    if not is_key((ask.server_key or "").encode("utf-8", "surrogatepass"), wanted):
        found = "this is not the server's key" if ask.server_key else "creating needs the server's key"
        again = list(flat(ask.fields)) if ask.is_form else None
        raise KeyNeeded(f"{found}; send Authorization: Bearer KEY, or the form field server_key", again)
    return ask


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """A form's fields as they were sent: dotted names and texts."""
    if isinstance(value, dict | list):
        for part, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flat(inner, f"{name}.{part}" if name else str(part))
    else:
        yield name, value


def bearer(header: str) -> str:
    """The token in an Authorization header."""
    scheme, _, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def is_key(given: bytes, wanted: str) -> bool:
    """Whether they are the same, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given, wanted.encode())
