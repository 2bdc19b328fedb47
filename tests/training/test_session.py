"""A session as a value: phases, numbers, editing, divergence."""

from __future__ import annotations

import math

import pytest

from api.engine.errors import Diverged, InvalidInput, WrongPhase
from api.training.definition import define
from api.training.session import Phase, Session
from api.training.snapshot import Position


def article(**body: object) -> Session:
    return Session.start(define(body))


def step(session: Session) -> Session:
    return session.forward().backward().update()


def test_the_article_step_by_step() -> None:
    session = article()
    assert (session.phase, session.position) == (Phase.READY, Position(0, 1, 1, 0))
    assert session.inputs == {"x1": [4.0], "x2": [1.0], "y": [2.0]}
    session = session.forward()
    assert session.loss == 4.477456
    session = session.backward()
    assert session.gradients == {"w1": -16.928, "w2": -4.232, "b": -4.232}
    session = session.update()
    assert session.parameters == {"w1": 0.8294, "w2": -0.048 + 0.05 * 4.232, "b": 0.2116}
    assert (session.phase, session.position) == (Phase.READY, Position(1, 1, 2, 1))


def test_the_articles_first_epoch_diverges_as_published() -> None:
    session, losses = article(), []
    for _ in range(6):
        session = session.forward().backward()
        losses.append(session.loss)
        session = session.update()
    assert losses == pytest.approx([4.477, 295.1, 26.14, 1118, 105.7, 2090], rel=5e-4)


def test_rate_001_converges_to_the_exact_solution() -> None:
    session = article(optimizer={"learning_rate": 0.01}, batch_size=6)
    for _ in range(6000):
        session = step(session)
    assert list(session.parameters.values()) == pytest.approx([1.0, -2.0, 0.0], abs=1e-9)


@pytest.mark.parametrize("action", ["forward", "backward", "update"])
def test_each_phase_accepts_its_one_action(action: str) -> None:
    sessions = [article(), article().forward(), article().forward().backward()]
    accepted = {"forward": Phase.READY, "backward": Phase.FORWARD, "update": Phase.BACKWARD}[action]
    for session in sessions:
        if session.phase is accepted:
            getattr(session, action)()
        else:
            with pytest.raises(WrongPhase) as caught:
                getattr(session, action)()
            assert list(caught.value.allowed) == session.allowed(False)


def test_allowed_names_what_is_accepted() -> None:
    session = article()
    assert session.allowed(False) == ["forward", "run"]
    assert session.forward().allowed(True) == ["backward", "run", "undo"]
    assert session.forward().backward().allowed(True) == ["update", "run", "undo"]


def test_an_action_leaves_the_session_it_was_called_on_as_it_was() -> None:
    session = article()
    before = dict(session.parameters)
    step(session)
    assert session.parameters == before
    assert session.phase is Phase.READY
    assert session.values is None


def test_a_batch_size_that_does_not_divide_the_rows() -> None:
    session = article(batch_size=4)
    assert (session.batch_rows, session.batches_per_epoch) == ((0, 1, 2, 3), 2)
    session = step(session)
    assert (session.batch_rows, session.position, session.batches_per_epoch) == ((4, 5), Position(1, 1, 2, 4), 2)
    session = step(session)
    assert session.position == Position(2, 2, 1, 0)


def test_a_batch_larger_than_the_data_is_the_data() -> None:
    session = article(batch_size=100)
    assert session.batch_rows == (0, 1, 2, 3, 4, 5)
    assert step(session).position == Position(1, 2, 1, 0)


def test_shuffling_is_anew_each_epoch_and_the_same_for_the_same_seed() -> None:
    def orders(seed: int) -> list[list[int]]:
        session, found = article(shuffle=True, seed=seed, optimizer={"learning_rate": 0.001}), []
        for _ in range(3):
            epoch: list[int] = []
            for _ in range(6):
                epoch += session.batch_rows
                session = step(session)
            found.append(epoch)
        return found

    first = orders(7)
    assert all(sorted(epoch) == list(range(6)) for epoch in first)
    assert first == orders(7)
    assert first != orders(8)
    assert first[0] != first[1]


