"""A corpus of eighteen sentences, and what skip-gram with negative sampling makes of it: each word with each of its
neighbours, and words that are none, drawn as often as their count to the power of ¾ says.

Source: T. Mikolov et al., Distributed Representations of Words and Phrases and their Compositionality, 2013, 2.2.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from api.engine.draws import Draws

_SENTENCES = """king rules land, queen rules land, king wears crown, queen wears crown, king rules castle,
queen rules castle, cat chases ball, dog chases ball, cat eats fish, dog eats fish, cat chases mouse, dog chases mouse,
sun lights sky, moon lights sky, sun lights sea, moon lights sea, sun leaves sky, moon leaves sky"""
SENTENCES = tuple(tuple(sentence.split()) for sentence in _SENTENCES.split(","))
VOCABULARY = tuple(dict.fromkeys(word for sentence in SENTENCES for word in sentence))
"""Every word once, in the order of its first appearance: a word's class is its place here."""
NEGATIVES = 3
WINDOW = 2
"""Words to each side that count as neighbours."""
_PASSES = 2
"""Times each pair is listed, with other negatives."""


def skip_grams(draws: Draws) -> tuple[tuple[float, ...], ...]:
    """Rows of the classes of a word, a neighbour of it, and ``NEGATIVES`` words that are not that neighbour."""
    pairs = [
        (VOCABULARY.index(word), VOCABULARY.index(other))
        for sentence in SENTENCES
        for place, word in enumerate(sentence)
        for there, other in enumerate(sentence)
        if 0 < abs(place - there) <= WINDOW
    ]
    every = [word for sentence in SENTENCES for word in sentence]
    counts = list(accumulate(every.count(word) ** 0.75 for word in VOCABULARY))
    return tuple(
        tuple(map(float, (center, context, *(_other_than(context, counts, draws) for _ in range(NEGATIVES)))))
        for center, context in pairs * _PASSES
    )


def _other_than(context: int, counts: list[float], draws: Draws) -> int:
    """A word by its share of the running ``counts``, drawn again while it is ``context``."""
    while True:
        word = bisect_right(counts, draws.uniform() * counts[-1])
        if word != context:
            return word
