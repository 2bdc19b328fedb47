"""Equations on a page: cut into pieces that a browser may put side by side or below each other, as there is room.

The documents give each part of an equation as one ``<math>`` string, made by the engine's own writer. Browsers never
break a line of mathematics, and would push a long one out of a narrow window: so each right-hand side becomes a
``<math>`` of its own, cut before a + or − and behind a comma, and the style sheet lets the pieces wrap.
"""

from __future__ import annotations

import re
from html import unescape

from markupsafe import Markup, escape

LONGEST = 14
"""A piece of more characters than this is cut inside its brackets too."""
WIDE = 17
"""A side of more characters than this wants the full width of the page's column."""
WIDER = 20
"""A fraction's numerator or a power's base of more characters than this is taken apart."""
WIDEST = 24
"""Where a piece has more characters than this, it has to scroll in a narrow window."""

_MATH = re.compile(r"<math[^>]*><mrow>(.*)</mrow></math>", re.DOTALL)
_RELATION = re.compile(r"<mo>(?:=|≈|←)</mo>")
_LIST = re.compile(r"(<mo>[=≈]</mo>)<mo>\[</mo><mrow>(.*)</mrow><mo>\]</mo>", re.DOTALL)
_COMMA = '<mo separator="true">,</mo>'
_COMMAS = (_COMMA, "<mo>,</mo>")
_SIGNS = ("<mo>+</mo>", "<mo>−</mo>")
_TIMES = ("<mo>·</mo>", "<mo>⊙</mo>", '<mo lspace="0" rspace="0">&#8290;</mo>')
"""Between factors; the last stands between matrices."""
_FRACTION = re.compile(r"<mfrac><mrow>((?:(?!<mfrac>).)*?)</mrow><mrow>((?:(?!<mfrac>).)*?)</mrow></mfrac>")
_MATRIX = re.compile(r"<mtable>(.*?)</mtable>", re.DOTALL)
_BESIDE = "<mo>&#8290;</mo>"  # the invisible times
_DEEPEST = 6
_LEADING = re.compile(r"(?:<mo(?: [^>]*)?>[^<]*</mo>)*")
_TOKEN = re.compile(r"<mo(?: [^>]*)?>[^<]*</mo>|<mspace[^>]*/>|</?[a-z]+[^>]*>|[^<]+")
_TAG = re.compile(r"<[^>]*>")


def equation(symbolic: str, substituted: str | None = None, value: str | None = None) -> Markup:
    """An equation's left-hand side, then each right-hand side that says something new, in pieces."""
    left, right = _split(inner(symbolic))
    rights = [right]
    for part in (substituted, value):
        if part is not None:
            _add(rights, _folded(inner(part)))
    cuts = [cut(side) for side in rights]
    sides = Markup("").join(_side([_math(piece) for piece in pieces]) for pieces in cuts)
    scrolls = max(length(piece) for pieces in cuts for piece in pieces) > WIDEST
    long = scrolls or max(map(length, rights)) > WIDE
    kind = Markup('"mx long" tabindex="0"' if scrolls else '"mx long"' if long else '"mx"')
    return Markup('<div class={}>{}<div class="rs">{}</div></div>').format(kind, _math(left) if left else "", sides)


def _side(pieces: list[Markup]) -> Markup:
    """A side stays on one line if there is room for it on the next."""
    return pieces[0] if len(pieces) == 1 else Markup("<span>{}</span>").format(Markup("").join(pieces))


def _math(inside: str) -> Markup:
    return Markup(f'<math displaystyle="true">{inside}</math>')


def inner(math: str) -> str:
    """What the engine's own MathML holds; anything else becomes text."""
    match = _MATH.fullmatch(math)
    return match[1] if match else f"<mtext>{escape(math)}</mtext>"


def _split(equation: str) -> tuple[str, str]:
    """What stands before the first relation, and the rest with it; nothing before where there is none."""
    relation = _RELATION.search(equation)
    return (equation[: relation.start()], equation[relation.start() :]) if relation else ("", equation)


def _add(rights: list[str], side: str) -> None:
    """Append a side, unless the last one says the same; if either of the two was rounded, ≈ remains."""
    last = rights[-1]
    if _RELATION.sub("", last, count=1) != _RELATION.sub("", side, count=1):
        rights.append(side)
    elif len(rights) > 1 and side.startswith("<mo>≈</mo>"):
        rights[-1] = side


