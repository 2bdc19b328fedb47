"""Rows held out: how they are drawn, what is refused, and that only the others are trained on."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.engine.draws import Draws, Stream
from api.engine.errors import InvalidInput
from api.training.data import to_csv
from api.training.definition import Definition, define
from api.training.fork import fork
from api.training.run import advance
from api.training.session import Phase, Session
from api.training.split import Split, split_of

SPLIT = {"validation": 0.2, "test": 0.1}
IRIS: dict[str, Any] = {
    "model": {"kind": "mlp", "layers": [{"units": 3}]},
    "data": {"dataset": "iris", "standardize": True},
    "loss": {"kind": "softmax_cross_entropy"},
    "split": SPLIT,
    "batch_size": 16,
}


def again(definition: Definition) -> Definition:
    return define(json.loads(json.dumps(definition.document)))


def size(given_size: float | None, rows: int) -> int:
    """The nearest whole number of rows, at least one."""
    if given_size is None or given_size >= 1 or not given_size:
        return int(given_size or 0)
    whole, part = divmod(given_size * rows, 1)
    return max(1, int(whole) + (part >= 0.5))


@given(
    st.integers(1, 300),
    st.one_of(st.none(), st.floats(0, 0.5, exclude_min=True), st.integers(0, 100)),
    st.one_of(st.none(), st.floats(0, 0.4, exclude_min=True), st.integers(0, 100)),
    st.integers(0, 2**53),
)
def test_every_row_is_in_one_part(rows: int, validation: float | None, test: float | None, seed: int) -> None:
    body = {"validation": validation, "test": test}
    if sum(size(given_size, rows) for given_size in (validation, test)) >= rows:
        with pytest.raises(InvalidInput, match="left for training"):
            split_of(body, rows, seed)
        return
    split = split_of(body, rows, seed)
    assert sorted([*split.train, *split.validation, *split.test]) == list(range(rows))
    assert len(split.train) >= 1
    for part, given_size in (("validation", validation), ("test", test)):
        assert split.counts[part] == size(given_size, rows)
    assert split.parts == ["validation" if row in split.validation else "test" if row in split.test else "train"
                           for row in range(rows)]  # fmt: skip
    assert split_of(body, rows, seed) == split
    assert split_of(json.loads(json.dumps(split.document)), rows, 0) == split


def test_the_rows_are_the_first_of_the_project_s_own_shuffle() -> None:
    order = Draws(7, Stream.SPLIT).shuffled(20)
    split = split_of({"validation": 3, "test": 0.25}, 20, 7)
    assert (split.validation, split.test) == (tuple(sorted(order[:3])), tuple(sorted(order[3:8])))
    assert split_of(SPLIT, 10, 0) == Split((1, 3, 4, 5, 6, 8, 9), (0, 7), (2,), SPLIT)


@pytest.mark.parametrize(
    ("rows", "body", "counts"),
    [
        (150, SPLIT, (105, 30, 15)),
        (6, SPLIT, (4, 1, 1)),
        (100, {"validation": 0.29}, (71, 29, 0)),
        (100, {"validation": 0.07}, (93, 7, 0)),
        (5, {"validation": 0.5}, (2, 3, 0)),
        (6, {"validation": 2, "test": 3}, (1, 2, 3)),
        (6, {"validation": 2.0}, (4, 2, 0)),
        (2, {"test": 0.001}, (1, 0, 1)),
        (6, {}, (6, 0, 0)),
        (6, {"validation": 0, "test": None}, (6, 0, 0)),
        (6, {"validation_rows": [5, 0]}, (4, 2, 0)),
        (6, {"validation_rows": [], "test": 1}, (5, 0, 1)),
        (1, None, (1, 0, 0)),
    ],
)
def test_a_part_is_a_fraction_or_a_number_of_rows(
    rows: int, body: dict[str, Any] | None, counts: tuple[int, ...]
) -> None:
    assert tuple(split_of(body, rows, 3).counts.values()) == counts


@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        ({"validation": 6}, "/split", "keeps 6 rows of 6 apart (validation 6); at least one"),
        ({"validation": 0.6, "test": 0.5}, "/split", "keeps 7 rows of 6 apart (validation 4, test 3)"),
        ({"validation": 1}, None, ""),
        ({"validation": 1.5}, "/split/validation", "a whole number of them, not 1.5"),
        ({"validation": -0.1}, "/split/validation", "not -0.1"),
        ({"test": True}, "/split/test", "not true"),
        ({"test": "0.2"}, "/split/test", "not '0.2'"),
        ({"test": math.nan}, "/split/test", "not nan"),
        ({"test": 10**400}, "/split/test", "more than 60 digits"),
        ({"val": 0.2}, "/split/val", "no field 'val'"),
        ({"validaton": 0.2}, "/split/validaton", "did you mean 'validation'?"),
        ({"validation_rows": 3}, "/split/validation_rows", "list of row numbers"),
        ({"validation_rows": [0, 6]}, "/split/validation_rows/1", "from 0 to 5, not 6"),
        ({"validation_rows": [-1]}, "/split/validation_rows/0", "not -1"),
        ({"validation_rows": [True]}, "/split/validation_rows/0", "not true"),
        ({"validation_rows": [1, 1]}, "/split/validation_rows/1", "row 1 is there twice"),
        ({"validation_rows": [1], "test_rows": [0, 1]}, "/split/test_rows/1", "in validation_rows as well"),
        ({"validation_rows": [0, 1, 2, 3, 4, 5]}, "/split", "left for training"),
        ({"validation": 0.5, "validation_rows": [1]}, "/split/validation", "asks for 3 rows and validation_rows lists"),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_place(body: dict[str, Any], pointer: str | None, said: str) -> None:
    if pointer is None:
        assert define({"split": body}).split.counts["validation"] == 1
        return
    with pytest.raises(InvalidInput) as caught:
        define({"split": body})
    assert caught.value.errors[0].pointer == pointer
    assert said in caught.value.errors[0].detail


def test_one_row_cannot_be_split_and_no_data_neither() -> None:
    with pytest.raises(InvalidInput, match="keeps 1 row of 1 apart"):
        define({"data": {"columns": ["x", "y"], "rows": [[1, 2]]}, "split": {"validation": 0.5}})
    formula = {"data": None, "model": {"kind": "expression", "source": "L = w*w"}}
    with pytest.raises(InvalidInput, match="split needs data") as caught:
        define(formula | {"split": SPLIT})
    assert caught.value.errors[0].pointer == "/split"
    assert define(formula | {"split": {}}).document["split"] is None


@pytest.mark.parametrize("body", [IRIS, {"split": SPLIT}, {"split": {"test": 2}, "shuffle": True}, {"split": {}}])
def test_a_definition_posted_again_holds_out_the_same_rows(body: dict[str, Any]) -> None:
    definition = define(body)
    other = again(definition)
    assert other.document == definition.document
    assert (other.split, other.data and other.data.scales) == (
        definition.split,
        definition.data and definition.data.scales,
    )
    assert define(definition.document | {"seed": 99}).split == definition.split, "what counts is the rows"


def test_standardisation_knows_only_the_rows_that_train() -> None:
    definition = define(IRIS)
    data = definition.data
    assert data is not None
    train = data.given[list(definition.split.train)]
    for place, name in enumerate(data.features):
        assert data.scales[name].mean == pytest.approx(train[:, place].mean(), rel=1e-14)
        assert data.scales[name].stddev == pytest.approx(train[:, place].std(), rel=1e-12)
    assert data.rows[list(definition.split.train)][:, :4].mean(axis=0) == pytest.approx([0] * 4, abs=1e-12)
    assert abs(data.rows[list(definition.split.validation)][:, 0].mean()) > 0.01
    assert data.summary["split"] == {"train": 105, "validation": 30, "test": 15}


@pytest.mark.parametrize("shuffle", [False, True])
def test_an_epoch_feeds_every_row_that_trains_once_and_no_other(shuffle: bool) -> None:
    definition = define(IRIS | {"shuffle": shuffle})
    session = Session.start(definition)
    assert (session.batches_per_epoch, definition.row_count) == (7, 105)
    orders = []
    for epoch in (1, 2):
        fed: list[int] = []
        for _ in range(7):
            assert session.position.epoch == epoch
            given_data = definition.data
            assert given_data is not None
            assert np.array_equal(session.inputs["x"], given_data.rows[list(session.batch_rows), :4])
            fed += session.batch_rows
            session = session.forward().backward().update()
        assert sorted(fed) == list(definition.split.train)
        orders.append(fed)
    assert (orders[0] == orders[1]) is not shuffle


@pytest.mark.parametrize("steps", [101, 1001])
def test_held_out_rows_do_not_change_the_training(steps: int) -> None:
    """The same numbers as with the training rows alone."""
    held = define({"split": {"validation": 1, "test": 1}, "batch_size": 2, "optimizer": {"learning_rate": 0.01}})
    data = held.data
    assert data is not None
    rows = data.given[list(held.split.train)].tolist()
    alone = define({
        "data": {"columns": ["x1", "x2", "y"], "rows": rows}, "batch_size": 2, "optimizer": {"learning_rate": 0.01},
        "parameters": held.document["parameters"],
    })  # fmt: skip
    one, other = (advance(each, Session.start(each).snapshot, steps=steps) for each in (held, alone))
    assert one.losses == other.losses
    assert one.end.parameters == other.end.parameters


def test_every_row_is_listed_with_its_split() -> None:
    data = define({"split": {"validation_rows": [1], "test_rows": [4, 0]}}).data
    assert data is not None
    assert to_csv(data) == (
        "x1,x2,y,split\n4,1,2,test\n2,8,-14,validation\n1,0,1,train\n3,2,-1,train\n1,4,-7,test\n6,7,-8,train\n"
    )
    own = define({"data": {"columns": ["split", "y"], "rows": [[1, 2], [3, 4]]}, "split": {"test": 1}}).data
    assert own is not None
    assert to_csv(own).splitlines()[0] == "split,y,split_"


# Forks


def walked(**body: Any) -> Session:
    session = Session.start(define({"optimizer": {"learning_rate": 0.01}, **body}))
    for _ in range(6):
        session = session.forward().backward().update()
    return session


def test_a_fork_keeps_the_rows_that_are_held_out_whatever_its_seed() -> None:
    origin = walked(split=SPLIT)
    other = fork(origin, {"seed": 5, "optimizer": {"learning_rate": 0.1}})
    assert other.definition.split == origin.definition.split
    assert other.snapshot.progress.metrics == origin.snapshot.progress.metrics is not None


def test_a_fork_may_split_anew_and_begins_its_epoch_again() -> None:
    origin = walked(split=SPLIT).forward()
    assert origin.position.batch > 1
    other = fork(origin, {"split": {"validation": 3}})
    assert (other.definition.split.counts, other.phase) == ({"train": 3, "validation": 3, "test": 0}, Phase.READY)
    assert (other.position.step, other.position.batch, other.snapshot.progress.metrics) == (6, 1, None)
    assert other.parameters == origin.parameters
    assert set(other.batch_rows) <= set(other.definition.split.train)
    without = fork(origin, {"split": None})
    assert (without.definition.document["split"], without.definition.row_count) == (None, 6)


def test_a_fork_with_other_data_draws_its_share_of_them() -> None:
    rows = [[place, -place, place] for place in range(20)]
    data = {"columns": ["x1", "x2", "y"], "rows": rows}
    other = fork(walked(split=SPLIT), {"data": data})
    assert other.definition.split.counts == {"train": 14, "validation": 4, "test": 2}
    with pytest.raises(InvalidInput) as caught:
        fork(walked(split={"validation": 4}), {"data": {"columns": ["x1", "x2", "y"], "rows": rows[:3]}})
    assert caught.value.errors[0].pointer == "/changes/split"
    with pytest.raises(InvalidInput, match="split must be null") as caught:
        fork(walked(split=SPLIT), {"data": None, "model": {"kind": "expression", "source": "L = w*w"}})
    assert caught.value.errors[0].pointer == "/changes/split"
