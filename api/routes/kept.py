"""Answers that may be sent again: states as JSON, by the address they were asked for."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache

from api.routes.edge import RawHeaders, with_headers
from api.store import Stored

KEPT, KEPT_BYTES = 1024, 65_536
"""How many answers are kept, of a few kilobytes each; a longer one is not."""
_ADDRESS = re.compile(rb"/v1/sessions/[\w-]{22}(/revisions/\d{1,18})?", re.ASCII)


class Kept:
    """An answer that can be sent again while its session is at ``revision``, or, ``fixed``, as long as it is there.

    Without a ``body`` it only says that nothing has changed.
    """

    __slots__ = ("body", "fixed", "read_id", "revision", "shared", "tag")

    def __init__(self, stored: Stored, headers: Mapping[str, str], body: bytes | None, fixed: bool) -> None:
        self.read_id, self.revision, self.fixed = stored.read_id, stored.revision, fixed
        self.body, self.tag = body, headers["ETag"].encode()
        self.shared = _shared(headers["Cache-Control"], headers["Vary"])

    def answer(self, request_id: str) -> bytes:
        """The answer from behind its status line on; not without a body."""
        assert self.body is not None
        about = b"etag: %b\r\ncontent-length: %d\r\ncontent-type: application/json\r\n" % (self.tag, len(self.body))
        return b"%b%bx-request-id: %b\r\n\r\n%b" % (about, self.shared, request_id.encode(), self.body)

    def unchanged(self, request_id: str) -> bytes:
        """The same of a 304."""
        return b"etag: %b\r\n%bx-request-id: %b\r\n\r\n" % (self.tag, self.shared, request_id.encode())


@lru_cache(maxsize=16)
def _shared(cache: str, vary: str) -> bytes:
    """The headers that many answers have alike."""
    return on_the_wire(with_headers([(b"cache-control", cache.encode()), (b"vary", vary.encode())]))


class Answers:
    """The answers sent last, by the address they were asked for."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()

    def get(self, target: bytes) -> Kept | None:
        """The answer to a GET of this address, if there is one that may still be right."""
        return self._kept.get(target)

    def keep(
        self, target: bytes, stored: Stored, headers: Mapping[str, str], body: bytes | None, fixed: bool = False
    ) -> Kept:
        """Remember an answer in the place of the one before."""
        kept = Kept(stored, headers, body, fixed)
        if len(body or b"") <= KEPT_BYTES and not stored.running and _ADDRESS.fullmatch(target):
            self._kept[target] = kept
            self._kept.move_to_end(target)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return kept


def on_the_wire(headers: RawHeaders) -> bytes:
    """Headers on the wire, without the empty line behind them."""
    return b"".join(b"%b: %b\r\n" % pair for pair in headers)
