"""A slip: one local rule that yields a wrong number, and one's own numbers to go on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from api.engine.graph import Graph, Node
from api.engine.kernels import Value

if TYPE_CHECKING:
    from api.grading.working import Working

Values = Any
"""Every node's value by its index: a sequence, or a mapping for the few that are looked at."""
Forward = Callable[["Working", Values], Value]
"""What a node is taken for, from the values before it."""
How = Callable[[Graph, Node, int, Any, Any], Value]
"""How it is done right: ``contribution`` for gradients, ``pulled`` for partials."""
Pull = Callable[["Back"], Value]
"""What goes back through a node's operand."""
Edges = Mapping[tuple[int, int], Value]


@dataclass(frozen=True, slots=True)
class Back:
    """One step of the chain rule: ``upstream`` is ∂L/∂node, and goes back to the operand at ``place``."""

    working: Working
    node: Node
    place: int
    upstream: Value
    values: Values
    how: How

    @property
    def gathers(self) -> bool:
        """Whether gradients are worked out, which are added up over the rows, and not partials."""
        return self.how == self.working.exercise.use.contribution

    def go(
        self, node: Node | None = None, place: int | None = None, upstream: Value = None, values: Values = None
    ) -> Value:
        """The right rule, on other things than its own where they are given."""
        return self.how(
            self.working.exercise.graph,
            self.node if node is None else node,
            self.place if place is None else place,
            self.upstream if upstream is None else upstream,
            self.values if values is None else values,
        )


class Misfit(Exception):
    """A slip that cannot be made here, since the shapes do not fit."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Slip:
    """One local rule that yields a wrong number; what is left out is done right.

    ``where`` and ``note`` are put into the mistake's sentence. ``forward`` is by node, ``backward`` by (node, operand
    place); ``partials`` replaces partials between named quantities in the chain rule; ``reads`` gives the values that
    backward looks at; ``gather`` says how several contributions become one gradient; ``gradients`` and ``update`` are
    what is made of the parameters' gradients, and of the update.
    """

    where: str = ""
    note: str = ""
    forward: Mapping[int, Forward] = field(default_factory=dict)
    backward: Mapping[tuple[int, int], Pull] = field(default_factory=dict)
    partials: Callable[[Working], Edges] | None = None
    reads: Callable[[Working], Values] | None = None
    gather: str = "added"
    gradients: Callable[[Working, dict[str, Value]], dict[str, Value]] | None = None
    update: Callable[[Working], Mapping[str, Value]] | None = None

    @property
    def stage(self) -> int:
        """The first section that it can be seen in: 0 values, 1 partials and gradients, 2 the update."""
        if self.forward:
            return 0
        early = self.backward or self.partials or self.reads or self.gather != "added" or self.gradients
        return 1 if early else 2


RIGHT = Slip()


@dataclass(frozen=True, eq=False)
class Own:
    """Numbers of one's own to go on from: values by node, partials by (source, target), gradients by name.

    ``recomputed`` says that a derivative that can be written with the result of its function (1 − tanh²) is worked out
    from the operand again, and not from the result that one has written down.
    """

    values: Mapping[int, Value] = field(default_factory=dict)
    partials: Edges = field(default_factory=dict)
    gradients: Mapping[str, Value] = field(default_factory=dict)
    recomputed: bool = False

    def __bool__(self) -> bool:
        return bool(self.values or self.partials or self.gradients)


NOTHING = Own()
