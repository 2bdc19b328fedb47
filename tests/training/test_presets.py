"""Every preset trains to the loss it states, and is only a beginning."""

from __future__ import annotations

import math

import numpy as np
import pytest

from api.engine.errors import InvalidInput
from api.training.corpus import VOCABULARY
from api.training.datasets import DATASETS
from api.training.definition import Definition, define
from api.training.presets import PRESETS
from api.training.run import Goal, advance
from api.training.session import Session
from api.training.snapshot import Snapshot, listed


def trained(name: str) -> tuple[Definition, Snapshot]:
    definition = define({"model": {"kind": "preset", "name": name}})
    goal = Goal(epoch=1 + PRESETS[name].epochs)
    return definition, advance(
        definition, Session.start(definition).snapshot, goal=goal, seconds=math.inf, most=10**6
    ).end


def test_there_is_a_preset_of_each_kind_of_model() -> None:
    assert list(PRESETS) == [
        "logistic_regression", "xor", "softmax_classifier", "autoencoder", "convolution_1d", "rnn", "lstm", "gru",
        "encoder_decoder_attention", "self_attention", "word2vec",
    ]  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains_to_the_loss_it_states(name: str) -> None:
    preset = PRESETS[name]
    definition = define({"model": {"kind": "preset", "name": name}})
    start = Session.start(definition).snapshot
    first = advance(definition, start, goal=Goal(epoch=2), seconds=math.inf).end.progress.first_epoch_loss
    stretch = advance(definition, start, goal=Goal(epoch=1 + preset.epochs), seconds=math.inf, most=10**6)
    assert stretch.stopped_by == "completed"
    assert (stretch.end.progress.last_epoch_loss or math.inf) < min(preset.reaches, first or 0)


def test_the_decoder_attends_to_what_it_says_and_reverses_what_it_never_saw() -> None:
    _, end = trained("encoder_decoder_attention")
    seen = {row[:3] for row in DATASETS["reversal"].rows}
    every = [(a, b, c) for a in range(4) for b in range(4) for c in range(4)]
    unseen = [(*one, *reversed(one)) for one in every if one not in seen]
    columns = list(DATASETS["reversal"].columns)
    session = Session.start(
        define({
            "model": {"kind": "preset", "name": "encoder_decoder_attention"},
            "data": {"columns": columns, "rows": unseen, "targets": columns[3:]},
            "parameters": {name: listed(value) for name, value in end.parameters.items()},
            "batch_size": len(unseen), "shuffle": False,
        })
    ).forward()  # fmt: skip
    graph, values = session.definition.graph, session.values or []
    for step, place in ((1, 2), (2, 1), (3, 0)):
        attention, scores = (np.asarray(values[graph.index[f"{letter}{step}"]]) for letter in "ao")
        assert attention.shape == (16, 3)
        assert attention.mean(axis=0).argmax() == place
        assert list(scores.argmax(axis=1)) == [row[2 + step] for row in unseen]


def test_words_of_like_company_have_like_vectors() -> None:
    vectors = np.asarray(trained("word2vec")[1].parameters["V"])
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = (vectors @ vectors.T - 2 * np.eye(len(vectors))).argmax(axis=1)
    for word, like in (("king", "queen"), ("cat", "dog"), ("sun", "moon"), ("land", "castle"), ("sky", "sea")):
        assert VOCABULARY[nearest[VOCABULARY.index(word)]] == like


def test_the_loss_of_word2vec_is_the_published_formula() -> None:
    session = Session.start(define({"model": {"kind": "preset", "name": "word2vec"}, "batch_size": 1})).forward()
    rows = DATASETS["skip_grams"].rows
    center, context, *negatives = (int(word) for word in rows[session.batch_rows[0]])
    v, u = (np.asarray(session.parameters[name]) for name in ("V", "U"))

    def sigma(a: float) -> float:
        return float(1 / (1 + math.exp(-a)))

    expected = -math.log(sigma(u[context] @ v[center]))
    expected -= sum(math.log(sigma(-u[negative] @ v[center])) for negative in negatives)
    assert session.loss == pytest.approx(expected, rel=1e-14)


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
