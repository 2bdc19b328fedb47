"""Bodies in: JSON, urlencoded and multipart forms, all to the same plain dict, and from there to a typed one.

    bytes ──parse──▶ Ask(fields, control) ──typed(Model)──▶ dict of what the caller gave

A form's dotted names become nested objects and its texts the types that the model wants at their place; JSON is taken
strictly. ``Control`` is what steers the request rather than says something: revision, idempotency key, ``return``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from api.documents.bodies import LARGEST_WHOLE, given
from api.engine.errors import BodyTooLarge, BodyTooSlow, FieldError, InvalidInput, LimitExceeded, UnsupportedMediaType
from api.engine.wording import pointer_part, shown
from api.routes.faults import faults
from api.routes.forms import coerced, nested
from api.routes.negotiation import expected_revisions
from api.routes.strict_json import parse
from api.training.limits import Limits

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
CONTROL_FIELDS = ("revision", "idempotency_key", "server_key", "return")
SILENCE_SECONDS = 20.0  # in the midst of a body


@dataclass(frozen=True, slots=True)
class Ask:
    """A body as read: its own fields, and the control fields apart; ``expected`` are If-Match's revisions."""

    fields: dict[str, Any] = field(default_factory=dict)
    revision: int | None = None
    expected: frozenset[int] | None = None
    key: str | None = None
    server_key: str | None = None
    minimal: bool = False
    is_form: bool = False
    limits: Limits = field(default_factory=Limits)

    def typed(self, model: type[BaseModel]) -> dict[str, Any]:
        """The fields as the model types them, only those that were given; raises InvalidInput with every fault."""
        if not self.fields and may_be_empty(model):
            return {}
        fields = coerced(self.fields, model) if self.is_form else self.fields
        try:
            return given(model.model_validate(fields))
        except ValidationError as error:
            listed = faults(error, model, fields)
            raise InvalidInput(summary(listed), errors=listed) from None

    @property
    def fingerprint(self) -> str:
        """A digest of what is asked, the same for the same fields however they are written down."""
        text = json.dumps([self.fields, self.revision], sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=64)
def may_be_empty(model: type[BaseModel]) -> bool:
    """Whether none of its fields must be given."""
    return not any(field.is_required() for field in model.model_fields.values())


def summary(listed: tuple[FieldError, ...]) -> str:
    """One sentence for a list of faults: the first, and how many more there are."""
    first = listed[0]
    place = f"{first.pointer}: " if first.pointer else ""
    more = f" (and {len(listed) - 1} more)" if len(listed) > 1 else ""
    return f"{place}{first.detail}{more}"


async def read(request: Request, limits: Limits) -> Ask:
    """Read a request's body. No body is an empty one.

    Raises BodyTooLarge, NotJSON, UnsupportedMediaType, LimitExceeded or InvalidInput.
    """
    key = check_key(request.headers.get("idempotency-key"))
    minimal = prefers_minimal(request)
    expected = expected_revisions(request)
    body = await read_bytes(request, limits.body_bytes)
    if not body:
        return Ask(expected=expected, key=key, minimal=minimal, limits=limits)
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("compressed bodies are not read; send it without Content-Encoding")
    if media_type in FORMS:
        fields = nested(await form_items(request, body, media_type, limits))
    elif media_type == "application/json" or media_type.endswith("+json"):
        fields = parse(body, limits.depth)
    else:
        raise UnsupportedMediaType(
            f"a body of type {shown(media_type)} is not read; send application/json, {FORMS[0]} or {FORMS[1]}"
        )
    return replace(with_control(fields, key, minimal, media_type in FORMS, limits), expected=expected)


