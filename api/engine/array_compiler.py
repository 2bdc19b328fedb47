"""Graph with tensors → straight-line NumPy for bulk runs, with the same kernels in the same order as ``arrays``.

What ``arrays`` finds out at every step is found out once here: how operands are brought to a common rank, which axes a
gradient is summed over, which gradients lead to no parameter and need not be worked out. All results are written to
memory taken before the loop, and all parameters (their gradients, and each slot's values too) are parts of one vector,
so that the optimiser's lines are worked out once for all of them:

    def bind(vectors, numbers):
        (w_0, ) = vectors
        t0 = zeros((48,))
        t1 = w_0[0:32].reshape((2, 16))
        t2 = t0[0:32].reshape((2, 16))
        t3 = empty((32, 16))
        …
        def train(batches, keep, learning_rate):
            for d0, d9, in batches:
                d0.dot(t1, t3)
                …
                t9.dot(t8, t2)
                multiply(learning_rate, t0, t0)
                subtract(w_0, t0, w_0)
        return train
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from api.engine.arrays import unbroadcast
from api.engine.compiler import columns
from api.engine.flat import Groups
from api.engine.flat_updates import FlatUpdates
from api.engine.graph import Graph, Node, Role
from api.engine.ops import ELEMENTWISE
from api.engine.rules import ARRAY_SPACE, Rule
from api.engine.tensor_ops import TENSOR, Call
from api.engine.workspace import WRITING, Place, Shape, Workspace

_HELPERS: dict[str, object] = {
    "asarray": np.asarray,
    "broadcast_to": np.broadcast_to,
    "copyto": np.copyto,
    "empty": np.empty,
    "full": np.full,
    "total": np.add.reduce,
    "unbroadcast": unbroadcast,
    "zeros": np.zeros,
}
_VIEWS = ("transpose", "reshape", "index")
"""Operations whose result shares its operand's memory, as long as that lies in order."""
_ROWS = ("mean_rows", "sum_rows")
_Shares = Callable[[int, Place | None], Place]


class ArrayTrainer(NamedTuple):
    """A compiled training loop for batches of one size.

    ``bind(flat.vectors, flat.numbers)`` gives ``train(batches, keep, **fields)``, which trains that ``Flat``'s numbers
    where they are and calls ``keep(loss)`` for every batch: a tuple of arrays, rows first, one for each placeholder of
    ``columns``. Where ``scheduled``, the field ``learning_rate`` is a sequence with one for each batch. Run it where
    NumPy's warnings are off.
    """

    bind: Callable[..., Callable[..., None]]
    columns: tuple[str, ...]
    text: str


@lru_cache(maxsize=256)
def array_trainer(graph: Graph, rows: int, rule: Rule, groups: Groups, scheduled: bool = False) -> ArrayTrainer:
    """The training loop of ``graph`` for batches of ``rows`` rows and parameters that lie as ``groups`` says."""
    writer = _Writer(graph, rows, rule, groups)
    text = writer.function(scheduled)
    space = ARRAY_SPACE | WRITING | _HELPERS | writer.constants
    exec(compile(text, "<generated training loop>", "exec"), space)  # noqa: S102 - made here from a checked graph
    bind: Callable[..., Any] = space["bind"]  # type: ignore[assignment]
    return ArrayTrainer(bind, tuple(graph.nodes[index].id for index in writer.fed), text)