def _folded(side: str) -> str:
    """One number instead of a list of rows that all have it."""
    rows = _LIST.fullmatch(side)
    if rows is None:
        return side
    items = set(rows[2].split(f"</mrow>{_COMMA}<mrow>"))
    return rows[1] + items.pop() if len(items) == 1 else side


def length(markup: str) -> int:
    """About how many characters wide a piece of MathML is; of a fraction the wider half counts, of a matrix the widest
    line."""
    flat = _MATRIX.sub(lambda match: max(match[1].split("</mtr>"), key=_characters), markup)
    flat = _FRACTION.sub(lambda match: max(match[1], match[2], key=_characters), flat)
    return _characters(flat)


def _characters(markup: str) -> int:
    gaps = markup.count("</mtd><mtd>")
    return gaps + len(unescape(_TAG.sub("", markup)).replace("\u2062", "").replace("\u2061", ""))


def cut(side: str) -> list[str]:
    """A right-hand side in pieces: each new one begins with an infix sign, or follows a comma."""
    first, *others = _divided(side, 0)
    return [first, *(_infix(piece) for piece in others)]


def _divided(side: str, depth: int) -> list[str]:
    """Terms; of one that is too long the factors, and of a factor what stands in its brackets."""
    pieces = []
    for term in _cut(side, _SIGNS):
        for factor in _cut(_level(term), (*_TIMES, _BESIDE)) if length(term) > LONGEST else [term]:
            deeper = length(factor) > LONGEST and depth < _DEEPEST
            pieces += _divided(_opened(factor), depth + 1) if deeper else [factor]
    return pieces


def _level(term: str) -> str:
    """A term that can be cut: of one that is a fraction with a long numerator, 1 over its denominator, times that; of
    one that is a power with a long base, this base, its last bracket raised."""
    leading = (_LEADING.match(term) or [""])[0]
    tokens = _TOKEN.findall(term[len(leading) :])
    if not tokens or tokens[0] not in ("<mfrac>", "<msup>"):
        return term
    first, second, tail = _children(tokens)
    if length(first) <= WIDER:
        return term
    if tokens[0] == "<mfrac>":
        if length(first) < length(second):
            return term
        above = f"<mo>·</mo><mrow><mo>(</mo>{first}<mo>)</mo></mrow>"
        return f"{leading}<mfrac><mrow><mn>1</mn></mrow>{second}</mfrac>{above}{tail}"
    opened = _opened(_opened(first))
    if not opened.endswith("<mo>)</mo>"):
        return term
    return f"{leading}{opened.removesuffix('<mo>)</mo>')}<msup><mo>)</mo>{second}</msup>{tail}"


def _children(tokens: list[str]) -> tuple[str, str, str]:
    """The two children of the element that the tokens begin with, and what follows it."""
    parts, depth = [""], 0
    for place, token in enumerate(tokens[1:], 1):
        if depth == 0 and token.startswith("</"):
            return parts[0], parts[1], "".join(tokens[place + 1 :])
        depth += _opens(token) - token.startswith("</")
        parts[-1] += token
        if depth == 0 and (token.startswith("</") or token.endswith("</mo>")):
            parts.append("")
    raise ValueError("an element without an end")


def _infix(piece: str) -> str:
    """At the start of a ``<math>`` a sign would be set as a prefix, close to what follows."""
    return piece.replace("<mo", '<mo form="infix"', 1) if piece.startswith((*_SIGNS, *_TIMES)) else piece


def _opened(piece: str) -> str:
    """A piece without its outermost groups, so that it can be cut inside them."""
    out, depth = [], 0
    for token in _TOKEN.findall(piece):
        closing = token.startswith("</")
        depth -= closing
        if not (depth == 0 and token in ("<mrow>", "</mrow>")):
            out.append(token)
        depth += _opens(token)
    return "".join(out)


def _cut(side: str, signs: tuple[str, ...]) -> list[str]:
    """Pieces at the signs and commas that stand in no element; a sign at the very beginning belongs to its number."""
    pieces, depth = [""], 0
    for token in _TOKEN.findall(side):
        if depth == 0 and token in signs and pieces[-1]:
            pieces.append("")
        depth += _opens(token) - token.startswith("</")
        pieces[-1] += token
        if depth == 0 and token in _COMMAS:
            pieces.append("")
    return pieces if pieces[-1] else pieces[:-1]


def _opens(token: str) -> bool:
    return token.startswith("<") and not token.startswith("</") and not token.endswith(("/>", "</mo>"))
