"""Optimisers with all that can be added to them, schedules, and walks that the tests share."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from api.engine.optimizers import OPTIMIZERS
from api.training.definition import Definition
from api.training.run import Goal, Stretch, advance
from api.training.session import Session
from api.training.snapshot import Snapshot

Body = dict[str, Any]
NETWORK: Body = {
    "kind": "mlp",
    "layers": [{"units": 3, "activation": "tanh"}, {"units": 1, "activation": "identity"}],
}
LAYER: Body = {"kind": "mlp", "layers": [{"units": 1, "activation": "identity"}]}
NESTEROV: Body = {"kind": "nesterov", "dialect": "article"}
RULES: dict[str, Body] = {
    f"{dialect}-{kind}": {"kind": kind, "dialect": dialect}
    for kind, row in OPTIMIZERS.items()
    for dialect in row.dialects
} | {
    "sgd-decay": {"kind": "sgd", "weight_decay": 0.1, "momentum": 0.5},
    "adam-decay": {"kind": "adam", "dialect": "keras", "weight_decay": 0.1},
    "sgd-norm": {"kind": "sgd", "clip": {"norm": 2}},
    "lion-value": {"kind": "lion", "dialect": "keras", "clip": {"value": 1}},
    "nesterov-norm": {**NESTEROV, "clip": {"norm": 3}},
    "nesterov-value": {**NESTEROV, "clip": {"value": 3}},
}
"""Every row of the table, and something of all that can be added to its lines."""


def _variants() -> dict[str, Body]:
    found: dict[str, Body] = {}
    for kind, row in OPTIMIZERS.items():
        for dialect, lines in row.dialects.items():
            clips: dict[str, Body] = {"norm": {"clip": {"norm": 2}}, "value": {"clip": {"value": 1}}}
            decays: dict[str, Body] = {"decay": {"weight_decay": 0.1}} if "weight_decay" in lines.defaults else {}
            both = {f"{name}-decay": {**clip, **decays["decay"]} for name, clip in clips.items() if decays}
            for name, change in {"": {}, **clips, **decays, **both}.items():
                found[f"{dialect}-{kind}{'-' if name else ''}{name}"] = {"kind": kind, "dialect": dialect, **change}
    for dialect, name, change in _SGD:
        for decay in ({}, {"weight_decay": 0.1, "clip": {"norm": 2}}):
            found[f"{dialect}-sgd-{name}{'-all' if decay else ''}"] = (
                {"kind": "sgd", "dialect": dialect} | change | decay
            )
    return found


_SGD: tuple[tuple[str, str, Body], ...] = (
    ("torch", "momentum", {"momentum": 0.8}),
    ("torch", "dampening", {"momentum": 0.8, "dampening": 0.5}),
    ("torch", "nesterov", {"momentum": 0.8, "nesterov": True}),
    ("keras", "momentum", {"momentum": 0.8}),
    ("keras", "nesterov", {"momentum": 0.8, "nesterov": True}),
)
VARIANTS = _variants()
"""Every row of the table in every dialect, with every clip and with weight decay where it has any."""
SCHEDULES: dict[str, Body] = {
    "constant": {"kind": "constant"},
    "epochs": {"kind": "exponential", "gamma": 0.9},
    "updates": {"kind": "one_cycle", "max_lr": 0.01, "total_steps": 20, "every": "update"},
    "plateau": {"kind": "plateau", "patience": 1, "threshold": 0.3},
}


def step(session: Session) -> Session:
    return session.forward().backward().update()


def stepped(definition: Definition, steps: int) -> tuple[Snapshot, list[float]]:
    session, losses = Session.start(definition), []
    for _ in range(steps):
        session = session.forward().backward()
        losses.append(session.loss or 0.0)
        session = session.update()
    return session.snapshot, losses


def towards(definition: Definition, **goal: object) -> Stretch:
    start = Session.start(definition).snapshot
    return advance(definition, start, goal=Goal.of(start.position, goal), seconds=math.inf, most=10**6)


def bits(values: list[float]) -> list[bytes]:
    return [struct.pack("<d", value) for value in values]


def same(one: Snapshot, other: Snapshot) -> None:
    """Equal to the last bit."""
    assert one.position == other.position
    assert repr(one.progress) == repr(other.progress)
    assert list(one.slots) == list(other.slots)
    mine, theirs = (one.parameters, *one.slots.values()), (other.parameters, *other.slots.values())
    for left, right in zip(mine, theirs, strict=True):
        assert list(left) == list(right)
        for name in left:
            assert np.asarray(left[name]).tobytes() == np.asarray(right[name]).tobytes(), name
