"""The optimiser's rule written out as a function: one parameter's step, line by line as in the table of optimisers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.engine.notation import ATOM, CASES, PRODUCT, UNARY, Piece, Script
from api.engine.optimizers import OPTIMIZERS
from api.engine.rules import Line, Rule
from api.engine.terms import Apply, Term, names
from api.scripts.literals import number
from api.scripts.repetition import Repetition
from api.scripts.target import Target

Numbers = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Library:
    """How a library writes what rules call; each is a template in its arguments. ``traced`` says that a condition is
    never Python's own there, because its values are not known when the line is read."""

    functions: Mapping[str, str]
    where: str
    clipped: str
    traced: bool = False


def _functions(module: str) -> dict[str, str]:
    return {name: f"{module}.{name}({{}})" for name in ("sqrt", "abs", "sign", "maximum", "minimum")}


LIBRARIES = {
    "numpy": Library(_functions("np"), "np.where({}, {}, {})", "np.clip(g, -{0}, {0})"),
    "pytorch": Library(_functions("torch"), "torch.where({}, {}, {})", "torch.clamp(g, -{0}, {0})"),
    "jax": Library(_functions("jnp"), "jnp.where({}, {}, {})", "jnp.clip(g, -{0}, {0})", True),
    "tensorflow": Library(_functions("tf"), "tf.where({}, {}, {})", "tf.clip_by_value(g, -{0}, {0})", True),
}
_CLIPPED = "minimum(maximum(g, -clip_value), clip_value)"


class _Script(Script):
    """A rule's formulas in one library; ``shaped`` are the names that stand for arrays."""

    def __init__(self, library: Library, shaped: frozenset[str]) -> None:
        super().__init__()
        self.library, self.shaped, self.single = library, shaped, False

    def line(self, line: Line) -> str:
        """One line, as an assignment."""
        if line.formula == _CLIPPED:
            return f"g = {self.library.clipped.format('clip_value')}"
        tree = line.tree
        self.single = not self.shaped & set(_condition(tree))
        return f"{line.symbol} = {self.write(tree)}"

    def times(self, left: str, right: str, sign: str) -> str:
        del sign
        return f"{left} * {right}"

    def fraction(self, above: Piece, below: Piece) -> Piece:
        over = self.bracket(above.text) if above.binds < PRODUCT else above.text
        under = self.bracket(below.text) if below.binds <= UNARY else below.text
        return Piece(f"{over} / {under}", PRODUCT)

    def call(self, function: str, arguments: Sequence[str]) -> str:
        if function == "minimum" and arguments[1] == "1" and "torch" in self.library.where:
            return f"torch.clamp({arguments[0]}, max=1)"
        return self.library.functions[function].format(", ".join(arguments))

    def cases(self, condition: str, then: str, otherwise: str) -> Piece:
        if self.single and not self.library.traced:
            return Piece(f"{then} if {condition} else {otherwise}", CASES)
        return Piece(self.library.where.format(condition, then, otherwise), ATOM)


def _condition(tree: Term) -> list[str]:
    """The names in the condition of a formula that has one."""
    if not isinstance(tree, Apply):
        return []
    if tree.operation == "where":
        return names(tree.arguments[0])
    return [name for argument in tree.arguments for name in _condition(argument)]


def shaped_in(rule: Rule) -> frozenset[str]:
    """The symbols of a rule that have a parameter's shape."""
    shaped = {"w", "g"}
    for _ in rule.lines:
        shaped |= {
            line.symbol
            for line in rule.lines
            if line.together != "norm" and line.symbol != "norm" and (shaped & set(names(line.tree)) or line.together)
        }
    return frozenset(shaped)


@dataclass(frozen=True, slots=True)
class Written:
    """A rule as text: ``function`` is one parameter's step, called ``call``, if there is one to take.

    What it takes besides w and g are ``more`` and the ``slots``. ``ahead`` is where the gradient is taken, if that is
    not at w; ``norm`` says that the norm of all gradients is among ``more``.
    """

    function: list[str]
    call: str
    more: tuple[str, ...]
    slots: tuple[str, ...]
    ahead: str
    norm: bool


def written(rule: Rule, kind: str, title: str, fields: Numbers, target: str) -> Written:
    """The rule of an optimiser for a target's library."""
    script = _Script(LIBRARIES[target], shaped_in(rule))
    own = rule.stages[-1].lines
    ahead = next((line.tree for line in rule.stages[0].lines if rule.looks_ahead), None)
    more = tuple(name for name in ("learning_rate", "norm") if any(name in names(line.tree) for line in own))
    arguments = ", ".join(["w", "g", *more, *rule.slots])
    result = ", ".join(["w", *rule.slots])
    constants = {name: value for name, value in fields.items() if name != "learning_rate"}
    head = [f"{', '.join(constants)} = {', '.join(map(number, constants.values()))}", "", ""] if constants else []
    function = [
        *head,
        f"def {kind}_step({arguments}):",
        f'    """{title}: one parameter\'s step."""',
        *(f"    {script.line(line)}" for line in own),
        f"    return {result}",
    ]
    norm = any(line.together == "norm" for line in rule.lines)
    return Written(function, f"{kind}_step", more, rule.slots, "" if ahead is None else script.write(ahead), norm)


def rule_of(repetition: Repetition, target: Target) -> Written:
    """The rule of a repetition's optimiser in a target's library."""
    definition = repetition.definition
    if not definition.names:
        return Written(["# There is none: without parameters nothing is moved."], "", (), (), "", False)
    optimizer = definition.optimizer
    row = OPTIMIZERS[optimizer["kind"]]
    title = f"{row.title} as in the dialect {optimizer['dialect']}" if len(row.dialects) > 1 else row.title
    return written(definition.rule, optimizer["kind"], title, definition.fields, target.name)
