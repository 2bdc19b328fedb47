"""What an optimiser and a schedule remember, kept through undo, rewind, forks and restarts to the last bit."""

from __future__ import annotations

import pytest

from api.store import Store
from api.training.definition import define
from api.training.fork import fork
from api.training.session import Session
from tests.store.conftest import Played
from tests.store.walks import CYCLE, act, long_run, rewind, short_run
from tests.training.choices import NETWORK, RULES, SCHEDULES, Body, same, stepped

GRAPHS: dict[str, Body] = {"numbers": {"batch_size": 4}, "tensors": {"model": NETWORK, "batch_size": 4}}


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("rule", RULES)
def test_slots_survive_whatever_is_done_to_a_session(rule: str, graph: str, play: Played) -> None:
    body = {"optimizer": RULES[rule], **GRAPHS[graph]}
    if define(body).optimizer.get("learning_rate"):
        body["schedule"] = SCHEDULES["plateau"] | {"patience": 0, "threshold": 0.9}
    definition = define(body)
    after = [stepped(definition, steps)[0] for steps in range(16)]

    async def begin(store: Store) -> str:
        id = (await store.create(Session.start(definition))).id
        same((await act(store, id, *CYCLE, *CYCLE)).session.snapshot, after[2])
        same((await short_run(store, id, 7)).session.snapshot, after[9])
        same((await long_run(store, id, [2, 1])).session.snapshot, after[12])
        return id

    id = play(begin)

    async def restarted(store: Store) -> str:
        same((await store.load(id)).session.snapshot, after[12])
        same((await act(store, id, *CYCLE)).session.snapshot, after[13])
        same((await act(store, id, "undo", "undo", "undo")).session.snapshot, after[12])
        for step in (11, 5, 1):
            same((await rewind(store, id, step)).session.snapshot, after[step])
            same((await act(store, id, *CYCLE)).session.snapshot, after[step + 1])
        same((await act(store, id, "undo", "undo", "undo")).session.snapshot, after[1])
        here = await store.load(id)
        return (await store.create(fork(here.session, {}), parent=(here.read_id, here.revision))).id

    child = play(restarted)

    async def forked(store: Store) -> None:
        same((await store.load(child)).session.snapshot, after[1])
        same((await short_run(store, child, 14)).session.snapshot, after[15])
        stored = await store.load(id)
        same(stored.session.snapshot, after[1])
        same((await store.at_step(await store.load(child), 6, "backward")).session.snapshot, after[6])
        same((await act(store, id, *CYCLE)).session.snapshot, after[2])

    play(forked)
