"""The page that asks for a step's numbers one by one."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from api.pages import figures, mathml, notation, svg, views
from api.pages.html import render

_ASKED = {
    "values": ("Forward", "What is {}?"),
    "partials": ("Backward", "What is the partial {}?"),
    "gradients": ("Chain rule", "What is the gradient {}?"),
    "updated": ("Update", "What is the new {}?"),
}
_TRIES = {0: "shown", 1: "at the first try", 2: "at the second try", 3: "at the third try"}
_KNOWN = 12
"""Numbers up to which a known quantity is written out."""


def practice_page(practice: dict[str, Any], veiled: dict[str, Any], root: str) -> str:
    """The page of a practice document with formulas in MathML; ``veiled`` is the state without what is to be found,
    under the id that the page was asked for with."""
    question = practice["question"]
    base = f"{root}/v1/sessions/{veiled['id']}"
    section, _, name = (question or {"quantity": "gradients."})["quantity"].partition(".")
    traced = views.anchors(veiled["graph"])
    parameter = name.rpartition("/")[2]
    return render(
        "practice.html",
        root,
        base=base,
        here=f"{base}/revisions/{practice['revision']}",
        p=practice,
        s=veiled,
        stage=_ASKED[section][0] if question else "All done",
        words=_around(_ASKED[section][1], question["symbol"]) if question else None,
        trace=traced.index(parameter) if parameter in traced else None,
        hint=[mathml.equation(one["symbolic"], one["substituted"]) for one in question["hint"]] if question else [],
        solved=[_equation(one) for one in (practice["last"] or {}).get("equations", [])],
        marks=[(tries, _TRIES[int(tries)]) for tries in practice["done"]],
        answered=[_answered(one, _loss(veiled)) for one in practice["answered"]],
        given=_given(practice["given"], section),
        picture=views.trusted(svg.graph(veiled, linked=False)),
        natural=views.natural_width(veiled["graph"]),
        key=views.key(veiled["graph"]),
    )


def _around(words: str, symbol: str) -> Markup:
    return Markup(words).format(views.trusted(symbol))


def _loss(state: dict[str, Any]) -> str:
    return next(str(node["id"]) for node in state["graph"]["nodes"] if node["role"] == "loss")


def _equation(one: dict[str, Any]) -> Markup:
    return mathml.equation(one["symbolic"], one["substituted"], one["value"])


def _answered(one: dict[str, Any], loss: str) -> dict[str, str | Markup]:
    return {"name": _name(one["quantity"], loss), "value": _numbers(one["value"]), "tries": _TRIES[one["tries"]]}


def _name(quantity: str, loss: str) -> Markup:
    """A quantity in a line of text: ``∂L/∂w₁``."""
    section, _, name = quantity.partition(".")
    target, _, source = (f"{loss}/{name}" if section == "gradients" else name).partition("/")
    if source:
        return Markup("∂{}/∂{}").format(notation.html(target), notation.html(source))
    return Markup("{}{}").format("new " if section == "updated" else "", notation.html(name))


def _numbers(value: Any) -> str:
    """Enough digits to go on with; the rows of a matrix with semicolons between them."""
    if isinstance(value, list) and value and isinstance(value[0], list) and len(figures.flat(value)[0]) <= _KNOWN:
        return "; ".join(_numbers(row) for row in value)
    numbers, shape = figures.flat(value)
    if len(shape) < 2 and not isinstance(value, dict) and len(numbers) <= _KNOWN:
        return ", ".join(figures.number(number, 6) for number in numbers)
    return figures.values(value, 6, _KNOWN)


def _given(given: dict[str, Any], section: str) -> list[tuple[Markup | str, str]]:
    """What may be used: the batch and the parameters, for an update also what the optimiser brings."""
    known = [(name, value) for part in ("inputs", "parameters") for name, value in given[part].items()]
    rows: list[tuple[Markup | str, str]] = [(notation.html(name), _numbers(value)) for name, value in known]
    if section == "updated":
        optimizer = given["optimizer"] | {"learning_rate": given["learning_rate"]}
        fields = [(name, value) for name, value in optimizer.items() if isinstance(value, int | float)]
        rows += [(name.replace("_", " "), figures.number(value, 6)) for name, value in fields]
        slots = [(slot, name, value) for slot, of in given["optimizer"]["slots"].items() for name, value in of.items()]
        rows += [(Markup("{} of {}").format(slot, notation.html(name)), _numbers(value)) for slot, name, value in slots]
    return rows
