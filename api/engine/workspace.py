"""Formulas → lines of NumPy calls that write into memory taken once, which generated loops over arrays are made of.

A formula such as ``p - rate * g`` becomes ``multiply(rate, g, t0)`` and ``subtract(p, t0, p)``. That is bit for bit
what the formula gives, since each operation rounds by itself, wherever its result is written. What only plain numbers
enter stays as it is, in Python.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

Shape = tuple[int, ...]

WRITING: dict[str, object] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "negative": np.negative,
    "absolute": np.absolute,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "sign": np.sign,
    "power": np.power,
    "greater": np.greater,
}
"""What can be told where to write its result; any other function makes an array of its own."""
_WRITTEN_AS = {"abs": ("absolute", ()), "relu": ("maximum", (0.0,)), "step": ("greater", (0.0,))}
"""Kernels that are such a function of one operand more; a comparison written to floats is 0 or 1."""
_BY_NAME = ("maximum", "minimum")
"""NumPy wants to be told by name there."""
_OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("add", "+"),
    ast.Sub: ("subtract", "-"),
    ast.Mult: ("multiply", "*"),
}
_COMPARISONS: dict[type[ast.cmpop], str] = {ast.Gt: ">", ast.Lt: "<"}


class Place(NamedTuple):
    """What a text of the loop stands for: an array of ``shape``, or a plain number where that is None.

    ``fixed`` arrays lie in the same memory in every turn, so that views of them are made once, and ``steady`` ones hold
    the same numbers there; ``whole`` ones are in C order. ``use`` says whether the array may be written over once it is
    read: ``free`` ones go back to the workspace then, ``spent`` ones only give their memory to the result at hand.
    """

    text: str
    shape: Shape | None = None
    fixed: bool = True
    whole: bool = True
    steady: bool = False
    use: Literal["kept", "free", "spent"] = "kept"


class Workspace:
    """Lines of a loop so far: ``before`` it, and its ``body``."""

    def __init__(self) -> None:
        self.before: list[str] = []
        self.body: list[str] = []
        self._free: dict[Shape, list[Place]] = {}
        self._names = 0

    def name(self) -> str:
        """A variable that is not taken."""
        self._names += 1
        return f"t{self._names - 1}"

    def buffer(self, shape: Shape) -> Place:
        """Memory for an array."""
        place = Place(self.name(), shape)
        self.before.append(f"{place.text} = empty({shape})")
        return place

    def fixed(self, text: str, shape: Shape, whole: bool, steady: bool = False) -> Place:
        """What ``text`` gives, before the loop."""
        place = Place(self.name(), shape, whole=whole, steady=steady)
        self.before.append(f"{place.text} = {text}")
        return place

    def view(self, place: Place, text: str, shape: Shape, whole: bool) -> Place:
        """A view of ``place``, whose name is ``{}`` in ``text``: made before the loop if that can be."""
        if place.fixed:
            return self.fixed(text.format(place.text), shape, whole, place.steady)
        return self.made(text.format(place.text), shape, whole)

    def made(self, text: str, shape: Shape, whole: bool = False) -> Place:
        """What ``text`` gives in each turn, where it likes."""
        place = Place(self.name(), shape, fixed=False, whole=whole)
        self.body.append(f"{place.text} = {text}")
        return place

    def copied(self, place: Place, out: Place) -> Place:
        """``out``, with the numbers of ``place`` in it."""
        if place.text != out.text:
            self.body.append(f"copyto({out.text}, {place.text})")
            self._release([place])
        return out

    def calculated(self, formula: str, names: Mapping[str, Place], out: Place | None = None) -> Place:
        """The value of ``formula``, written to ``out`` if that is given; ``names`` are those that it reads.

        Without ``out`` it is memory of the workspace, which the next reader frees, or one of ``names`` itself.
        """
        found = self._expression(parsed(formula), names, out)
        return found if out is None else self.copied(found, out)

    def called(self, function: str, operands: Iterable[Place], shape: Shape, out: Place | None = None) -> Place:
        """The result of an elementwise ``function``, in the memory of a free operand, if ``out`` is not given."""
        operands = list(operands)
        arguments = ", ".join(operand.text for operand in operands)
        if function not in WRITING:
            text = f"{function}({arguments})"
            ordered = all(operand.whole for operand in operands)
            found = self.made(text if ordered else f"asarray({text}, order='C')", shape, True)
        else:
            found = out or next(
                (one for one in operands if one.use != "kept" and one.shape == shape), self._taken(shape)
            )
            by_name = "out=" if function in _BY_NAME else ""
            self.body.append(f"{function}({arguments}, {by_name}{found.text})")
        self._release(one for one in operands if one.text != found.text)
        return found

    def whole(self, place: Place) -> Place:
        """The same numbers in C order."""
        if place.whole or place.shape is None:
            return place
        text = f"asarray({place.text}, order='C')"
        return self.fixed(text, place.shape, True, True) if place.steady else self.made(text, place.shape, True)

    def release(self, place: Place) -> None:
        """Take back memory that was calculated into and is read."""
        self._release([place])

    def _taken(self, shape: Shape) -> Place:
        free = self._free.get(shape)
        return free.pop() if free else self.buffer(shape)._replace(use="free")

    def _release(self, places: Iterable[Place]) -> None:
        for place in places:
            if place.use == "free" and place.shape is not None:
                self._free.setdefault(place.shape, []).append(place)

    def _expression(self, formula: ast.expr, names: Mapping[str, Place], out: Place | None = None) -> Place:
        match formula:
            case ast.Name(name):
                return names[name]
            case ast.Constant(value):
                return Place(repr(value))
            case ast.UnaryOp(ast.USub(), operand):
                return self._result("negative", "-{}", [operand], names, out)
            case ast.BinOp(left, operator, right):
                function, sign = _OPERATORS[type(operator)]
                return self._result(function, f"{{}} {sign} {{}}", [left, right], names, out)
            case ast.Call(ast.Name("where"), [condition, then, otherwise]):
                return self._choice(condition, then, otherwise, names)
            case ast.Call(ast.Name(function), arguments):
                function, more = _WRITTEN_AS.get(function, (function, ()))
                arguments = [*arguments, *map(ast.Constant, more)]
                text = f"{function}({', '.join('{}' for _ in arguments)})"
                return self._result(function, text, arguments, names, out)
            case ast.Compare(left, [comparison], [right]):
                text = f"{{}} {_COMPARISONS[type(comparison)]} {{}}"
                return self._result("", text, [left, right], names, None)
            case ast.IfExp(ast.Name(name), then, otherwise):  # a number known by now: the exponent of a power
                return self._expression(then if float(names[name].text) else otherwise, names, out)
        raise NotImplementedError(ast.unparse(formula))

    def _result(
        self, function: str, text: str, parts: list[ast.expr], names: Mapping[str, Place], out: Place | None
    ) -> Place:
        operands = [self._expression(part, names) for part in parts]
        shapes = [operand.shape for operand in operands if operand.shape is not None]
        written = text.format(*(operand.text for operand in operands))
        if not shapes:
            return Place(f"({written})")
        shape = np.broadcast_shapes(*shapes)
        if not function:
            return self.made(written, shape)
        return self.called(function, operands, shape, out if out and out.shape == shape else None)

    def _choice(self, condition: ast.expr, then: ast.expr, otherwise: ast.expr, names: Mapping[str, Place]) -> Place:
        """One of two values: of whole arrays, where the condition is a number."""
        asked, *values = (self._expression(part, names) for part in (condition, then, otherwise))
        shapes = [value.shape for value in (asked, *values) if value.shape is not None]
        first, second = (value.text for value in values)
        if not shapes:
            return Place(f"({first} if {asked.text} else {second})")
        shape = np.broadcast_shapes(*shapes)
        if asked.shape is None and all(value.shape == shape for value in values):
            return self.made(f"{first} if {asked.text} else {second}", shape)  # one of both, so neither is free yet
        found = self.made(f"where({asked.text}, {first}, {second})", shape)
        self._release(values)
        return found


@lru_cache(maxsize=512)
def parsed(formula: str) -> ast.expr:
    """The tree of one of our own tables' texts."""
    return ast.parse(formula, mode="eval").body
