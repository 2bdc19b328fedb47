"""What holds for all tests: when one may be skipped, and a running service to talk to.

On a developer's machine a test that needs a browser or a package beyond ``.[test]`` is skipped with its reason. In CI
(the environment variable ``CI`` is set) a skipped test has failed; only those of ``contract/``, ``e2e/`` and
``libraries/`` may wait for their own run, ``pytest --thorough``, in which nothing may be skipped.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests import postgres as postgresql
from tests.routes.serving import serving

LATER = tuple(Path(__file__).parent / name for name in ("contract", "e2e", "libraries"))
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--thorough``."""
    parser.addoption(
        "--thorough",
        action="store_true",
        help="also run what installs packages or takes minutes; whatever is skipped has failed",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The markers of this project."""
    config.addinivalue_line("markers", "thorough: installs packages or takes minutes; runs with --thorough only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what takes long for ``--thorough``."""
    if not config.getoption("--thorough"):
        for item in items:
            if item.get_closest_marker("thorough"):
                item.add_marker(pytest.mark.skip(reason="takes long: pytest --thorough"))


def without_skips(report: Report, node: pytest.Item | pytest.Collector) -> Report:
    """The report, failed if it was skipped where nothing may be."""
    thorough = node.config.getoption("--thorough")
    may_wait = not thorough and any(folder in node.path.parents for folder in LATER)
    if report.skipped and not hasattr(report, "wasxfail") and (thorough or os.environ.get("CI")) and not may_wait:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{node.nodeid} was skipped, and here nothing may be: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, pytest.TestReport]:
    """A test skipped in CI has failed."""
    report: pytest.TestReport = yield
    return without_skips(report, item)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, pytest.CollectReport]:
    """So has a module."""
    report: pytest.CollectReport = yield
    return without_skips(report, collector)


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgresql.Server]:
    """A PostgreSQL server for all tests that want one."""
    try:
        programs = postgresql.programs_folder()
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    with postgresql.serving(programs) as server:
        yield server


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``http://127.0.0.1:PORT`` of the real service, in a process of its own on a database of its own."""
    with serving(tmp_path_factory.mktemp("served")) as (found, _process):
        yield found
