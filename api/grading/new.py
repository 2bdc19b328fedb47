"""A new homework's folder: the assignment, a starter for students, and what Gradescope and GitHub run."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from api.engine.explain import named_formula
from api.engine.notation import TEXT
from api.grading.assignment import Assignment
from api.grading.cases import drawn
from api.grading.working import Working, asked
from api.training.definition import Definition
from api.training.presets import PRESETS
from api.training.snapshot import listed

EXAMPLE = "example"
_STAMP = (2020, 1, 1, 0, 0, 0)  # the same files make the same archive
_ROOMS = ("engine", "training", "grading")


def models() -> dict[str, dict[str, Any]]:
    """What ``grade new --model`` can begin with: a session's body by name."""
    mlp = {
        "model": {"kind": "mlp", "layers": [{"units": 4, "activation": "tanh"}, {"units": 1}]},
        "data": {"dataset": "moons"},
        "optimizer": {"kind": "sgd", "learning_rate": 0.1},
        "batch_size": 3,
    }
    classifier = {
        "model": {"kind": "mlp", "layers": [{"units": 5, "activation": "relu"}, {"units": 3}]},
        "data": {"dataset": "iris", "standardize": True},
        "loss": {"kind": "softmax_cross_entropy"},
        "optimizer": {"kind": "adam", "learning_rate": 0.01},
        "batch_size": 4,
    }
    presets = {name: {"model": {"kind": "preset", "name": name}, "batch_size": 3} for name in PRESETS}
    return {"linear": {}, "mlp": mlp, "classifier": classifier, **presets}


def written(folder: Path, assignment: Assignment) -> list[Path]:
    """Write everything into a folder that is new or empty; the files written, in the order in which to read of them."""
    public = Assignment({**assignment.document, "seed": "public", "students": None}, assignment.definition)
    grader = zipped()
    files: dict[str, bytes] = {
        "assignment.json": _json(assignment.document),
        "starter.py": starter(assignment).encode(),
        "gradescope.zip": gradescope(assignment, grader),
        "github/.github/workflows/grade.yml": _read("workflow.yml").encode(),
        "github/.grade/assignment.json": _json(public.document),
        "github/.grade/grader.pyz": grader,
        "github/submission.py": starter(assignment).encode(),
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return [folder / name for name in files]


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()


def _read(name: str) -> str:
    return resources.files("api.grading").joinpath(f"starters/{name}").read_text("utf-8")


def zipped() -> bytes:
    """The grader as one file that any Python with NumPy runs: ``python grader.pyz python submission.py …``."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, "__main__.py", b"import sys\n\nfrom api.grading.command import main\n\nsys.exit(main())\n")
        _put(archive, "api/__init__.py", b"")
        for room in _ROOMS:
            here = resources.files(f"api.{room}")
            for name, content in sorted(_contents(here, f"api/{room}")):
                _put(archive, name, content)
    return b"#!/usr/bin/env python3\n" + output.getvalue()


def _contents(folder: Any, base: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for one in folder.iterdir():
        if one.is_dir():
            found += [] if one.name == "__pycache__" else _contents(one, f"{base}/{one.name}")
        elif not one.name.endswith((".pyc", ".pyo")):
            found.append((f"{base}/{one.name}", one.read_bytes()))
    return found


def _put(archive: zipfile.ZipFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = zipfile.ZipInfo(name, _STAMP)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = mode << 16
    archive.writestr(entry, content)


def gradescope(assignment: Assignment, grader: bytes) -> bytes:
    """The archive that Gradescope's autograder page takes as it is."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, "setup.sh", _read("setup.sh").encode(), 0o755)
        _put(archive, "run_autograder", _read("run_autograder").encode(), 0o755)
        _put(archive, "assignment.json", _json(assignment.document), 0o600)
        _put(archive, "grader.pyz", grader, 0o755)
    return output.getvalue()


def starter(assignment: Assignment) -> str:
    """The file that students begin with: what is asked, three empty functions, and an example to try them on."""
    definition = assignment.definition
    example = _example(assignment)
    shapes = {name: list(shape) for name, shape in definition.shapes.items() if shape}
    formulas = "\n".join(f"    {line}" for line in _formulas(definition))
    rule = "\n".join(f"    {line.symbol} = {line.formula}" for line in definition.rule.lines)
    return _read("starter.txt").format(
        title=assignment.title,
        formulas=formulas,
        parameters=", ".join(f"{name} {shapes.get(name, '')}".strip() for name in definition.names),
        inputs=", ".join(definition.graph.placeholders) or "none",
        outputs=", ".join(repr(name) for name in _forward_names(assignment)),
        loss=definition.graph.nodes[definition.graph.loss].id,
        rule=rule,
        fields=", ".join(f"optimizer[{name!r}]" for name in definition.fields) or "nothing",
        slots=", ".join(f"state[{slot!r}]" for slot in definition.slot_names) or "nothing",
        example=_literal(example),
    )


def _formulas(definition: Definition) -> list[str]:
    graph, found = definition.graph, []
    for node in graph.named:
        if node.id in graph.formulas:
            tree = named_formula(graph, node)
            found.append(f"{node.id} = {graph.texts[node.id] if tree is None else TEXT.write(tree)}")
    return found


def _forward_names(assignment: Assignment) -> list[str]:
    graph = assignment.definition.graph
    return [*graph.outputs, graph.nodes[graph.loss].id]


def _example(assignment: Assignment) -> dict[str, Any]:
    """A case that nobody is marked on, with the right answers."""
    small = Assignment({**assignment.document, "seed": EXAMPLE, "cases": 1, "steps": 1}, assignment.definition)
    (case,) = drawn(small, EXAMPLE)
    right = Working(case.exercise(0))
    graph = right.exercise.graph
    return {
        "parameters": {name: listed(value) for name, value in case.parameters.items()},
        "inputs": {name: listed(value) for name, value in case.inputs[0].items()},
        "optimizer": {**case.definition.optimizer, **right.exercise.fields},
        "state": {slot: {name: listed(value) for name, value in each.items()} for slot, each in case.slots.items()},
        "values": {name: listed(right.values[graph.index[name]]) for name in asked(right, "values")},
        "gradients": {name: listed(value) for name, value in right.gradients.items()},
        "updated": {name: listed(value) for name, value in right.updated.items()},
    }


def _literal(example: Mapping[str, Any]) -> str:
    """A dict as Python writes it, a line for each quantity."""
    lines = ["{"]
    for part, each in example.items():
        lines.append(f"    {part!r}: {{")
        lines += [f"        {name!r}: {value!r}," for name, value in each.items()]
        lines.append("    },")
    return "\n".join([*lines, "}"])
