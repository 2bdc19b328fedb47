"""The table of operations has every operation of the engine, in every target."""

from __future__ import annotations

import ast

import pytest

from api.engine.ops import ELEMENTWISE, OPERATIONS
from api.engine.schedules import SCHEDULES
from api.scripts.helpers import HELPERS
from api.scripts.operations import SPELLINGS
from api.scripts.rates import RATES
from api.scripts.script import TARGETS


def test_every_operation_has_its_row_and_no_other() -> None:
    assert set(SPELLINGS) == {*OPERATIONS, "mean_rows", "sum_rows"}


@pytest.mark.parametrize("target", TARGETS)
def test_every_row_has_a_column_for_every_target(target: str) -> None:
    assert all(getattr(row, target) for row in SPELLINGS.values())
    assert target in HELPERS


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_elementwise_operation_has_a_gradient_for_each_operand(name: str) -> None:
    assert len(SPELLINGS[name].vjps) == ELEMENTWISE[name].arity


def test_every_schedule_has_its_lines() -> None:
    assert {*RATES, "constant"} == set(SCHEDULES)


@pytest.mark.parametrize(("target", "name"), [(target, name) for target, rows in HELPERS.items() for name in rows])
def test_a_helper_is_one_function_of_its_name(target: str, name: str) -> None:
    (function,) = ast.parse(HELPERS[target][name]).body
    assert isinstance(function, ast.FunctionDef)
    assert function.name == name
    assert ast.get_docstring(function)
