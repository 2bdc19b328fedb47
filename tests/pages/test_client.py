"""The static client: what can be said of it without a browser."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from api.documents.bodies import CreateBody
from api.documents.catalog import catalog
from api.documents.places import wanted
from api.pages import svg
from tests.pages import drawn
from tests.pages.test_html import checked

CLIENT = Path(__file__).parents[2] / "client"
PAGES = ("index.html", "guide.html", "gallery.html")
SHEETS = ("style.css", "session.css", "pages.css")
SERVICE = re.compile(r"\./(#.*)?|v1/sessions|docs|v1/new(\?.*)?|#.*")
"""Addresses beside the files that the service answers."""


class Forms(HTMLParser):
    """Each form with its attributes and its fields by name, with the values that selects and hidden fields offer."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], dict[str, list[str]]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.found.append((given, {}))
        elif tag in ("input", "textarea", "select"):
            self.name = given.get("name") or ""
            self.found[-1][1].setdefault(self.name, []).extend([given["value"] or ""] if "value" in given else [])
        elif tag == "option":
            self.found[-1][1][self.name].append(given.get("value") or "")


def read(name: str) -> str:
    return (CLIENT / name).read_text(encoding="utf-8")


def own() -> dict[str, list[str]]:
    """The fields of the form that chooses everything, each with the values offered."""
    return next(fields for given, fields in Forms(read("index.html")).found if given.get("class") == "own")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_valid_runs_nothing_and_fetches_only_what_lies_beside_it(name: str) -> None:
    text = read(name)
    checked(text)
    for address in re.findall(r'(?:href|src|action)="([^"]*)"', text):
        assert not re.match(r"[a-z]+:|/", address), address
        assert SERVICE.fullmatch(address) or (CLIENT / address.partition("#")[0]).is_file(), address


@pytest.mark.parametrize("name", SHEETS)
def test_a_sheet_fetches_nothing(name: str) -> None:
    text = read(name)
    assert "@import" not in text
    assert "url(" not in text


def test_no_page_has_more_than_20_kB_of_style() -> None:
    base, *others = (len(read(name).encode()) for name in SHEETS)
    assert all(base + other <= 20_000 for other in others)


def test_one_press_starts_the_articles_own_session() -> None:
    given, fields = Forms(read("index.html")).found[0]
    assert (given["method"], given["action"], fields) == ("post", "v1/sessions", {})
    assert '<button type="submit" class="go" autofocus>' in read("index.html")


@pytest.mark.parametrize("name", PAGES)
def test_every_field_is_one_that_the_service_reads(name: str) -> None:
    for given, fields in Forms(read(name)).found:
        if given["method"] == "get":
            assert list(fields) == ["id"]
            continue
        for field in fields:
            path = tuple(int(part) if part.isdigit() else part for part in field.split("."))
            assert wanted(CreateBody, path), field


@pytest.mark.parametrize("name", drawn.FILES)
def test_what_a_file_says_of_the_tables_is_what_they_say(name: str) -> None:
    assert read(name) == drawn.filled(read(name)), "write it again: python -m tests.pages.drawn"


@pytest.mark.parametrize("name", drawn.PICTURES)
def test_a_picture_is_the_one_that_the_service_draws(name: str) -> None:
    assert read(name) == drawn.PICTURES[name], "write it again: python -m tests.pages.drawn"


def test_pictures_have_the_size_that_pages_say() -> None:
    for page in PAGES:
        for file, width, height in re.findall(r'<img src="([^"]+)" width="(\d+)" height="(\d+)"', read(page)):
            size = re.search(r'width="(\d+)(?:\.\d)?" height="(\d+)', read(file))
            assert size
            assert (width, height) == size.groups(), file


def test_no_picture_is_left_over() -> None:
    found = {str(path.relative_to(CLIENT)) for path in CLIENT.rglob("*.svg")}
    assert found == {*drawn.PICTURES, "favicon.svg"}


def test_sheets_that_travel_with_pictures_have_the_pages_colours() -> None:
    sheet = read("style.css")
    for name in ("graph", "chart", "outline"):
        colours = set(re.findall(r"#[0-9a-f]{6}\b", svg.own_style(name)))
        assert colours
        missing = {colour for colour in colours if colour not in sheet + read("session.css")}
        assert missing <= {"#dcdbd2", "#3a3c36"}, missing  # lines on a paper of their own


def test_the_form_offers_all_that_the_catalog_lists() -> None:
    known, offered = catalog(), own()
    assert [*offered["model.kind"], "linear"][1:] == ["preset", "mlp", "expression", "linear"]
    assert {row["kind"] for row in known["models"]} == {*offered["model.kind"], "linear"} - {"", "preset"}
    for field, names in {
        "model.name": [row["name"] for row in known["presets"]],
        "data.dataset": [row["name"] for row in known["datasets"]],
        "loss.kind": [row["kind"] for row in known["losses"]],
        "optimizer.kind": [row["kind"] for row in known["optimizers"]],
        "schedule.kind": [row["kind"] for row in known["schedules"] if row["kind"] != "constant"],
        "initializer.kind": [row["kind"] for row in known["initializers"]],
        "model.layers.0.activation": [row["name"] for row in known["activations"] if row["name"] != "identity"],
    }.items():
        assert offered[field] == ["", *names], field
    dialects = {name for row in known["optimizers"] for name in row["dialects"]}
    assert set(offered["optimizer.dialect"]) == dialects - {"torch"} | {""}


def test_the_form_has_a_field_for_every_number_of_every_kind() -> None:
    known, offered = catalog(), own()
    for row in known["optimizers"]:
        for dialect in row["dialects"].values():
            assert {f"optimizer.{name}" for name in dialect["defaults"]} <= set(offered)
    for row in known["schedules"]:
        for name, field in row["fields"].items():
            values = offered[f"schedule.{name}"]
            assert not field["choices"] or {*field["choices"]} - {field["default"]} <= set(values)
    for row in known["initializers"]:
        assert {f"initializer.{name}" for name in row["defaults"]} <= set(offered)
    for row in known["losses"]:
        assert {f"loss.{name}" for name in row["defaults"]} <= set(offered)
    whole = {"title", "model", "data", "loss", "optimizer", "schedule", "initializer", "batch_size", "shuffle"}
    assert {field.partition(".")[0] for field in offered} == {*whole, "split", "seed", "start"}


def test_the_gallery_shows_every_preset_with_its_picture() -> None:
    text = read("gallery.html")
    for row in catalog()["presets"]:
        name = row["name"]
        assert f'src="gallery/{name}.svg"' in text
        assert f'href="v1/new?preset={name}"' in text
        assert row["title"] in unescape(text)


IDEAS = (
    *("data", "graph", "forward", "loss", "backward", "chain-rule", "update", "log", "loss-chart", "divergence"),
    *("learning-rate", "reduction", "momentum", "adam", "bias-correction", "weight-decay", "schedule", "activation"),
    *("initializer", "matrix-transpose", "validation", "session-page", "recipe"),
)


def test_the_guide_keeps_the_places_that_others_link_to() -> None:
    text = read("guide.html")
    for idea in IDEAS:
        assert f'id="{idea}"' in text
    contents = text.partition('<nav class="contents"')[2].partition("</nav>")[0]
    headings = re.findall(r'<h2 id="([^"]+)">', text)
    assert re.findall(r'href="#([^"]+)"', contents) == headings