class _Writer:
    """Writes one function; ``constants`` are the objects that its lines name."""

    def __init__(self, graph: Graph, rows: int, rule: Rule, groups: Groups) -> None:
        self.graph = graph
        self.rows = rows
        self.rule = rule
        used = {operand for node in graph.active for operand in node.operands}
        self.fed = columns(graph)
        self.space = Workspace()
        self.constants: dict[str, object] = {}
        self.values: dict[int, Place] = {}
        self.gradients: dict[int, Place] = {}
        self.updates = FlatUpdates(graph, rule, groups, self.space, used)

    def function(self, scheduled: bool) -> str:
        """The text of the whole function."""
        updates, rule = self.updates, self.rule
        self._passes(updates.parameters, True)
        updates.write(lambda: self._passes(updates.ahead, False))
        target = "".join(f"d{index}, " for index in self.fed) or "_"
        loop = f"learning_rate, ({target}) in zip(learning_rate, batches)" if scheduled else f"{target} in batches"
        vectors, numbers = (
            f"({''.join(f'{name}, ' for name in names)})" for names in (updates.vectors, updates.numbers)
        )
        before = [
            f"{vectors} = vectors",
            *self.space.before,
            f"def train({', '.join(['batches', 'keep', *sorted(rule.reads)])}):",
        ]
        begins, ends = ([f"{numbers} = numbers"], [f"numbers[:] = {numbers}"]) if updates.numbers else ([], [])
        lines = ["def bind(vectors, numbers):", *(f"    {line}" for line in before)]
        lines += [f"        {line}" for line in (*begins, f"for {loop}:")]
        lines += [f"            {line}" for line in self.space.body]
        lines += [f"        {line}" for line in ends]
        return "\n".join([*lines, "    return train", ""])

    def _passes(self, parameters: dict[int, Place], keeps: bool) -> None:
        """Forward and backward, where the parameters are these."""
        graph = self.graph
        self.values = dict(parameters)
        for node in graph.nodes:
            if node.role is Role.PLACEHOLDER:
                self.values[node.index] = Place(f"d{node.index}", self._shape(node), fixed=False, whole=False)
            elif node.op is None and node.constant is not None:
                self.values[node.index] = Place(repr(node.constant))
        for node in graph.active:
            self.values[node.index] = self._named(node, self._value(node))
        if keeps:
            self.space.body.append(f"keep(float({self.values[graph.loss].text}))")
        self.gradients = {}
        for node in reversed(graph.active):
            if node.index in graph.trained:
                self._pass_back(node)

    def _shape(self, node: Node) -> Shape:
        return ((self.rows,) if node.batched else ()) + node.shape

    # values

    def _named(self, node: Node, value: Place) -> Place:
        """A value that may be read often: numbers get a variable, and what was free is so no longer."""
        if value.shape is None and not value.text.isidentifier():
            self.space.body.append(f"v{node.index} = {value.text}")
            return Place(f"v{node.index}")
        return value._replace(use="kept")

    def _value(self, node: Node) -> Place:
        operands = [self.values[place] for place in node.operands]
        if node.op in _ROWS:
            total = f"total({operands[0].text}).item()"
            return Place(f"{total} / {self.rows}" if node.op == "mean_rows" else total)
        if node.op not in TENSOR:
            return self.space.calculated(ELEMENTWISE[str(node.op)].forward, self._letters(node))
        if self._is_layer(node):
            return self._product(operands[0], operands[1], self.space.buffer(self._shape(node)))
        call = self._call(node)
        if node.op in ("sum", "mean"):
            return self._reduction(node, call, self._prepared(node)[0])
        forward = self._constant(f"forward{node.index}", TENSOR[str(node.op)].forward)
        prepared = self._prepared(node)
        text = f"{forward}({self._constant(f'call{node.index}', call)}, {', '.join(one.text for one in prepared)})"
        if node.op in _VIEWS and prepared[0].fixed and prepared[0].whole:
            return self.space.fixed(text, self._shape(node), node.op == "reshape")
        return self.space.made(text, self._shape(node))

    def _product(self, left: Place, right: Place, out: Place) -> Place:
        self.space.body.append(f"{left.text}.dot({right.text}, {out.text})")
        return out

    def _reduction(self, node: Node, call: Call, operand: Place) -> Place:
        """A sum over axes, for a mean divided by their length."""
        shape, own = (self.rows,) * call.lead + call.shapes[0], self._shape(node)
        if operand.whole and math.prod(own) == math.prod(shape):
            alone = self.space.view(operand, f"{{}}.reshape({own})", own, True)
            total = self.space.called("add", [alone, Place("0.0")], own, self.space.buffer(own))  # a sum is never −0
        elif operand.whole:
            total = self.space.buffer(own)
            axes = call.axes()
            self.space.body.append(f"total({operand.text}, {axes[0] if len(axes) == 1 else axes}, None, {total.text})")
        else:  # the order of its memory is that of the sum
            total = self.space.made(f"asarray({operand.text}.sum(axis={call.axes()}))", own)
        count = float(math.prod(shape[axis] for axis in call.axes()))
        if node.op == "sum" or count == 1.0:
            return total
        return self.space.called("divide", [total, Place(repr(count))], own, total if total.fixed else None)

    def _letters(self, node: Node) -> dict[str, Place]:
        """What the letters of an operation's text stand for; operands with rows and fewer axes are given more."""
        found = {"c": Place(repr(node.constant))}
        if node.index in self.values:
            found["y"] = self.values[node.index]
        for letter, place in zip("ab", node.operands, strict=False):
            operand, value = self.graph.nodes[place], self.values[place]
            missing = len(node.shape) - len(operand.shape)
            if operand.batched and missing:
                shape = (self.rows, *(1,) * missing, *operand.shape)
                value = self.space.view(value, f"{{}}.reshape({shape})", shape, value.whole)
            found[letter] = value
        return found

    def _prepared(self, node: Node) -> list[Place]:
        """A tensor operation's operands, with a first axis wherever the node has rows."""
        found = []
        for place in node.operands:
            operand, value = self.graph.nodes[place], self.values[place]
            if value.shape is None:
                value = self.space.made(f"asarray({value.text})", (), True)
            if node.batched and not operand.batched:
                value = self.space.view(value, "{}[None]", (1, *(value.shape or ())), value.whole)
            found.append(value)
        return found

    def _is_layer(self, node: Node) -> bool:
        """Whether this is every row times the same matrix: one matrix product."""
        if node.op != "matmul":
            return False
        left, right = (self.graph.nodes[place] for place in node.operands)
        return left.batched and not right.batched and len(left.shape) == 1 and len(right.shape) == 2

    def _call(self, node: Node) -> Call:
        shapes = tuple(self.graph.nodes[operand].shape for operand in node.operands)
        return Call(shapes, node.static, int(node.batched))

    def _constant(self, name: str, value: object) -> str:
        self.constants[name] = value
        return name

    # gradients

    def _pass_back(self, node: Node) -> None:
        """Hand the node's gradient on to those of its operands that lead to a parameter."""
        gradient = Place("1.0") if node.index == self.graph.loss else self.gradients[node.index]
        whole = self._tensor_shares(node, self.space.whole(gradient)) if node.op in TENSOR else None
        for place, operand in enumerate(node.operands):
            if operand not in self.graph.trained:
                continue
            own = self.updates.gradients.get(operand)
            known = self.gradients.get(operand)
            out = own if known is None else None
            share = self._share(node, place, gradient, out) if whole is None else whole(place, out)
            if known is not None:
                shape = known.shape or ()
                share = self.space.called("add", [known, share], shape, own or self.space.buffer(shape))
            elif own is not None:
                share = self.space.copied(share, own)
            self.gradients[operand] = share._replace(use="kept")

    def _share(self, node: Node, place: int, gradient: Place, out: Place | None) -> Place:
        """∂L/∂node · ∂node/∂operand of an elementwise operation, in the operand's shape."""
        operand = self.graph.nodes[node.operands[place]]
        shape, own = self._shape(node), self._shape(operand)
        if node.op in _ROWS:
            seed = 1.0 / self.rows if node.op == "mean_rows" else 1.0
            return self.space.fixed(f"full({(self.rows,)}, {seed!r})", (self.rows,), True, True)
        text = ELEMENTWISE[str(node.op)].partials[place]
        share = self._times(node, gradient, text, out if shape == own else None)
        if share.shape is None:
            share = self.space.made(f"asarray({share.text})", (), True)
        if share.shape != shape:
            share = self.space.view(share, f"broadcast_to({{}}, {shape})", shape, False)
        missing = len(node.shape) - len(operand.shape)
        lead = own[:1] if operand.batched else (1,) if node.batched else ()
        return self._unbroadcast(share, (*lead, *(1,) * missing, *operand.shape), own, out)

    def _times(self, node: Node, gradient: Place, factor: str, out: Place | None) -> Place:
        names = self._letters(node)
        if gradient.shape is None:  # the loss itself, without rows: 1
            return self.space.calculated(factor, names, out)
        if factor == "1.0":
            return gradient
        if factor == "-1.0":
            return self.space.calculated("-g", {"g": gradient}, out)
        return self.space.calculated(f"g * ({factor})", {**names, "g": gradient}, out)

    def _unbroadcast(self, share: Place, prepared: Shape, own: Shape, out: Place | None) -> Place:
        """What ``arrays.unbroadcast`` does, with the axes known."""
        shape = share.shape or ()
        axes = tuple(axis for axis, size in enumerate(prepared) if size == 1 and shape[axis] != 1)
        if not axes:
            if shape == own:
                return share
            return self.space.view(share, f"{{}}.reshape({own})", own, share.whole)
        out = out or self.space.buffer(own)
        share = self.space.whole(share)
        left = tuple(size for axis, size in enumerate(prepared) if axis not in axes)
        target = out if left == own else self.space.view(out, f"{{}}.reshape({left})", left, True)
        self.space.body.append(f"total({share.text}, {axes[0] if len(axes) == 1 else axes}, None, {target.text})")
        self.space.release(share)
        return out

    def _tensor_shares(self, node: Node, gradient: Place) -> _Shares:
        """What gives each operand's share of a tensor operation's gradient, in the operand's shape."""
        if self._is_layer(node):
            return lambda place, out: self._layer_share(node, place, gradient, out)
        seed = self.space.fixed("asarray(1.0)", (), True, True) if gradient.shape is None else gradient
        prepared = self._prepared(node)
        call = self._constant(f"call{node.index}", self._call(node))
        vjp = self._constant(f"vjp{node.index}", TENSOR[str(node.op)].vjp)
        operands = ", ".join(one.text for one in (seed, self.values[node.index], *prepared))
        text = f"{vjp}({call}, {operands})"
        fixed = seed.fixed and self.values[node.index].fixed and prepared[0].fixed
        if fixed and (node.op == "sum" or (node.op == "mean" and seed.steady)):  # a view of the gradient
            whole = self.space.fixed(f"{text}[0]", prepared[0].shape or (), False, seed.steady)
            return lambda _place, _out: whole
        made = self.space.made(text, ()).text

        def share(place: int, _out: Place | None) -> Place:
            operand = self.graph.nodes[node.operands[place]]
            own = self._shape(operand)
            if node.batched and not operand.batched:  # a rule may have summed over the rows itself
                return self.space.made(f"unbroadcast({made}[{place}], {prepared[place].shape}, {own})", own, True)
            return self.space.made(f"{made}[{place}]", own)

        return share

    def _layer_share(self, node: Node, place: int, gradient: Place, out: Place | None) -> Place:
        left, right = (self.values[operand] for operand in node.operands)
        out = out or self.space.buffer(self._shape(self.graph.nodes[node.operands[place]]))
        turned = right if place == 0 else left
        view = self.space.view(turned, "{}.T", (turned.shape or ())[::-1], False)
        return self._product(gradient, view, out) if place == 0 else self._product(view, gradient, out)
