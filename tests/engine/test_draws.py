"""The published draws: the docstring's vectors, and what each transform promises."""

from __future__ import annotations

import doctest
import math
from collections import Counter
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.engine import draws as module
from api.engine.draws import Draws, Stream

seeds = st.integers(0, 2**64 - 1)


def test_the_test_vectors_of_the_docstring_hold() -> None:
    result = doctest.testmod(module)
    assert result.attempted == 6
    assert result.failed == 0


def test_a_shuffle_is_fisher_yates_over_below() -> None:
    draws, order = Draws(5, Stream.ORDER, 1), list(range(9))
    for last in range(8, 0, -1):
        other = draws.below(last + 1)
        order[last], order[other] = order[other], order[last]
    assert Draws(5, Stream.ORDER, 1).shuffled(9) == tuple(order)


@given(seeds, st.integers(0, 200))
def test_a_shuffle_holds_every_row_once(seed: int, count: int) -> None:
    assert sorted(Draws(seed).shuffled(count)) == list(range(count))


@given(seeds)
def test_the_same_seed_and_stream_draw_the_same(seed: int) -> None:
    one, two = Draws(seed, 1, 2), Draws(seed, 1, 2)
    assert [one.normal() for _ in range(5)] == [two.normal() for _ in range(5)]


def test_seeds_and_streams_do_not_run_into_one_another() -> None:
    streams: list[tuple[int, ...]] = [(0,), (1,), (2**32,), (2**63,), (0, 0), (0, 1), (1, 0), (0, 0, 0), (0, 1, 0)]
    firsts = {Draws(seed, *stream).uniform() for seed, *stream in streams}
    assert len(firsts) == len(streams)


def test_every_order_of_four_rows_is_equally_likely() -> None:
    draws = Draws(11)
    counts = Counter(draws.shuffled(4) for _ in range(24_000))
    assert len(counts) == 24
    chi_square = sum((count - 1_000) ** 2 / 1_000 for count in counts.values())
    assert chi_square < 49.7  # 99.9 % point of 23 degrees of freedom


@pytest.mark.parametrize("count", [1, 2, 3, 6, 2**63 + 1])
def test_below_stays_below(count: int) -> None:
    draws = Draws(3)
    assert all(0 <= draws.below(count) < count for _ in range(1_000))


def test_uniforms_are_multiples_of_two_to_the_minus_53_in_the_unit_interval() -> None:
    draws = Draws(1)
    values = [draws.uniform() for _ in range(20_000)]
    assert all(0 <= value < 1 and (value * 2.0**53).is_integer() for value in values)
    assert fmean(values) == pytest.approx(0.5, abs=4 * math.sqrt(1 / 12 / 20_000))


def test_normals_have_the_moments_and_the_tails_of_the_bell_curve() -> None:
    draws = Draws(2)
    values = [draws.normal() for _ in range(20_000)]
    assert fmean(values) == pytest.approx(0, abs=4 / math.sqrt(20_000))
    assert pstdev(values) == pytest.approx(1, abs=4 / math.sqrt(40_000))
    assert sum(value < -1 for value in values) / 20_000 == pytest.approx(0.158655, abs=0.011)
    assert sum(value > 2 for value in values) / 20_000 == pytest.approx(0.02275, abs=0.0045)


def test_truncated_normals_stay_within_two_and_keep_their_variance() -> None:
    draws = Draws(4)
    values = [draws.truncated_normal() for _ in range(20_000)]
    assert max(map(abs, values)) <= 2
    assert min(values) < 0 < max(values)
    assert pstdev(values) == pytest.approx(0.87962566, abs=0.02)


@pytest.mark.parametrize("arguments", [(-1,), (2**64,), (0, -1), (0, 2**32)])
def test_a_seed_out_of_range_is_refused(arguments: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        Draws(*arguments)
