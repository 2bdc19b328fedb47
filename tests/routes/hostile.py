"""What somebody might send who means no good: over three hundred requests, none of which may be accepted.

``golden/hostile.json`` has the short ones, name and wire text (one byte a character); the long ones are made here. An
address that begins with ``S`` stands for a session's path.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

SHORT = Path(__file__).parents[1] / "golden" / "hostile.json"
GET = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def posted(path: str, body: bytes, kind: str = "application/json", headers: bytes = b"") -> bytes:
    """A POST as it stands on the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + headers + b"\r\n" + body


def created(body: object) -> bytes:
    """A creation of this body."""
    return posted("/v1/sessions", json.dumps(body).encode())


def formula(source: str) -> bytes:
    """A creation with this formula."""
    return created({"model": {"kind": "expression", "source": source}})


def long() -> Iterator[tuple[str, bytes]]:
    """Those that are hostile by their size."""
    yield "headers without end", GET + b"X: y\r\n" * 20_000
    yield "one header without end", GET + b"X: " + b"y" * 200_000
    yield "an address without end", b"GET /" + b"a" * 200_000
    yield "an address of 5,000 letters", GET.replace(b"/livez", b"/v1/sessions/" + b"a" * 5000) + b"\r\n"
    for name, body in (
        ("lists", b"[" * 100_000),
        ("objects", b'{"a":' * 100_000),
        ("a number of a million digits", b'{"seed": ' + b"9" * 1_000_000 + b"}"),
        ("more bytes than are read", b'{"title": "' + b"a" * 3_000_000 + b'"}'),
        ("zeros that say they are brotli", b"\x00" * 1_000_000),
    ):
        yield name, posted("/v1/sessions", body, headers=b"Content-Encoding: br\r\n" if body[0] == 0 else b"")
    for source in (
        "L = " + "(" * 100_000,
        "L = " + "-" * 100_000 + "w",
        "L = " + "w+" * 90_000 + "w",
        "L = " + "w" * 100_000 + "=",
        "L = " + "sin(" * 50_000 + "w" + ")" * 50_000,
    ):
        yield f"a formula that goes on like {source[:12]}", formula(source)
    yield "a table that is too long", created({"data": {"csv": "a,b\n" + "1,2\n" * 10_001}})
    yield "rows that are too many", created({"data": {"columns": ["u", "v"], "rows": [[1, 2]] * 20_000}})
    yield "layers", created({"model": {"kind": "mlp", "layers": [{"units": 3}] * 20_000}})
    form = "application/x-www-form-urlencoded"
    yield "fields of a form", posted("/v1/sessions", b"&".join(b"f%d=1" % n for n in range(2000)), form)
    part = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    for name, body in (("parts", part * 3000), ("headers of a part", b"--B\r\n" + b"X: y\r\n" * 5000 + b"\r\n1\r\n")):
        yield name, posted("/v1/sessions", body + b"--B--\r\n", "multipart/form-data; boundary=B")
    yield "answers", posted("S/check", json.dumps({"answers": [{}] * 5000}).encode())


CASES = {name: text.encode("latin1") for name, text in json.loads(SHORT.read_text()).items()} | dict(long())
