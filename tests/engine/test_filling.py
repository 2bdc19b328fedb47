"""Filled patterns say what writing the formula with its numbers says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.engine.descent import rule_of
from api.engine.filling import filled
from api.engine.notation import TEXT
from api.engine.optimizers import OPTIMIZERS
from api.engine.terms import Number, Term, names, substitute

TREES = [
    line.tree
    for kind, row in OPTIMIZERS.items()
    for dialect in row.dialects
    for decay in (False, True)
    for clip in ("", "norm", "value")
    for line in rule_of(kind, dialect, decay, clip).lines
]
NUMBERS = st.floats() | st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 1e-08, -1e-08, 1e300, 0.9])


def test_there_are_formulas_to_fill() -> None:
    assert len(TREES) > 100


@given(st.data())
def test_a_filled_formula_is_the_one_written_with_its_numbers(data: st.DataObject) -> None:
    tree = data.draw(st.sampled_from(TREES))
    wanted = names(tree)
    values = data.draw(st.lists(NUMBERS, min_size=len(wanted), max_size=len(wanted)))
    written = TEXT.write(substitute(tree, dict(zip(wanted, map(Number, values), strict=True))))
    assert filled(tree, values) == written


@pytest.mark.parametrize("tree", TREES)
def test_each_formula_is_filled_with_small_and_negative_numbers(tree: Term) -> None:
    for value in (1e-08, -3.0, 0.25):
        wanted = names(tree)
        written = TEXT.write(substitute(tree, dict.fromkeys(wanted, Number(value))))
        assert filled(tree, [value] * len(wanted)) == written
