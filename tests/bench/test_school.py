"""The played school, with costs whose outcome can be told beforehand."""

from __future__ import annotations

import pytest

from tests.bench.school import Costs, play, stored


def test_an_action_alone_waits_for_its_own_costs_only() -> None:
    assert stored(Costs(0.0, 0.5, 0.25), [(1.0, 0.0), (5.0, 4.0)]) == [1.75, 1.75]


def test_actions_that_are_ready_together_share_the_next_force() -> None:
    # ready at 1, 2 and 3; forces begin at 1 and, with both others, at 11
    assert stored(Costs(0.0, 1.0, 10.0), [(0.0, 0.0)] * 3) == [11.0, 21.0, 21.0]


def test_no_wait_is_shorter_than_the_costs_and_few_students_wait_hardly_longer() -> None:
    waits = play(Costs(0.001, 0.001, 0.002), 10, 20.0, 1, 1)
    assert waits[0] == pytest.approx(0.004)
    assert waits[len(waits) // 2] < 0.0041


def test_too_few_servers_make_students_wait_and_shards_end_it() -> None:
    costs = Costs(0.004, 0.001, 0.002)
    one, more = (play(costs, 10_000, 20.0, databases, 1) for databases in (1, 4))
    assert one[len(one) // 2] > 10
    assert more[len(more) // 2] < 0.1
