"""Random programs of all operations: a run gives what stepping gives, bit for bit."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from api.training.definition import Definition, define
from api.training.limits import Limits
from api.training.run import advance
from api.training.session import Session
from tests.engine.programs import Program, programs
from tests.training.choices import VARIANTS, bits, same

STEPS = 3


def defined(program: Program, **more: Any) -> Definition:
    """The program as a model: what it is fed comes as columns, which it brings into shape."""
    parameters, inputs = program.numbers()
    source, groups, columns = program.source, dict[str, list[str]](), dict[str, list[float]]()
    for name, value in inputs.items():
        shape = program.placeholders[name]
        count = math.prod(shape)
        names = [f"{name}_{place}" for place in range(count)] if shape else [name]
        columns |= dict(zip(names, value.reshape(len(value), count).T.tolist(), strict=True))
        if shape:
            source = f"{name} = reshape({name}_, {', '.join(map(str, shape))})\n{source}"
            groups[f"{name}_"] = names
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    shapes = {name: list(shape) for name, shape in program.parameters.items() if shape}
    return define(
        {
            "model": {"kind": "expression", "source": source, "shapes": shapes, "placeholders": groups},
            "data": {"columns": list(columns), "rows": rows} if columns else None,
            "parameters": {name: value.tolist() for name, value in parameters.items()},
            "loss": {"reduction": program.reduction},
            "batch_size": max(1, program.rows - 1),
            **more,
        },
        limits=Limits(columns=10_000),
    )


@pytest.mark.parametrize("tensors", [False, True], ids=["numbers", "tensors"])
@pytest.mark.parametrize("rule", ["torch-sgd", "keras-adam-norm-decay", "article-nesterov-value"])
def test_random_programs_train_alike(rule: str, tensors: bool) -> None:
    @given(programs(tensors=tensors))
    @settings(
        deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
    )
    def every(program: Program) -> None:
        assume(program.parameters)
        definition = defined(program, optimizer=VARIANTS[rule] | {"learning_rate": 0.01})
        session, losses = Session.start(definition), list[float]()
        for _ in range(STEPS):
            session = session.forward().backward()
            assume(not session.diverged)
            losses.append(math.nan if session.loss is None else session.loss)
            session = session.update()
        stretch = advance(definition, Session.start(definition).snapshot, steps=STEPS)
        assert bits(stretch.losses) == bits(losses)
        same(stretch.end, session.snapshot)

    every()