def with_control(fields: dict[str, Any], key: str | None, minimal: bool, is_form: bool, limits: Limits) -> Ask:
    """Take the control fields out of a body; the header's idempotency key wins over the field."""
    control = {name: fields.pop(name) for name in CONTROL_FIELDS if name in fields}
    revision = control.get("revision")
    if isinstance(revision, str) and is_form and revision.isascii() and revision.isdigit():
        revision = int(revision[:19])
    if isinstance(revision, float) and revision.is_integer():
        revision = int(revision)
    whole = isinstance(revision, int) and not isinstance(revision, bool)
    if revision is not None and not (whole and 0 <= revision <= LARGEST_WHOLE):
        raise InvalidInput("revision must be a whole number from 0", "/revision")
    field_key = control.get("idempotency_key")
    if field_key is not None and not isinstance(field_key, str):
        raise InvalidInput("idempotency_key must be a text", "/idempotency_key")
    server_key = control.get("server_key")
    if server_key is not None and not isinstance(server_key, str):
        raise InvalidInput("server_key must be a text", "/server_key")
    if control.get("return") not in (None, "minimal", "representation"):
        raise InvalidInput("return must be minimal or representation", "/return")
    wants_minimal = control["return"] == "minimal" if "return" in control else minimal
    return Ask(
        fields,
        revision,
        key=check_key(key or field_key),
        server_key=server_key,
        minimal=wants_minimal,
        is_form=is_form,
        limits=limits,
    )


def check_key(key: str | None) -> str | None:
    """An idempotency key of sensible length; raises InvalidInput."""
    if key is not None and not (1 <= len(key) <= 255 and key.isprintable()):
        raise InvalidInput("an idempotency key is 1 to 255 printable characters", "/idempotency_key")
    return key


def prefers_minimal(request: Request) -> bool:
    """Whether ``Prefer: return=minimal`` (RFC 7240) is among the headers."""
    given = request.headers.get("prefer", "")
    return any(part.strip().lower() == "return=minimal" for part in given.split(","))


async def read_bytes(request: Request, limit: int) -> bytes:
    """The whole body, read no further than ``limit`` bytes; raises BodyTooLarge."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:19]) > limit:
        raise too_large(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await _received(request)
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _received(request: Request) -> Message:
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            return await request.receive()
    except TimeoutError:
        raise BodyTooSlow("the body did not arrive in time") from None


def too_large(limit: int) -> BodyTooLarge:
    """The error for a body of more than ``limit`` bytes."""
    return BodyTooLarge(f"the body is longer than the {limit:,} bytes that are read", limit)


async def form_items(request: Request, body: bytes, media_type: str, limits: Limits) -> list[tuple[str, str]]:
    """A form's names and texts in order; a file counts as its text."""
    if media_type == FORMS[0] and body.lstrip()[:1] == b"{":
        raise UnsupportedMediaType(
            "this is JSON, sent as a form; use curl --json (or -H 'Content-Type: application/json')"
        )

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    sizes: dict[str, Any] = {"max_fields": limits.form_fields, "max_part_size": limits.body_bytes}
    parser: FormParser | MultiPartParser
    if media_type == FORMS[0]:
        parser = FormParser(request.headers, stream(), **sizes)
    else:
        parser = MultiPartParser(request.headers, stream(), max_files=limits.form_fields, **sizes)
    try:
        if media_type == FORMS[1] and not is_whole(request.headers["content-type"], body):
            raise MultiPartException("its last boundary is missing, so part of it may be, too")
        form = await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many"):
            raise LimitExceeded(f"a form has at most {limits.form_fields} fields", limits.form_fields) from None
        raise InvalidInput(f"the form cannot be read: {error.message}") from None
    return await texts(form)


def is_whole(content_type: str, body: bytes) -> bool:
    """Whether a multipart body comes to its end; the parser takes half of one for the whole."""
    _, options = parse_options_header(content_type)
    return b"--" + options.get(b"boundary", b"") + b"--" in body


async def texts(form: FormData) -> list[tuple[str, str]]:
    """Each field's text; raises InvalidInput for a file that is no UTF-8 text."""
    items: list[tuple[str, str]] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            content = await value.read()
            await value.close()
            try:
                items.append((name, content.decode("utf-8-sig")))
            except UnicodeDecodeError:
                pointer = "".join("/" + pointer_part(part) for part in name.split("."))
                raise InvalidInput(f"the file in field {shown(name)} is not UTF-8 text", pointer) from None
        else:
            items.append((name, value))
    return items
