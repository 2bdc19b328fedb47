"""Which representation a request gets."""

from __future__ import annotations

import pytest

from api.routes.negotiation import Kind, entity_tag, preferred, split_suffix

EVERYTHING = (Kind.JSON, Kind.HTML, Kind.TEXT, Kind.EVENTS)
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", Kind.JSON),
        ("*/*", Kind.JSON),
        ("application/json", Kind.JSON),
        (CHROME, Kind.HTML),
        ("text/html, text/*;q=0.5, image/*", Kind.HTML),  # w3m
        ("text/html;q=0.5, */*", Kind.HTML),  # a wildcard never beats a name
        ("text/*", Kind.JSON),
        ("text/html, application/json", Kind.HTML),
        ("text/html;q=0.8, application/json", Kind.JSON),
        ("application/json;q=0.8, text/html;q=0.9", Kind.HTML),
        ("text/html;q=0", Kind.JSON),
        ("text/html;q=nonsense", Kind.JSON),
        ("text/html;level=1", Kind.HTML),
        ("TEXT/HTML", Kind.HTML),
        ("text/plain", Kind.TEXT),
        ("application/json, text/plain, */*", Kind.JSON),  # axios
        ("text/event-stream", Kind.EVENTS),
        ("text/plain, text/html;q=0.9", Kind.TEXT),
        ("image/png", Kind.JSON),
        (",;,", Kind.JSON),
    ],
)
def test_accept_headers_of_real_programs_get_what_they_mean(accept: str, kind: Kind) -> None:
    assert preferred(accept, EVERYTHING) is kind


def test_what_is_not_offered_is_never_chosen() -> None:
    assert preferred("text/event-stream, text/html;q=0.1", (Kind.JSON, Kind.HTML)) is Kind.HTML
    assert preferred("text/plain", (Kind.JSON,)) is Kind.JSON


def test_suffixes_are_split_off_only_where_they_are_known() -> None:
    assert split_suffix("12.svg") == ("12", Kind.SVG)
    assert split_suffix("12") == ("12", None)
    assert split_suffix("a.b") == ("a.b", None)
    assert split_suffix(".json") == (".json", None)


def test_every_tag_of_a_revision_carries_its_number() -> None:
    assert entity_tag(12) == '"r12"'
    assert entity_tag(12, "", "ops", "", "html") == '"r12.ops.html"'
