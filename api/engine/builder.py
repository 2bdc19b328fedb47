"""Assignments → Graph: each operation becomes a node, each mistake an error that names its place."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

import numpy as np

from api.engine import terms
from api.engine.errors import InvalidInput, LimitExceeded
from api.engine.expression import Assignment, Instruction, Static, parse
from api.engine.graph import Graph, Node, Role
from api.engine.ops import ELEMENTWISE, FORWARD
from api.engine.tensor_ops import TENSOR, Shape
from api.engine.terms import Apply, Name, Number, Term
from api.engine.wording import pointer_part

REDUCTIONS = ("mean", "sum")


def build(
    source: str,
    placeholders: Mapping[str, Shape] | Collection[str],
    *,
    shapes: Mapping[str, Shape] | None = None,
    outputs: Sequence[str] | None = None,
    loss: str | None = None,
    reduction: str = "mean",
    max_nodes: int = 20_000,
) -> Graph:
    """The graph of ``source``, in which the names in ``placeholders`` are fed from the data.

    ``placeholders`` and, for parameters, ``shapes`` give shapes of one example; without one a name is a number.
    ``loss`` defaults to the last name assigned, ``outputs`` to the assigned names in the loss's own formula.
    Raises ``FormulaError`` or ``InvalidInput`` with a pointer below ``/model``.
    """
    fed = dict(placeholders) if isinstance(placeholders, Mapping) else dict.fromkeys(placeholders, ())
    assignments = _in_order(parse(source, max_nodes), fed)
    assigned = {assignment.name: assignment for assignment in assignments}
    if loss is None:
        loss = max(assignments, key=lambda one: (one.token.line, one.token.column)).name
    _must_be_assigned([loss], assigned, "/model/loss")
    if outputs is None:
        own = [step.text for step in assigned[loss].code if step.kind == "name" and step.text in assigned]
        outputs = list(dict.fromkeys(own))
    _must_be_assigned(outputs, assigned, "/model/outputs")
    builder = _Builder(fed, shapes or {}, loss, reduction, max_nodes)
    for assignment in assignments:
        builder.assign(assignment)
    names = builder.names
    for name in shapes or {}:
        if name not in names or builder.nodes[names[name]].role is not Role.PARAMETER:
            raise InvalidInput(f"{name[:40]} is no parameter of the formula", f"/model/shapes/{pointer_part(name)}")
    _must_be_used(assignments, {loss, *outputs})
    return Graph(
        tuple(builder.nodes), names[loss], builder.rows, tuple(outputs), builder.formulas, builder.texts, reduction
    )


def _must_be_assigned(names: Sequence[str], assigned: Collection[str], pointer: str) -> None:
    for place, name in enumerate(names):
        if name not in assigned:
            near = get_close_matches(name, list(assigned), 1)
            hint = f"; did you mean {near[0][:40]}?" if near else f"; assigned are {', '.join(list(assigned)[:8])}"
            where = pointer if pointer.endswith("loss") else f"{pointer}/{place}"
            raise InvalidInput(f"{name[:40]} is not assigned in the formula{hint}", where)


def _in_order(assignments: Sequence[Assignment], columns: Collection[str]) -> list[Assignment]:
    """Each assignment after those it needs, otherwise as written (Kahn's algorithm)."""
    by_name: dict[str, Assignment] = {}
    for assignment in assignments:
        token = assignment.token
        if assignment.name in columns:
            raise token.error(f"{token.text[:40]} is a column of the data and cannot be assigned")
        if assignment.name in by_name:
            first = by_name[assignment.name].token.line
            raise token.error(f"{token.text[:40]} is assigned twice, first in line {first}; use another name")
        by_name[assignment.name] = assignment
    needs = {
        one.name: {step.text for step in one.code if step.kind == "name" and step.text in by_name}
        for one in assignments
    }
    ordered: dict[str, Assignment] = {}
    ready = [name for name in by_name if not needs[name]]
    users: dict[str, list[str]] = {name: [] for name in by_name}
    for name, needed in needs.items():
        for one in needed:
            users[one].append(name)
    rank = {name: place for place, name in enumerate(by_name)}
    missing = {name: len(needed) for name, needed in needs.items()}
    while ready:
        name = ready.pop(0)
        ordered[name] = by_name[name]
        for user in sorted(users[name], key=rank.__getitem__):
            missing[user] -= 1
            if not missing[user]:
                ready.append(user)
    for name, assignment in by_name.items():
        if name not in ordered:
            step = next(step for step in assignment.code if step.text in needs[name] and step.text not in ordered)
            raise step.token.error(f"{name[:40]} depends on itself, by way of {step.text[:40]}")
    return list(ordered.values())


def _must_be_used(assignments: Sequence[Assignment], wanted: set[str]) -> None:
    needed = set(wanted)
    for assignment in reversed(assignments):
        if assignment.name not in needed:
            raise assignment.token.error(
                f"{assignment.name[:40]} reaches neither the loss nor an output; use it, list it in outputs, or drop it"
            )
        needed.update(step.text for step in assignment.code if step.kind == "name")


_Entry = tuple[int | float, Term | None]
"""On the stack: a node's index (int) or a constant not yet placed (float), and the formula so far."""


class _Builder:
    """A stack machine over postfix code that leaves nodes behind."""

    def __init__(
        self, fed: Mapping[str, Shape], shapes: Mapping[str, Shape], loss: str, reduction: str, max_nodes: int
    ) -> None:
        self.fed = fed
        self.shapes = shapes
        self.loss = loss
        self.reduction = reduction
        self.max_nodes = max_nodes
        self.nodes: list[Node] = []
        self.names: dict[str, int] = {}
        self.formulas: dict[str, Term | None] = {}
        self.texts: dict[str, str] = {}
        self.rows: int | None = None

    def assign(self, assignment: Assignment) -> None:
        """Add the assignment's nodes; the last one takes its name."""
        first = len(self.nodes)
        stack: list[_Entry] = []
        for step in assignment.code:
            self._step(step, stack)
        value, formula = stack.pop()
        last = self._named_result(assignment, value, first)
        if assignment.name == self.loss:
            if self.nodes[last].shape:
                shape = list(self.nodes[last].shape)
                raise assignment.token.error(
                    f"the loss has shape {shape} for each example; make it one number with sum or mean"
                )
            last = self._reduce(assignment.name, last)
        plain = Role.MODEL if self.nodes[last].op else Role.CONSTANT
        role = Role.LOSS if assignment.name == self.loss else plain
        self.nodes[last] = replace(self.nodes[last], id=assignment.name, role=role)
        self._renumber(assignment.name, first)
        self.names[assignment.name] = last
        self.formulas[assignment.name] = formula
        self.texts[assignment.name] = assignment.text

    def _step(self, step: Instruction, stack: list[_Entry]) -> None:
        if step.kind == "number":
            value = float(step.text)
            if not math.isfinite(value):
                raise step.token.error("this number is too large for float64")
            stack.append((value, Number(value)))
        elif step.kind == "name":
            stack.append((self._quantity(step), Name(step.text)))
        else:
            arguments = stack[-step.arity :]
            del stack[-step.arity :]
            stack.append(self._apply(step, arguments))

    def _quantity(self, step: Instruction) -> int:
        if step.text not in self.names:
            placeholder = step.text in self.fed
            role = Role.PLACEHOLDER if placeholder else Role.PARAMETER
            shape = (self.fed if placeholder else self.shapes).get(step.text, ())
            self.names[step.text] = self._add(Node(0, step.text, role, batched=placeholder, shape=shape), step)
        return self.names[step.text]

    def _apply(self, step: Instruction, arguments: list[_Entry]) -> _Entry:
        operation, exponent = step.text, None
        formulas = [formula for _, formula in arguments]
        if operation == "power":
            exponent = arguments[1][0]
            if not isinstance(exponent, float):
                raise step.token.error("an exponent must be a constant; for a varying one write exp(b*log(a))")
            if exponent == 2:
                operation, exponent = "square", None
            arguments, formulas = arguments[:1], formulas[:1]
        static = step.static
        if operation == "reshape":
            arguments, static = arguments[:1], self._sizes(step, arguments[1:])
            formulas = formulas[:1]
        values = [value for value, _ in arguments]
        constants = [value for value in values if isinstance(value, float)]
        formula = self._formula(operation, formulas, exponent, static)
        if len(constants) == len(values) and operation in ELEMENTWISE:
            return self._fold(step, operation, constants, exponent), formula
        operands = tuple(self._place(value, step) for value in values)
        batched = any(self.nodes[operand].batched for operand in operands)
        shape = self._shape(step, operation, operands, static)
        node = Node(0, "", Role.OPERATION, operation, operands, exponent, batched, shape, static)
        return self._add(node, step), formula

    def _shape(self, step: Instruction, operation: str, operands: Sequence[int], static: Static) -> Shape:
        shapes = [self.nodes[operand].shape for operand in operands]
        if operation in TENSOR:
            try:
                return TENSOR[operation].shape(shapes, static)
            except ValueError as error:
                raise step.token.error(str(error)) from None
        try:
            return tuple(int(size) for size in np.broadcast_shapes(*shapes))
        except ValueError:
            listed = " and ".join(str(list(shape)) for shape in shapes)
            raise step.token.error(f"shapes {listed} do not fit each other") from None

    @staticmethod
    def _sizes(step: Instruction, arguments: list[_Entry]) -> Static:
        """The new shape of a reshape, from its constant arguments."""
        sizes = [value for value, _ in arguments]
        if not sizes or not all(isinstance(size, float) and size == int(size) for size in sizes):
            raise step.token.error("reshape needs its new shape in constant integers, as in reshape(x, 2, 3)")
        return tuple(("size", int(size)) for size in sizes)

    @staticmethod
    def _formula(
        operation: str, formulas: list[Term | None], exponent: float | None, static: Static = ()
    ) -> Term | None:
        known = [formula for formula in formulas if formula is not None]
        if len(known) < len(formulas) or sum(formula.size for formula in known) >= terms.LONGEST:
            return None
        if operation == "negative" and isinstance(known[0], Number):
            return Number(-known[0].value)
        return Apply(operation, tuple(known), exponent, static)

    @staticmethod
    def _fold(step: Instruction, operation: str, constants: list[float], exponent: float | None) -> float:
        first, second = (*constants, 0.0)[:2]
        value = FORWARD[operation](first, second, 0.0, 0.0 if exponent is None else exponent)
        if not math.isfinite(value):
            raise step.token.error("this constant is not a finite float64 number")
        return value

    def _place(self, value: int | float, step: Instruction) -> int:
        if isinstance(value, int):
            return value
        return self._add(Node(0, "", Role.CONSTANT, constant=value), step)

    def _named_result(self, assignment: Assignment, value: int | float, first: int) -> int:
        """The node that will take the assignment's name: its last operation, or a copy of what it renames."""
        step = assignment.code[-1]
        if isinstance(value, float):
            return self._add(Node(0, "", Role.CONSTANT, constant=value), step)
        if value < first or self.nodes[value].op is None:
            source = self.nodes[value]
            copy = Node(0, "", Role.OPERATION, "identity", (value,), None, source.batched, source.shape)
            return self._add(copy, step)
        return value

    def _reduce(self, name: str, last: int) -> int:
        if not self.nodes[last].batched:
            return last
        self.rows = last
        self.nodes[last] = replace(self.nodes[last], id=f"{name}:rows")
        node = Node(len(self.nodes), "", Role.OPERATION, f"{self.reduction}_rows", (last,))
        self.nodes.append(node)
        return node.index

    def _renumber(self, name: str, first: int) -> None:
        """Call the assignment's unnamed nodes name:1, name:2, …"""
        unnamed = [node for node in self.nodes[first:] if not node.id]
        for place, node in enumerate(unnamed, 1):
            self.nodes[node.index] = replace(node, id=f"{name}:{place}")

    def _add(self, node: Node, step: Instruction) -> int:
        if len(self.nodes) >= self.max_nodes:
            where = f"line {step.token.line}, column {step.token.column}"
            raise LimitExceeded(f"{where}: more than {self.max_nodes} nodes", self.max_nodes, "/model/source")
        self.nodes.append(replace(node, index=len(self.nodes)))
        return len(self.nodes) - 1
