"""Equations on a page: the = signs of all lines below each other, long sums broken where they may be.

The documents give each part of an equation as one ``<math>`` string, made by the engine's own writer; here their
contents become one table. Browsers never break a line of mathematics, and would push it out of a narrow window.
"""

from __future__ import annotations

import re
from html import unescape

from markupsafe import Markup

LONGEST = 27
"""A line of more characters than this is broken before a sign, or continued on a line of its own."""

_MATH = re.compile(r"<math[^>]*><mrow>(.*)</mrow></math>", re.DOTALL)
_RELATION = re.compile(r"<mo>(?:=|≈|←)</mo>")
_TOKEN = re.compile(r"<mo>[+−]</mo>|</?[a-z]+[^>]*>|[^<]+")
_TAG = re.compile(r"<[^>]*>")


def is_math(part: object) -> bool:
    """Whether a document's part is the MathML this module can take apart."""
    return isinstance(part, str) and _MATH.fullmatch(part) is not None


def aligned(symbolic: str, substituted: str | None, value: str | None) -> Markup:
    """One ``<math>`` of an equation: its left side, then each right side on its own line unless two fit on one."""
    left, rights = _split(_inner(symbolic))
    for part in (substituted, value):
        if part is not None and _inner(part) not in rights:
            rights.append(_inner(part))
    lines: list[str] = []
    for right in rights:
        if lines and len(lines) > 1 and length(lines[-1]) + length(right) <= LONGEST + 1:
            lines[-1] += right
        elif lines and len(rights) == 2 and length(lines[0]) + length(right) <= LONGEST:
            lines[0] += right
        else:
            lines += broken(right)
    rows = "".join(f"<mtr><mtd>{left if i == 0 else ''}</mtd><mtd>{line}</mtd></mtr>" for i, line in enumerate(lines))
    return Markup(f'<math displaystyle="true"><mtable displaystyle="true" class="al">{rows}</mtable></math>')


def _inner(math: str) -> str:
    match = _MATH.fullmatch(math)
    assert match is not None, "only the engine's own MathML comes here"
    return match[1]


def _split(equation: str) -> tuple[str, list[str]]:
    """What stands before the first relation, and the rest with it; nothing before where there is none."""
    relation = _RELATION.search(equation)
    if relation is None:
        return "", [equation]
    return equation[: relation.start()], [equation[relation.start() :]]


def length(markup: str) -> int:
    """About how many characters wide a piece of MathML is; of a fraction the wider half counts."""
    flat = re.sub(
        r"<mfrac><mrow>((?:(?!<mfrac>).)*?)</mrow><mrow>((?:(?!<mfrac>).)*?)</mrow></mfrac>",
        lambda match: max(match[1], match[2], key=lambda half: len(unescape(_TAG.sub("", half)))),
        markup,
    )
    return len(unescape(_TAG.sub("", flat)).replace("\u2062", "").replace("\u2061", ""))


def broken(line: str) -> list[str]:
    """A line in pieces of at most :data:`LONGEST` characters, each beginning with a + or − outside all brackets."""
    if length(line) <= LONGEST:
        return [line]
    pieces = [""]
    for term in _terms(line):
        if pieces[-1] and length(pieces[-1]) + length(term) > LONGEST:
            pieces.append("")
        pieces[-1] += term
    # an indent says that the line goes on; it starts with a sign that must not be read as a prefix
    return pieces[:1] + [f'<mspace width="1em"/>{piece.replace("<mo>", _INFIX, 1)}' for piece in pieces[1:]]


_INFIX = '<mo form="infix">'


def _terms(line: str) -> list[str]:
    """A line cut before each + and − that no other element holds."""
    terms, depth = [""], 0
    for token in _TOKEN.findall(line):
        if depth == 0 and token in ("<mo>+</mo>", "<mo>−</mo>"):
            terms.append("")
        elif token.startswith("</"):
            depth -= 1
        elif token.startswith("<") and not token.endswith(("/>", "</mo>")):
            depth += 1
        terms[-1] += token
    return terms
