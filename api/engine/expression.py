"""Source text → assignments in postfix order. Nothing is evaluated, and nothing here recurses.

    source      = { assignment } separated by newlines or ";"; "#" starts a comment; in brackets a newline is a space
    assignment  = name "=" formula
    formula     = number | name | formula op formula | ("-" | "+") formula | "(" formula ")" | formula "[" index "]"
                | function "(" formula { "," formula } { "," option "=" integer } ")"
    op          = "+" | "-" | "*" | "/" | "@" | "**"        precedence and associativity as in Python and on paper
    index       = item { "," item }        item = integer | [ integer ] ":" [ integer ]

The usual way, ``ast.parse``, is not taken: its depth ends where the interpreter's stack does, it folds look-alike
letters into ASCII, and Python's keywords would be reserved (``lambda`` is a fine name for a penalty). Operators wait on
an explicit stack (Dijkstra's shunting yard), so 5,000 nested brackets are as good as five.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from api.engine.errors import FormulaError, LimitExceeded
from api.engine.ops import FUNCTIONS, OPERATIONS

_TOKEN = re.compile(
    r"(?P<space>[ \t\r]+|#[^\n]*)"
    r"|(?P<end>[\n;])"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>\*\*|[-+*/@=(),\[\]:])",
    re.ASCII,
)
_BINARY = {
    "+": ("add", 1),
    "-": ("subtract", 1),
    "*": ("multiply", 2),
    "/": ("divide", 2),
    "@": ("matmul", 2),
    "**": ("power", 4),
}
_UNARY_PRECEDENCE = 3
_HINTS = {
    "^": "a power is written **",
    ".": "quantities have no attributes",
    "×": "multiplication is written *",
    "·": "multiplication is written *",
    "−": "the minus sign is the hyphen -",
    "÷": "division is written /",
}


class Token(NamedTuple):
    """A piece of source text and where it stands, both counted from 1."""

    kind: str
    text: str
    line: int
    column: int

    def error(self, reason: str) -> FormulaError:
        """An error that points here."""
        return FormulaError(reason, self.line, self.column)


Static = tuple[tuple[str, int | None], ...]
"""An operation's constant options: ``(("axis", 0),)``, or the items of an index."""


class Instruction(NamedTuple):
    """One postfix step: push a ``number`` or a ``name``, or ``apply`` an operation to the last ``arity`` values."""

    kind: str
    text: str
    arity: int
    token: Token
    static: Static = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """``name = formula``, the formula in postfix order and as written."""

    name: str
    code: tuple[Instruction, ...]
    text: str
    token: Token


def parse(source: str, max_operations: int = 20_000) -> tuple[Assignment, ...]:
    """The assignments of ``source`` in the order written.

    Raises ``FormulaError`` with line and column for whatever is no formula, ``LimitExceeded`` for more than
    ``max_operations`` operations in all.
    """
    assignments: list[Assignment] = []
    left = max_operations
    for line in _statements(source):
        assignment = _assignment(source, line, left)
        left -= len(assignment.code)
        assignments.append(assignment)
    if not assignments:
        raise FormulaError("the formula is empty; write for example yhat = w*x + b", 1, 1)
    return tuple(assignments)


def _tokens(source: str) -> Iterator[tuple[Token, int]]:
    at, line, line_start = 0, 1, 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        column = at - line_start + 1
        if match is None:
            raise FormulaError(_unreadable(source[at]), line, column)
        kind = match.lastgroup or ""
        if kind != "space":
            yield Token(kind, match.group(), line, column), at
        at = match.end()
        if match.group() == "\n":
            line, line_start = line + 1, at


def _integer(tokens: list[Token], before: Token) -> tuple[int, int]:
    """A constant integer at the head of ``tokens`` and how many tokens it took."""
    negative = bool(tokens) and tokens[0].text == "-"
    digits = tokens[1:2] if negative else tokens[:1]
    if not digits or not digits[0].text.isdigit() or len(digits[0].text) > 9:
        raise (digits or [before])[0].error("an integer is expected here")
    return int(digits[0].text) * (-1 if negative else 1), 1 + negative


