from __future__ import annotations

import pytest

from api.training.session import Phase
from api.training.walk import Place, place_of, walk

NOW = Place(4, Phase.FORWARD)


def told(**options: object) -> list[str]:
    return [str(place) for place in walk(NOW, **options)]  # type: ignore[arg-type]


def test_a_whole_walk_has_every_phase_of_every_step_up_to_now() -> None:
    shown = told()
    assert shown[:4] == ["0.ready", "0.forward", "0.backward", "1.ready"]
    assert shown[-2:] == ["4.ready", "4.forward"]
    assert len(shown) == len(set(shown)) == 14


def test_of_a_step_that_is_shown_alone_the_update_is_shown_too() -> None:
    assert told(first=2, last=2) == ["2.ready", "2.forward", "2.backward", "3.ready"]
    assert told(every=3) == [
        *("0.ready", "0.forward", "0.backward", "1.ready"),
        *("3.ready", "3.forward", "3.backward", "4.ready", "4.forward"),
    ]


def test_the_newest_state_ends_every_walk_that_is_not_cut_short() -> None:
    assert told(every=10)[-1] == "4.forward"
    assert told(every=2, phase=Phase.READY) == ["0.ready", "2.ready", "4.ready"]
    assert told(every=3, phase=Phase.BACKWARD) == ["0.backward", "3.backward"]
    assert told(every=2, phase=Phase.BACKWARD) == ["0.backward", "2.backward", "3.backward"]
    assert told(first=4, phase=Phase.BACKWARD) == []


@pytest.mark.parametrize("every", [1, 2, 3, 7])
@pytest.mark.parametrize("phase", [None, *Phase])
@pytest.mark.parametrize("first", [0, 1, 3])
def test_a_walk_that_is_taken_up_again_goes_on_behind_the_place_seen_last(
    every: int, phase: Phase | None, first: int
) -> None:
    whole = told(every=every, phase=phase, first=first)
    for seen in range(len(whole)):
        assert told(every=every, phase=phase, first=first, after=place_of(whole[seen])) == whole[seen + 1 :]


def test_a_place_is_read_as_it_is_written_and_nothing_else_is_a_place() -> None:
    assert place_of(str(NOW)) == NOW
    assert NOW.rank == 13
    for text in ("", "4", "4.", ".forward", "-1.ready", "4.update", "4.forward.", "٤.ready", "1" * 16 + ".ready"):
        assert place_of(text) is None


def test_a_walk_of_a_long_line_is_taken_up_at_once() -> None:
    far = Place(10**15 - 1, Phase.READY)
    assert next(walk(far, after=Place(10**14, Phase.READY))) == Place(10**14, Phase.FORWARD)
