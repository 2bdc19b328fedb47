"""The reference page against the OpenAPI document that it is made from."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape
from typing import Any

import pytest
from markupsafe import Markup

from api.app import create_app
from api.pages.reference import METHODS, prose, reference_page, type_of
from api.training.definition import DEFAULTS
from tests.pages.test_html import checked

DOCUMENT: dict[str, Any] = create_app().openapi()
PAGE = reference_page(DOCUMENT, "", {"CreateRequest": DEFAULTS})
CALLS = [
    (path, method, item[method]) for path, item in DOCUMENT["paths"].items() for method in item if method in METHODS
]


def section(id: str, page: str = PAGE) -> str:
    """A call's or an object's part of the page as plain text."""
    found = re.search(rf'<section class="call" id="{id}".*?</section>', page, re.DOTALL)
    assert found, id
    return unescape(re.sub(r"<[^>]+>", "", found[0]))


def test_the_page_is_valid_and_links_only_to_what_is_there() -> None:
    checked(PAGE)


@pytest.mark.parametrize(("path", "method", "operation"), CALLS)
def test_every_call_is_told_with_its_parameters_body_and_answers(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    text = section(operation["operationId"])
    assert f"{method.upper()} {path}" in text
    assert operation["summary"] in text
    for parameter in operation.get("parameters", ()):
        assert parameter["name"] in text
    for status in operation["responses"]:
        assert status in text
    if "requestBody" in operation:
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for field in DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]["properties"]:
            assert field in text


@pytest.mark.parametrize(("path", "method", "operation"), CALLS)
def test_every_call_has_commands_to_copy(path: str, method: str, operation: dict[str, Any]) -> None:
    commands = [line for line in section(operation["operationId"]).splitlines() if line.startswith("curl ")]
    assert commands
    for command in commands:
        words = shlex.split(command)
        address = next(word for word in words if word.startswith("$STEPGRAD"))
        pattern = re.sub(r"{\w+}", r"[$\\w]+", path.replace(".", r"\."))
        assert re.fullmatch(pattern, address.removeprefix("$STEPGRAD").partition("?")[0])
        given = "POST" if {"--json", "-d"} & set(words) else "GET"
        assert (words[words.index("-X") + 1] if "-X" in words else given) == method.upper()
        if "--json" in words:
            example = operation["requestBody"]["content"]["application/json"]["example"]
            assert json.loads(words[words.index("--json") + 1]) == example


def test_absent_fields_of_a_new_session_are_told_with_what_they_mean() -> None:
    text = section("create")
    assert re.search(r"batch_size\s+whole number from 1, by default\s+1", text)
    assert re.search(r'optimizer\s+OptimizerBody, by default\s+{"kind": "sgd"', text)


def test_every_named_object_that_is_linked_is_told() -> None:
    linked = set(re.findall(r'href="#schema-(\w+)"', PAGE))
    told = set(re.findall(r'id="schema-(\w+)"', PAGE))
    assert linked <= told
    assert {"State", "Tensor", "Problem", "OptimizerBody"} <= told


def test_types_are_told_in_words() -> None:
    told: dict[str, dict[str, Any]] = {
        "whole number from 1 to 5": {"type": "integer", "minimum": 1, "maximum": 5},
        "list of number": {"type": "array", "items": {"type": "number"}},
        "text or true or false": {"anyOf": [{"type": "string"}, {"type": "boolean"}, {"type": "null"}]},
        "object of list": {"type": "object", "additionalProperties": {"type": "array"}},
        "a, b": {"enum": ["a", "b"]},
        "anything": {},
        "A<b": {"$ref": "#/components/schemas/A<b"},
    }
    for words, schema in told.items():
        assert type_of(schema).striptags() == words


def test_words_of_the_document_are_escaped_and_backticks_are_code() -> None:
    assert prose("a `<b>` & c") == Markup("a <code>&lt;b&gt;</code> &amp; c")
    hostile = {**DOCUMENT, "info": {**DOCUMENT["info"], "description": "<script>"}}
    assert "<script" not in reference_page(hostile, "", {})


def test_addresses_stand_below_the_root_path() -> None:
    page = reference_page(DOCUMENT, "/x", {})
    assert "POST /x/v1/sessions" in section("create", page)
    assert 'href="/x/openapi.json"' in page
