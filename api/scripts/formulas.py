"""The forward pass as lines of a script: a line for each named quantity, its unnamed parts written where they are used.

Shapes are the script's own: whatever has rows has them as its first axis. Where a number for each row meets a vector
for each, it is given axes of length 1 first, ``s1[:, None]``.
"""

from __future__ import annotations

from collections.abc import Collection

from api.engine.graph import Graph, Node, Role
from api.engine.notation import ATOM, UNARY
from api.engine.tensor_ops import TENSOR, Call
from api.scripts.literals import short
from api.scripts.names import Names
from api.scripts.operations import SPELLINGS, Form, Use
from api.scripts.pieces import Piece, filled, places

INLINE = 56
"""Characters beyond which an unnamed part of a formula has a line of its own."""
ROWS = "n"


def template_of(form: Form, use: Use) -> str:
    """A column of the table for this call."""
    return form if isinstance(form, str) else form(use)


class Forward:
    """Writes the forward pass of ``graph`` in one target's operations; ``kept`` are nodes that must be variables.

    ``lines`` are lines with their comments; ``pieces`` how each node is written where it is used.
    """

    def __init__(
        self, graph: Graph, column: str, scalar: str, names: Names, kept: Collection[int] = (), shapes: bool = True
    ) -> None:
        """``column`` of the table, and ``scalar``, a template that makes a quantity of a plain number."""
        self.graph, self.column, self.scalar, self.names = graph, column, scalar, names
        self.rows = names.own(ROWS)
        self.counted = False
        self.variables = set(kept) | {node.index for node in graph.named}
        self.pieces: dict[int, Piece] = {}
        self.lines: list[tuple[str, str]] = []
        for node in graph.nodes:
            self._write(node, shapes)

    def _write(self, node: Node, shapes: bool) -> None:
        if node.op is None and node.constant is None:
            self.pieces[node.index] = Piece(self.names[node.id])
        elif node.op is None and node.role is not Role.CONSTANT:
            raise AssertionError("only constants have a value of their own")
        elif node.op is None:
            self._constant(node)
        else:
            self._operation(node, shapes)

    def _constant(self, node: Node) -> None:
        assert node.constant is not None
        text = short(node.constant)
        whole = self.scalar.format(text)
        if node.index in self.variables:
            self._assign(node, whole, "")
        else:
            self.pieces[node.index] = Piece(text, UNARY if text.startswith("-") else ATOM, whole)

    def _operation(self, node: Node, shapes: bool) -> None:
        use = self.use(node)
        template = template_of(getattr(SPELLINGS[str(node.op)], self.column), use)
        operands = [self.aligned(node, place) for place in range(len(node.operands))]
        piece = self.fill(template, operands)
        if node.index in self.variables or len(piece.text) > INLINE:
            note = self._shape(node) if shapes and not self.graph.scalar else ""
            self._assign(node, piece.text, note)
        else:
            self.pieces[node.index] = piece

    def _assign(self, node: Node, text: str, note: str) -> None:
        named = node.index in self.variables and node.id in self.graph.formulas
        name = self.names[node.id] if named else self.names.own(node.id.replace(":", "_"))
        self.pieces[node.index] = Piece(name)
        self.lines.append((f"{name} = {text}", note))

    def _shape(self, node: Node) -> str:
        sizes = [self.rows] * node.batched + [str(size) for size in node.shape]
        return " × ".join(sizes)

    def use(self, node: Node) -> Use:
        """How the operation is called here."""
        operands = [self.graph.nodes[place] for place in node.operands]
        call = Call(tuple(one.shape for one in operands), node.static, int(node.batched))
        exponent = 0.0 if node.constant is None else node.constant
        return Use(call, tuple(one.batched for one in operands), node.shape, exponent)

    def aligned(self, node: Node, place: int) -> Piece:
        """An operand as the operation takes it: with axes of length 1 where those beside it have more."""
        operand = self.graph.nodes[node.operands[place]]
        piece = self.pieces[operand.index]
        missing = len(node.shape) - len(operand.shape)
        if node.op in TENSOR or not operand.batched or missing <= 0:
            return piece
        return filled(f"{{a:atom}}[:, {', '.join(['None'] * missing)}]", a=piece)

    def fill(self, template: str, operands: list[Piece], **more: Piece) -> Piece:
        """A template of the table with its operands, and whatever else it needs."""
        pieces = dict(zip("ab", operands, strict=False)) | {f"part{at}": one for at, one in enumerate(operands)} | more
        asked = set(places(template))
        if ROWS in asked:
            self.counted = True
            pieces[ROWS] = Piece(self.rows)
        if asked == {"a"} and template.startswith("{a"):
            return self._alone(template, pieces["a"])
        return filled(template, **{name: pieces[name] for name in asked})

    @staticmethod
    def _alone(template: str, piece: Piece) -> Piece:
        """An operand under another name binds as it did."""
        if template == "{a:tensor}":
            return Piece(piece.tensor) if piece.tensor else piece
        return filled(template, a=piece)

    def count(self) -> list[tuple[str, str]]:
        """The line that counts the batch's rows, if they are asked for."""
        first = next((node for node in self.graph.nodes if node.role is Role.PLACEHOLDER), None)
        if not self.counted or first is None:
            return []
        return [(f"{self.rows} = {self.names[first.id]}.shape[0]", "rows in this batch")]
