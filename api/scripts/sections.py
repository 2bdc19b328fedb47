"""The parts that scripts for all targets have: what they say of themselves, a model's frame, and the start."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from api.scripts.helpers import HELPERS
from api.scripts.literals import nested, number, unpacked
from api.scripts.names import Names
from api.scripts.pieces import comment
from api.scripts.repetition import RTOL, Beginning, Repetition
from api.scripts.target import Target
from api.training.snapshot import Value

Lines = list[str]

_BEGINNINGS = {
    Beginning.CREATED: "It begins where the session did.",
    Beginning.FORKED: "The session is a fork: it begins with the parameters, and the optimiser's memory, that it was "
    "forked with.",
    Beginning.EDITED: "It begins where the session was last changed by hand, with the parameters, and the optimiser's "
    "memory, as they stood after that.",
    Beginning.LONG: "The session is longer than a script should take: it begins in the midst of it, with the "
    "parameters, and the optimiser's memory, as they stood there.",
    Beginning.SENSITIVE: "It begins late, with the parameters, and the optimiser's memory, as they stood there: the "
    "steps before magnify the last bits of their numbers, which no two libraries round alike.",
}


def heading(repetition: Repetition, target: Target, names: Names) -> Lines:
    """The script's docstring, and in comments what concerns this session alone."""
    first, last = repetition.start.position.step, repetition.session.position.step
    span = f"It trains from step {first} to step {last} as the session did"
    if last == first:
        span = f"It takes no step: it sends the batch of step {last} forward and backward"
    lines = [
        f'"""A training session of stepgrad, repeated with {target.title}.',
        "",
        *_text(f"{span}, all in float64, and ends by asserting the session's own numbers to {RTOL:g}."),
        *_text(_BEGINNINGS[repetition.beginning]),
        "",
        f"Run it with: python {target.filename}   (needs {target.needs})",
        '"""',
    ]
    notes = [f"Title: {comment(title, 200)}"] if (title := repetition.definition.document["title"]) else []
    notes += [
        f"{name} is written {safe} here, because {name} means something else." for name, safe in names.changed.items()
    ]
    return [*lines, *([""] if notes else []), *(f"# {note}" for note in notes)]


def _text(sentence: str) -> Lines:
    return wrapped_words(sentence, "")


def wrapped_words(text: str, before: str) -> Lines:
    """A sentence over lines that begin with ``before``."""
    lines, line = [], before
    for word in text.split():
        if len(line) + len(word) > 108:
            lines.append(line.rstrip())
            line = before
        line += f"{word} "
    return [*lines, line.rstrip()]


def imports(target: Target, *more: str) -> Lines:
    """The script's imports, and what else it sets up before everything. Whether it needs ``math`` is known at its end
    only: see ``script``."""
    return ["", *target.imports, "", *more, *([""] if more else []), ""]


def helpers(target: Target, lines: Iterable[str]) -> Lines:
    """The functions that ``lines`` call and the library lacks."""
    text = "\n".join(lines)
    found: Lines = []
    for name, source in HELPERS[target.name].items():
        if re.search(rf"(?<![\w.]){name}\(", text):
            found += [*source.strip("\n").split("\n"), "", ""]
    return found


def function(repetition: Repetition, names: Names, name: str, about: str, body: Lines, results: str) -> Lines:
    """A function of parameters and batch: both unpacked under the session's names, then ``body``."""
    graph = repetition.definition.graph
    params, batch = names.own("params"), names.own("batch")
    lines = [f"def {name}({params}, {batch}):", f'    """{about}"""']
    for which, source in ((graph.parameters, params), (graph.placeholders, batch)):
        lines += unpacked([names[one] for one in which], source, "    ") if which else []
    return [*lines, *(f"    {line}" if line else "" for line in body), *_returned(results)]


def _returned(results: str) -> Lines:
    line = f"    return {results}"
    if len(line) <= 110:
        return [line]
    return ["    return (", *wrapped_words(results, "        "), "    )"]


def outputs(repetition: Repetition, names: Names) -> str:
    """The tuple of a model's outputs."""
    graph = repetition.definition.graph
    return f"({', '.join(names[name] for name in graph.outputs)}{',' if len(graph.outputs) == 1 else ''})"


def start(repetition: Repetition, target: Target, slots: bool) -> Lines:
    """``params``, and where the script keeps them itself the optimiser's ``slots``."""
    definition, snapshot = repetition.definition, repetition.start
    lines = ["params = ("]
    lines += [_line(target.array, snapshot.parameters[name], name) for name in definition.names]
    lines.append(")")
    if not slots or not definition.slot_names or not definition.names:
        return lines
    lines.append("slots = [")
    for slot in definition.slot_names:
        born, single = definition.rule.born(slot), slot in definition.rule.single
        values = snapshot.slots[slot]
        if all(np.all(np.asarray(value) == born) for value in values.values()):
            like = target.zeros.format("w") if not born else target.full.format("w", number(born))
            one = target.array.format(number(born)) if single else like
            lines.append(f"    tuple({one} for w in params),  # {slot}")
        else:
            lines.append(f"    (  # {slot}")
            lines += [f"    {_line(target.array, values[name], name)}" for name in definition.names]
            lines.append("    ),")
    return [*lines, "]"]


def _line(array: str, value: Value, name: str) -> str:
    text = array.format(nested(value, "    "))
    return f"    {text},  # {comment(name)}" if "\n" not in text else f"    # {comment(name)}\n    {text},"
