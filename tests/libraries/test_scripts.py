"""The scripts of every case, run in the library that each is written for."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping

import pytest

from tests.scripts.cases import EVERY
from tests.scripts.random_programs import scripts
from tests.scripts.running import DONE, run, script_of

LIBRARIES = {"pytorch": "torch", "jax": "jax", "tensorflow": "tensorflow-cpu"}


@pytest.fixture(scope="module", params=LIBRARIES)
def target(request: pytest.FixtureRequest) -> str:
    """Each library that is here."""
    found: str = request.param
    try:
        importlib.metadata.version(LIBRARIES[found])
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"needs {LIBRARIES[found]}: pip install -e '.[libraries]'")
    return found


@pytest.fixture(scope="module")
def printed(target: str) -> Mapping[str, str]:
    """What each case's script printed."""
    texts = [script_of(case, target) for case in EVERY.values()]
    return dict(zip(EVERY, run(texts), strict=True))


@pytest.mark.parametrize("name", EVERY)
def test_the_script_finds_the_numbers_of_the_session(name: str, printed: Mapping[str, str]) -> None:
    assert DONE in printed[name]


@pytest.mark.parametrize("tensors", [False, True], ids=["numbers", "tensors"])
def test_scripts_of_random_programs_find_the_numbers_too(target: str, tensors: bool) -> None:
    texts = scripts(tensors, 40, target)
    assert len(texts) > 25
    assert [said for said in run(texts) if DONE not in said] == []
