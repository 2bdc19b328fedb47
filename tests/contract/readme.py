"""The README's own commands, so that the tests run what a reader runs."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(name: str) -> list[str]:
    """The contents of the code blocks that follow a line ``<!-- name -->``."""
    return re.findall(rf"^<!-- {name} -->\n```\w*\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def walk(block: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output that stands below it."""
    turns = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (turn.partition("\n") for turn in turns)]
