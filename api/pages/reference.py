"""The reference of the API as a page, made from its OpenAPI document alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from api.pages.html import render

Json = Mapping[str, Any]
METHODS = ("get", "post", "patch", "put", "delete")
_REFERENCE = "#/components/schemas/"
_CODE = re.compile(r"`([^`]+)`")
_WORDS = {
    "string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "object": "object",
    "array": "list", "null": "null",
}  # fmt: skip
_LONGEST = 60
"""Characters of a default that are shown."""


class Field(NamedTuple):
    """A parameter or a field of an object."""

    name: str
    type: Markup
    needed: bool
    default: str | None
    about: Markup


class Answer(NamedTuple):
    """One status that a call may answer with."""

    status: str
    about: str
    content: list[tuple[str, Markup]]


class Call(NamedTuple):
    """A method at a path."""

    id: str
    method: str
    path: str
    summary: str
    about: Markup
    parameters: list[tuple[str, list[Field]]]
    body: str | None
    fields: list[Field]
    answers: list[Answer]
    problems: list[tuple[str, str]]
    examples: list[str]


class Schema(NamedTuple):
    """A named object that bodies or answers hold."""

    name: str
    about: Markup
    fields: list[Field]
    type: Markup | None


def reference_page(document: Json, root: str, defaults: Mapping[str, Json]) -> str:
    """The page of an OpenAPI document. ``defaults`` are what absent fields of a schema mean, where it cannot say so:
    a null there is as good as absent."""
    calls = list(_calls(document, root, defaults))
    tags = [(tag["name"], prose(tag.get("description", ""))) for tag in document.get("tags", ())]
    return render(
        "reference.html",
        root,
        info=document["info"],
        about=prose(document["info"].get("description", "")),
        groups=[(name, about, [call for tag, call in calls if tag == name]) for name, about in tags],
        schemas=list(_schemas(document, defaults)),
    )


def prose(text: str) -> Markup:
    """A description, what stands between backticks as code."""
    pieces = _CODE.split(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if place % 2 else escape(piece) for place, piece in enumerate(pieces)
    )


def _calls(document: Json, root: str, defaults: Mapping[str, Json]) -> Iterator[tuple[str, Call]]:
    for path, item in document["paths"].items():
        for method in item:
            if method in METHODS:
                yield item[method]["tags"][0], _call(document, root + path, method, item, defaults)


def _call(document: Json, path: str, method: str, item: Json, defaults: Mapping[str, Json]) -> Call:
    operation = item[method]
    given = [*item.get("parameters", ()), *operation.get("parameters", ())]
    places = (("path", "In the address"), ("query", "Query"), ("header", "Headers"))
    content = operation.get("requestBody", {}).get("content", {})
    name = _name(content.get("application/json", {}).get("schema", {}))
    answers = sorted(operation["responses"].items())
    return Call(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        about=prose(operation.get("description", "")),
        parameters=[
            (title, [_parameter(one) for one in given if one["in"] == place])
            for place, title in places
            if any(one["in"] == place for one in given)
        ],
        body=name,
        fields=_fields(document["components"]["schemas"][name], defaults.get(name, {})) if name else [],
        answers=[_answer(status, answer) for status, answer in answers if status < "400"],
        problems=[(status, answer["description"]) for status, answer in answers if status >= "400"],
        examples=list(_examples(method, path, given, content)),
    )


def _parameter(parameter: Json) -> Field:
    schema = parameter["schema"]
    default = schema.get("default")
    return Field(
        parameter["name"],
        type_of(schema),
        bool(parameter.get("required")),
        None if default is None else _shown(default),
        prose(parameter.get("description", "")),
    )


def _answer(status: str, answer: Json) -> Answer:
    content = [(media, type_of(part.get("schema", {}))) for media, part in answer.get("content", {}).items()]
    return Answer(status, answer["description"], content)


def _fields(schema: Json, defaults: Json) -> list[Field]:
    needed = schema.get("required", ())
    found = []
    for name, field in schema.get("properties", {}).items():
        default = defaults.get(name, field.get("default"))
        shown = None if default is None else _shown(default)
        found.append(Field(name, type_of(field), name in needed, shown, prose(field.get("description", ""))))
    return found


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _name(schema: Json) -> str | None:
    reference = str(schema.get("$ref", ""))
    return reference.removeprefix(_REFERENCE) if reference.startswith(_REFERENCE) else None


def type_of(schema: Json) -> Markup:
    """A schema in words; a named one as a link to where it is told."""
    name = _name(schema)
    if name is not None:
        return Markup('<a href="#schema-{}">{}</a>').format(name, name)
    if "const" in schema:
        return Markup("<code>{}</code>").format(json.dumps(schema["const"]))
    if "enum" in schema:
        return Markup(", ").join(Markup("<code>{}</code>").format(choice) for choice in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            several = [type_of(one) for one in schema[key] if one.get("type") != "null"]
            return Markup(" or ").join(dict.fromkeys(several))
    if schema.get("type") == "array":
        return Markup("list of {}").format(type_of(schema["items"])) if schema.get("items") else Markup("list")
    inner = schema.get("additionalProperties")
    if schema.get("type") == "object" and isinstance(inner, Mapping):
        return Markup("object of {}").format(type_of(inner)) if inner else Markup("object")
    if "patternProperties" in schema:
        return Markup("dotted names")
    word = _WORDS.get(str(schema.get("type", "")), "anything")
    return escape(word + _bounds(schema))


def _bounds(schema: Json) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    from_ = f" from {least}" if least is not None else ""
    return from_ + (f" to {most}" if most is not None and most < 2**53 - 1 else "")


def _examples(method: str, path: str, parameters: list[Json], content: Json) -> Iterator[str]:
    """Commands to copy; what they need is in variables, so that they run anywhere."""
    address = "$STEPGRAD" + path.replace("{id}", "$SESSION").replace("{code}", "invalid")
    address = re.sub(r"{\w+}", "0", address)
    query: dict[str, Any] = {}
    for one in parameters:
        if one["in"] == "query" and "example" in one:
            query |= one["example"] if isinstance(one["example"], Mapping) else {one["name"]: one["example"]}
    address += "?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else ""
    verb = {"get": "", "post": "-X POST "}.get(method, f"-X {method.upper()} ")
    body = content.get("application/json", {}).get("example")
    if not body:
        yield f'curl {verb}"{address}"'
        return
    text = json.dumps(body, ensure_ascii=False).replace("'", "\\u0027")
    yield f"curl {'' if method == 'post' else verb}\"{address}\" --json '{text}'"
    fields = content.get("application/x-www-form-urlencoded", {}).get("example") or {}
    if method == "post" and not any("'" in value for value in fields.values()):
        given = " ".join(f"-d '{name}={value}'" for name, value in fields.items())
        yield f'curl "{address}" {given}'


def _schemas(document: Json, defaults: Mapping[str, Json]) -> Iterator[Schema]:
    """Every named schema that something links to, by name."""
    everything = document["components"]["schemas"]
    linked = _linked(document["paths"], everything)
    for name in sorted(linked):
        schema = everything[name]
        whole = "properties" not in schema
        fields = [] if whole else _fields(schema, defaults.get(name, {}))
        plain = {key: value for key, value in schema.items() if key != "title"}
        yield Schema(name, prose(schema.get("description", "")), fields, type_of(plain) if whole else None)


def _linked(start: Any, schemas: Json) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            name = _name(value)
            if name is not None and name not in found:
                found.add(name)
                waiting.append(schemas[name])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found
