"""The catalog: each operation, preset and data set with what there is to know of it."""

from __future__ import annotations

from api.documents.catalog import catalog
from api.engine.ops import ELEMENTWISE, OPERATIONS
from api.training.presets import PRESETS


def test_every_operation_has_its_formula_and_what_its_operands_get() -> None:
    rows = {row["name"]: row for row in catalog()["operations"]}
    assert rows.keys() == OPERATIONS.keys()
    for name, row in rows.items():
        told, other = ("partials", "products") if name in ELEMENTWISE else ("products", "partials")
        assert row["formula"]
        assert row["latex"].count("{") == row["latex"].count("}")
        assert len(row[told]) == row["arity"] or name == "reshape"
        assert row[other] is None
    assert rows["tanh"]["partials"] == [{"formula": "1 - y**2", "latex": "1 - y^2"}]
    assert rows["power"]["partials"][0]["formula"] == "c*a**(c - 1)"
    assert [one["formula"] for one in rows["matmul"]["products"]] == ["g @ transpose(b)", "transpose(a) @ g"]
    assert rows["log_softmax"]["latex"] == r"\operatorname{log\_softmax}\left(a\right)"


def test_every_preset_says_what_it_trains_to_and_where_it_comes_from() -> None:
    rows = {row["name"]: row for row in catalog()["presets"]}
    assert rows.keys() == PRESETS.keys()
    for name, row in rows.items():
        assert row["trains_to"] == {"epochs": PRESETS[name].epochs, "loss": PRESETS[name].reaches}
        assert any(character.isdigit() for character in row["source"])


def test_classes_with_names_are_named() -> None:
    rows = {row["name"]: row for row in catalog()["datasets"]}
    assert rows["iris"]["classes"] == ["setosa", "versicolor", "virginica"]
    assert rows["skip_grams"]["classes"][:3] == ["king", "rules", "land"]
    assert rows["digits"]["classes"] is None
