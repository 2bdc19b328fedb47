"""Random numbers that mean the same in every version of NumPy, on every machine.

NumPy promises the raw 64-bit stream of a bit generator, not what ``Generator`` makes of it, so the transforms here are
our own, over ``PCG64(SeedSequence(seed, spawn_key=stream)).random_raw()`` alone; ``word`` is one such number:

* uniform: ``(word >> 11) · 2⁻⁵³``, in [0, 1)
* below n: a word of ⌊2⁶⁴/n⌋·n or more is drawn again, then ``word mod n``
* shuffle: Fisher–Yates from the end: for i = n − 1 … 1 swap places i and ``below(i + 1)``
* normal: Marsaglia's polar method: u = 2·uniform − 1, v = 2·uniform − 1 until 0 < s = u² + v² < 1, then
  f = √(−2 ln s / s) gives u·f, and v·f for the next call
* truncated normal: normals until one lies within ±2

The polar method needs one logarithm where Box–Muller needs a cosine too; the square root is exactly rounded everywhere,
so fewer last bits hang on the C library.

Test vectors:

>>> hex(Draws(0)._word()), hex(Draws(0, 1, 2)._word())
('0xa30febcfd9c2825f', '0xdb12365b22108b7')
>>> draws = Draws(0); [draws.uniform() for _ in range(3)]
[0.6369616873214543, 0.2697867137638703, 0.04097352393619469]
>>> draws = Draws(0); [draws.below(6) for _ in range(10)]
[5, 1, 2, 5, 3, 4, 3, 1, 3, 1]
>>> Draws(0).shuffled(6), Draws(1).shuffled(6), Draws(2**64 - 1).shuffled(6)
((3, 1, 4, 0, 2, 5), (0, 2, 3, 4, 5, 1), (1, 5, 4, 2, 0, 3))
>>> draws = Draws(0); [draws.normal() for _ in range(4)]
[0.8078330832224515, -1.3578535169650585, 0.6954632027865234, 1.4967435851819213]
>>> draws = Draws(7); [draws.truncated_normal() for _ in range(3)]
[0.2568975630239209, 0.8157230652573124, 0.7088085038621023]
"""

from __future__ import annotations

import math
from enum import IntEnum

from numpy.random import PCG64, SeedSequence

SEED_LIMIT = 2**64


class Stream(IntEnum):
    """First number of a stream, one for each purpose, so that what one draws never shifts what another does."""

    PARAMETERS = 0
    ORDER = 1
    SPLIT = 2


class Draws:
    """A sequence of draws: the same ``seed`` and ``stream`` give the same sequence, others an independent one.

    ``seed`` is an integer from 0 to 2⁶⁴ − 1, each number of ``stream`` one from 0 to 2³² − 1; ``ValueError`` otherwise.
    """

    def __init__(self, seed: int, *stream: int) -> None:
        # Wider numbers would run into one another: SeedSequence joins all of them to one row of 32-bit words.
        if not 0 <= seed < SEED_LIMIT or not all(0 <= part < 2**32 for part in stream):
            raise ValueError(f"seed or stream out of range: {seed}, {stream}")
        sequence = SeedSequence(seed, spawn_key=tuple(int(part) for part in stream))
        self._word = PCG64(sequence).random_raw
        self._spare: float | None = None

    def uniform(self) -> float:
        """A number from [0, 1), one of 2⁵³ equally likely ones."""
        return float(self._word() >> 11) * 2.0**-53

    def below(self, count: int) -> int:
        """An integer from 0 to ``count`` − 1, each exactly as likely."""
        limit = 2**64 - 2**64 % count
        word = self._word()
        while word >= limit:
            word = self._word()
        return int(word % count)

    def normal(self) -> float:
        """A number from the normal distribution with mean 0 and standard deviation 1."""
        if self._spare is not None:
            value, self._spare = self._spare, None
            return value
        while True:
            u, v = 2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0
            s = u * u + v * v
            if 0.0 < s < 1.0:
                factor = math.sqrt(-2.0 * math.log(s) / s)
                self._spare = v * factor
                return u * factor

    def truncated_normal(self) -> float:
        """A standard normal number, drawn again while it lies beyond 2 standard deviations."""
        value = self.normal()
        while abs(value) > 2.0:
            value = self.normal()
        return value

    def shuffled(self, count: int) -> tuple[int, ...]:
        """The integers from 0 to ``count`` − 1 in an order of which each is equally likely."""
        order = list(range(count))
        for last in range(count - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return tuple(order)
