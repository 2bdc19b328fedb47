"""A sheet on which somebody works out the numbers of a step one by one: questions, tries, and what was typed.

Nothing is stored: the sheet travels with whoever answers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.engine.errors import InvalidInput

TRIES = 3
_SPELT = {"inf": "Infinity", "infinity": "Infinity", "∞": "Infinity", "nan": "NaN"}


@dataclass(frozen=True, slots=True)
class Question:
    """One quantity, named as ``check`` names it, with its right numbers."""

    section: str
    name: str
    expected: Any
    shape: tuple[int, ...]

    @property
    def quantity(self) -> str:
        """``gradients.w1``."""
        return f"{self.section}.{self.name}"

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What has been answered so far.

    ``done`` has a digit for each question behind, the try at which it was answered, or 0 where the answer was shown;
    ``tries`` counts those in vain on the present question.
    """

    done: str = ""
    tries: int = 0

    def after(self, right: bool) -> Sheet:
        """The sheet after one more answer; the last try in vain is the end of a question too."""
        if right:
            return Sheet(self.done + str(self.tries + 1))
        return self.shown() if self.tries + 1 >= TRIES else Sheet(self.done, self.tries + 1)

    def shown(self) -> Sheet:
        """The sheet after the present answer was shown."""
        return Sheet(self.done + "0")

    @property
    def score(self) -> dict[str, int]:
        """How many questions there were, how many were answered right, and how many of those at once."""
        right = len(self.done) - self.done.count("0")
        return {"asked": len(self.done), "right": right, "first_try": self.done.count("1")}


class Unreadable(Exception):
    """An answer that is no number or not as many as are asked for; ``str()`` says what would do."""


def sheet_of(done: str, tries: int, questions: Sequence[Question]) -> Sheet:
    """A sheet as it came back; raises InvalidInput unless it is one of these questions."""
    if not re.fullmatch(f"[0-{TRIES}]{{0,{len(questions)}}}", done, re.ASCII):
        raise InvalidInput(f"query parameter done: must be at most {len(questions)} digits from 0 to {TRIES}")
    return Sheet(done, tries if len(done) < len(questions) else 0)


def read_numbers(text: str, question: Question) -> Any:
    """The numbers that somebody typed, in the shape that is asked for; raises Unreadable."""
    text = text.replace("\N{MINUS SIGN}", "-").strip().strip("[]()")
    if question.count == 1 and re.fullmatch(r"\s*[-+]?\d*,\d+\s*", text):
        text = text.replace(",", ".")
    pieces = [piece for piece in re.split(r"[\s,;\[\]]+", text) if piece]
    found = [_number(piece) for piece in pieces]
    if not found:
        raise Unreadable("Type a number, such as -4.232.")
    if len(found) != question.count:
        wanted = f"{question.count} numbers are asked for" if question.count > 1 else "one number is asked for"
        raise Unreadable(f"Here {wanted}; this is {len(found)}.")
    return _shaped(found, question.shape)


def _number(piece: str) -> float | str:
    sign, spelt = ("-", piece[1:]) if piece[:1] == "-" else ("", piece.removeprefix("+"))
    if spelt.lower() in _SPELT:
        word = _SPELT[spelt.lower()]
        return word if word == "NaN" else sign + word
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,4})?", piece, re.ASCII | re.IGNORECASE):
        shown = piece if len(piece) <= 40 else piece[:39] + "…"
        raise Unreadable(f"“{shown}” is no number; write it like -4.232 or 1.5e-3.")
    number = float(piece)
    return number if math.isfinite(number) else f"{sign}Infinity"


def _shaped(numbers: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return numbers[0]
    size = len(numbers) // shape[0]
    return [_shaped(numbers[at * size : (at + 1) * size], shape[1:]) for at in range(shape[0])]
