"""What the static client owes to the service's tables: choices, fields, cards and pictures.

``python -m tests.pages.drawn`` writes it anew, parts of a page between ``<!--begin NAME-->`` and ``<!--end-->``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from api.documents.catalog import catalog
from api.documents.state import state
from api.engine.graph import Graph
from api.pages import charts, figures, svg
from api.pages.outline import outline
from api.training.definition import define
from api.training.run import advance
from api.training.session import Session
from tests.documents.stored import Kept

CLIENT = Path(__file__).parents[2] / "client"
CATALOG = catalog()
_REGION = re.compile(
    r"(?P<begin>(?:<!--|/\*)begin (?P<name>\w+)(?:-->|\*/))(?P<text>.*?)(?P<end>(?:<!--|/\*)end(?:-->|\*/))", re.DOTALL
)
ARTICLE = {
    "name": "",
    "title": "Linear regression on the article’s six rows",
    "body": {},
    "source": "R. Karim’s tutorial",
}


def words(name: str) -> str:
    """A field's or kind's name as people read it."""
    return name.replace("_", " ").capitalize()


def options(rows: Iterable[tuple[str, str]], first: str) -> str:
    """The options of a select; the first one is what an absent field means."""
    return f'<option value="">{escape(first)}</option>' + "".join(
        f'<option value="{name}">{escape(text)}</option>' for name, text in rows
    )


def presets() -> str:
    return options(((row["name"], row["title"]) for row in CATALOG["presets"]), "choose one")


def datasets() -> str:
    rows = ((row["name"], f"{row['title']} ({row['row_count']} rows)") for row in CATALOG["datasets"])
    return options(rows, "as usual: the article’s six rows, or the preset’s own")


def losses() -> str:
    rows = ((row["kind"], words(row["kind"])) for row in CATALOG["losses"])
    return options(rows, "as usual: squared error, or the preset’s own")


def activations() -> str:
    return options(
        ((row["name"], row["name"]) for row in CATALOG["activations"] if row["name"] != "identity"), "identity"
    )


def optimizers() -> str:
    rows = []
    for row in CATALOG["optimizers"]:
        only = "" if len(row["dialects"]) == 3 else f" ({', '.join(row['dialects'])})"
        rows.append((row["kind"], row["title"] + only))
    return options(rows, "as usual: gradient descent")


def dialects() -> str:
    names = dict.fromkeys(name for row in CATALOG["optimizers"] for name in row["dialects"])
    return options(((name, name) for name in names if name != "torch"), "torch")


def schedules() -> str:
    rows = ((row["kind"], row["title"]) for row in CATALOG["schedules"] if row["kind"] != "constant")
    return options(rows, "as usual: constant")


def initializers() -> str:
    rows = ((row["kind"], words(row["kind"])) for row in CATALOG["initializers"])
    return options(rows, "as usual for the model")


def _used(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """For each field the kinds that have it, with what each says of it."""
    found: dict[str, dict[str, Any]] = {}
    for kind, fields in rows:
        for name, value in fields.items():
            found.setdefault(name, {})[kind] = value
    return found


def optimizer_fields() -> str:
    """Every number of an optimiser but its rate, each shown where its kind has it."""
    rows = ((row["kind"], fields) for row in CATALOG["optimizers"] for fields in _merged(row))
    return "\n".join(
        _field("optimizer", name, _kinds("o", kinds), _default(kinds.values()))
        for name, kinds in _used(rows).items()
        if name != "learning_rate"
    )


def _merged(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    merged: dict[str, Any] = {}
    for dialect in row["dialects"].values():
        for name, value in dialect["defaults"].items():
            merged[name] = value if merged.get(name, value) == value else "default"
    yield merged


def _default(values: Iterable[Any]) -> Any:
    found = list(values)
    return found[0] if all(value == found[0] for value in found) else "default"


def schedule_fields() -> str:
    """Every field of a schedule, each shown where its kind has it."""
    used = _used((row["kind"], row["fields"]) for row in CATALOG["schedules"])
    lines = []
    for name, kinds in used.items():
        field = {key: _default([one[key] for one in kinds.values()]) for key in ("needed", "default", "type")}
        choices = list(dict.fromkeys(choice for one in kinds.values() for choice in one["choices"] or ()))
        shown = "needed" if field["needed"] is True else "default" if field["needed"] else field["default"]
        lines.append(_field("schedule", name, _kinds("s", kinds), shown, str(field["type"]), choices))
    return "\n".join(lines)


def initializer_fields() -> str:
    """Every number of an initialiser."""
    used = _used((row["kind"], row["defaults"]) for row in CATALOG["initializers"])
    return "\n".join(
        _field("initializer", name, _kinds("i", kinds), _default("needed" if v is None else v for v in kinds.values()))
        for name, kinds in used.items()
    )


def _kinds(letter: str, kinds: Iterable[str]) -> str:
    return " ".join(f"{letter}-{kind}" for kind in kinds)


def _field(
    owner: str, name: str, kinds: str, default: Any, kind: str = "number", choices: list[str] | None = None
) -> str:
    full = f"{owner}.{name}"
    if choices:
        first = default if default in choices else "default"
        picked = options(((one, one) for one in choices if one != first), str(first))
        return f'<label class="of {kinds}">{words(name)} <select name="{full}">{picked}</select></label>'
    if kind == "switch" or isinstance(default, bool):
        box = f'<input type="checkbox" name="{full}" value="true">'
        return f'<label class="of check {kinds}">{box} {words(name)}</label>'
    shown = "[30, 80]" if kind == "whole numbers" else "default" if default is None else _number(default)
    mode = "" if kind == "whole numbers" else ' inputmode="decimal"'
    box = f'<input type="text" name="{full}"{mode} placeholder="{shown}">'
    return f'<label class="of {kinds}">{words(name)} {box}</label>'


def _number(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def kinds() -> str:
    """The rules of the sheet that show a kind's fields once the kind is chosen."""
    groups = {
        "o": [row["kind"] for row in CATALOG["optimizers"]],
        "s": [row["kind"] for row in CATALOG["schedules"] if row["fields"]],
        "i": [row["kind"] for row in CATALOG["initializers"] if row["defaults"]],
    }
    lines = [
        f"form:has(.{group} [value={kind}]:checked) .{group}-{kind}" for group, all_ in groups.items() for kind in all_
    ]
    return "\n  " + ",\n  ".join(lines) + " { display: grid }\n  "


