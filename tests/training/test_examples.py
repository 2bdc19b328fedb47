"""Each example's own gradient, and how the batch is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from api.engine.losses import LOSSES
from api.training.definition import define
from api.training.examples import Reduction, added, examples, reduction
from api.training.presets import PRESETS
from api.training.session import Session


def started(**body: Any) -> Session:
    return Session.start(define(body))


def alone(session: Session, row: int) -> Session:
    """The session with this row as its whole batch, and nothing but its loss."""
    data = session.definition.data
    assert data is not None
    document = session.definition.document
    own = {"columns": list(data.columns), "rows": [data.rows[row].tolist()], "targets": list(data.targets)}
    values = {name: np.asarray(value).tolist() for name, value in session.parameters.items()}
    return started(
        **{name: document[name] for name in ("model", "loss")}, data=own, parameters=values, batch_size=1
    ).forward().backward()  # fmt: skip


def test_the_article_s_rows_have_the_gradients_of_their_own_losses() -> None:
    session = started(batch_size=6)
    found = list(examples(session, 0, 6))
    for one, (x1, x2, y) in zip(
        found, ((4, 1, 2), (2, 8, -14), (1, 0, 1), (3, 2, -1), (1, 4, -7), (6, 7, -8)), strict=True
    ):
        error = -0.017 * x1 - 0.048 * x2 - y
        assert one.loss == pytest.approx(error**2, rel=1e-14)
        assert one.gradient == pytest.approx({"w1": 2 * error * x1, "w2": 2 * error * x2, "b": 2 * error}, rel=1e-14)


@pytest.mark.parametrize("reduced", ["mean", "sum"])
@pytest.mark.parametrize("kind", LOSSES)
def test_contributions_add_up_to_the_batch_s_gradient_for_every_loss(kind: str, reduced: str) -> None:
    data: dict[str, Any] = {
        "columns": ["u", "v", "k"],
        "rows": [[0.5, -1, 0], [1.5, 0.2, 1], [-0.7, 2, 1], [0.3, 1, 0]],
    }
    layers: list[dict[str, Any]] = [
        {"units": 2, "activation": "tanh"},
        {"units": 2 if LOSSES[kind].targets == "classes" else 1},
    ]
    if kind == "binary_cross_entropy":
        layers[-1]["activation"] = "sigmoid"
    session = started(
        model={"kind": "mlp", "layers": layers},
        data=data,
        loss={"kind": kind, "reduction": reduced},
        batch_size=3,
        initializer={"kind": "normal", "stddev": 1.0},
    )
    adds_up(session)


@pytest.mark.parametrize("name", PRESETS)
def test_contributions_add_up_for_every_preset(name: str) -> None:
    adds_up(started(model={"kind": "preset", "name": name}))


def adds_up(session: Session) -> None:
    found, traced = list(examples(session, 0, 10_000)), session.forward().backward()
    weight = (reduction(session) or Reduction("sum", 0, 1)).weight
    assert [one.row for one in found] == list(session.batch_rows)
    assert traced.loss == pytest.approx(sum(one.loss * weight for one in found), rel=1e-12)
    total = added(session.definition.graph, [one.contribution for one in found])
    for name, gradient in (traced.gradients or {}).items():
        size = max(float(np.abs(one.contribution[name]).max()) for one in found)
        np.testing.assert_allclose(total[name], gradient, rtol=1e-12, atol=1e-14 * size)
        for one in found:
            right = np.multiply(one.gradient[name], weight)
            np.testing.assert_allclose(one.contribution[name], right, rtol=1e-12, atol=1e-14 * size)
    if any(feed.classes for feed in session.definition.feeds.values()):
        return  # one row has not all the classes
    own = alone(session, found[-1].row)
    assert own.loss == pytest.approx(found[-1].loss, rel=1e-12)
    for name, gradient in (own.gradients or {}).items():
        np.testing.assert_allclose(found[-1].gradient[name], gradient, rtol=1e-11, atol=1e-13)


def test_the_same_bits_where_each_parameter_stands_once() -> None:
    session = started(batch_size=5, shuffle=True)
    total = added(session.definition.graph, [one.contribution for one in examples(session, 0, 5)])
    assert total == session.forward().backward().gradients


def test_the_reduction_tells_what_is_divided_by_what() -> None:
    two = {"columns": ["u", "s", "t"], "rows": [[1, 2, 3], [4, 5, 6]], "targets": ["s", "t"]}
    network = {"kind": "mlp", "layers": [{"units": 2}]}
    assert reduction(started(model=network, data=two, batch_size=2)) == Reduction("mean", 2, 2)
    assert reduction(started(model={**network, "scalars": True}, data=two, batch_size=2)) == Reduction("mean", 2, 2)
    summed = {"kind": "squared_error", "reduction": "sum"}
    assert reduction(started(model=network, data=two, batch_size=2, loss=summed)) == Reduction("sum", 2, 1)
    classes = {"columns": ["u", "k"], "rows": [[1, 0], [2, 1]]}
    entropy = {"kind": "softmax_cross_entropy"}
    assert reduction(started(model=network, data=classes, batch_size=2, loss=entropy)) == Reduction("mean", 2, 1)
    own = {"kind": "expression", "source": "L = sum(W*u) + k", "shapes": {"W": [3]}}
    assert reduction(started(model=own, data=classes, batch_size=2)) == Reduction("mean", 2, 1)


def test_a_loss_without_rows_has_no_examples() -> None:
    for data in (None, {"columns": ["u"], "rows": [[1]]}):
        session = started(model={"kind": "expression", "source": "L = w*w"}, data=data)
        assert reduction(session) is None
        assert list(examples(session, 0, 10)) == []
