"""State documents for the tests of the pages, worked out by the engine itself."""

from __future__ import annotations

import math
from typing import Any

from api.engine.backward import backpropagate, partial
from api.engine.builder import build
from api.engine.forward import as_rows, forward
from api.engine.graph import Graph, Node

ARTICLE = "yhat = w1*x1 + w2*x2 + b\nL = (yhat - y)**2"
ROWS = [[4, 1, 2], [2, 8, -14], [1, 0, 1], [3, 2, -1], [1, 4, -7], [6, 7, -8]]
SHARE = "r" * 22


def network(inputs: int, hidden: int) -> str:
    """The source of a two-layer network written out scalar by scalar."""
    lines = []
    for j in range(1, hidden + 1):
        terms = " + ".join(f"w1_{i}_{j}*x{i}" for i in range(1, inputs + 1))
        lines += [f"z1_{j} = {terms} + b1_{j}", f"h1_{j} = tanh(z1_{j})"]
    total = " + ".join(f"w2_{j}_1*h1_{j}" for j in range(1, hidden + 1))
    return "\n".join([*lines, f"yhat = {total} + b2_1", "L = (yhat - y)**2"])


def _json(value: Any) -> Any:
    if isinstance(value, list):
        return [_json(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def state(
    source: str = ARTICLE,
    phase: str = "backward",
    *,
    columns: tuple[str, ...] = ("x1", "x2", "y"),
    rows: list[list[float]] | None = None,
    batch_rows: tuple[int, ...] = (0,),
    parameters: dict[str, float] | None = None,
    detail: str = "named",
    **more: Any,
) -> dict[str, Any]:
    """A state document; ``more`` replaces top-level fields."""
    rows = ROWS if rows is None else rows
    graph = build(source, columns)
    names = [node.id for node in graph.nodes if node.role == "parameter"]
    given = parameters or ({"w1": -0.017, "w2": -0.048, "b": 0.0} if source == ARTICLE else {
        name: round(0.1 * (i % 7) - 0.25, 3) for i, name in enumerate(names)})  # fmt: skip
    inputs = {c: [float(rows[r][i]) for r in batch_rows] for i, c in enumerate(columns)}
    used = {c: inputs[c] for c in columns if c in graph.index}
    values = forward(graph, given, used)
    gradients = backpropagate(graph, values)
    loss = graph.nodes[graph.loss].id
    revision = {"ready": 0, "forward": 1, "backward": 2}[phase]
    document = {
        "id": "s" * 22, "revision": revision, "phase": phase,
        "allowed": {"ready": ["forward", "run"], "forward": ["backward", "run", "undo"],
                    "backward": ["update", "run", "undo"]}[phase],
        "step": 0, "epoch": 1, "batch": 1, "batches_per_epoch": -(-len(rows) // len(batch_rows)),
        "batch_rows": list(batch_rows),
        "definition": {"title": "", "model": {"kind": "linear"},
                       "data": {"kind": "dataset", "name": "article", "columns": list(columns), "targets": ["y"],
                                "row_count": len(rows)}, "batch_size": len(batch_rows)},
        "inputs": used, "parameters": given,
        "outputs": None if phase == "ready" else {o: _json(values[graph.index[o]]) for o in graph.outputs},
        "loss": None if phase == "ready" else _json(values[graph.loss]),
        "gradients": {n: _json(gradients.of.get(graph.index[n])) for n in names} if phase == "backward" else None,
        "graph": (_named if detail == "named" else _ops)(graph, values, gradients, phase, loss),
        "chain_rule": None,
        "optimizer": {"kind": "sgd", "dialect": "torch", "learning_rate": 0.05, "slots": {}},
        "last_update": None, "warnings": [], "parent": None, "share": {"read": SHARE}, "links": {},
    }  # fmt: skip
    return document | more


def _node(graph: Graph, node: Node, values: Any, gradients: Any, phase: str) -> dict[str, Any]:
    known = node.op is None or phase != "ready"
    wanted = phase == "backward" and node.role not in ("placeholder", "constant")
    role = "model" if node.id in graph.formulas and node.role == "operation" else node.role
    value = values[node.index]
    return {
        "id": node.id, "role": "loss" if node.index == graph.loss else str(role), "op": node.op,
        "formula": graph.texts.get(node.id), "latex": node.id, "shape": [len(value)] if isinstance(value, list) else [],
        "value": _json(value) if known else None,
        "gradient": _json(gradients.of.get(node.index)) if wanted else None,
    }  # fmt: skip


def _ops(graph: Graph, values: Any, gradients: Any, phase: str, loss: str) -> dict[str, Any]:
    edges = []
    for node in graph.nodes:
        for place, operand in enumerate(node.operands):
            value = partial(node, place, values) if phase == "backward" else None
            edges.append(_edge(graph.nodes[operand].id, node.id, "", value))
    return {"detail": "ops", "nodes": [_node(graph, n, values, gradients, phase) for n in graph.nodes], "edges": edges}


def _named(graph: Graph, values: Any, gradients: Any, phase: str, loss: str) -> dict[str, Any]:
    nodes = [_node(graph, n, values, gradients, phase) for n in graph.nodes if ":" not in n.id and n.role != "constant"]
    edges = []
    for target, text in graph.texts.items():
        sources = [node["id"] for node in nodes if node["id"] in _names(text)]
        local = build(f"{target} = {text}", sources)
        count = len(values[graph.index["y"]])
        known = {name: as_rows(values[graph.index[name]], count) for name in sources}
        share = count if target == loss else 1
        for source in sources:
            partials = []
            for row in range(count):
                found = forward(local, {}, {name: [column[row]] for name, column in known.items()})
                partials.append(as_rows(backpropagate(local, found).of.get(local.index[source], [0.0]), 1)[0] / share)
            edges.append(_edge(source, target, "", partials if phase == "backward" else None))
    return {"detail": "named", "nodes": nodes, "edges": edges}


def _names(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "_" else " " for c in text).split()


def _edge(source: str, target: str, formula: str, value: Any) -> dict[str, Any]:
    return {"source": source, "target": target,
            "partial": {"latex": "", "formula": formula, "value": _json(value)}, "contribution": None}  # fmt: skip
