"""Checksums, so that a bit that has flipped on a disk is found before it is taken for a number.

    a blob      its bytes, then CRC-32 in four bytes: its length is no multiple of eight, as that of bare numbers is
    a text      CRC-32 in eight hexadecimal digits, then the JSON object
    a row       CRC-32 of its other columns, in a column of its own

What was written before there were checksums has none, and is taken as it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from api.engine.errors import StoreDamaged

DAMAGED = "the database is damaged; restore a backup"


def seal(blob: bytes) -> bytes:
    """Numbers with their checksum."""
    return blob + zlib.crc32(blob).to_bytes(4, "little")


def unseal(sealed: bytes) -> bytes:
    """The numbers; raises StoreDamaged if they are others than were sealed."""
    if len(sealed) % 8 == 0:
        return sealed
    blob = sealed[:-4]
    if len(sealed) % 8 != 4 or zlib.crc32(blob) != int.from_bytes(sealed[-4:], "little"):
        raise StoreDamaged(DAMAGED)
    return blob


def seal_text(text: str) -> str:
    """A JSON object with its checksum."""
    return f"{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}{text}"


def unseal_text(sealed: str) -> str:
    """The JSON object; raises StoreDamaged if it is another than was sealed."""
    if sealed[:1] == "{":
        return sealed
    text = sealed[8:]
    if seal_text(text) != sealed:
        raise StoreDamaged(DAMAGED)
    return text


def checksum(columns: Iterable[object]) -> int:
    """The checksum of a row's columns, whichever of the databases hands them back.

    SQLite keeps an infinite loss but turns NaN into NULL and -0.0 into 0.0, and gives a whole number back as an integer
    or a float as the column's type says.
    """
    told = [
        value if (kind := type(value)) is str or value is None else _number(value) if kind in _NUMBERS else _told(value)
        for value in columns
    ]
    return zlib.crc32(repr(told).encode("utf-8", "surrogatepass"))


_NUMBERS = frozenset({int, float, bool})


def _number(value: Any) -> float | None:
    return None if value != value else float(value) + 0.0


def _told(value: object) -> object:
    if isinstance(value, int | float):
        return _number(value)
    return bytes(value) if isinstance(value, memoryview | bytearray) else value