def _unreadable(character: str) -> str:
    shown = character if character.isprintable() and character.isascii() else f"U+{ord(character):04X}"
    hint = _HINTS.get(character)
    if hint is None and not character.isascii():
        hint = "names and signs are plain ASCII"
    return f"unexpected {shown}" + (f"; {hint}" if hint else "")


def _statements(source: str) -> Iterator[list[tuple[Token, int]]]:
    statement: list[tuple[Token, int]] = []
    depth = 0
    for token, at in _tokens(source):
        if token.kind == "end" and (depth == 0 or token.text == ";"):
            if statement:
                yield statement
            statement, depth = [], 0
        elif token.kind != "end":
            depth = max(0, depth + (token.text == "(") - (token.text == ")"))
            statement.append((token, at))
    if statement:
        yield statement


def _assignment(source: str, statement: list[tuple[Token, int]], max_operations: int) -> Assignment:
    first = statement[0][0]
    if first.kind != "name":
        raise first.error("a line starts with the name that it assigns, as in yhat = w*x + b")
    if len(statement) < 2 or statement[1][0].text != "=":
        raise first.error("a line is an assignment, as in yhat = w*x + b")
    if first.text in FUNCTIONS:
        raise first.error(f"{first.text} is a function's name and cannot be assigned")
    if len(statement) < 3:
        raise statement[1][0].error("a formula is missing after =")
    last, end = statement[-1]
    code = _Yard(max_operations).postfix([token for token, _ in statement[2:]])
    text = " ".join(source[statement[2][1] : end + len(last.text)].split())
    return Assignment(first.text, tuple(code), text, first)


class _Waiting(NamedTuple):
    """An operator or an open bracket that waits for its right-hand side; ``arguments`` counts a call's so far."""

    operation: str
    precedence: int
    arity: int
    token: Token
    arguments: int = 0
    options: Static = ()


