"""Pages as files: where they lead, what they hold, and what is left when something fails."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.engine.errors import InvalidInput
from api.pages.export import Export, Overview
from api.pages.html import SessionPage
from api.training.session import Phase
from api.training.walk import Place
from tests.documents.stored import traced
from tests.pages.documents import BODIES, article, finished, page, state
from tests.pages.test_html import HOSTILE, checked

CLIENT = Path(__file__).parents[2] / "client"
PLACES = [Place(0, Phase.READY), Place(0, Phase.FORWARD), Place(0, Phase.BACKWARD)]


def shown(phase: str, **changes: Any) -> SessionPage:
    there = article(phase)
    return page(there, state=state(there) | {"id": None, "share": None, "links": None, "allowed": []} | changes)


def written(folder: Path, places: list[Place] = PLACES, **changes: Any) -> dict[str, str]:
    """The files of an export of the article's first step."""
    with Export(folder, CLIENT, places, note="one of every 9 steps is shown") as files:
        for number, place in enumerate(places):
            files.add(number, shown(place.phase, **changes))
        last = replace(shown(places[-1].phase, **changes), losses=[(0, 4.0)])
        items = [finished([4.0])[0] | {"learning_rate": 0.05, "gradient_norm": 18.0}]
        files.finish(Overview(last, items, article().definition.document, {"a.csv": "1"}))
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_every_link_is_relative_and_resolves_in_the_folder(tmp_path: Path) -> None:
    files = written(tmp_path)
    assert {"index.html", "style.css", "favicon.svg", "a.csv", "step-0-forward.html", "step-0-forward.json"} <= set(
        files
    )
    for name, text in files.items():
        if not name.endswith(".html"):
            continue
        outline = checked(text)
        assert outline.forms == []
        for link in outline.links:
            target, _, fragment = link.partition("#")
            assert target in ("", *files, "./index.html"), link
            other = files[target.removeprefix("./")] if target else text
            assert not fragment or f'id="{fragment}"' in other
        assert "/v1/" not in text.replace("<code>/v1/sessions</code>", "")
        assert "http" not in text.replace('http-equiv="Content-Security-Policy"', "")
        assert "default-src &#39;none&#39;" in text


def test_arrows_walk_from_page_to_page_and_say_where_steps_are_left_out(tmp_path: Path) -> None:
    files = written(tmp_path, [*PLACES, Place(9, Phase.READY)])
    middle = files["step-0-forward.html"]
    assert '<link rel="prev" href="step-0-ready.html">' in middle
    assert '<a id="next" class="btn go" href="step-0-backward.html#next">' in middle
    assert "one of every 9 steps is shown" in middle
    assert "Update 9</a>" in files["step-0-backward.html"]
    assert 'rel="prev"' not in files["step-0-ready.html"]
    assert 'rel="next"' not in files["step-9-ready.html"]
    assert 'href="step-0-ready.html#next">From the start' in files["index.html"]
    assert '<a href="step-0-ready.html">0</a>' in files["index.html"]


def test_the_json_beside_a_page_is_its_state(tmp_path: Path) -> None:
    files = written(tmp_path)
    assert json.loads(files["step-0-backward.json"]) == shown("backward").state


@pytest.mark.parametrize("name", BODIES)
def test_any_graph_can_be_exported(tmp_path: Path, name: str) -> None:
    there = page(traced(**BODIES[name]))
    with Export(tmp_path, CLIENT, PLACES[2:]) as files:
        files.add(0, there)
        files.finish(Overview(there, [], there.state["definition"], {}))
    for path in tmp_path.glob("*.html"):
        checked(path.read_text(encoding="utf-8"))


def test_a_hostile_title_is_text(tmp_path: Path) -> None:
    definition = article().definition.document | {"title": HOSTILE, "data": None}
    files = written(tmp_path, definition=definition)
    for name, text in files.items():
        if name.endswith(".html"):
            checked(text)
            assert "&lt;script&gt;" in text


def test_only_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="not empty"):
        written(tmp_path)
    with pytest.raises(InvalidInput, match="no folder"):
        written(tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    written(tmp_path / "a" / "b")


def test_what_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        with Export(folder, CLIENT, PLACES) as files:
            files.add(0, shown("ready"))
            assert {"step-0-ready.html", "style.css"} <= {path.name for path in folder.iterdir()}
            raise KeyboardInterrupt

    for folder in (tmp_path / "new", tmp_path):
        with pytest.raises(KeyboardInterrupt):
            fail(folder)
    assert list(tmp_path.iterdir()) == []
