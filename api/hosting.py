"""The static client on another host than the service's: its files, with the service's address in them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from api.engine.errors import InvalidInput

_CALLS = re.compile(r'\b(action|href|src)="(?=(?:v1/|openapi\.json))')


def export(client: Path, folder: Path, api_url: str) -> int:
    """Copy the client to a folder, over what of the same names is there; the number of files.

    Raises InvalidInput if ``api_url`` is no absolute address, OSError if the folder cannot be written.
    """
    address = checked(api_url)
    count = 0
    for source in sorted(path for path in client.rglob("*") if path.is_file()):
        target = folder / source.relative_to(client)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".html":
            text = source.read_text(encoding="utf-8")
            target.write_text(_CALLS.sub(rf'\g<1>="{address}/', text), encoding="utf-8")
        else:
            shutil.copyfile(source, target)
        count += 1
    return count


def checked(api_url: str) -> str:
    """The service's address without a final slash."""
    try:
        parts = urlsplit(api_url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        whole = False
    if not whole or re.search(r"[\s\"'<>\\]", api_url):
        raise InvalidInput(
            "the API's address is absolute and without a query, such as https://api.example.org/stepgrad"
        )
    return api_url.rstrip("/")
