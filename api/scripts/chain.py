"""The backward pass written out: the chain rule as lines of NumPy, one for each share of a gradient.

A gradient that is the same in many places is not copied there before it must be: ``1 / n`` may stand for a whole batch
of it, until it is added up or reshaped. ``Share`` keeps the shape that its text has in fact, ``"n"`` for the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import zip_longest
from typing import NamedTuple

from api.engine.graph import Graph, Node
from api.engine.tensor_ops import TENSOR
from api.engine.updates import is_word
from api.scripts.formulas import Forward, template_of
from api.scripts.names import Names
from api.scripts.operations import SPELLINGS, Form, concat_vjp
from api.scripts.pieces import Piece, comment, filled, places

Sizes = tuple[int | str, ...]
ONE = Piece("1")
_CALL = re.compile(r"\w\(")
_LINEAR = ("sum", "mean")
_CHEAP = ("add", "subtract", "negative", "multiply")


class Share(NamedTuple):
    """A gradient, or a part of one: its text, and the shape that this has."""

    piece: Piece
    sizes: Sizes


def kept_for(graph: Graph) -> set[int]:
    """The nodes whose values the backward pass asks for again and that are more than a sum or product of variables."""
    asked: set[int] = set()
    plain = Forward(graph, "numpy", "{}", Names([node.id for node in graph.named]))
    for node in graph.active:
        if node.index not in graph.trained:
            continue
        for place in _trained(graph, node):
            for name in places(template_of(_vjp(node, place), plain.use(node))):
                asked |= {node.index} if name == "y" else set()
                asked |= {node.operands["ab".index(name)]} if name in ("a", "b") else set()
    return {index for index in asked if not _is_cheap(graph, graph.nodes[index])}


def _is_cheap(graph: Graph, node: Node) -> bool:
    """Whether a value is as good as its formula where it is used."""
    if node.op is None:
        return True
    named = {one.index for one in graph.named}
    simple = all(place in named or graph.nodes[place].op is None for place in node.operands)
    return node.op in _CHEAP and simple


def _trained(graph: Graph, node: Node) -> Iterable[int]:
    return (place for place, operand in enumerate(node.operands) if operand in graph.trained)


def _vjp(node: Node, place: int) -> Form:
    if node.op == "concat":
        return lambda use: concat_vjp(use, place)
    return SPELLINGS[str(node.op)].vjps[place]


class Chain:
    """Writes the backward pass that belongs to a ``forward``; ``lines`` are lines with their comments, ``results`` the
    text of each parameter's gradient."""

    def __init__(self, forward: Forward) -> None:
        self.forward, self.graph, self.names = forward, forward.graph, forward.names
        self.loss = forward.names[self.graph.nodes[self.graph.loss].id]
        self.gradients: dict[int, Share] = {}
        self.variables: dict[int, str] = {}
        self.lines: list[tuple[str, str]] = []
        self.through: dict[int, str] = _owners(self.graph)
        for node in reversed(self.graph.active):
            if node.index in self.graph.trained:
                self._pass_back(node)
        self.results = [self._result(self.graph.nodes[self.graph.index[name]]) for name in self.graph.parameters]

    # one operation

    def _pass_back(self, node: Node) -> None:
        upstream = Share(ONE, ()) if node.index == self.graph.loss else self.gradients[node.index]
        wanted = list(_trained(self.graph, node))
        templates = [template_of(_vjp(node, place), self.forward.use(node)) for place in wanted]
        uses = sum(places(template).count("g") for template in templates)
        spelling = SPELLINGS[str(node.op)]
        shifted = spelling.kept and 0 < len(upstream.sizes) < len(self._sizes(node))
        if spelling.whole or shifted:
            upstream = self._whole(upstream, self._sizes(node))
        nested = _CALL.search(upstream.piece.text) and (spelling.whole or spelling.kept)
        if (uses > 1 or nested or len(upstream.piece.text) > 40) and not is_word(upstream.piece.text):
            upstream = self._keep(node, upstream)
        if spelling.kept:
            upstream = Share(self._reduced(node, upstream.piece, upstream.sizes), self._spread(node, upstream.sizes))
        for place, template in zip(wanted, templates, strict=True):
            self._give(node, place, self._share(node, place, template, upstream))

    def _share(self, node: Node, place: int, template: str, upstream: Share) -> Share:
        """∂L/∂node carried back to one operand, in the operand's own shape."""
        operands = [self.forward.aligned(node, at) for at in range(len(node.operands))]
        result = self.forward.pieces.get(node.index, ONE)
        if SPELLINGS[str(node.op)].kept:
            result = self._reduced(node, result, self._sizes(node))
        if template == "{g}":
            piece = upstream.piece
        else:
            piece = self.forward.fill(template, operands, g=upstream.piece, y=result)
            piece = _without_one(piece) if upstream.piece == ONE else piece
        operand = self.graph.nodes[node.operands[place]]
        if node.op in ("mean_rows", "sum_rows"):
            return Share(piece, upstream.sizes)
        if node.op in TENSOR:
            return self._of_tensor(node, operand, Share(piece, upstream.sizes))
        letters = set(places(template))
        shapes = [self._aligned_sizes(node, at) for at in (0, 1) if "ab"[at] in letters]
        shapes += [self._sizes(node)] if "y" in letters else []
        return self._own(node, operand, Share(piece, _broadcast(upstream.sizes, *shapes)))

    def _of_tensor(self, node: Node, operand: Node, share: Share) -> Share:
        """A tensor operation's share: only of sums and means it may be one that is still to be broadcast."""
        own = self._sizes(operand)
        if node.op == "matmul":
            return Share(share.piece, own)
        whole: Sizes = ((self.forward.rows,) if node.batched else ()) + operand.shape
        if node.op not in _LINEAR:
            share = Share(share.piece, whole)
        if operand.batched or not node.batched:
            return share
        return Share(self._summed(self._whole(share, whole), (0,), own), own)

    def _give(self, node: Node, place: int, share: Share) -> None:
        """Add a share to the operand's gradient: on a line of its own if the operand has a name."""
        index = node.operands[place]
        operand = self.graph.nodes[index]
        named = operand.op is None or operand.id in self.graph.formulas
        if not named:
            self.gradients[index] = share
            return
        note = f"∂{self.loss}/∂{self.names[operand.id]}"
        owner = self.through[node.index]
        note += f" by way of {self.names[owner]}" if owner != self.graph.nodes[self.graph.loss].id else ""
        known = self.gradients.get(index)
        if known is None:
            name = self.variables[index] = self.names.own(f"d{self.loss}_d{operand.id}")
            self.lines.append((f"{name} = {share.piece.text}", note))
            self.gradients[index] = Share(Piece(name), share.sizes)
            return
        name = self.variables[index]
        self.lines.append((f"{name} = {name} + {share.piece:product}", "+ " + note))
        self.gradients[index] = Share(Piece(name), _broadcast(known.sizes, share.sizes))

    def _keep(self, node: Node, share: Share) -> Share:
        """The same as a variable."""
        name = self.names.own(f"d{self.loss}_d{node.id.replace(':', '_')}")
        value = self.forward.pieces[node.index].text
        self.lines.append((f"{name} = {share.piece.text}", f"∂{self.loss}/∂({comment(value, 40)})"))
        return Share(Piece(name), share.sizes)

    # shapes

    def _sizes(self, node: Node) -> Sizes:
        return ((self.forward.rows,) if node.batched else ()) + node.shape

    def _aligned_sizes(self, node: Node, place: int) -> Sizes:
        operand = self.graph.nodes[node.operands[place]]
        missing = len(node.shape) - len(operand.shape)
        if not operand.batched:
            return operand.shape
        return (self.forward.rows, *(1,) * missing, *operand.shape)

    def _own(self, node: Node, operand: Node, share: Share) -> Share:
        """An elementwise share, summed over the axes along which the operand was broadcast."""
        own, full = self._sizes(operand), self._sizes(node)
        place = node.operands.index(operand.index)
        aligned = self._aligned_sizes(node, place)
        aligned = (1,) * (len(full) - len(aligned)) + aligned
        axes = tuple(axis for axis, size in enumerate(aligned) if size == 1 and full[axis] != 1)
        if axes:
            return Share(self._summed(self._whole(share, full), axes, own), own)
        if len(share.sizes) > len(own):  # axes of length 1 before or inside
            return Share(self._reshaped(self._whole(share, full), own), own)
        return share

    def _summed(self, share: Share, axes: tuple[int, ...], own: Sizes) -> Piece:
        left = tuple(size for axis, size in enumerate(share.sizes) if axis not in axes)
        if len(axes) == len(share.sizes):
            text = f"np.sum({share.piece.text})"
        else:
            text = f"np.sum({share.piece.text}, axis={axes[0] if len(axes) == 1 else axes})"
        return Piece(text) if left == own else self._reshaped(Share(Piece(text), left), own)

    def _whole(self, share: Share, sizes: Sizes) -> Share:
        """With every number written out."""
        if share.sizes == sizes:
            return share
        self._counts(sizes)
        text = share.piece.text
        made = f"np.full({_text(sizes)}, {text})" if share.sizes == () else f"np.broadcast_to({text}, {_text(sizes)})"
        return Share(Piece(made), sizes)

    def _reshaped(self, share: Share, sizes: Sizes) -> Piece:
        if share.sizes == sizes:
            return share.piece
        self._counts(sizes)
        return Piece(f"np.reshape({share.piece.text}, {_text(sizes)})")

    def _counts(self, sizes: Sizes) -> None:
        self.forward.counted = self.forward.counted or self.forward.rows in sizes

    def _spread(self, node: Node, sizes: Sizes) -> Sizes:
        """The shape of a reduction's result with the axes that it took away as axes of length 1."""
        if not sizes:
            return sizes
        found = list(sizes)
        for axis in self.forward.use(node).call.axes():
            found.insert(axis, 1)
        return tuple(found)

    def _reduced(self, node: Node, piece: Piece, sizes: Sizes) -> Piece:
        """The same for its text."""
        axes = self.forward.use(node).call.axes()
        if not sizes:  # one number goes with any shape
            return piece
        items = [":"] * len(sizes)
        for axis in axes:
            items.insert(axis, "None")
        return filled(f"{{a:atom}}[{', '.join(items)}]", a=piece)

    def _result(self, parameter: Node) -> str:
        """The text of a parameter's gradient; zeros where the loss does not depend on it."""
        share = self.gradients.get(parameter.index)
        if share is None:
            return f"np.zeros({_text(parameter.shape)})"
        return self._whole(share, parameter.shape).piece.text


def _owners(graph: Graph) -> dict[int, str]:
    """For each operation the named quantity whose formula it stands in."""
    found = {}
    name = graph.nodes[graph.loss].id
    for node in reversed(graph.nodes):
        name = node.id if node.id in graph.formulas else name
        found[node.index] = name
    return found


def _broadcast(*shapes: Sizes) -> Sizes:
    """The shape that arrays of these shapes have together."""
    columns = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    return tuple(reversed([next((size for size in column if size != 1), 1) for column in columns]))


def _text(sizes: Sizes) -> str:
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"


def _without_one(piece: Piece) -> Piece:
    """``1 * a`` is ``a``; that it may be said to bind less tightly than it does costs a bracket at most."""
    return piece._replace(text=piece.text.removeprefix("1 * "))
