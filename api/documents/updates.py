"""The last update explained: every line of the optimiser's rule, in symbols and with its numbers, for one parameter.

A learner who has the substituted lines can redo the step on paper: they hold the slots as they were before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from api.documents.tensors import SHORT, tensor
from api.engine.descent import LETTERS
from api.engine.filling import filled
from api.engine.latex import LATEX
from api.engine.notation import TEXT
from api.engine.rules import Line, Rule, Value
from api.engine.terms import Apply, Name, Number, Term, apply, names, number, substitute
from api.training.session import Session, Update

Document = dict[str, Any]
_WRITTEN_OUT = 8
"""Parameters up to which the norm of all gradients is written out."""


class Symbolic(NamedTuple):
    """One line for one parameter: ``left`` takes the value of ``right``, which is also written as text and LaTeX."""

    symbol: str
    left: Term
    right: Term
    text: str
    latex: str


class Explained(NamedTuple):
    """One line with its value; ``tree`` is its right side, with ``values`` for its names if there are any; it is None
    where tensors are not written out."""

    line: Symbolic
    tree: Term | None
    values: Sequence[Value] | None
    value: Value

    @property
    def substituted(self) -> Term | None:
        """The right side in numbers."""
        if self.tree is None or self.values is None:
            return self.tree
        return substitute(self.tree, dict(zip(names(self.tree), map(number, self.values), strict=True)))

    @property
    def text(self) -> str | None:
        """The same as text; not for matrices."""
        if self.tree is None or self.values is None:
            return None if self.tree is None else TEXT.write(self.tree)
        return filled(self.tree, [float(value) for value in self.values])

    @property
    def left(self) -> Term:
        """What takes the value."""
        return self.line.left

    @property
    def right(self) -> Term:
        """The formula of the value."""
        return self.line.right


def last_update(session: Session, longest: float = SHORT) -> Document | None:
    """The last step taken, every term of the optimiser's rule with its numbers; None before the first. Arrays of more
    than ``longest`` elements are summaries."""
    graph = session.definition.graph
    return None if session.last_update is None else _told(session.last_update, graph.nodes[graph.loss].id, longest)


@lru_cache(maxsize=1024)
def _told(update: Update, loss: str, longest: float) -> Document:
    """Writing the terms out takes as long as the rest of a state, and three states in a row show the same: not to be
    changed by whoever gets it."""
    position = update.position
    return {
        "step": position.step,
        "epoch": position.epoch,
        "batch": position.batch,
        "loss": update.loss,
        "learning_rate": update.learning_rate,
        "parameters": {
            name: {
                "before": tensor(before, longest),
                "gradient": tensor(update.gradients[name], longest),
                "after": tensor(update.after[name], longest),
                "terms": [_term(line, longest) for line in explained(update, name, loss)],
            }
            for name, before in update.before.items()
        },
    }


def _term(found: Explained, longest: float) -> Document:
    return {
        "symbol": found.line.symbol,
        "latex": found.line.latex,
        "formula": found.line.text,
        "substituted": found.text,
        "value": tensor(found.value, longest),
    }


def explained(update: Update, name: str, loss: str, matrices: bool = False) -> Iterator[Explained]:
    """Each line of the rule for the parameter ``name``; ``loss`` is what the loss is called. With ``matrices`` the
    numbers of tensors are put in, too."""
    slots = {slot: values[name] for slot, values in update.slots.items()}
    known = {**update.fields, **slots, "w": update.before[name], "g": update.gradients[name]}
    numbers_only = not any(map(np.ndim, update.before.values()))
    symbolic = _symbolic(update.rule, name, loss, tuple(update.before) if numbers_only else ())
    for place, (line, value) in enumerate(zip(update.rule.lines, update.terms[name], strict=True)):
        if line.together:
            numbers = _everywhere(update, line, place)
            at = line.together == "gradient"
            tree = None if numbers is None else _at(name, loss, numbers) if at else _norm(numbers)
            yield Explained(symbolic[place], tree, None, value)
        else:
            values = [known[one] for one in names(line.tree)]
            plain = matrices or not any(type(one) is not float and np.ndim(one) for one in values)
            yield Explained(symbolic[place], line.tree if plain else None, values, value)
        known[line.symbol] = value


def _everywhere(update: Update, line: Line, place: int) -> list[Term] | None:
    """What a line that looks at all parameters finds there: the last value before it of the symbol that it names."""
    (wanted,) = names(line.tree)
    assigned = [earlier for earlier in range(place) if update.rule.lines[earlier].symbol == wanted]
    found = [values[assigned[-1]] for values in update.terms.values()] if assigned else [*update.gradients.values()]
    return None if any(map(np.ndim, found)) else [Number(float(value)) for value in found]


@lru_cache(maxsize=4096)
def _symbolic(rule: Rule, name: str, loss: str, every: tuple[str, ...]) -> list[Symbolic]:
    """Each line of the rule for one parameter; ``every`` are all parameters, where they are single numbers."""
    letters: dict[str, Term] = {one: Name(one, letter=letter) for one, letter in LETTERS.items()}
    names_here: dict[str, Term] = {**letters, "w": Name(name), "g": _slope(loss, name)}
    found = []
    for line in rule.lines:
        if line.together == "gradient":
            right: Term = apply("at", _slope(loss, name), Name("ahead"))
        elif line.together == "norm":
            ahead = rule.looks_ahead
            right = _norm([Name("g", one) if ahead else _slope(loss, one) for one in every])
        else:
            right = substitute(line.tree, names_here)
        if line.symbol == "g":
            names_here["g"] = Name("g")
        symbol = name if line.symbol == "w" else line.symbol
        left = names_here.get(line.symbol, Name(line.symbol))
        found.append(Symbolic(symbol, left, right, TEXT.write(right), LATEX.write(right)))
    return found


def rule_document(rule: Rule) -> list[Document]:
    """A rule's lines with nothing put in: ``w`` for any parameter, ``g`` for its gradient."""
    letters: Mapping[str, Term] = {one: Name(one, letter=letter) for one, letter in LETTERS.items()}
    lines = []
    for line in rule.lines:
        right = substitute(line.tree, letters)
        if line.together == "gradient":
            right = apply("at", _slope("L", "w"), Name("ahead"))
        left = LATEX.write(letters.get(line.symbol, Name(line.symbol)))
        text = line.formula if line.together else TEXT.write(line.tree)
        lines.append({"symbol": line.symbol, "formula": text, "latex": LATEX.equation(left, LATEX.write(right), True)})
    return lines


def _slope(loss: str, name: str) -> Term:
    return Apply("partial", (Name(loss), Name(name)))


def _at(name: str, loss: str, place: list[Term]) -> Term:
    return Apply("at", (_slope(loss, name), *(place if len(place) <= _WRITTEN_OUT else [Name("ahead")])))


def _norm(gradients: list[Term]) -> Term:
    if not 0 < len(gradients) <= _WRITTEN_OUT:
        return apply("norm", Name("gradients"))
    total = apply("square", gradients[0])
    for gradient in gradients[1:]:
        total = apply("add", total, apply("square", gradient))
    return apply("sqrt", total)
