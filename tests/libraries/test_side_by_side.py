"""Every optimiser and every schedule beside PyTorch and Keras themselves.

The tests of the engine hold the same numbers against the golden file, which needs neither library.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.test_optimizers import LIBRARIES, agree, trained
from tests.engine.test_schedules import rates
from tests.libraries import cases


@pytest.mark.parametrize("name", LIBRARIES)
def test_twenty_updates_are_those_that_the_library_makes(name: str, live: dict[str, Any]) -> None:
    agree(trained(LIBRARIES[name]), live["optimizers"][name])


@pytest.mark.parametrize("name", cases.SCHEDULES)
def test_every_rate_is_that_of_the_library(name: str, live: dict[str, Any]) -> None:
    assert rates(cases.SCHEDULES[name]) == pytest.approx(live["schedules"][name], rel=1e-12, abs=0)
