"""The table of optimisers: against the libraries, against the article's formulas, and what it refuses."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.engine.descent import CLIPS, numbers, resolve, rule, rule_of
from api.engine.errors import InvalidInput
from api.engine.optimizers import DIALECTS, OPTIMIZERS
from api.training.definition import define
from api.training.session import Session
from tests.golden import cases

EVERY = [(kind, dialect) for kind, row in OPTIMIZERS.items() for dialect in row.dialects]
LIBRARIES = cases.optimizers()


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


@pytest.mark.parametrize("name", LIBRARIES)
def test_twenty_updates_are_those_that_the_library_makes(name: str, live: dict[str, Any]) -> None:
    agree(trained(LIBRARIES[name]), live["optimizers"][name])


def test_the_golden_file_has_every_case_and_says_what_made_it(stored: dict[str, Any]) -> None:
    assert list(stored["optimizers"]) == list(LIBRARIES)
    assert list(stored["schedules"]) == list(cases.SCHEDULES)
    assert stored["versions"] == {"torch": "2.13.0", "keras": "3.15.1"}


def agree(ours: list[list[float]], theirs: list[list[float]]) -> None:
    assert len(ours) == len(theirs) == cases.UPDATES
    for step, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        assert mine == pytest.approx(other, rel=1e-12, abs=0), f"update {step + 1}"


# the article, worked out by itself

Gradient = Callable[[list[float]], list[float]]
Article = Callable[[Iterator[Gradient], list[float]], Iterator[list[float]]]


def rows() -> Iterator[Gradient]:
    """The gradient of (w1·x1 + w2·x2 + b − y)² for one row after the other."""
    data = ((4, 1, 2), (2, 8, -14), (1, 0, 1), (3, 2, -1), (1, 4, -7), (6, 7, -8))

    def at(place: int) -> Gradient:
        x1, x2, y = data[place % 6]

        def gradient(w: list[float]) -> list[float]:
            slope = 2 * (w[0] * x1 + w[1] * x2 + w[2] - y)
            return [slope * x1, slope * x2, slope]

        return gradient

    return map(at, range(cases.UPDATES))


def by_hand(kind: str) -> list[list[float]]:
    """The article's formulas as one would type them, with its defaults."""
    w, found = list(cases.START.values()), []
    m, v, other = [0.0] * 3, [0.0] * 3, [0.0] * 3
    for t, gradient in enumerate(rows(), start=1):
        g = gradient([w[i] - 0.01 * m[i] for i in range(3)] if kind == "nesterov" else w)
        for i in range(3):
            w[i], m[i], v[i], other[i] = ARTICLE[kind](w[i], g[i], m[i], v[i], other[i], t)
        found.append(list(w))
    return found


Four = tuple[float, float, float, float]


def _momentum(w: float, g: float, m: float, v: float, o: float, t: int) -> Four:
    m = 0.9 * m + 0.1 * g
    return w - 0.01 * m, m, v, o


def _adagrad(w: float, g: float, m: float, v: float, o: float, t: int) -> Four:
    v += g * g
    return w - 0.01 / math.sqrt(v + 1e-7) * g, m, v, o


def _rmsprop(w: float, g: float, m: float, v: float, o: float, t: int) -> Four:
    v = 0.9 * v + 0.1 * g**2
    return w - 0.001 / math.sqrt(v + 1e-6) * g, m, v, o


def _adadelta(w: float, g: float, m: float, v: float, o: float, t: int) -> Four:
    v = 0.95 * v + 0.05 * g**2
    d = math.sqrt(o + 1e-6) / math.sqrt(v + 1e-6) * g
    return w - d, m, v, 0.95 * o + 0.05 * d**2


def _adam(w: float, g: float, m: float, v: float, o: float, t: int) -> Four:
    m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g**2
    return w - 0.001 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v, o


def _adamax(w: float, g: float, m: float, v: float, o: float, t: int) -> Four:
    m, v = 0.9 * m + (1 - 0.9) * g, max(0.999 * v, abs(g))
    return (w - 0.002 * (m / (1 - 0.9**t)) / v if v else w), m, v, o


def _nadam(w: float, g: float, m: float, v: float, o: float, t: int) -> Four:
    m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g**2
    ahead = 0.9 * (m / (1 - 0.9**t)) + (1 - 0.9) * g / (1 - 0.9**t)
    return w - 0.002 / (math.sqrt(v / (1 - 0.999**t)) + 1e-7) * ahead, m, v, o


def _amsgrad(w: float, g: float, m: float, v: float, o: float, t: int) -> Four:
    m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g**2
    o = max(o, v)
    return w - 0.001 * m / (math.sqrt(o) + 1e-7), m, v, o


ARTICLE: dict[str, Callable[[float, float, float, float, float, int], Four]] = {
    "sgd": lambda w, g, m, v, o, t: (w - 0.01 * g, m, v, o),
    "momentum": _momentum,
    "nesterov": _momentum,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adadelta": _adadelta,
    "adam": _adam,
    "adamax": _adamax,
    "nadam": _nadam,
    "amsgrad": _amsgrad,
}


@pytest.mark.parametrize("kind", [kind for kind, dialect in EVERY if dialect == "article"])
def test_the_articles_dialect_agrees_with_its_formulas(kind: str) -> None:
    agree(trained({"kind": kind, "dialect": "article"}), by_hand(kind))


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
