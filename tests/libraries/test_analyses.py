"""Curvature, single examples and landscapes beside PyTorch's autograd."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from api.engine.elements import every, packed
from api.training.definition import define
from api.training.examples import examples
from api.training.landscape import Axis, landscape
from api.training.limits import Limits
from api.training.session import Session
from api.training.stability import stability
from tests.libraries.analysed import CASES, SHIFTS
from tests.libraries.conftest import missing


@pytest.fixture(scope="session")
def autograd() -> dict[str, Any]:
    """Every case, made by PyTorch in a process of its own."""
    if reason := missing():
        pytest.skip(reason)
    command = [sys.executable, "-W", "ignore", "-m", "tests.libraries.analysed"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def session(name: str) -> Session:
    return Session.start(define(CASES[name]))


@pytest.mark.parametrize("name", CASES)
def test_eigenvalues_are_those_of_autograd_s_hessian(name: str, autograd: dict[str, Any]) -> None:
    right = np.linalg.eigvalsh(np.array(autograd[name]["hessian"]))[::-1]
    found = stability(session(name), limits=Limits(), steps=1)
    np.testing.assert_allclose(np.array(found.full.eigenvalues), right, rtol=1e-7, atol=1e-8 * abs(right).max())
    assert found.full.largest_rate == pytest.approx(2 / right[0], rel=1e-7)
    assert found.batch == found.full
    assert found.constant is (name == "article")


@pytest.mark.parametrize("name", CASES)
def test_each_example_s_gradient_is_autograd_s(name: str, autograd: dict[str, Any]) -> None:
    there = session(name)
    found = list(examples(there, 0, 100))
    graph, weight = there.definition.graph, 1 if name == "sum" else 1 / len(found)
    np.testing.assert_allclose([one.loss for one in found], autograd[name]["losses"], rtol=1e-12)
    right = np.array(autograd[name]["examples"])
    np.testing.assert_allclose([packed(graph, one.gradient) for one in found], right, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(
        [packed(graph, one.contribution) for one in found], right * weight, rtol=1e-11, atol=1e-15
    )


@pytest.mark.parametrize("name", CASES)
def test_the_loss_along_a_parameter_is_torch_s(name: str, autograd: dict[str, Any]) -> None:
    there = session(name)
    first = next(every(there.definition.graph))
    at = first.of(there.parameters)
    for shift, right in zip(SHIFTS, autograd[name]["along"], strict=True):
        axis = Axis(first, at + shift, at + shift + 1.0)
        assert landscape(there, [axis], 2, "all").loss[0] == pytest.approx(right, rel=1e-12)
