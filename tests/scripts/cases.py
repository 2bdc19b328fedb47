"""Sessions that every target's script repeats: all operations, losses, optimisers, schedules and presets, and what is
odd about some.

Each case is a body of create, with how many steps are taken before its script is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from api.engine.losses import LOSSES
from api.engine.ops import ELEMENTWISE
from api.engine.optimizers import OPTIMIZERS
from api.training.presets import PRESETS
from tests.engine.test_tensor_ops import BROADCAST, FORMULAS, A, B, C
from tests.libraries import cases

Body = dict[str, Any]
STEPS = 7
SHAPES: dict[str, tuple[int, ...]] = {"A": A, "B": B, "C": C, "s": ()}
ROWS = 5


class Case(NamedTuple):
    """A body of create, how many steps are taken, and after how many of them the script begins."""

    body: Body
    steps: int = STEPS
    begun: int = 0


def columns(shape: tuple[int, ...], name: str) -> list[str]:
    """Columns that hold a quantity of this shape, row-major."""
    count = 1
    for size in shape:
        count *= size
    return [name] if shape == () else [f"{name}_{place}" for place in range(count)]


def numbers(count: int, seed: int) -> list[float]:
    """Numbers between -1.5 and 1.5, to three digits."""
    return [round(((place * 7919 + seed * 104729) % 3001) / 1000 - 1.5, 3) for place in range(count)]


def nested(shape: tuple[int, ...], seed: int) -> Any:
    """Numbers in a shape."""
    if not shape:
        return numbers(1, seed)[0]
    size = 1
    for one in shape[1:]:
        size *= one
    flat = [numbers(size, seed + 17 * place) for place in range(shape[0])]
    return [row[0] for row in flat] if len(shape) == 1 else [_rows(row, shape[1:]) for row in flat]


def _rows(flat: list[float], shape: tuple[int, ...]) -> Any:
    if len(shape) == 1:
        return flat
    part = len(flat) // shape[0]
    return [_rows(flat[place * part : (place + 1) * part], shape[1:]) for place in range(shape[0])]


def formula(text: str, fed: tuple[str, ...]) -> Body:
    """A session in which y is this formula of A [3, 4], B [4, 2], C [4] and s, of which ``fed`` are columns of data."""
    used = [name for name in SHAPES if re.search(rf"\b{name}\b", text)]
    lines, table = list[str](), list[str]()
    shapes, groups, values = dict[str, list[int]](), dict[str, list[str]](), dict[str, Any]()
    for seed, name in enumerate(used):
        shape = SHAPES[name]
        if name not in fed:
            values[name] = nested(shape, seed)
            shapes |= {name: list(shape)} if shape else {}
            continue
        table += columns(shape, name)
        if len(shape) == 1:
            groups[name] = columns(shape, name)
        elif len(shape) == 2:
            groups[f"{name}0"] = columns(shape, name)
            lines.append(f"{name} = reshape({name}0, {shape[0]}, {shape[1]})")
    lines += [f"y = {text}", "L = sum(y*y) + sum(sin(y)) + 0.01*(k - 1)**2"]
    body: Body = {
        "model": {"kind": "expression", "source": "\n".join(lines), "shapes": shapes, "placeholders": groups},
        "parameters": values | {"k": 0.5},
        "optimizer": {"learning_rate": 0.01},
        "data": None,
    }
    if table:
        rows = [numbers(len(table), 31 + row) for row in range(ROWS)]
        body |= {"data": {"columns": table, "rows": rows}, "batch_size": 3}
    return body


FED: tuple[tuple[str, ...], ...] = ((), ("A",), ("C", "s"), ("A", "B", "C", "s"))


def operations() -> Iterator[tuple[str, Case]]:
    """Every tensor operation and what is broadcast, with and without rows."""
    for text in [*(one for formulas in FORMULAS.values() for one in formulas), *BROADCAST]:
        for fed in FED:
            used = tuple(name for name in fed if re.search(rf"\b{name}\b", text))
            if used == fed or (fed == FED[3] and used):
                yield f"{text} fed {''.join(used) or 'nothing'}", Case(formula(text, used), 3)
    for text in ("A @ B", "C @ C", "C @ B", "A @ C"):
        for which in ("A", "B", "C"):
            if re.search(rf"\b{which}\b", text):
                yield f"{text} fed only {which}", Case(formula(text, (which,)), 3)


def elementwise() -> Iterator[tuple[str, Case]]:
    """Every elementwise function of numbers, at kinks and ties too, and of vectors."""
    powers = ["a**3", "a**0.5", "a**(-1)", "a**(-1.5)", "a**0", "a**1", "(a - 2)**20", "a/b", "-a - -b", "a - (b - a)"]
    calls = [f"{row.name}({'a, b' if row.arity == 2 else 'a'})" for row in ELEMENTWISE.values() if row.function]
    for text in [*calls, *powers, "abs(a - 1.25)", "relu(a - 1.25)", "maximum(a, 1.25)", "minimum(-3, -a)"]:
        body: Body = {
            "model": {"kind": "expression", "source": f"y = {text}\nL = (y*x - 0.5)**2 + 0.1*a*b"},
            "data": {"columns": ["x"], "rows": [[0.5], [-1.0], [2.0]]},
            "parameters": {"a": 1.25, "b": 1.25},
            "optimizer": {"learning_rate": 0.01},
            "batch_size": 2,
        }
        yield f"{text} of numbers", Case(body, 4)
        vectors = {**body["model"], "source": f"y = {text}\nL = sum(y*x) + sum(a*b)", "shapes": {"a": [4], "b": [4]}}
        values = {"a": [0.3, 1.25, 2.5, 1.25], "b": [1.0, 0.2, 2.5, 0.7]}
        yield f"{text} of vectors", Case(body | {"model": vectors, "parameters": values}, 4)


LAYERS = [{"units": 3, "activation": "tanh"}, {"units": 2, "activation": "identity"}]


def losses() -> Iterator[tuple[str, Case]]:
    """Every loss, mean and sum, of a linear model, a network, and one written out."""
    for kind, row in LOSSES.items():
        for reduction in ("mean", "sum"):
            loss = {"kind": kind, "reduction": reduction}
            rate = {"optimizer": {"learning_rate": 0.01}, "batch_size": 4, "loss": loss}
            activation = "sigmoid" if kind == "binary_cross_entropy" else "identity"
            if row.targets == "classes":
                network = {"kind": "mlp", "layers": [{"units": 4, "activation": "relu"}, {"units": 3}]}
                yield (
                    f"{kind} {reduction}",
                    Case({"model": network, "data": {"dataset": "iris"}, "shuffle": True, **rate}),
                )
                continue
            rows = [
                [*numbers(2, seed), _target(row.targets, seed), _target(row.targets, seed + 1)] for seed in range(7)
            ]
            data = {"columns": ["x1", "x2", "y1", "y2"], "rows": rows, "targets": ["y1", "y2"]}
            layers = [LAYERS[0], {"units": 2, "activation": activation}]
            yield f"{kind} {reduction}", Case({"model": {"kind": "mlp", "layers": layers}, "data": data, **rate})
            scalars = {"kind": "mlp", "layers": layers, "scalars": True}
            yield f"{kind} {reduction} written out", Case({"model": scalars, "data": data, **rate})
            if kind != "binary_cross_entropy":
                single = {"columns": ["x1", "x2", "y"], "rows": [row[:3] for row in rows]}
                yield f"{kind} {reduction} linear", Case({"model": {"kind": "linear"}, "data": single, **rate})


def _target(kind: str, seed: int) -> float:
    return {"0 or 1": float(seed % 2), "-1 or 1": 1.0 - 2.0 * (seed % 2)}.get(kind, numbers(1, seed)[0])


def optimizers() -> Iterator[tuple[str, Case]]:
    """Every optimiser in every dialect, with and without what can be switched on."""
    bodies: Mapping[str, Body] = cases.optimizers() | {
        f"article-{kind}{name}": {"kind": kind, "dialect": "article", **change}
        for kind, row in OPTIMIZERS.items()
        if "article" in row.dialects
        for name, change in (
            ("", {}),
            ("-clip_norm", {"clip": {"norm": 0.5}}),
            ("-clip_value", {"clip": {"value": 0.5}}),
        )
    }
    for name, optimizer in bodies.items():
        yield (
            name,
            Case({"optimizer": optimizer, "parameters": cases.START, "model": {"kind": "linear"}, "batch_size": 2}),
        )
    for name in ("torch-adam", "keras-adam", "torch-sgd-everything", "article-nesterov", "keras-lion", "torch-radam"):
        network = {"kind": "mlp", "layers": [LAYERS[0], {"units": 1}]}
        yield f"{name} of a network", Case({"optimizer": bodies[name], "model": network, "batch_size": 4})


def schedules() -> Iterator[tuple[str, Case]]:
    """Every schedule, by epochs and by updates."""
    for name, schedule in cases.SCHEDULES.items():
        body: Body = {"optimizer": {"learning_rate": 0.01}, "batch_size": 3}
        yield name, Case(body | {"schedule": schedule}, 21)
        if schedule["kind"] != "plateau":
            yield f"{name} by updates", Case(body | {"schedule": {**schedule, "every": "update"}}, 21)


def under_way() -> Iterator[tuple[str, Case]]:
    """Scripts that begin where optimiser and schedule remember something."""
    for kind, row in OPTIMIZERS.items():
        for dialect in row.dialects:
            network = {"kind": "mlp", "layers": [LAYERS[0], {"units": 1}]}
            body: Body = {"optimizer": {"kind": kind, "dialect": dialect}, "model": network, "batch_size": 4}
            yield f"{dialect}-{kind}", Case(body, 9, 4)
    for name, schedule in cases.SCHEDULES.items():
        body = {"optimizer": {"kind": "momentum", "learning_rate": 0.001}, "batch_size": 4, "schedule": schedule}
        yield name, Case(body, 40, 7)


def presets() -> Iterator[tuple[str, Case]]:
    """Every preset for a few steps."""
    for name in PRESETS:
        yield name, Case({"model": {"kind": "preset", "name": name}}, 12)


_STRANGE = (
    "lambda", "torch", "n", "params", "tf", "__debug__", "None", "above", "math", "dL_dyhat", "column", "placed",
    "data", "w", "g", "L_rows", "jnp",
)  # fmt: skip
ODD: dict[str, Case] = {
    "names that mean something else": Case({
        "model": {"kind": "expression",
                  "source": "yhat = lambda*np + torch*batch + n*jnp + params + tf + __debug__*None\n"
                  "L = (yhat - for)**2 + above*math*0.1 + dL_dyhat*0.1 + sum(column*column) + placed*data + "
                  "w*g*L_rows"},
        "parameters": dict.fromkeys(_STRANGE, 0.5),
        "data": {"columns": ["np", "batch", "for"], "rows": [[1, 2, 3], [0.5, -1, 2]], "targets": ["for"]},
        "optimizer": {"learning_rate": 0.01},
        "title": 'a"""\nimport os\r\nraise SystemExit(1)\u2028\x00# -*- coding: utf-7 -*-\\',
    }),
    "no parameters": Case({"optimizer": {"kind": "adam"}, "model": {"kind": "expression", "source": "L = (x - y)**2"},
                           "data": {"columns": ["x", "y"], "rows": [[1, 2], [2, 4]]}}),
    "a parameter without a part in the loss": Case({
        "model": {"kind": "expression", "source": "z = u*x\nL = (w*x - y)**2", "outputs": ["z"], "loss": "L"},
        "parameters": {"u": 1.5, "w": 0.5}, "data": {"columns": ["x", "y"], "rows": [[1, 2], [2, 5]]},
        "optimizer": {"kind": "sgd", "momentum": 0.9, "weight_decay": 0.1, "learning_rate": 0.01}}),
    "no parameter has a part in the loss": Case({
        "model": {"kind": "expression", "source": "z = u*x\nL = (x - y)**2", "outputs": ["z"], "loss": "L"},
        "parameters": {"u": 1.5}, "data": {"columns": ["x", "y"], "rows": [[1, 2], [2, 5]]},
        "optimizer": {"kind": "adamw", "learning_rate": 0.01}}),
    "without data": Case({"model": {"kind": "expression", "source": "L = (1 - a)**2 + 100*(b - a**2)**2"}, "data": None,
                          "parameters": {"a": -1, "b": 1}, "schedule": {"kind": "plateau", "patience": 2},
                          "optimizer": {"learning_rate": 0.001}}, 40),
    "one row and one column": Case({"model": {"kind": "expression", "source": "L = (w - y)**2"},
                                    "data": {"columns": ["y"], "rows": [[3]]}, "parameters": {"w": 1}}),
    "a loss of parameters alone beside data": Case({
        "model": {"kind": "expression", "source": "z = w*x\nL = (w - 1)**2", "outputs": ["z"], "loss": "L"},
        "data": {"columns": ["x", "y"], "rows": [[1, 2], [2, 5]]}, "parameters": {"w": 3}}),
    "constants with names": Case({
        "model": {"kind": "expression",
                  "source": "c = 2\nd = -3\nz = tanh(c)*w + maximum(d, w) + reshape(5, 1)[0] + sum(4)\n"
                  "L = (z - y)**2 + concat(reshape(w, 1), reshape(c, 1))[1]"},
        "data": {"columns": ["y"], "rows": [[3], [1]]}, "parameters": {"w": 0.25}}),
    "nested deep": Case({"model": {"kind": "expression", "source": "L = " + "tanh(0.9*" * 300 + "w*x" + ")" * 300},
                         "data": {"columns": ["x"], "rows": [[1], [2]]}, "parameters": {"w": 1}}, 2),
    "many terms": Case({"model": {"kind": "expression", "source": "L = (" + " + ".join(f"w{k}*x" for k in range(150))
                                  + " - 1)**2"},
                        "data": {"columns": ["x"], "rows": [[0.1], [0.2]]}}, 3),
    "the last batch is shorter": Case({"batch_size": 4, "optimizer": {"kind": "adam"}}, 7),
    "batches larger than the data": Case({"batch_size": 100, "optimizer": {"learning_rate": 0.001}}, 5),
    "one-hot of grouped columns": Case({
        "model": {"kind": "expression", "source": "z = x @ W\nL = -sum(c*log_softmax(z))", "shapes": {"W": [2, 4]},
                  "placeholders": {"x": ["b", "a"], "c": {"one_hot": "k", "classes": 4}}},
        "data": {"columns": ["a", "House size", "b", "k"], "rows": [[1, 5, 2, 0], [2, 6, 0, 2], [0, 7, 1, 1]]},
        "shuffle": True}, 5),
    "standardized, from CSV": Case({
        "data": {"csv": "House size;Price (€)\n10;1\n20;3\n30;2\n", "standardize": True}, "model": {"kind": "linear"}}),
    "rows held out": Case({
        "model": {"kind": "mlp", "layers": [{"units": 1, "activation": "sigmoid"}]}, "data": {"dataset": "moons"},
        "split": {"validation": 0.2, "test": 10}, "shuffle": True, "batch_size": 8,
        "schedule": {"kind": "plateau"}}, 30),
    "rows held out, in order": Case({
        "model": {"kind": "linear"}, "data": {"dataset": "linear_noise", "standardize": True},
        "split": {"validation": 0.3}, "batch_size": 7}, 20),
    "diverging": Case({"optimizer": {"learning_rate": 0.3}}, 60),
    "the sign of nothing": Case({"optimizer": {"kind": "lion", "dialect": "keras", "learning_rate": 0.05},
                                 "parameters": {"w1": 1, "w2": -2, "b": 0}, "model": {"kind": "linear"}}, 20),
    "a network that magnifies rounding": Case({
        "model": {"kind": "mlp", "layers": [{"units": 8, "activation": "tanh"}, {"units": 1}]},
        "data": {"dataset": "moons"}, "optimizer": {"learning_rate": 3.0}, "batch_size": 5}, 400),
    "weights that begin alike": Case({
        "model": {"kind": "mlp", "layers": [{"units": 3, "activation": "tanh"}, {"units": 1}]},
        "data": {"dataset": "xor"}, "initializer": {"kind": "ones"}, "batch_size": 4}, 50),
    "a wide table": Case({
        "model": {"kind": "mlp", "layers": [{"units": 30, "activation": "relu"}, {"units": 10}]},
        "data": {"dataset": "digits"}, "loss": {"kind": "softmax_cross_entropy"}, "batch_size": 32,
        "shuffle": True}, 5),
}  # fmt: skip
"""What is odd, by what is odd about it."""

FAMILIES = {
    "operations": operations,
    "elementwise": elementwise,
    "losses": losses,
    "optimizers": optimizers,
    "schedules": schedules,
    "under way": under_way,
    "presets": presets,
    "odd": ODD.items,
}
EVERY: dict[str, Case] = {f"{family}: {name}": case for family, make in FAMILIES.items() for name, case in make()}
