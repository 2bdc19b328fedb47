"""The computation graph: frozen, in topological order, checked at birth.

A graph speaks of primitive operations. Some of its nodes are *named*: placeholders, parameters and assigned names; the
nodes between them belong to the assignment that needs them and are called ``yhat:1``, ``yhat:2``, … The loss node is
the mean (or sum) over the batch's rows of the loss formula, whose value per row is the node ``L:rows``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from api.engine.tensor_ops import TENSOR
from api.engine.terms import Term


class Role(StrEnum):
    """What a node is to a reader."""

    PLACEHOLDER = "placeholder"
    PARAMETER = "parameter"
    MODEL = "model"
    OPERATION = "operation"
    LOSS = "loss"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class Node:
    """A value in the graph.

    ``operands`` are indices of earlier nodes; ``constant`` is a constant's value or a power's exponent, ``static`` a
    tensor operation's options; ``batched`` says that the value has the batch's rows as its first axis, which ``shape``,
    one example's, does not count.
    """

    index: int
    id: str
    role: Role
    op: str | None = None
    operands: tuple[int, ...] = ()
    constant: float | None = None
    batched: bool = False
    shape: tuple[int, ...] = ()
    static: tuple[tuple[str, int | None], ...] = ()


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in topological order and what is said of them.

    ``formulas`` maps each assigned name to its formula as a tree (None where it is too long to be read) and ``texts``
    to the formula as written; ``rows`` is the node whose mean or sum is the loss, None if the loss has no rows.
    """

    nodes: tuple[Node, ...]
    loss: int
    rows: int | None
    outputs: tuple[str, ...]
    formulas: Mapping[str, Term | None]
    texts: Mapping[str, str]
    reduction: str = "mean"
    index: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {node.id: node.index for node in self.nodes})
        for place, node in enumerate(self.nodes):
            if node.index != place or any(operand >= place for operand in node.operands):
                raise ValueError(f"node {node.id} is out of order")
        if len(self.index) != len(self.nodes):
            raise ValueError("two nodes have the same id")

    @cached_property
    def scalar(self) -> bool:
        """Whether every quantity of one example is a number, worked out from numbers alone."""
        return all(node.shape == () and node.op not in TENSOR for node in self.nodes)

    @cached_property
    def placeholders(self) -> tuple[str, ...]:
        """Names fed from the data, in the order of their first appearance."""
        return tuple(node.id for node in self.nodes if node.role is Role.PLACEHOLDER)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names to be trained, in the order of their first appearance."""
        return tuple(node.id for node in self.nodes if node.role is Role.PARAMETER)

    @cached_property
    def named(self) -> tuple[Node, ...]:
        """One node per named quantity, in topological order."""
        return tuple(
            node for node in self.nodes if node.id in self.formulas or node.role in (Role.PLACEHOLDER, Role.PARAMETER)
        )

    @cached_property
    def trained(self) -> frozenset[int]:
        """The nodes that depend on a parameter: only through them a gradient can reach one."""
        found: set[int] = set()
        for node in self.nodes:
            if node.role is Role.PARAMETER or found.intersection(node.operands):
                found.add(node.index)
        return frozenset(found)

    @cached_property
    def active(self) -> tuple[Node, ...]:
        """The operations on a way from anything to the loss, in topological order: those that backward visits."""
        reached = {self.loss}
        for node in reversed(self.nodes):
            if node.index in reached:
                reached.update(node.operands)
        return tuple(node for node in self.nodes if node.index in reached and node.operands)
