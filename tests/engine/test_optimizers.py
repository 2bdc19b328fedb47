"""The table of optimisers: against the libraries, against the article's formulas, and what it refuses."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from api.engine.descent import CLIPS, numbers, resolve, rule, rule_of
from api.engine.errors import InvalidInput
from api.engine.optimizers import DIALECTS, OPTIMIZERS
from api.training.definition import define
from api.training.session import Session
from tests.engine import article
from tests.libraries import cases
from tests.libraries.made import GOLDEN

EVERY = [(kind, dialect) for kind, row in OPTIMIZERS.items() for dialect in row.dialects]
LIBRARIES = cases.optimizers()


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    """What the libraries made, as it is kept."""
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


def trained(body: dict[str, Any], updates: int = cases.UPDATES) -> list[list[float]]:
    """w1, w2, b after each update on the article's data, one row at a time."""
    session, found = Session.start(define({"optimizer": body, "parameters": cases.START})), []
    for _ in range(updates):
        session = session.forward().backward().update()
        found.append([float(value) for value in session.parameters.values()])
    return found


@pytest.mark.parametrize("name", LIBRARIES)
def test_twenty_updates_are_those_that_the_library_made(name: str, stored: dict[str, Any]) -> None:
    agree(trained(LIBRARIES[name]), stored["optimizers"][name])


def test_the_golden_file_has_every_case_and_says_what_made_it(stored: dict[str, Any]) -> None:
    assert list(stored["optimizers"]) == list(LIBRARIES)
    assert list(stored["schedules"]) == list(cases.SCHEDULES)
    assert stored["versions"] == {"torch": "2.13.0", "keras": "3.15.1"}


def agree(ours: list[list[float]], theirs: list[list[float]]) -> None:
    assert len(ours) == len(theirs) == cases.UPDATES
    for step, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        assert mine == pytest.approx(other, rel=1e-12, abs=0), f"update {step + 1}"


@pytest.mark.parametrize("kind", [kind for kind, dialect in EVERY if dialect == "article"])
def test_the_articles_dialect_agrees_with_its_formulas(kind: str) -> None:
    agree(
        trained({"kind": kind, "dialect": "article"}), article.trained(kind, list(cases.START.values()), cases.UPDATES)
    )


def test_the_articles_nesterov_looks_ahead() -> None:
    assert trained({"kind": "nesterov", "dialect": "article"}) != trained({"kind": "momentum", "dialect": "article"})


def test_the_articles_adamax_stays_where_every_gradient_was_zero() -> None:
    body = {"parameters": {"w1": 1, "w2": 1, "b": 1}, "optimizer": {"kind": "adamax", "dialect": "article"}}
    data = {"columns": ["x1", "x2", "y"], "rows": [[0, 1, 2], [1, 1, 5]]}
    first = Session.start(define({**body, "data": data, "model": {"kind": "linear"}})).forward().backward().update()
    assert first.parameters == {"w1": 1.0, "w2": 1.0, "b": 1.0}
    second = first.forward().backward().update()
    assert all(value > 1.0 for value in second.parameters.values())


# the table


@pytest.mark.parametrize(("kind", "dialect"), EVERY)
def test_every_row_reads_its_fields_and_nothing_else(kind: str, dialect: str) -> None:
    defaults = OPTIMIZERS[kind].dialects[dialect].defaults
    read = rule_of(kind, dialect, decay="weight_decay" in defaults).reads
    assert read <= defaults.keys()
    unread = {"momentum", "dampening", "nesterov"} if kind == "sgd" else set()
    assert defaults.keys() - read == unread & defaults.keys()


@pytest.mark.parametrize(("kind", "dialect"), EVERY)
@pytest.mark.parametrize("clip", ["", *CLIPS])
def test_what_is_chosen_is_complete_and_may_be_chosen_again(kind: str, dialect: str, clip: str) -> None:
    body = {"kind": kind, "dialect": dialect} | ({"clip": {clip: 2}} if clip else {})
    document = resolve(body)
    assert resolve(json.loads(json.dumps(document))) == document
    assert numbers(document).keys() == rule(document).reads
    assert all(math.isfinite(value) for value in numbers(document).values())