def cards() -> str:
    """The gallery: a picture, what it is, a button and its recipe."""
    return "\n" + "\n".join(_card(row) for row in (ARTICLE, *CATALOG["presets"])) + "\n"


def _card(row: Mapping[str, Any]) -> str:
    name, title = row["name"], escape(row["title"])
    body = {"model": {"kind": "preset", "name": name}} if name else {}
    definition = define(body)
    recipe = f"v1/new?preset={name}" if name else "v1/new"
    hidden = (
        f'<input type="hidden" name="model.kind" value="preset"><input type="hidden" name="model.name" value="{name}">'
    )
    count, rows = definition.parameter_count, definition.row_count
    facts = f"{count:,} parameters · {rows:,} rows" + (
        f" in batches of {definition.batch_size}" if definition.batch_size < rows else ""
    )
    file = f"gallery/{name or 'linear'}.svg"
    width, height = _size(file)
    return (
        f'<article class="card" id="{name or "linear"}"><a href="{recipe}"><img src="{file}" width="{width}" '
        f'height="{height}" loading="lazy" alt="{escape(_spoken(definition.graph))}"></a>\n'
        f'<h2>{title}</h2>\n<p class="hint">{facts}</p>\n'
        f'<p class="fine">{escape(row["source"])}</p>\n<div class="ways">'
        f'<form method="post" action="v1/sessions">{hidden if name else ""}<button type="submit">Start</button></form>'
        f'<a class="btn plainly" href="{recipe}">See the recipe</a></div></article>'
    )


