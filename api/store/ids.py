"""Names of sessions: capabilities that only their owners know.

    id       128 random bits, 22 characters; allows everything
    read id  first 128 bits of HMAC-SHA256(id, "read"); allows to look
    id_hash  SHA-256(read id); all that the database has

Both ids lead to the row, and neither can be found in it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache

ID_LENGTH = 22


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _raw(identifier: str) -> bytes:
    return urlsafe_b64decode(identifier + "==")


def new_id() -> str:
    """A fresh id of 22 base64url characters."""
    return _text(secrets.token_bytes(16))


def new_salt() -> bytes:
    """What is stored so that ``derived_id`` can name a session again."""
    return secrets.token_bytes(16)


def derived_id(key: str, salt: bytes) -> str:
    """The id that an idempotency key creates: the first 128 bits of HMAC-SHA256(key, salt).

    A repeated request can so be told the id although only its hash is stored.
    """
    return _text(hmac.digest(key.encode(), salt, "sha256")[:16])


@lru_cache(maxsize=4096)
def read_id(identifier: str) -> str:
    """The read-only id that belongs to an id."""
    return _text(hmac.digest(identifier.encode("utf-8", "surrogatepass"), b"read", "sha256")[:16])


def id_hash(read_identifier: str) -> bytes:
    """What the database has of a session's name, from its read id."""
    return hashlib.sha256(read_identifier.encode()).digest()


def is_plausible(identifier: str) -> bool:
    """Whether this text can be an id at all; saves a look into the database."""
    return len(identifier) == ID_LENGTH and identifier.isascii()


def veil(read_identifier: str, parent: str) -> bytes:
    """A parent's read id as its fork stores it: readable to those only who know the fork's own read id."""
    pad = hmac.digest(read_identifier.encode(), b"parent", "sha256")[:16]
    return bytes(a ^ b for a, b in zip(_raw(parent), pad, strict=True))


def unveil(read_identifier: str, veiled: bytes) -> str:
    """The inverse of ``veil``."""
    pad = hmac.digest(read_identifier.encode(), b"parent", "sha256")[:16]
    return _text(bytes(a ^ b for a, b in zip(veiled, pad, strict=True)))


def lent_id(identifier: str, purpose: str) -> str:
    """An id that the holder of another one can give away: the first 128 bits of HMAC-SHA256(id, purpose)."""
    key, text = (part.encode("utf-8", "surrogatepass") for part in (identifier, purpose))
    return _text(hmac.digest(key, text, "sha256")[:16])
