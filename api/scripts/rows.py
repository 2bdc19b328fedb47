"""The data of a script: the rows that are trained on, what the placeholders are fed of them, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from api.scripts.literals import nested, packed
from api.scripts.pieces import comment
from api.scripts.repetition import Repetition
from api.scripts.target import Target

Lines = list[str]


def data(repetition: Repetition, target: Target) -> Lines:
    """The rows that are trained on, of the columns that are used, and what the placeholders are fed of them."""
    definition = repetition.definition
    if definition.data is None:
        return ["# There is no data: the loss depends on the parameters alone."]
    used, table = _used(repetition), definition.data
    rows = table.rows[np.ix_(listed_rows(repetition), [table.columns.index(name) for name in used])]
    about = ", ".join(_labelled(name, table.labels[table.columns.index(name)]) for name in used)
    scaled = ", standardized" if table.standardize else ""
    kept = "that train, " if definition.split.held_out else ""
    lines = [f"# The data: {len(rows)} rows {kept}of {about}{scaled}."] if used else []
    lines += [f"data = {target.data.format(nested(rows))}"] if used else []
    lines.append("inputs = (")
    lines += [f"    {part}," + f"  # {note}" for part, note in _fed(repetition, target, used)]
    return [*lines, ")"]


def _labelled(name: str, label: str) -> str:
    return name if name == label else f"{name} ({comment(label, 40)})"


def _used(repetition: Repetition) -> list[str]:
    """The columns that the model is fed, in the order of the data."""
    definition = repetition.definition
    assert definition.data is not None
    fed: set[str] = set()
    for name in definition.graph.placeholders:
        feed = definition.feeds.get(name)
        fed |= {name} if feed is None else set(feed.columns)
    return [name for name in definition.data.columns if name in fed]


def listed_rows(repetition: Repetition) -> list[int]:
    """The rows that an epoch feeds, in the order in which the script lists them."""
    order = list(repetition.definition.order(1))
    return sorted(order) if repetition.definition.document["shuffle"] else order


def _fed(repetition: Repetition, target: Target, used: Sequence[str]) -> Iterable[tuple[str, str]]:
    definition = repetition.definition
    for name in definition.graph.placeholders:
        feed = definition.feeds.get(name)
        if feed is None:
            yield f"data[:, {used.index(name)}]", name
            continue
        places = [used.index(column) for column in feed.columns]
        if feed.classes is not None:
            text = target.one_hot.format(column=places[0], classes=feed.classes)
            yield text, f"{name}: {feed.classes} classes of {feed.columns[0]}, one-hot"
        elif places == list(range(places[0], places[0] + len(places))):
            yield f"data[:, {places[0]}:{places[-1] + 1}]", _members(name, feed.columns)
        else:
            yield f"data[:, {places}]", _members(name, feed.columns)


def _members(name: str, columns: Sequence[str]) -> str:
    return comment(f"{name}: {', '.join(columns)}", 80)


def order(repetition: Repetition) -> Lines:
    """``orders``: for each epoch the rows that the script feeds in it, in their order."""
    definition, start, end = repetition.definition, repetition.start.position, repetition.session.position
    if definition.data is None:
        return []
    lines = [f"batch_size = {definition.batch_size}"]
    if not definition.document["shuffle"]:
        return [
            *lines,
            f"rows = list(range({definition.row_count}))  # in the order in which they are fed",
            *_repeated(repetition),
        ]
    place = {row: at for at, row in enumerate(listed_rows(repetition))}
    found = []
    for epoch in range(start.epoch, end.epoch + 1):
        drawn = [str(place[row]) for row in definition.order(epoch)]
        part = drawn[start.offset if epoch == start.epoch else 0 : end.offset if epoch == end.epoch else None]
        found += [part] if part else []
    lines.append("orders = [  # of each epoch's rows, as they were drawn")
    for part in found:
        line = f"    [{', '.join(part)}],"
        lines += [line] if len(line) <= 110 else ["    [", packed(part, "        "), "    ],"]
    return [*lines, "]"]


def _repeated(repetition: Repetition) -> Lines:
    start, end = repetition.start.position, repetition.session.position
    if start.epoch == end.epoch:
        return [f"orders = [rows[{start.offset}:{end.offset}]]" if repetition.steps else "orders = []"]
    whole = end.epoch - start.epoch - (start.offset > 0)
    parts = [f"rows[{start.offset}:]"] if start.offset else []
    parts += [f"*[rows] * {whole}"] if whole else []
    parts += [f"rows[:{end.offset}]"] if end.offset else []
    if len(parts) == 1 and whole:
        return [f"orders = [rows] * {whole}"]
    return [f"orders = [{', '.join(parts)}]"]
