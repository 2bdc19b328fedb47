"""Graph with tensors → straight-line NumPy for bulk runs, with the same kernels in the same order as ``arrays``.

What ``arrays`` finds out at every step is found out once here: how operands are brought to a common rank, which axes a
gradient is summed over, which gradients lead to no parameter and need not be worked out.

    def train(p1, p3, …, batches, keep, learning_rate):
        for d0, d9 in batches:
            v2 = (d0 @ p1)
            v4 = (v2 + p3)
            …
            g1 = (d0.T @ g2)
            p1 = p1 - learning_rate * g1
        return (p1, p3, …)
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

import numpy as np

from api.engine.arrays import unbroadcast
from api.engine.compiler import Train, Trainer
from api.engine.graph import Graph, Node, Role
from api.engine.ops import ELEMENTWISE
from api.engine.rules import ARRAY_SPACE, Rule
from api.engine.tensor_ops import TENSOR, Call
from api.engine.updates import carried, update_lines

_LETTER = re.compile(r"\b([abcy])\b")
_INDENT = "        "


@lru_cache(maxsize=256)
def array_trainer(graph: Graph, rows: int, rule: Rule, scheduled: bool = False) -> Trainer:
    """The training loop of ``graph`` for batches of ``rows`` rows; a batch is a tuple of arrays, one for each of the
    trainer's ``columns``, which here are placeholders. Run it where NumPy's warnings are off."""
    writer = _Writer(graph, rows, rule)
    text = writer.function(scheduled)
    helpers = {"asarray": np.asarray, "full": np.full, "zeros": np.zeros, "unbroadcast": unbroadcast}
    space = ARRAY_SPACE | helpers | writer.constants
    exec(compile(text, "<generated training loop>", "exec"), space)  # noqa: S102 - made here from a checked graph
    train: Train = space["train"]  # type: ignore[assignment]
    return Trainer(train, tuple(graph.nodes[index].id for index in writer.fed), False, text)


class _Writer:
    """Writes one function, a line for each value and each gradient; ``constants`` are the objects that it names."""

    def __init__(self, graph: Graph, rows: int, rule: Rule) -> None:
        self.graph = graph
        self.rows = rows
        self.rule = rule
        self.letter = "p"  # of the parameters' variables: q while looking ahead
        used = {operand for node in graph.active for operand in node.operands}
        self.fed = [index for index in sorted(used) if graph.nodes[index].role is Role.PLACEHOLDER]
        self.lines: list[str] = []
        self.constants: dict[str, object] = {}
        self.gradients: dict[int, str] = {}

    def function(self, scheduled: bool) -> str:
        graph, rule = self.graph, self.rule
        self._passes()
        self._update()
        variables = carried(rule, [graph.index[name] for name in graph.parameters])
        head = f"def train({', '.join([*variables, 'batches', 'keep', *sorted(rule.reads)])}):\n"
        head += "    spoilt = 0.0\n" if rule.hides else ""
        target = "".join(f"d{index}, " for index in self.fed) or "_"
        loop = f"learning_rate, ({target}) in zip(learning_rate, batches)" if scheduled else f"{target} in batches"
        body = "".join(f"{_INDENT}{line}\n" for line in self.lines)
        result = "".join(f"{name}, " for name in [*variables, *(["spoilt"] if rule.hides else [])])
        return f"{head}    for {loop}:\n{body}    return ({result})\n"

    def _passes(self) -> None:
        """Forward and backward, at the parameters or where the rule looks ahead."""
        graph = self.graph
        self.gradients = {}
        for node in graph.active:
            self._line(f"v{node.index}", self._value(node))
        if self.letter == "p":
            self._line("", f"keep(float({self._name(graph.loss)}))")
        for node in reversed(graph.active):
            if node.index in graph.trained:
                self._pass_back(node)

    def _line(self, name: str, text: str) -> None:
        self.lines.append(f"{name} = {text}" if name else text)

    def _name(self, index: int) -> str:
        node = self.graph.nodes[index]
        if node.role is Role.PARAMETER:
            return f"{self.letter}{index}"
        if node.role is Role.PLACEHOLDER:
            return f"d{index}"
        return f"v{index}" if node.op is not None else repr(node.constant)

    def _shape(self, node: Node) -> tuple[int, ...]:
        return ((self.rows,) if node.batched else ()) + node.shape

    # values

    def _value(self, node: Node) -> str:
        if node.op in ("mean_rows", "sum_rows"):
            rows = self._name(node.operands[0])
            return f"{rows}.sum() / {self.rows}" if node.op == "mean_rows" else f"{rows}.sum()"
        if node.op not in TENSOR:
            return f"({self._elementwise(ELEMENTWISE[str(node.op)].forward, node)})"
        if self._is_layer(node):
            return f"({self._name(node.operands[0])} @ {self._name(node.operands[1])})"
        operands = ", ".join(self._prepared(node))
        return f"{self._constant(f'forward{node.index}', TENSOR[str(node.op)].forward)}({self._call(node)}, {operands})"

    def _elementwise(self, template: str, node: Node) -> str:
        """An operation's text with this node's operands put in, those with rows and fewer axes given more."""

        def letter(match: re.Match[str]) -> str:
            if match[1] == "c":
                return repr(node.constant)
            if match[1] == "y":
                return self._name(node.index)
            operand = self.graph.nodes[node.operands["ab".index(match[1])]]
            missing = len(node.shape) - len(operand.shape)
            if not (operand.batched and missing):
                return self._name(operand.index)
            return f"{self._name(operand.index)}.reshape({(self.rows, *(1,) * missing, *operand.shape)})"

        return _LETTER.sub(letter, template)

    def _prepared(self, node: Node) -> list[str]:
        """A tensor operation's operands, with a first axis wherever the node has rows."""
        names = []
        for place in node.operands:
            operand = self.graph.nodes[place]
            name = self._name(place)
            name = name if operand.op or operand.constant is None else f"asarray({name})"
            names.append(f"{name}[None]" if node.batched and not operand.batched else name)
        return names

    def _is_layer(self, node: Node) -> bool:
        """Whether this is every row times the same matrix: one matrix product."""
        if node.op != "matmul":
            return False
        left, right = (self.graph.nodes[place] for place in node.operands)
        return left.batched and not right.batched and len(left.shape) == 1 and len(right.shape) == 2

    def _call(self, node: Node) -> str:
        shapes = tuple(self.graph.nodes[operand].shape for operand in node.operands)
        return self._constant(f"call{node.index}", Call(shapes, node.static, int(node.batched)))

    def _constant(self, name: str, value: object) -> str:
        self.constants[name] = value
        return name

    # gradients

    def _pass_back(self, node: Node) -> None:
        """Hand the node's gradient on to those of its operands that lead to a parameter."""
        gradient = "1.0" if node.index == self.graph.loss else self.gradients[node.index]
        shares = self._shares(node, gradient)
        for place, operand in enumerate(node.operands):
            if operand not in self.graph.trained:
                continue
            share = self._own(node, place, shares[place])
            known = self.gradients.get(operand)
            self._line(f"g{operand}", share if known is None else f"{known} + {share}")
            self.gradients[operand] = f"g{operand}"

    def _shares(self, node: Node, gradient: str) -> list[str]:
        """∂L/∂node · ∂node/∂operand for each operand, not yet in the operand's shape."""
        if node.op in ("mean_rows", "sum_rows"):
            seed = 1.0 / self.rows if node.op == "mean_rows" else 1.0
            return [f"full({(self.rows,)}, {seed!r})"]
        if node.op not in TENSOR:
            texts = [self._elementwise(partial, node) for partial in ELEMENTWISE[str(node.op)].partials]
            return [self._times(gradient, text) for text in texts]
        if self._is_layer(node):
            left, right = (self._name(place) for place in node.operands)
            return [f"({gradient} @ {right}.T)", f"({left}.T @ {gradient})"]
        vjp = self._constant(f"vjp{node.index}", TENSOR[str(node.op)].vjp)
        arguments = ", ".join([self._call(node), gradient, self._name(node.index), *self._prepared(node)])
        self._line(f"s{node.index}", f"{vjp}({arguments})")
        return [f"s{node.index}[{place}]" for place in range(len(node.operands))]

    @staticmethod
    def _times(gradient: str, factor: str) -> str:
        if gradient == "1.0":  # the loss itself, without rows: a number
            return f"asarray({factor})"
        if factor in ("1.0", "-1.0"):
            return gradient if factor == "1.0" else f"(-{gradient})"
        return f"({gradient} * ({factor}))"

    def _own(self, node: Node, place: int, share: str) -> str:
        """A share in the operand's own shape: what ``arrays.unbroadcast`` does, with the axes known."""
        operand = self.graph.nodes[node.operands[place]]
        own = self._shape(operand)
        if node.op in ("mean_rows", "sum_rows") or self._is_layer(node):
            return share
        missing = 0 if node.op in TENSOR else len(node.shape) - len(operand.shape)
        lead = own[:1] if operand.batched else (1,) if node.batched else ()
        prepared = (*lead, *(1,) * missing, *operand.shape)
        whole = (self.rows, *operand.shape) if node.batched else operand.shape
        shape = self._shape(node) if node.op not in TENSOR else whole
        axes = tuple(axis for axis, size in enumerate(prepared) if size == 1 and shape[axis] != 1)
        if node.op in TENSOR and node.batched and not operand.batched:
            return f"unbroadcast({share}, {prepared}, {own})"  # a rule may have summed over the rows itself
        if not axes:
            return share if shape == own else f"{share}.reshape({own})"
        summed = f"{share}.sum(axis={axes}, keepdims=True)"
        return f"{summed}.reshape({own})" if math.prod(own) or own == () else summed

    def _update(self) -> None:
        """The optimiser's lines; the gradients are variables by now, so no line can change another's."""
        gradients = self._own_gradients()
        if self.rule.hides:
            self.lines += [f"spoilt += trace({text})" for text in gradients.values()]
        for stage in self.rule.stages:
            if stage.together is not None and stage.together.together == "gradient":
                self.letter = "q"
                self._passes()
                self.letter, gradients = "p", self._own_gradients()
            self.lines += update_lines(self.rule, stage, gradients, arrays=True)

    def _own_gradients(self) -> dict[int, str]:
        nodes = [self.graph.nodes[self.graph.index[name]] for name in self.graph.parameters]
        return {node.index: self.gradients.get(node.index, f"zeros({node.shape})") for node in nodes}
