"""What error messages share: a value shown short and safe, and the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN_CHARACTERS = 40


def shown(value: object) -> str:
    """``value`` for an error message: quoted if it is text, control characters and lone surrogates escaped, at most
    40 characters."""
    text = _quoted(value) if isinstance(value, str) else _brief(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def near_miss(name: str, known: Iterable[str]) -> str:
    """``", did you mean 'learning_rate'?"`` where one of ``known`` is close to ``name``, otherwise ``""``.

    Close is the same but for case and signs, the initials (``lr``), or what ``difflib`` takes for close.
    """
    candidates = list(known)[:1_000]
    wanted = _folded(name[:100])
    for candidate in candidates:
        initials = "".join(part[:1] for part in candidate.split("_"))
        if wanted and (wanted == _folded(candidate) or (len(initials) > 1 and wanted == initials.lower())):
            return f", did you mean {shown(candidate)}?"
    close = difflib.get_close_matches(name[:100], candidates, n=1, cutoff=0.6)
    return f", did you mean {shown(close[0])}?" if close else ""


def counted(count: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def pointer_part(name: str) -> str:
    """``name`` as one part of an RFC 6901 pointer, cut to 40 characters, without lone surrogates."""
    short = name if len(name) <= SHOWN_CHARACTERS else name[: SHOWN_CHARACTERS - 1] + "…"
    return short.encode("utf-8", "replace").decode().replace("~", "~0").replace("/", "~1")


def _quoted(text: str) -> str:
    # repr escapes whatever is not printable, lone surrogates included, so that the message can always be sent.
    return repr(text[: SHOWN_CHARACTERS + 1])


def _folded(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


def _brief(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, int) and value.bit_length() > 200:
        return "an integer of more than 60 digits"  # str() of a huge one costs time, or raises
    return str(value)
