"""Every optimiser and every schedule beside PyTorch and Keras themselves, and early stopping.

The tests of the engine hold the same numbers against the golden file, which needs neither library.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.test_optimizers import LIBRARIES, agree, trained
from tests.engine.test_schedules import rates
from tests.libraries import cases
from tests.training.test_early_stopping import stopped


@pytest.mark.parametrize("name", LIBRARIES)
def test_twenty_updates_are_those_that_the_library_makes(name: str, live: dict[str, Any]) -> None:
    agree(trained(LIBRARIES[name]), live["optimizers"][name])


@pytest.mark.parametrize("name", cases.SCHEDULES)
def test_every_rate_is_that_of_the_library(name: str, live: dict[str, Any]) -> None:
    assert rates(cases.SCHEDULES[name]) == pytest.approx(live["schedules"][name], rel=1e-12, abs=0)


@pytest.mark.parametrize("name", cases.EARLY_STOPPING)
def test_a_run_stops_early_where_the_library_stops(name: str, live: dict[str, Any]) -> None:
    assert stopped(cases.EARLY_STOPPING[name]) == live["early_stopping"][name]