class _Yard:
    """The shunting yard: one pass, output in postfix order."""

    def __init__(self, max_operations: int) -> None:
        self.limit = max_operations
        self.code: list[Instruction] = []
        self.waiting: list[_Waiting] = []

    def postfix(self, tokens: list[Token]) -> list[Instruction]:
        operand_expected, index = True, 0
        while index < len(tokens):
            token = tokens[index]
            following = tokens[index + 1].text if index + 1 < len(tokens) else ""
            if len(self.code) + len(self.waiting) > self.limit:
                reason = f"more than {self.limit} operations"
                raise LimitExceeded(f"line {token.line}, column {token.column}: {reason}", self.limit, "/model/source")
            if operand_expected and token.kind == "name" and following == "=":
                index += self._option(tokens[index : index + 5])
                operand_expected = False
                continue
            if not operand_expected and token.text == "[":
                index += self._index(tokens[index:])
                continue
            operand_expected = self._operand(token, following) if operand_expected else self._operator(token)
            index += 1
        if operand_expected:
            raise tokens[-1].error("the formula ends where a value is expected")
        self._unwind(0)
        if self.waiting:
            raise self.waiting[-1].token.error("this bracket is never closed")
        return self.code

    def _operand(self, token: Token, following: str) -> bool:
        """Take ``token`` where a value may start; whether a value is still expected."""
        if token.kind == "number":
            self.code.append(Instruction("number", token.text, 0, token))
            return False
        if token.kind == "name":
            return self._name(token, following)
        if token.text == "(":
            called = self.waiting and self.waiting[-1].operation == "call" and self.waiting[-1].arguments == 0
            if called:
                self.waiting[-1] = self.waiting[-1]._replace(arguments=1)
            else:
                self.waiting.append(_Waiting("bracket", 0, 0, token))
            return True
        if token.text in ("-", "+"):
            self.waiting.append(_Waiting("negative" if token.text == "-" else "plus", _UNARY_PRECEDENCE, 1, token))
            return True
        raise token.error(f"a value is expected before {token.text}")

    def _name(self, token: Token, following: str) -> bool:
        if token.text in FUNCTIONS:
            if following != "(":
                raise token.error(f"{token.text} is a function and needs its argument in brackets")
            self.waiting.append(_Waiting("call", 0, OPERATIONS[token.text].arity, token))
            return True
        if following == "(":
            raise token.error(f"there is no function {token.text[:40]}; write * to multiply")
        self.code.append(Instruction("name", token.text, 0, token))
        return False

    def _option(self, tokens: list[Token]) -> int:
        """Take ``axis = 1`` as the last of a call's arguments; how many tokens that was."""
        name = tokens[0]
        call = self.waiting[-1] if self.waiting else None
        if call is None or call.operation != "call":
            raise tokens[1].error("a second = in one line; each line assigns one name")
        known = OPERATIONS[call.token.text].options
        if name.text not in known:
            raise name.error(
                f"{call.token.text} has no option {name.text[:40]}" + (f"; it has {', '.join(known)}" * bool(known))
            )
        value, taken = _integer(tokens[2:], tokens[1])
        rest = tokens[2 + taken :]
        if rest and rest[0].text not in (",", ")"):
            raise rest[0].error("an option is a constant integer")
        self.waiting[-1] = call._replace(options=(*call.options, (name.text, value)), arguments=call.arguments - 1)
        return 2 + taken

    def _index(self, tokens: list[Token]) -> int:
        """Take ``[0, 1:3]`` after a value; how many tokens that was."""
        items: list[tuple[str, int | None]] = []
        at = 1
        while True:
            bounds: list[int | None] = [None]
            while at < len(tokens) and tokens[at].text not in (",", "]"):
                if tokens[at].text == ":":
                    bounds.append(None)
                    at += 1
                else:
                    bounds[-1], taken = _integer(tokens[at:], tokens[at])
                    at += taken
            if at == len(tokens):
                raise tokens[0].error("this bracket is never closed")
            if len(bounds) > 2 or bounds == [None]:
                raise tokens[at].error("an index is a constant such as 0, or a range such as 1:3")
            items += [("at", bounds[0])] if len(bounds) == 1 else [("from", bounds[0]), ("to", bounds[1])]
            at += 1
            if tokens[at - 1].text == "]":
                self.code.append(Instruction("apply", "index", 1, tokens[0], tuple(items)))
                return at

    def _operator(self, token: Token) -> bool:
        """Take ``token`` after a value; whether a value is expected next."""
        if token.text in _BINARY:
            operation, precedence = _BINARY[token.text]
            self._unwind(precedence + (operation == "power"))
            self.waiting.append(_Waiting(operation, precedence, 2, token))
            return True
        if token.text in (")", ","):
            self._unwind(0)
            if not self.waiting or (token.text == "," and self.waiting[-1].operation != "call"):
                raise token.error(f"{token.text} without an open {'function call' if token.text == ',' else 'bracket'}")
            opening = self.waiting.pop()
            if token.text == ",":
                self.waiting.append(opening._replace(arguments=opening.arguments + 1))
                return True
            self._close(opening)
            return False
        if token.text == "=":
            raise token.error("a second = in one line; each line assigns one name")
        raise token.error(f"an operator is expected before {token.text[:40]}")

    def _close(self, opening: _Waiting) -> None:
        if opening.operation == "call":
            name, count = opening.token.text, opening.arguments
            if count != opening.arity and not (OPERATIONS[name].variadic and count >= 1):
                raise opening.token.error(f"{name} takes {opening.arity}, not {count} values")
            self.code.append(Instruction("apply", name, count, opening.token, opening.options))

    def _unwind(self, precedence: int) -> None:
        """Write out what waits and binds at least as tightly, up to the next open bracket."""
        while self.waiting and self.waiting[-1].precedence >= max(precedence, 1):
            top = self.waiting.pop()
            if top.operation != "plus":
                self.code.append(Instruction("apply", top.operation, top.arity, top.token))
