"""Sixteen clients, thirty-two thousand requests: one order explains every answer, on either database."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.histories import check, load
from tests.postgres import Server
from tests.routes.serving import serving

pytestmark = pytest.mark.thorough


def test_all_answers_of_one_server_fit_one_order(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, _):
        statuses = check(load([address], clients=16, operations=2000, sessions=5))
    assert statuses.keys() == {200, 409, 412, 422}
    assert statuses.total() == 32_000


def test_all_answers_of_two_servers_on_one_database_fit_one_order(tmp_path: Path, postgres: Server) -> None:
    with ExitStack() as stack:
        url = postgres.migrated()
        addresses = [stack.enter_context(serving(tmp_path, database_url=url))[0] for _ in range(2)]
        statuses = check(load(addresses, clients=16, operations=2000, sessions=5))
    assert statuses.keys() == {200, 409, 412, 422}
    assert statuses.total() == 32_000


def test_a_history_that_fits_no_order_is_found(address: str) -> None:
    events = load([address], clients=4, operations=60, sessions=1)
    check(events)
    write = next(event for event in events if event.wrote and event.revision == 9)
    look = next(event for event in events if event.action == "look")
    refused = next(event for event in events if event.status == 409)
    for wrong in (
        [event for event in events if event is not write],  # acknowledged, and lost
        [*events, write],  # applied twice
        [*events, replace(look, document={**look.document, "loss": 1.0})],
        [*events, replace(look, began=look.began + 1e6, ended=look.ended + 1e6)],  # an old state, much later
        [*events, replace(refused, status=412)],
    ):
        with pytest.raises(AssertionError):
            check(wrong)
