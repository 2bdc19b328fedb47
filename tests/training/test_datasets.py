"""The built-in data sets: their shape, and that their rows never change."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from api.training.corpus import SENTENCES, VOCABULARY
from api.training.datasets import DATASETS
from api.training.definition import define
from api.training.run import advance
from api.training.session import Session

# of the rows' repr: a change here changes every session made from the set
FINGERPRINTS = {
    "article": "1ca800d297365a16",
    "and": "61d9d4d973455cba",
    "or": "0bc7c6eb174d49a7",
    "xor": "0c32d0b6e9ca0aaf",
    "linear_noise": "589b44b5e9989a29",
    "moons": "0dbd24357920ac51",
    "circles": "3e8d8f4dde5bd812",
    "spirals": "53758ae27b7ad61d",
    "memory": "a7fec168d1876893",
    "rises": "18951602bdf08fd3",
    "reversal": "89b919783b88b678",
    "skip_grams": "78970ff7709ae6df",
    "iris": "0a824ef8111dfb22",
    "digits": "696fec9d20028551",
}


@pytest.mark.parametrize("name", DATASETS)
def test_every_set_has_its_columns_and_rows(name: str) -> None:
    row = DATASETS[name]
    assert len(row.rows) == row.row_count
    assert all(len(values) == len(row.columns) for values in row.rows)
    assert set(row.targets) < set(row.columns)
    assert define({"model": {"kind": "mlp"}, "data": {"dataset": name}}).row_count == row.row_count


def test_classes_that_have_names_have_one_for_each() -> None:
    for row in DATASETS.values():
        if row.classes:
            columns = [row.columns.index(name) for name in row.targets]
            assert {values[column] for values in row.rows for column in columns} <= set(range(len(row.classes)))


def test_a_reversal_is_one_and_some_are_kept_back() -> None:
    rows = DATASETS["reversal"].rows
    assert all(row[:3] == row[:2:-1] for row in rows)
    assert len(set(rows)) == 48


def test_skip_grams_are_neighbours_and_their_negatives_are_others() -> None:
    together = {(one, other) for words in SENTENCES for one in words for other in words if one != other}
    rows = [[VOCABULARY[int(word)] for word in row] for row in DATASETS["skip_grams"].rows]
    assert {(center, context) for center, context, *_ in rows} == together
    assert all(context not in negatives for _, context, *negatives in rows)
    drawn = Counter(word for _, _, *negatives in rows for word in negatives)
    assert set(drawn) == set(VOCABULARY)
    assert drawn["king"] + drawn["cat"] > drawn["leaves"] + drawn["sea"]  # as often as in the sentences to the ¾


def fingerprint(name: str) -> str:
    return hashlib.sha256(repr([[float(value) for value in row] for row in DATASETS[name].rows]).encode()).hexdigest()[
        :16
    ]


@pytest.mark.parametrize("name", DATASETS)
def test_no_row_ever_changes(name: str) -> None:
    assert fingerprint(name) == FINGERPRINTS[name]


@pytest.mark.parametrize("name", ["moons", "circles", "xor", "and", "or"])
def test_two_classes_can_be_told_apart_by_a_small_network(name: str) -> None:
    layers = [{"units": 8, "activation": "tanh"}, {"units": 1}]
    body = {"model": {"kind": "mlp", "layers": layers}, "data": {"dataset": name}, "batch_size": 20, "seed": 1}
    body |= {"loss": {"kind": "binary_cross_entropy_with_logits"}, "optimizer": {"learning_rate": 0.5}}
    definition = define(body)
    losses = advance(definition, Session.start(definition).snapshot, steps=3000).losses
    assert sum(losses[-5:]) / 5 < 0.1


def test_species_of_iris_are_learned_by_one_layer() -> None:
    body = {"model": {"kind": "mlp", "layers": [{"units": 3}]}, "data": {"dataset": "iris", "standardize": True}}
    body |= {"loss": {"kind": "softmax_cross_entropy"}, "batch_size": 150, "optimizer": {"learning_rate": 0.5}}
    definition = define(body)
    assert advance(definition, Session.start(definition).snapshot, steps=500).losses[-1] < 0.1


def test_digits_are_learned_by_a_hidden_layer() -> None:
    layers = [{"units": 16, "activation": "relu"}, {"units": 10}]
    body = {"model": {"kind": "mlp", "layers": layers}, "data": {"dataset": "digits", "standardize": True}}
    body |= {"loss": {"kind": "softmax_cross_entropy"}, "batch_size": 20, "optimizer": {"learning_rate": 0.2}}
    definition = define(body)
    losses = advance(definition, Session.start(definition).snapshot, steps=300).losses
    assert losses[0] > 2
    assert sum(losses[-10:]) / 10 < 0.1
