"""Fifty times ``kill -9``: nothing that was answered is lost, nothing is done twice."""

from __future__ import annotations

import pytest

from tests.contract.kills import kill
from tests.postgres import Server

pytestmark = pytest.mark.thorough


def test_fifty_kills_of_the_one_server_lose_nothing_and_double_nothing() -> None:
    report = kill(50)
    assert report.problems == []
    assert report.kills == 50
    assert report.answers > 100
    assert report.repeated > 0


def test_fifty_kills_of_two_servers_in_turn_lose_nothing_and_double_nothing(postgres: Server) -> None:
    report = kill(50, servers=2, database_url=postgres.migrated())
    assert report.problems == []
    assert report.kills == 50
    assert report.answers > 100
    assert report.replayed > 0