def test_what_is_off_is_left_out_and_so_is_its_line() -> None:
    plain = {"kind": "sgd", "dialect": "torch", "learning_rate": 0.001}
    off = {"momentum": 0, "dampening": 0, "nesterov": False, "weight_decay": 0, "clip": None}
    assert resolve({"kind": "sgd"} | off) == plain
    assert rule(plain) is rule_of("sgd", "torch")
    assert len(rule(plain).lines) == 1
    assert resolve({"kind": "adamw", "weight_decay": 0})["weight_decay"] == 0


def test_sgd_with_momentum_is_the_rule_of_momentum() -> None:
    for dialect in ("torch", "keras"):
        there = {"kind": "sgd", "dialect": dialect, "momentum": 0.9}
        assert rule(resolve(there)) is rule_of("momentum", dialect)
        assert rule(resolve(there | {"nesterov": True})) is rule_of("nesterov", dialect)
        assert trained({**there, "learning_rate": 0.001}) == trained(
            {"kind": "momentum", "dialect": dialect, "learning_rate": 0.001}
        )


def test_counts_and_products_are_one_number_for_a_parameter_of_any_shape() -> None:
    assert rule_of("nadam", "torch").single == {"t", "P"}
    assert rule_of("sgd", "torch").single == set()


@pytest.mark.parametrize(
    ("kind", "dialect"),
    [("radam", "keras"), ("radam", "article"), ("lion", "torch"), ("lion", "article"), ("adamw", "article")],
)
def test_a_kind_that_the_dialect_lacks_is_refused(kind: str, dialect: str) -> None:
    refused({"kind": kind, "dialect": dialect}, "/optimizer/kind")


@pytest.mark.parametrize(("kind", "dialect"), EVERY)
def test_a_field_that_the_kind_does_not_use_is_refused(kind: str, dialect: str) -> None:
    known = {name for row in OPTIMIZERS.values() for there in row.dialects.values() for name in there.defaults}
    for name in known - OPTIMIZERS[kind].dialects[dialect].defaults.keys():
        refused({"kind": kind, "dialect": dialect, name: 0.5}, f"/optimizer/{name}")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "adm"}, "/optimizer/kind"),
        ({"kind": 7}, "/optimizer/kind"),
        ({"dialect": "jax"}, "/optimizer/dialect"),
        ({"kind": "adam", "lr": 1}, "/optimizer/lr"),
        ({"kind": "adam", "beta1": 1}, "/optimizer/beta1"),
        ({"kind": "adam", "beta2": -0.1}, "/optimizer/beta2"),
        ({"kind": "adam", "epsilon": math.inf}, "/optimizer/epsilon"),
        ({"kind": "adam", "learning_rate": True}, "/optimizer/learning_rate"),
        ({"kind": "rmsprop", "rho": 1.5}, "/optimizer/rho"),
        ({"momentum": 2}, "/optimizer/momentum"),
        ({"nesterov": 1}, "/optimizer/nesterov"),
        ({"nesterov": True}, "/optimizer/nesterov"),
        ({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "/optimizer/nesterov"),
        ({"clip": {}}, "/optimizer/clip"),
        ({"clip": 3}, "/optimizer/clip"),
        ({"clip": {"norm": 1, "value": 1}}, "/optimizer/clip"),
        ({"clip": {"norm": 0}}, "/optimizer/clip/norm"),
        ({"clip": {"nrom": 1}}, "/optimizer/clip/nrom"),
    ],
)
def test_what_has_no_meaning_is_refused(body: dict[str, Any], pointer: str) -> None:
    refused(body, pointer)


def refused(body: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve(body)
    assert caught.value.errors[0].pointer == pointer
    assert len(caught.value.detail) > 10


def test_every_dialect_has_the_kinds_of_the_reference() -> None:
    common = ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "adamax", "nadam", "amsgrad"]
    kinds = {dialect: [kind for kind, there in EVERY if there == dialect] for dialect in DIALECTS}
    assert kinds == {"torch": [*common, "adamw", "radam"], "keras": [*common, "adamw", "lion"], "article": common}