def _spoken(graph: Graph) -> str:
    first = ", ".join(graph.placeholders[:3]) or "its parameters"
    return f"Graph of {len(graph.named)} quantities, from {first} to {graph.nodes[graph.loss].id}"


TWO_PATHS = {
    "model": {"kind": "expression", "source": "h = w*x1\nyhat = h + w\nL = (yhat - y)**2"},
    "parameters": {"w": 0.5},
}
TWENTY = 120
"""Updates in twenty epochs of six rows."""


def houses() -> str:
    rows = define({}).data
    assert rows is not None
    return "".join(
        f'<tr><th scope="row">{place}</th>{"".join(f"<td>{figures.number(cell)}</td>" for cell in row)}</tr>'
        for place, row in enumerate(rows.rows.tolist(), 1)
    )


def log() -> str:
    losses = figures.column(loss for _, loss in walked(6, {}))
    return "".join(f"<tr><td>1</td><td>{batch}</td><td>{loss}</td></tr>" for batch, loss in enumerate(losses, 1))


def two_paths() -> str:
    width, height = _size("two-paths.svg")
    told = "A weight w feeds the prediction twice: through h, and directly. Its gradient is the sum over both paths."
    return f'<img src="two-paths.svg" width="{width}" height="{height}" alt="{told}">'


def walked(steps: int, body: dict[str, Any]) -> list[tuple[int, float]]:
    """The losses of a session's first steps."""
    stretch = advance(define(body), Session.start(define(body)).snapshot, steps=steps, seconds=60.0)
    return list(enumerate(stretch.losses))


PARTS: dict[str, Callable[[], str]] = {
    function.__name__: function
    for function in (
        presets, datasets, losses, activations, optimizers, dialects, schedules, initializers,
        optimizer_fields, schedule_fields, initializer_fields, kinds, cards, houses, log, two_paths,
    )
}  # fmt: skip


def _started(body: dict[str, Any]) -> dict[str, Any]:
    return state(Kept(Session.start(define(body))), base="")


def pictures() -> dict[str, str]:
    """Every drawing of the client by its file's name."""
    found = {
        f"{name}.svg": svg.graph(
            state(Kept(Session.start(define(body)).forward().backward()), base="/"), standalone=True
        )
        for name, body in (("article", {}), ("two-paths", TWO_PATHS))
    }
    for rate in (0.05, 0.01):
        losses = walked(TWENTY, {"optimizer": {"learning_rate": rate}})
        found[f"losses-{rate}.svg"] = charts.loss(losses, standalone=True)
    for row in (ARTICLE, *CATALOG["presets"]):
        body = {"model": {"kind": "preset", "name": row["name"]}} if row["name"] else {}
        found[f"gallery/{row['name'] or 'linear'}.svg"] = outline(_started(body)["graph"], row["title"])
    return {name: text + "\n" for name, text in found.items()}


def _size(file: str) -> tuple[str, str]:
    found = re.search(r'width="(\d+)(?:\.\d)?" height="(\d+)', PICTURES[file])
    assert found
    return found[1], found[2]


PICTURES = pictures()


def filled(text: str) -> str:
    """A file of the client with its regions as the tables have them now."""
    return _REGION.sub(lambda found: found["begin"] + PARTS[found["name"]]() + found["end"], text)


FILES = ("index.html", "guide.html", "gallery.html", "pages.css")


def write() -> None:
    """Bring the client up to date."""
    (CLIENT / "gallery").mkdir(exist_ok=True)
    for name, text in PICTURES.items():
        (CLIENT / name).write_text(text, encoding="utf-8")
    for name in FILES:
        path = CLIENT / name
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
