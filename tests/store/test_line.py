"""Undo, rewind, and looking back: everything that walks the line of actions."""

from __future__ import annotations

import pytest

from api.engine.errors import InvalidInput, NotFound, NothingToUndo
from api.store import Store
from tests.store.conftest import Played
from tests.store.walks import CYCLE, act, article, facts, long_run, patch, rewind, seen, short_run


def test_undo_walks_back_and_never_undoes_an_undo(play: Played) -> None:
    async def scenario(store: Store) -> None:
        first = await store.create(article())
        states = [first, *[await act(store, first.id, action) for action in CYCLE * 2]]
        for back in reversed(states[:-1]):
            undone = await act(store, first.id, "undo")
            assert facts(undone.session) == facts(back.session)
            assert undone.undoable == (back.revision > 0)
        assert undone.revision == 12
        with pytest.raises(NothingToUndo):
            await act(store, first.id, "undo")

    play(scenario)


def test_undo_after_undo_and_new_steps_follows_the_present_line(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        await act(store, id, *CYCLE)  # 1 2 3
        await act(store, id, "undo", "undo")  # 4 shows 2, 5 shows 1
        again = await act(store, id, "backward", "update")  # 6 7
        assert again.revision == 7
        for expected in (("backward", 2), ("forward", 1), ("ready", 0)):
            undone = await act(store, id, "undo")
            original = await store.at_revision(undone, expected[1])
            assert undone.session.phase == expected[0]
            assert facts(undone.session) == facts(original.session)
        with pytest.raises(NothingToUndo):
            await act(store, id, "undo")

    play(scenario)


def test_undo_of_a_patch_restores_numbers_and_settings(play: Played) -> None:
    async def scenario(store: Store) -> str:
        first = await store.create(article())
        await act(store, first.id, *CYCLE)
        before = await store.load(first.id)
        await patch(store, first.id, parameters={"w1": 3.0}, optimizer={"learning_rate": 0.5}, batch_size=2)
        changed = await patch(store, first.id, title="other")
        assert changed.session.learning_rate == 0.5
        await act(store, first.id, "undo")
        assert facts((await act(store, first.id, "undo")).session) == facts(before.session)
        return first.id

    id = play(scenario)

    async def again(store: Store) -> None:
        stored = await store.load(id)
        assert stored.session.learning_rate == 0.01
        patched = await store.at_revision(stored, 5)
        assert patched.session.definition.settings["title"] == "other"
        assert patched.session.learning_rate == 0.5
        assert patched.session.parameters["w1"] == 3.0
        assert patched.session.last_update is not None
        assert patched.session.last_update.optimizer["learning_rate"] == 0.01

    play(again)


def test_a_run_is_one_action_for_undo(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        before = await act(store, id, *CYCLE, "forward")
        await long_run(store, id, [5, 1, 9])
        undone = await act(store, id, "undo")
        assert facts(undone.session) == facts(before.session)

    play(scenario)


def test_rewind_inside_a_run_gives_what_stepping_gives(play: Played) -> None:
    async def scenario(store: Store) -> str:
        walked, ran = await store.create(article()), await store.create(article())
        await long_run(store, ran.id, [5, 1, 9])
        for _ in range(15):
            last = await act(store, walked.id, *CYCLE)
        assert facts(last.session) == facts((await store.load(ran.id)).session)
        for step in (14, 6, 5, 3, 0):
            there = await rewind(store, ran.id, step)
            assert facts(there.session) == facts((await rewind(store, walked.id, step)).session)
            assert there.session.phase == "ready"
        return ran.id

    id = play(scenario)

    async def look(store: Store) -> None:
        stored = await store.load(id)
        assert (stored.revision, stored.session.position.step, stored.action) == (6, 0, "rewind")
        earlier = await store.at_revision(stored, 3)
        assert earlier.session.position.step == 6
        assert earlier.session.last_update is not None

    play(look)


def test_undo_after_a_rewind_into_a_run_goes_to_before_the_run(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        before = await act(store, id, *CYCLE)
        await short_run(store, id, 10)
        inside = await rewind(store, id, 4)
        assert inside.undoable
        stepped = await act(store, id, *CYCLE)
        assert stepped.session.position.step == 5
        back = await act(store, id, "undo", "undo", "undo")
        assert facts(back.session) == facts(inside.session)
        assert facts((await act(store, id, "undo")).session) == facts(before.session)

    play(scenario)


def test_rewind_goes_to_the_last_patched_start_of_a_step(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        await act(store, id, *CYCLE)
        patched = await patch(store, id, parameters={"b": 2.0})
        await act(store, id, *CYCLE, *CYCLE)
        there = await rewind(store, id, 1)
        assert facts(there.session) == facts(patched.session)
        assert there.session.parameters["b"] == 2.0

    play(scenario)


def test_rewind_to_a_step_the_line_has_not_is_invalid(play: Played) -> None:
    async def scenario(store: Store) -> None:
        id = (await store.create(article())).id
        await act(store, id, *CYCLE, "undo", "undo")
        for step in (1, 2, -1, 10**30):
            with pytest.raises(InvalidInput) as caught:
                await rewind(store, id, step)
            assert caught.value.errors[0].pointer == "/step"
        assert (await store.load(id)).revision == 5

    play(scenario)


def test_a_past_revision_is_as_it_was(play: Played) -> None:
    async def scenario(store: Store) -> None:
        first = await store.create(article())
        id = first.id
        states = [first, *[await act(store, id, action) for action in (*CYCLE, "undo", "update", "forward")]]
        states.append(await short_run(store, id, 7))
        states.append(await rewind(store, id, 3))
        for state in states:
            assert seen(await store.at_revision(states[-1], state.revision)) == seen(state)
        assert seen(await store.at_revision(first, 5)) == seen(states[5])
        assert seen(await store.at_revision(first, len(states) - 1)) == seen(states[-1])
        for revision in (-1, len(states), 10**30):
            with pytest.raises(NotFound):
                await store.at_revision(states[-1], revision)

    play(scenario)


def test_a_step_can_be_seen_in_every_phase_it_has_been_in(play: Played) -> None:
    async def scenario(store: Store) -> None:
        walked, ran = await store.create(article()), await store.create(article())
        states = {}
        for step in range(6):
            for phase, action in zip(("ready", "forward", "backward"), CYCLE, strict=True):
                states[step, phase] = facts((await store.load(walked.id)).session)
                await act(store, walked.id, action)
        await short_run(store, ran.id, 6)
        for id in (walked.id, ran.id):
            stored = await store.load(id)
            for (step, phase), expected in states.items():
                assert facts((await store.at_step(stored, step, phase)).session) == expected
            with pytest.raises(NotFound):
                await store.at_step(stored, 6, "forward")
            with pytest.raises(NotFound):
                await store.at_step(stored, 7, "ready")
        stored = await store.load(walked.id)
        assert (await store.at_step(stored, 2, "forward")).revision == 7

    play(scenario)
