"""Bodies as the contract wants them read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from api.documents.bodies import CheckBody, CreateBody, RunBody
from api.engine.errors import InvalidInput, LimitExceeded, NotJSON, StepgradError
from api.engine.losses import LOSSES
from api.engine.optimizers import DIALECTS, OPTIMIZERS
from api.routes.bodies import Ask
from api.routes.forms import nested
from api.routes.strict_json import parse
from api.training.models import MODELS


def faults_of(model: type[BaseModel], fields: dict[str, Any], *, is_form: bool = False) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        Ask(fields, is_form=is_form).typed(model)
    return {fault.pointer: fault.detail for fault in caught.value.errors}


def form(*items: tuple[str, str], model: type[BaseModel] = CreateBody) -> dict[str, Any]:
    return Ask(nested(items), is_form=True).typed(model)


@pytest.mark.parametrize(
    ("body", "error", "pointer"),
    [
        (b'{"a": NaN}', InvalidInput, "/a"),
        (b'{"a": [1, 1e999]}', InvalidInput, "/a/1"),
        (b'{"a": [[1, 2], [3, -Infinity]]}', InvalidInput, "/a/1/1"),
        (b'{"a": ' + b"9" * 5000 + b"}", InvalidInput, "/a"),
        (b'{"a/b": {"c~d": Infinity}}', InvalidInput, "/a~1b/c~0d"),
        (b'{"a": "\\ud800"}', InvalidInput, "/a"),
        (b'{"\\udfff": 1}', InvalidInput, ""),
        (b'{"a": 1, "a": 2}', InvalidInput, "/a"),
        (b"[1, 2]", InvalidInput, ""),
        (b"null", InvalidInput, ""),
        (b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}", LimitExceeded, ""),
        (b"[" * 100_000, LimitExceeded, ""),
        (b'{"a": }', NotJSON, None),
        (b"{'a': 1}", NotJSON, None),
        (b'{"a": 1} x', NotJSON, None),
        (b"\xff\xfe", NotJSON, None),
        (b"hello", NotJSON, None),
    ],
)
def test_json_that_is_refused_says_where(body: bytes, error: type[StepgradError], pointer: str | None) -> None:
    with pytest.raises(error) as caught:
        parse(body, 64)
    assert type(caught.value) is error
    if pointer is not None:
        assert isinstance(caught.value, InvalidInput)
        assert caught.value.errors[0].pointer == pointer


def test_json_numbers_keep_their_value() -> None:
    read = parse(b'{"whole": 9007199254740993, "large": 1e308, "tiny": 5e-324, "bom": "\xc3\xa9"}', 64)
    assert read == {"whole": 9007199254740993, "large": 1e308, "tiny": 5e-324, "bom": "é"}
    assert parse(b"\xef\xbb\xbf{}", 64) == {}


def test_a_whole_number_may_be_written_with_a_point_but_not_as_text_or_truth_value() -> None:
    assert Ask({"seed": 3.0}).typed(CreateBody) == {"seed": 3}
    assert faults_of(CreateBody, {"seed": "3"}) == {"/seed": "must be a whole number, not '3'"}
    assert faults_of(CreateBody, {"seed": True}) == {"/seed": "must be a whole number, not true"}
    assert faults_of(CreateBody, {"seed": 1.5}) == {"/seed": "must be a whole number, not 1.5"}
    assert "/seed" in faults_of(CreateBody, {"seed": 1e300})
    assert faults_of(CreateBody, {"optimizer": {"learning_rate": True}}) == {
        "/optimizer/learning_rate": "must be a number, not true"
    }


@pytest.mark.parametrize(
    ("fields", "pointer", "meant"),
    [
        ({"optimizer": {"lr": 0.1}}, "/optimizer/lr", "learning_rate"),
        ({"optimizer": {"learningRate": 0.1}}, "/optimizer/learningRate", "learning_rate"),
        ({"optimiser": {}}, "/optimiser", "optimizer"),
        ({"batchSize": 2}, "/batchSize", "batch_size"),
        ({"params": {}}, "/params", "parameters"),
        ({"initialiser": {}}, "/initialiser", "initializer"),
        ({"initializer": {"std": 1}}, "/initializer/std", "stddev"),
    ],
)
def test_a_misspelt_field_is_told_the_right_name(fields: dict[str, Any], pointer: str, meant: str) -> None:
    assert f"did you mean '{meant}'?" in faults_of(CreateBody, fields)[pointer]


def test_every_fault_is_reported_at_once() -> None:
    found = faults_of(CreateBody, {"seed": "x", "shuffle": 1, "parameters": {"w": [1, ["a"]]}, "loss": 3})
    assert set(found) == {"/seed", "/shuffle", "/parameters/w", "/loss"}


def test_a_pointer_leads_into_what_was_sent_and_not_into_our_unions() -> None:
    assert set(faults_of(CheckBody, {"answers": [{}, {"decimals": 99}]})) == {"/answers/1/decimals"}
    assert set(faults_of(CheckBody, {"answers": {"gradiants": {}}})) == {"/answers/gradiants"}
    assert faults_of(CheckBody, {}) == {"/answers": "this field is needed"}


def test_nothing_longer_than_40_characters_is_echoed() -> None:
    for fields in ({"x" * 500: 1}, {"seed": "y" * 500}, {"start": {"phase": "z" * 500}}, {"title": {"q" * 500: 1}}):
        for pointer, detail in faults_of(CreateBody, fields).items():
            assert max(map(len, pointer.split("/"))) <= 40
            assert not any(sign * 41 in detail for sign in "xyzq")


def test_null_is_the_same_as_leaving_out_except_where_it_says_something() -> None:
    assert Ask({"model": None, "seed": None, "data": None, "title": None}).typed(CreateBody) == {
        "data": None,
        "title": None,
    }


def test_dotted_names_of_a_form_become_objects_and_lists() -> None:
    assert form(
        ("optimizer.learning_rate", "0.05"),
        ("data.columns.0", "a"),
        ("data.columns.1", "b"),
        ("data.rows", "[[1, 2], [3, 4]]"),
        ("parameters.w1", "[1, 2]"),
        ("parameters.w2", "-.5"),
        ("seed", "3"),
    ) == {
        "optimizer": {"learning_rate": 0.05},
        "data": {"columns": ["a", "b"], "rows": [[1, 2], [3, 4]]},
        "parameters": {"w1": [1, 2], "w2": -0.5},
        "seed": 3,
    }


def test_a_form_s_texts_stay_texts_where_a_text_is_wanted() -> None:
    assert form(("title", "123"), ("model.source", "true"), ("model.kind", "expression")) == {
        "title": "123",
        "model": {"source": "true", "kind": "expression"},
    }


def test_an_empty_field_is_absent_and_a_checkbox_is_a_truth_value() -> None:
    assert form(("title", ""), ("shuffle", "false"), ("shuffle", "on")) == {"shuffle": True}
    assert form(("data", "null")) == {"data": None}
    assert form(("until.loss_below", ""), ("epochs", "1"), model=RunBody) == {"epochs": 1}


@pytest.mark.parametrize(
    ("items", "pointer"),
    [
        ([("optimizer", "{}"), ("optimizer.kind", "sgd")], "/optimizer/kind"),
        ([("optimizer.kind", "sgd"), ("optimizer", "{}")], "/optimizer"),
        ([("data.columns.1", "b")], "/data/columns"),
        ([("data.columns.0", "b"), ("data.columns.x", "b")], "/data/columns"),
        ([(".".join("a" * 99), "1")], "/a/a/a"),
    ],
)
def test_names_that_contradict_each_other_are_a_fault(items: list[tuple[str, str]], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        nested(items)
    assert caught.value.errors[0].pointer == pointer


@pytest.mark.parametrize("text", ["1e999", "nan", "inf", "[1]", "abc", "9" * 400])
def test_a_form_s_number_is_a_finite_number(text: str) -> None:
    assert "/seed" in faults_of(CreateBody, nested([("seed", text)]), is_form=True)
    assert "/optimizer/learning_rate" in faults_of(
        CreateBody, nested([("optimizer.learning_rate", text)]), is_form=True
    )


def test_the_same_fields_have_the_same_fingerprint() -> None:
    assert Ask({"a": 1, "b": 2}).fingerprint == Ask({"b": 2, "a": 1}).fingerprint
    assert Ask({"a": 1}).fingerprint != Ask({"a": 2}).fingerprint
    assert Ask({}, revision=1).fingerprint != Ask({}, revision=2).fingerprint


def test_the_kinds_of_the_tables_are_those_of_the_schema() -> None:
    for path, table in (
        (("loss", "kind"), LOSSES),
        (("optimizer", "dialect"), DIALECTS),
        (("optimizer", "kind"), OPTIMIZERS),
        (("model", "kind"), (*MODELS, "preset")),
    ):
        definition, field = CreateBody.model_json_schema()["$defs"][f"{path[0].capitalize()}Body"], path[1]
        assert definition["properties"][field]["anyOf"][0]["enum"] == list(table)
        for kind in table:
            assert Ask({path[0]: {field: kind}}).typed(CreateBody) == {path[0]: {field: kind}}