def test_sum_reduction_adds_the_rows_up() -> None:
    mean = article(batch_size=6).forward().backward()
    total = article(batch_size=6, loss={"reduction": "sum"}).forward().backward()
    assert total.loss == pytest.approx(6 * (mean.loss or 0), rel=1e-15)
    assert (total.gradients or {})["w1"] == pytest.approx(6 * (mean.gradients or {})["w1"], rel=1e-15)


def test_last_update_tells_before_gradient_and_after() -> None:
    update = step(article()).last_update
    assert update is not None
    assert (update.loss, update.before["w1"], update.gradients["w1"], update.after["w1"]) == (
        4.477456,
        -0.017,
        -16.928,
        0.8294,
    )


def test_restoring_gives_the_same_session() -> None:
    before = step(article())
    after = step(before).forward().backward()
    again = Session.restore(after.definition, after.snapshot, after.phase, (before.definition, before.snapshot))
    assert again.values == after.values
    assert again.gradients == after.gradients
    assert again.update().parameters == after.update().parameters


def test_patching_changes_what_is_named_and_nothing_else() -> None:
    session = article()
    changed = session.patch(
        {"parameters": {"w1": 3}, "optimizer": {"learning_rate": 0.5}, "batch_size": 2, "title": "t"}
    )
    assert changed.parameters == {"w1": 3.0, "w2": -0.048, "b": 0.0}
    assert (changed.learning_rate, changed.batch_rows, changed.definition.document["title"]) == (0.5, (0, 1), "t")
    assert session.parameters["w1"] == -0.017
    assert changed.definition.document["parameters"] == session.definition.document["parameters"]


def test_a_new_batch_size_goes_on_with_the_rows_not_yet_fed() -> None:
    session = step(article()).patch({"batch_size": 4})
    assert session.batch_rows == (1, 2, 3, 4)
    assert session.batches_per_epoch == 3
    session = step(session)
    assert (session.batch_rows, session.position.batch) == ((5,), 3)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"parameters": {"w9": 1}}, "/parameters/w9"),
        ({"parameters": {"w1": math.nan}}, "/parameters/w1"),
        ({"optimizer": {"kind": "adam"}}, "/optimizer/kind"),
        ({"optimizer": {"lr": 0.1}}, "/optimizer/lr"),
        ({"model": {"kind": "linear"}}, "/model"),
    ],
)
def test_a_patch_without_meaning_is_refused(changes: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        article().patch(changes)
    assert caught.value.errors[0].pointer == pointer


def test_patching_needs_phase_ready() -> None:
    with pytest.raises(WrongPhase):
        article().forward().patch({"title": "t"})


def test_a_diverged_session_can_be_read_and_takes_no_step() -> None:
    session = article(parameters={"w1": 1e200, "w2": 0, "b": 0}).forward()
    assert session.loss == math.inf
    assert session.diverged
    assert session.allowed(True) == ["backward", "run", "undo"]
    session = session.backward()
    assert session.allowed(True) == ["undo"]
    with pytest.raises(Diverged):
        session.update()


def test_without_data_every_step_is_an_epoch() -> None:
    session = Session.start(
        define({"data": None, "model": {"kind": "expression", "source": "L = w*w"}, "parameters": {"w": 1}})
    )
    assert (session.batch_rows, session.inputs, session.batches_per_epoch) == ((), {}, 1)
    session = step(session)
    assert session.position == Position(1, 2, 1, 0)
    assert session.parameters == {"w": 1 - 0.05 * 2}


def test_a_two_layer_network_written_out_learns_xor() -> None:
    lines = [f"h{j} = tanh(u{j}*x1 + v{j}*x2 + c{j})" for j in range(1, 5)]
    yhat = " + ".join(f"a{j}*h{j}" for j in range(1, 5))
    source = "\n".join([*lines, f"yhat = sigmoid({yhat} + d)", "L = -(y*log(yhat) + (1 - y)*log(1 - yhat))"])
    data = {"columns": ["x1", "x2", "y"], "rows": [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]}
    body = {"model": {"kind": "expression", "source": source}, "data": data, "batch_size": 4, "seed": 1}
    body |= {"initializer": {"kind": "uniform", "low": -1, "high": 1}, "optimizer": {"learning_rate": 1.0}}
    session = Session.start(define(body))
    for _ in range(400):
        session = step(session)
    assert (session.forward().loss or 1) < 0.02
