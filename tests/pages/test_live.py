"""Pages that grow: the live one and a replay."""

from __future__ import annotations

from api.documents.equations import equations
from api.pages import mathml
from api.pages.html import Replay, live_frame, live_head, live_tail, replay_head, replay_tail
from tests.documents.stored import Kept, traced
from tests.pages.documents import BASE, article, page, state
from tests.pages.test_html import checked


def test_the_live_page_is_one_valid_page_however_many_frames_it_holds() -> None:
    document = state(article("ready"))
    frames = [live_frame(page(Kept(article(), revision=r), losses=[(0, 1.0)]), mark=str(r)) for r in (3, 4)]
    text = live_head(document, "") + "".join(frames) + live_tail(document, "")
    outline = checked(text)
    assert text.count('<i class="done"></i>') == 2
    assert all(frame.rstrip().endswith('<i class="done"></i>') for frame in frames)
    assert {action.rpartition("/")[2] for action, _ in outline.forms} == {
        "forward",
        "backward",
        "update",
        "undo",
        "run",
    }
    assert all(fields["return"] == "minimal" for _, fields in outline.forms)


def test_a_replay_is_one_valid_page_whose_frames_may_be_of_one_revision() -> None:
    document, replay = state(article("ready")), Replay(0, 2, "backward", 0.5)
    ways = [("Go on", f"{BASE}/replay?pace=0.5&last_event_id=0.backward")]
    frames = [live_frame(page(article(), losses=[(0, 1.0)]), mark=mark, ways=ways) for mark in ("0", "1")]
    text = replay_head(document, replay, "") + "".join(frames) + replay_tail(document, replay, "")
    outline = checked(text)
    assert [link for link in outline.links if "pace" in link] == [f"{BASE}/replay?pace=0", ways[0][1], ways[0][1]]
    assert outline.forms == [(f"{BASE}/replay", {"step": "0", "every": "2", "pace": "0.5", "phase": ""})]
    assert "<option selected>backward</option>" in text
    assert "to the session" in text
    assert f'<a href="{BASE}/x">Go on</a>' in replay_tail(document, replay, "", f"{BASE}/x")


def test_a_frame_has_the_equations_of_its_phase() -> None:
    text = live_frame(page(traced(batch_size=2)), mark="7")
    for line in equations(Kept(traced(batch_size=2)), "mathml"):
        if line["about"].startswith("gradients."):
            assert mathml.equation(line["symbolic"], line["substituted"], line["value"]) in text


def test_the_live_page_of_a_reader_has_no_buttons() -> None:
    document = state(Kept(article(), read_only=True))
    assert checked(live_head(document, "") + live_tail(document, "")).forms == []
