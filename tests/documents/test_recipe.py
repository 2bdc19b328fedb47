"""Recipes as fields and as links."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from api.documents.recipe import LONGEST, body_of, dotted, link, query
from api.training.session import Session
from tests.documents.stored import started

PAIRS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {}),
    ({"optimizer": {"learning_rate": 0.05}, "shuffle": True}, {"optimizer.learning_rate": "0.05", "shuffle": "true"}),
    ({"data": None, "batch_size": 4.0}, {"data": "null", "batch_size": "4"}),
    (
        {"model": {"kind": "mlp", "layers": [{"units": 3}, {"units": 1, "activation": "relu"}]}},
        {
            "model.kind": "mlp",
            "model.layers.0.units": "3",
            "model.layers.1.units": "1",
            "model.layers.1.activation": "relu",
        },
    ),
    ({"parameters": {"W": [[1.0, -0.0], [0.5, 1e300]]}}, {"parameters.W": "[[1,-0.0],[0.5,1e+300]]"}),
    ({"title": "a & b = ü"}, {"title": "a & b = ü"}),
]


@pytest.mark.parametrize(("body", "fields"), PAIRS)
def test_a_body_becomes_the_fields_of_a_form(body: dict[str, Any], fields: dict[str, str]) -> None:
    assert dotted(body) == fields


@pytest.mark.parametrize(("body", "fields"), PAIRS)
def test_a_query_string_says_the_same(body: dict[str, Any], fields: dict[str, str]) -> None:
    text = query(body)
    assert dict(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))) == fields
    assert text.isascii()


def test_a_preset_goes_by_its_name() -> None:
    body = {"model": {"kind": "preset", "name": "xor"}, "optimizer": {"learning_rate": 0.1}}
    assert link("/x", body) == "/x/v1/new?preset=xor&optimizer.learning_rate=0.1"
    assert link("", {}) == "/v1/new"


def moved(session: Session, steps: int) -> Session:
    for _ in range(steps):
        session = session.forward().backward().update()
    return session


def test_a_recipe_leads_to_where_the_session_stands() -> None:
    session = moved(started(batch_size=2), 3).forward()
    assert body_of(session, exact=True) == {"batch_size": 2, "start": {"step": 3, "phase": "forward"}}


def test_after_a_change_by_hand_it_leads_to_the_same_parameters() -> None:
    session = moved(started(), 2)
    session = session.patch({"parameters": {"b": 7}}).forward()
    body = body_of(session, exact=False)
    assert body is not None
    assert body["parameters"]["b"] == 7
    assert body["start"] == {"phase": "forward"}
    assert started(**body).parameters == session.parameters


def test_what_is_too_long_is_no_link() -> None:
    table = "x,y\n" + "\n".join(f"{i},{i}" for i in range(200))
    body = body_of(started(data={"csv": table}), exact=True)
    assert body is not None
    href = link("", body)
    assert href is not None
    assert len(urlsplit(href).query) <= LONGEST
    table += "\n" + "\n".join(f"{i}.125,{i}" for i in range(300))
    assert link("", body_of(started(data={"csv": table}), exact=True)) is None
    table += "\n" + "\n".join("1,1" for i in range(3000))
    assert body_of(started(data={"csv": table}), exact=True) is None
    assert link("", None) is None
