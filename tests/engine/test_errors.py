"""Errors travel between processes with all that they say."""

from __future__ import annotations

import pickle

import pytest

from api.engine import errors as tree
from api.engine.errors import FieldError


@pytest.mark.parametrize(
    "error",
    [
        tree.InvalidInput("two faults", errors=[FieldError("/a", "one"), FieldError("/b", "two")]),
        tree.FormulaError("a name is missing", 2, 5),
        tree.LimitExceeded("too many", 7, "/rows"),
        tree.BodyTooLarge("too long", 9),
        tree.WrongPhase("not now", ["undo"]),
        tree.StaleRevision("too late", 12),
        tree.NotFound("there is none"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_the_same_in_another_process(error: tree.StepgradError) -> None:
    there = pickle.loads(pickle.dumps(error))
    assert type(there) is type(error)
    assert vars(there) == vars(error)
    assert str(there) == str(error)
