"""The static client: what can be said of it without a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from api.documents.bodies import CreateBody
from api.documents.places import wanted
from api.pages import svg
from api.training.presets import PRESETS
from tests.pages.documents import article, state
from tests.pages.test_html import checked

CLIENT = Path(__file__).parents[2] / "client"
PAGES = ("index.html", "guide.html")


class Forms(HTMLParser):
    """Each form with its attributes and the names of its fields."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.found.append((given, []))
        elif tag in ("input", "textarea", "select"):
            self.found[-1][1].append(given.get("name") or "")


def read(name: str) -> str:
    return (CLIENT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_valid_runs_nothing_and_fetches_only_what_lies_beside_it(name: str) -> None:
    text = read(name)
    checked(text)
    for address in re.findall(r'(?:href|src|action)="([^"]*)"', text):
        assert not re.match(r"[a-z]+:|/", address), address
        if address not in ("./", "v1/sessions") and not address.startswith("#"):
            assert (CLIENT / address).is_file(), address


def test_the_sheet_is_small_and_fetches_nothing() -> None:
    text = read("style.css")
    assert len(text.encode()) <= 20_000
    assert "@import" not in text
    assert "url(" not in text


def test_one_press_starts_the_articles_own_session() -> None:
    given, fields = Forms(read("index.html")).found[0]
    assert (given["method"], given["action"], fields) == ("post", "v1/sessions", [])
    assert '<button type="submit" class="go" autofocus>' in read("index.html")


@pytest.mark.parametrize("name", PAGES)
def test_every_field_is_one_that_the_service_reads(name: str) -> None:
    for given, fields in Forms(read(name)).found:
        if given["method"] == "get":
            assert fields == ["id"]
            continue
        for field in fields:
            path = tuple(int(part) if part.isdigit() else part for part in field.split("."))
            assert wanted(CreateBody, path), field


def test_the_first_picture_is_the_one_that_the_service_draws() -> None:
    drawn = svg.graph(state(article()), standalone=True) + "\n"
    assert read("article.svg") == drawn, "write it again: tests/pages/test_client.py says how it is drawn"
    size = re.search(r'width="(\d+)(?:\.\d)?" height="(\d+)', drawn)
    assert size
    for name in PAGES:
        assert f'src="article.svg" width="{size[1]}" height="{size[2]}"' in read(name)


def test_sheets_that_travel_with_pictures_have_the_pages_colours() -> None:
    sheet = read("style.css")
    for name in ("graph", "chart"):
        colours = set(re.findall(r"#[0-9a-f]{6}\b", svg.own_style(name)))
        assert colours
        missing = {colour for colour in colours if colour not in sheet}
        assert missing <= {"#dcdbd2", "#3a3c36"}, missing  # lines on a paper of their own


def test_the_start_page_offers_every_preset() -> None:
    select = read("index.html").partition('name="model.name"')[2].partition("</select>")[0]
    offered = dict(re.findall(r'<option value="([^"]+)">([^<]+)</option>', select))
    assert offered == {row.name: row.title for row in PRESETS.values()}
