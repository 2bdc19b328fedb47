"""A session that is in no database, in the shape that the builders of documents take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.training.definition import define
from api.training.session import Session


@dataclass(frozen=True)
class Kept:
    session: Session
    id: str | None = "a" * 22
    read_id: str | None = "b" * 22
    read_only: bool = False
    revision: int | None = 2
    undoable: bool = True
    parent: tuple[str, int] | None = None
    run: Mapping[str, Any] | None = None
    running: bool = False
    pinned: bool = False


def started(**body: object) -> Session:
    return Session.start(define(body))


def traced(**body: object) -> Session:
    return started(**body).forward().backward()


NETWORK = """
h1 = tanh(u1*x1 + v1*x2 + c1)
h2 = relu(u2*x1 + v2*x2 + c2)
yhat = a1*h1 + a2*h2 + d
L = (yhat - y)**2 + 0.01*a1**2
"""
"""Two layers written out, with a weight that reaches the loss on two ways."""
