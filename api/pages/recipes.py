"""The page of a recipe: what a session will be made from, and the button that makes one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from api.pages import figures, formulas, notation, svg, views
from api.pages.html import render
from api.training.datasets import DATASETS
from api.training.presets import PRESETS

_COLUMNS = 8  # so many are named
_LAYERS = 8


class Setting(NamedTuple):
    """One line of the recipe; ``given`` if the recipe says so itself, otherwise it is so by default."""

    name: str
    text: str
    given: bool


def recipe_page(
    body: dict[str, Any], fields: Mapping[str, str], state: dict[str, Any], equations: list[dict[str, Any]], root: str
) -> str:
    """The page of ``body``, whose ``fields`` its form posts; ``state`` and ``equations`` are those it starts from."""
    return render(
        "recipe.html",
        root,
        s=state,
        fields=fields,
        json=json.dumps(body, indent=1, ensure_ascii=False),
        settings=settings(body, state),
        place=_place(body.get("start") or {}),
        picture=views.trusted(svg.graph(state, linked=False)),
        natural=views.natural_width(state["graph"]),
        key=views.key(state["graph"]),
        equations=formulas.equations(state, equations),
        left_out=formulas.left_out(state, equations),
    )


def settings(body: dict[str, Any], state: dict[str, Any]) -> list[Setting]:
    """Everything a session is made from, in the order in which one would tell it."""
    definition = state["definition"]
    texts = {
        "model": _model(body.get("model") or {}, definition["model"], state["parameter_count"]),
        "data": _data(definition["data"]),
        "loss": _phrase(definition["loss"]),
        "optimizer": _phrase(definition["optimizer"]),
        "schedule": _phrase(definition["schedule"]),
        "initializer": _phrase(definition["initializer"]),
        "parameters": _parameters(body.get("parameters"), state),
        "batch_size": figures.number(definition["batch_size"]),
        "shuffle": "the rows anew in each epoch" if definition["shuffle"] else "no: rows in the order listed",
        "split": _phrase(definition["split"] or {}) or "none: all rows are for training",
        "seed": figures.number(definition["seed"], 16),
    }
    return [Setting(name.replace("_", " ").capitalize(), text, name in body) for name, text in texts.items()]


def _model(asked: Mapping[str, Any], model: Mapping[str, Any], count: int) -> str:
    numbers = f"{figures.number(count, 9)} parameter{'' if count == 1 else 's'}"
    if asked.get("kind") == "preset":
        return f"{asked['name']}: {PRESETS[asked['name']].title}; {numbers}"
    if model["kind"] == "mlp":
        layers = [f"{layer['units']} {layer['activation']}" for layer in model["layers"]]
        more = [f"{len(layers) - _LAYERS} more"] if len(layers) > _LAYERS else []
        return f"layers of {', '.join(layers[:_LAYERS] + more)}; {numbers}"
    return f"{'a formula' if model['kind'] == 'expression' else model['kind']}; {numbers}"


def _data(data: Mapping[str, Any] | None) -> str:
    if data is None:
        return "none: the parameters alone make the loss"
    title = DATASETS[data["dataset"]].title + "; " if data["dataset"] in DATASETS else ""
    inputs = [name for name in data["columns"] if name not in data["targets"]]
    named = ", ".join(inputs[:_COLUMNS]) + (f" and {len(inputs) - _COLUMNS} more" if len(inputs) > _COLUMNS else "")
    scaled = ", standardized" if data["standardize"] else ""
    rows = f"{data['row_count']} row{'' if data['row_count'] == 1 else 's'}"
    return f"{title}{rows} of {named or 'nothing else'} and the target {', '.join(data['targets'])}{scaled}"


def _parameters(given: Mapping[str, Any] | None, state: dict[str, Any]) -> str:
    names = list(given or state["parameters"])
    if not given and len(names) > _COLUMNS:
        return "drawn by the initializer"
    more = f"; {len(names) - _COLUMNS} more" if len(names) > _COLUMNS else ""
    return _values({name: state["parameters"][name] for name in names[:_COLUMNS]}) + more


def _values(values: Mapping[str, Any]) -> str:
    return "; ".join(f"{notation.text(name)} = {figures.values(value)}" for name, value in values.items())


def _phrase(thing: Mapping[str, Any]) -> str:
    """An object as a phrase: its kind, then each other field with its value."""
    words = [str(thing["kind"]).replace("_", " ")] if "kind" in thing else []
    words += [f"{name.replace('_', ' ')} {_word(value)}" for name, value in thing.items() if name != "kind"]
    return ", ".join(words)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return figures.number(value, 9)
    if isinstance(value, Mapping):
        return _phrase(value)
    return figures.values(value) if isinstance(value, list) else str(value)


def _place(start: Mapping[str, Any]) -> str:
    """Where the session begins, in words."""
    done = {"ready": "its batch fed", "forward": "after the forward pass", "backward": "after the backward pass"}
    step = start.get("step") or 0
    return f"update {figures.number(step, 9)}, {done[start.get('phase') or 'ready']}"
