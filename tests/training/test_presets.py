"""Every preset trains to the loss it states, and is only a beginning."""

from __future__ import annotations

import math

import pytest

from api.engine.errors import InvalidInput
from api.training.definition import Definition, define
from api.training.presets import PRESETS
from api.training.run import Goal, advance
from api.training.session import Session


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains_to_the_loss_it_states(name: str) -> None:
    preset = PRESETS[name]
    definition = define({"model": {"kind": "preset", "name": name}})
    start = Session.start(definition).snapshot
    first = advance(definition, start, goal=Goal(epoch=2), seconds=math.inf).end.progress.first_epoch_loss
    stretch = advance(definition, start, goal=Goal(epoch=1 + preset.epochs), seconds=math.inf, most=10**6)
    assert stretch.stopped_by == "completed"
    assert (stretch.end.progress.last_epoch_loss or math.inf) < min(preset.reaches, first or 0)


@pytest.mark.parametrize("name", PRESETS)
def test_what_a_session_keeps_is_the_definition_in_full(name: str) -> None:
    document = define({"model": {"kind": "preset", "name": name}}).document
    assert document["model"]["kind"] != "preset"
    assert Definition.load(document).document == document
    assert define(document).document == document


def test_what_is_given_stands_before_what_the_preset_says() -> None:
    definition = define(
        {"model": {"kind": "preset", "name": "xor"}, "batch_size": 2, "optimizer": {"learning_rate": 0.1}}
    )
    assert (definition.batch_size, definition.optimizer["learning_rate"]) == (2, 0.1)
    assert definition.document["data"] == {"dataset": "xor"}


@pytest.mark.parametrize(
    ("model", "pointer", "says"),
    [
        ({"name": "xro"}, "/model/name", "did you mean 'xor'"),
        ({}, "/model/name", "there are logistic_regression"),
        ({"name": "xor", "units": 3}, "/model/units", "only its name"),
    ],
)
def test_a_preset_that_is_none_is_refused(model: dict[str, object], pointer: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        define({"model": {"kind": "preset", **model}})
    assert caught.value.errors[0].pointer == pointer
    assert says in caught.value.detail
