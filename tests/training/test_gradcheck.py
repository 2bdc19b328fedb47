"""A session's gradients checked: in every phase, for every loss and preset, all of them or a fair share."""

from __future__ import annotations

from typing import Any

import pytest

from api.engine.errors import InvalidInput, LimitExceeded
from api.engine.losses import LOSSES
from api.training.definition import define
from api.training.gradcheck import MOST, gradcheck, most_elements
from api.training.limits import Limits
from api.training.presets import PRESETS
from api.training.session import Session

NETWORK: dict[str, Any] = {
    "model": {"kind": "mlp", "layers": [{"units": 5, "activation": "tanh"}, {"units": 1, "activation": "sigmoid"}]},
    "data": {"dataset": "moons"},
    "batch_size": 8,
}


def started(**body: Any) -> Session:
    return Session.start(define(body))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_s_gradients_agree(name: str) -> None:
    found = gradcheck(started(model={"kind": "preset", "name": name}), most=MOST)
    verdicts = [one.verdict for elements in found.checked.values() for one in elements]
    assert set(verdicts) == {"agrees"}
    assert len(verdicts) == sum(found.counts.values())


@pytest.mark.parametrize("scalars", [False, True])
@pytest.mark.parametrize("kind", LOSSES)
def test_every_loss_agrees_as_tensors_and_neuron_by_neuron(kind: str, scalars: bool) -> None:
    classes = LOSSES[kind].targets == "classes"
    if classes and scalars:
        return
    layers: list[dict[str, Any]] = [
        {"units": 3, "activation": "tanh"},
        {"units": 2 if classes else 1, "activation": "identity"},
    ]
    if kind == "binary_cross_entropy":
        layers[-1]["activation"] = "sigmoid"
    model = {"kind": "mlp", "layers": layers, **({"scalars": True} if scalars else {})}
    found = gradcheck(started(**{**NETWORK, "model": model, "loss": {"kind": kind}}), most=MOST)
    assert {one.verdict for elements in found.checked.values() for one in elements} == {"agrees"}


def test_in_every_phase_it_is_the_same() -> None:
    session = started(**NETWORK)
    found = gradcheck(session, most=MOST)
    for later in (session.forward(), session.forward().backward()):
        assert gradcheck(later, most=MOST).checked == found.checked
    gradients = session.forward().backward().gradients or {}
    assert found.checked["W2"][3].analytic == gradients["W2"][3][0]  # type: ignore[index]


def test_of_many_elements_each_parameter_has_its_share_evenly_spaced() -> None:
    found = gradcheck(started(**NETWORK), most=11)
    assert {name: len(elements) for name, elements in found.checked.items()} == {"W1": 4, "b1": 3, "W2": 3, "b2": 1}
    assert found.counts == {"W1": 10, "b1": 5, "W2": 5, "b2": 1}
    assert [one.element.label for one in found.checked["W1"]] == ["W1[0][0]", "W1[0][3]", "W1[1][1]", "W1[1][4]"]
    assert [one.element.label for one in found.checked["b1"]] == ["b1[0]", "b1[2]", "b1[4]"]
    assert sum(len(elements) for elements in gradcheck(started(**NETWORK), most=2).checked.values()) == 2


def test_one_parameter_alone_can_be_asked_for() -> None:
    found = gradcheck(started(), most=MOST, parameter="w2")
    assert [one.element.label for one in found.checked["w2"]] == ["w2"]
    assert list(found.checked) == ["w2"]
    with pytest.raises(InvalidInput, match="'x1' is no parameter but a placeholder"):
        gradcheck(started(), most=MOST, parameter="x1")


def test_how_many_are_checked_depends_on_their_work_and_one_too_large_is_refused() -> None:
    large = started(**{**NETWORK, "batch_size": 100})
    assert most_elements(started(), Limits()) == MOST
    assert 1 <= most_elements(large, Limits(analysis_operations=20_000)) < 30
    with pytest.raises(LimitExceeded, match="operations"):
        most_elements(large, Limits(analysis_operations=100))


def test_without_parameters_there_is_nothing_to_check() -> None:
    found = gradcheck(started(model={"kind": "expression", "source": "L = x1*x2"}), most=MOST)
    assert (found.checked, found.counts) == ({}, {})
