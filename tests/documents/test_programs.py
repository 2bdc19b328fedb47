"""Random programs: whatever is computed can be shown, and its gradients are the sums over its paths."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings

from api.documents import schemas
from api.documents.equations import equations
from api.documents.state import state, to_json
from api.pages.text import state_text
from api.training.session import Session
from tests.documents.reading import gives_its_value
from tests.documents.stored import Kept
from tests.engine.programs import Program, programs
from tests.training.test_programs import defined


def told(session: Session, detail: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(to_json(state(Kept(session), base="/v1/sessions/x", detail=detail)))
    schemas.State.model_validate(document)
    return document


@pytest.mark.parametrize("tensors", [False, True], ids=["numbers", "tensors"])
def test_random_programs_can_be_shown_and_add_up(tensors: bool) -> None:
    @given(programs(tensors=tensors))
    @settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
    def every(program: Program) -> None:
        session = Session.start(defined(program)).forward().backward()
        assume(not session.diverged)
        for one in (session, session.update()):
            for detail in ("named", "ops"):
                document = told(one, detail)
                assert "parameter" in state_text(document)
            for item in equations(Kept(one), "text"):
                gives_its_value(json.loads(to_json(item)))
            assert all(item["symbolic"] for item in equations(Kept(one), "latex"))
            for item in equations(Kept(one), "mathml"):
                for part in ("symbolic", "substituted", "value"):
                    ElementTree.fromstring(item[part] or "<none/>")
        for detail in ("named", "ops"):
            add_up(told(session, detail))

    every()


@pytest.mark.parametrize(
    "formula",
    [
        "maximum(u*w, sum(w*x))**2",  # w is broadcast and then summed, and stands there by itself as well
        "sum(x @ W) + 2*w",
        "u*w + x[0]*sum(W)",  # a sum that is broadcast afterwards
        "sum(sum(V*w, axis=1)*x)",
        "mean((x - w)**2) + mean(V*u)",
        "sum(tanh(x @ W + exp(w)*v))",
    ],
)
def test_what_is_broadcast_within_a_formula_adds_up(formula: str) -> None:
    every: dict[str, tuple[int, ...]] = {"W": (2, 3), "V": (2, 2), "v": (3,), "w": (), "u": ()}
    parameters = {name: shape for name, shape in every.items() if re.search(rf"\b{name}\b", formula)}
    for seed in range(4):
        program = Program((("L", formula),), {"x": (2,)}, parameters, 3, "mean", seed)
        add_up(told(Session.start(defined(program)).forward().backward(), "named"))


def add_up(document: dict[str, Any]) -> None:
    """Each gradient is the sum of the contributions of its edges, and of the products of its paths."""
    for node in document["graph"]["nodes"]:
        shares = [edge["contribution"] for edge in document["graph"]["edges"] if edge["source"] == node["id"]]
        if shares and all(isinstance(share, int | float | list) for share in shares):
            total = sum(np.asarray(share, dtype=float) for share in shares)
            np.testing.assert_allclose(total, np.asarray(node["gradient"], dtype=float), rtol=1e-9, atol=1e-9)
    for name, rule in document["chain_rule"].items():
        products = [path["product"] for path in rule["paths"]]
        if products and len(products) == rule["path_count"] and None not in products:
            total = sum(np.asarray(one, dtype=float) for one in products)
            assert np.shape(total) == np.shape(rule["gradient"]), name
            np.testing.assert_allclose(total, np.asarray(rule["gradient"], dtype=float), rtol=1e-9, atol=1e-9)
