"""Graph → straight-line Python for bulk runs, with the same kernels in the same order as the recording evaluators.

The generated function trains over many batches of the same size and keeps their losses:

    def train(p0, p3, p7, batches, keep, learning_rate):
        for d1_0, d4_0, d9_0 in batches:                  # one batch, its rows one after the other
            v8_0 = (((p0 * d1_0) + (p3 * d4_0)) + p7)
            v10_0 = (v8_0 - d9_0)
            keep((v10_0 * v10_0))
            g10_0 = (2.0 * v10_0)
            p0 = p0 - learning_rate * (g10_0 * d1_0)
            …
        return p0, p3, p7

Values that are used once are written where they are used. A factor of 1.0 is left out, which changes no bit. Small
batches have their rows unrolled, and where the same few batches come again and again, a whole round of them, for long
runs with their numbers in place of the variables; larger ones are looped over, with sums that start at −0.0 as
``forward.total`` does.

An optimiser's slots are more variables, ``m_0`` the slot ``m`` of ``p0``. A rule that looks ahead has a second forward
and backward pass, at ``q0``, ``q3``, … Where the learning rate changes on the way, each batch comes with its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from api.engine.graph import Graph, Node, Role
from api.engine.ops import ELEMENTWISE
from api.engine.rules import SPACE, Rule
from api.engine.updates import carried, is_word, update_lines

UNROLLED = 600
"""Rows × operations up to which a batch's rows are unrolled."""
_LONGEST_LINE = 160
_PARAMETER = re.compile(r"\bp\d")
_MOVES = re.compile(r"\b[pv]\d+\b")
"""What has another value in the next batch of a round: parameters and values without rows."""
_LETTER = re.compile(r"\b([abcy])\b")

Train = Callable[..., tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Trainer:
    """A compiled training loop for batches of one size.

    ``train(*parameters, *slots, batches, keep, **fields)`` calls ``keep(loss)`` for every batch, or ``keep((loss, …))``
    for every ``round`` of more than one, and gives the new parameters in the order of ``graph.parameters``, then each
    slot's values in the same order, as they were taken, and last, if the ``rule`` hides gradients, a number that is
    not finite if one of those was not. A batch is, where ``unrolled``, one flat sequence of its rows' values (a round:
    of all its rows'), else a sequence of rows; a row holds the values of ``columns`` in that order. Where
    ``scheduled``, the field ``learning_rate`` is a sequence with one for each batch.
    """

    train: Train
    columns: tuple[str, ...]
    unrolled: bool
    text: str
    round: int = 1


def cost(graph: Graph, rows: int) -> int:
    """Roughly how many operations one step takes."""
    batched = sum(node.batched for node in graph.active)
    return max(1, len(graph.active) - batched + rows * batched)


def columns(graph: Graph) -> tuple[int, ...]:
    """The placeholders that a training loop is fed, in this order."""
    used = {operand for node in graph.active for operand in node.operands}
    return tuple(index for index in sorted(used) if graph.nodes[index].role is Role.PLACEHOLDER)


def rounded(graph: Graph, rows: int, round: int, scheduled: bool) -> int:
    """How many batches at a time a loop takes that may take ``round``: as many, or 1."""
    return round if cost(graph, rows) * round <= UNROLLED and not scheduled else 1


@lru_cache(maxsize=512)
def trainer(
    graph: Graph,
    rows: int,
    rule: Rule,
    round: int = 1,
    scheduled: bool = False,
    always: tuple[float, ...] | None = None,
) -> Trainer:
    """The training loop of ``graph`` for batches of ``rows`` rows, ``round`` batches at a time if those are few.

    Where every round is the same, ``always`` are its numbers, row after row: then they are part of the loop, which is
    fed nothing but one item for each round.
    """
    unrolled = cost(graph, rows) <= UNROLLED
    round = rounded(graph, rows, round, scheduled)
    writer = _Writer(graph, rows, unrolled, rule, round, always=always)
    text = writer.function(scheduled)
    space = dict(SPACE)
    exec(compile(text, "<generated training loop>", "exec"), space)  # noqa: S102 - made here from a checked graph
    train: Train = space["train"]  # type: ignore[assignment]
    return Trainer(train, tuple(graph.nodes[index].id for index in writer.fed), unrolled, text, round)


@dataclass
class _Writer:
    """Writes one function; ``lines`` is its body so far, ``known`` what stands for each value or gradient."""

    graph: Graph
    rows: int
    unrolled: bool
    rule: Rule
    round: int = 1
    always: tuple[float, ...] | None = None
    letter: str = "p"
    """Of the parameters' variables: ``q`` while looking ahead."""
    losses: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    indent: str = "        "

    def __post_init__(self) -> None:
        graph = self.graph
        self.active = graph.active
        self.fed = columns(graph)
        self.trained = graph.trained
        self.uses = self._count_uses()

    def _count_uses(self) -> dict[str, int]:
        """How often each value's and each gradient's text will be needed for one row."""
        uses: dict[str, int] = {}

        def count(text: str, letters: dict[str, str]) -> None:
            for letter in _LETTER.findall(text):
                if letter in letters:
                    uses[letters[letter]] = uses.get(letters[letter], 0) + 1

        for node in self.active:
            letters = dict(zip("ab", (f"v{operand}" for operand in node.operands), strict=False))
            if node.op not in ELEMENTWISE:
                uses[f"v{node.operands[0]}"] = uses.get(f"v{node.operands[0]}", 0) + 1
                continue
            count(ELEMENTWISE[node.op].forward, letters)
            for place, operand in enumerate(node.operands):
                if operand in self.trained:
                    uses[f"g{node.index}"] = uses.get(f"g{node.index}", 0) + 1
                    count(ELEMENTWISE[node.op].partials[place], letters | {"y": f"v{node.index}"})
        return uses

    # the function

    def function(self, scheduled: bool) -> str:
        graph, rule = self.graph, self.rule
        variables = carried(rule, [graph.index[name] for name in graph.parameters])
        head = f"def train({', '.join([*variables, 'batches', 'keep', *sorted(rule.reads)])}):\n"
        head += "    spoilt = 0.0\n" if rule.hides else ""
        for batch in range(self.round):
            self._step(batch)
        if self.round > 1:
            self.lines.append(f"{self.indent}keep(({', '.join(self.losses)}))")
        target = self._target() if self.fed and self.always is None else "_"
        loop = f"learning_rate, ({target}) in zip(learning_rate, batches)" if scheduled else f"{target} in batches"
        body = "".join(f"{line}\n" for line in self.lines)
        result = "".join(f"{name}, " for name in [*variables, *(["spoilt"] if rule.hides else [])]).rstrip()
        return f"{head}    for {loop}:\n{body}    return ({result})\n"

    def _step(self, batch: int) -> None:
        """One batch: forward, backward, update."""
        self._passes(batch)
        gradients = self._own_gradients()
        if self.rule.hides:
            self.lines += [f"{self.indent}spoilt += 0.0 * {text}" for text in gradients.values()]
        for stage in self.rule.stages:
            if stage.together is not None and stage.together.together == "gradient":
                self.letter = "q"
                self._passes(batch)
                self.letter, gradients = "p", self._own_gradients()
            self.lines += [self.indent + line for line in update_lines(self.rule, stage, gradients)]

    def _passes(self, batch: int) -> None:
        """Forward and backward, at the parameters or where the rule looks ahead."""
        self.known.clear()
        for node in self.active:
            if not node.batched and node.index != self.graph.loss:
                self._forward(node, None)
        sums = self._rows(batch) if self.graph.rows is not None else {}
        self._unbatched_backward(sums)

    def _target(self) -> str:
        if not self.unrolled:
            return "batch"
        names = [f"d{index}_{row}" for row in range(self.rows * self.round) for index in self.fed]
        return ", ".join(names) + ("," if len(names) == 1 else "")

    # values and gradients by name

    def _value(self, index: int, row: str | None) -> str:
        node = self.graph.nodes[index]
        if node.role is Role.PARAMETER:
            return f"{self.letter}{index}"
        if node.role is Role.PLACEHOLDER and self.always is not None:
            return _literal(self.always[int(row or 0) * len(self.fed) + self.fed.index(index)])
        if node.role is Role.PLACEHOLDER:
            return f"d{index}_{row}"
        if node.op is None:
            return _literal(node.constant or 0.0)
        return self.known[f"v{index}" + (f"_{row}" if node.batched else "")]

    def _define(self, name: str, text: str, uses: int) -> None:
        """Let ``name`` stand for ``text``: written in place where used once, else given a variable."""
        if (uses <= 1 and len(text) <= _LONGEST_LINE) or is_word(text):
            self.known[name] = text
        else:
            self.lines.append(f"{self.indent}{name} = {text}")
            self.known[name] = name

    def _text(self, template: str, node: Node, row: str | None) -> str:
        """An operation's text with this node's operands put in."""
        static = "" if node.constant is None else _literal(node.constant)

        def letter(match: re.Match[str]) -> str:
            if match[1] == "c":
                return static
            return self._value(node.index if match[1] == "y" else node.operands["ab".index(match[1])], row)

        return _LETTER.sub(letter, template)

    def _forward(self, node: Node, row: str | None) -> None:
        suffix = f"_{row}" if node.batched else ""
        operands = [self._value(operand, row) for operand in node.operands]
        if node.op == "multiply" and "1.0" in operands:
            text = operands[operands[0] == "1.0"]
        else:
            text = f"({self._text(ELEMENTWISE[str(node.op)].forward, node, row)})"
        self._define(f"v{node.index}{suffix}", text, self.uses.get(f"v{node.index}", 0))

    def _share(self, node: Node, place: int, gradient: str, row: str | None) -> str:
        """∂L/∂node · ∂node/∂operand, without factors of one."""
        factor = self._text(ELEMENTWISE[str(node.op)].partials[place], node, row)
        if factor == "1.0":
            return gradient
        if factor == "-1.0":
            return f"(-{gradient})"
        return f"({factor})" if gradient == "1.0" else f"({gradient} * ({factor}))"

    # the rows of a batch

    def _rows(self, batch: int) -> dict[tuple[int, int], str]:
        """Forward and backward for every row; what each (node, operand place) hands to an operand without rows."""
        graph = self.graph
        batched = [node for node in self.active if node.batched]
        rows_name = f"v{graph.rows}"
        count = float(self.rows)
        seed = 1.0 / count if graph.nodes[graph.loss].op == "mean_rows" else 1.0
        sums: dict[tuple[int, int], list[str]] = {}
        losses: list[str] = []
        outer = self.indent
        if not self.unrolled:
            self._open_loop()
        first = batch * self.rows
        for row in map(str, range(first, first + self.rows) if self.unrolled else range(1)):
            for node in batched:
                self._forward(node, row)
            losses.append(self.known[f"{rows_name}_{row}"])
            for key, text in self._row_backward(batched, row, _literal(seed)).items():
                sums.setdefault(key, []).append(text)
        if self.unrolled:
            total = " + ".join(losses)
            self._keep(total, count)
            return {key: self._sum(key, texts) for key, texts in sums.items()}
        self.lines.append(f"{self.indent}loss += {losses[0]}")
        for (user, place), texts in sums.items():
            self.lines.append(f"{self.indent}s{user}_{place} += {texts[0]}")
        self.indent = outer
        starts = " = ".join(["loss", *(f"s{user}_{place}" for user, place in sums)])
        self.lines.insert(self._loop_at, f"{outer}{starts} = -0.0")
        self._keep("loss", count)
        return {(user, place): f"s{user}_{place}" for user, place in sums}

    def _open_loop(self) -> None:
        self._loop_at = len(self.lines)
        target = ", ".join(f"d{index}_0" for index in self.fed) + ("," if len(self.fed) == 1 else "")
        self.lines.append(f"{self.indent}for {target} in batch:")
        self.indent += "    "

    def _sum(self, key: tuple[int, int], texts: list[str]) -> str:
        name = f"s{key[0]}_{key[1]}"
        self._define(name, f"({' + '.join(texts)})" if len(texts) > 1 else texts[0], 1 if len(texts) == 1 else 2)
        return self.known[name]

    def _keep(self, total: str, count: float) -> None:
        mean = self.graph.nodes[self.graph.loss].op == "mean_rows" and count != 1
        loss = f"({total}) / {_literal(count)}" if mean else total
        self._kept(loss)

    def _kept(self, loss: str) -> None:
        if self.letter == "q":
            return
        if self.round == 1:
            self.lines.append(f"{self.indent}keep({loss})")
            return
        if self.rule.looks_ahead or _MOVES.search(loss):
            self.lines.append(f"{self.indent}l{len(self.losses)} = {loss}")
            loss = f"l{len(self.losses)}"
        self.losses.append(loss)

    def _row_backward(self, batched: list[Node], row: str, seed: str) -> dict[tuple[int, int], str]:
        graph = self.graph
        gradients: dict[int, str] = {graph.rows if graph.rows is not None else graph.loss: seed}
        out: dict[tuple[int, int], str] = {}
        for node in reversed(batched):
            if node.index not in self.trained or node.index not in gradients:
                continue
            self._define(f"g{node.index}_{row}", gradients[node.index], self.uses.get(f"g{node.index}", 0))
            gradient = self.known[f"g{node.index}_{row}"]
            for place, operand in enumerate(node.operands):
                if operand not in self.trained:
                    continue
                share = self._share(node, place, gradient, row)
                if not graph.nodes[operand].batched:
                    out[node.index, place] = share
                else:
                    self._accumulate(gradients, operand, share, f"_{row}")
        return out

    def _accumulate(self, gradients: dict[int, str], operand: int, share: str, suffix: str = "") -> None:
        """Add a share to a gradient; what grows too long for one line goes on in a variable."""
        text = f"({gradients[operand]} + {share})" if operand in gradients else share
        if len(text) > _LONGEST_LINE:
            self.lines.append(f"{self.indent}a{operand}{suffix} = {text}")
            text = f"a{operand}{suffix}"
        gradients[operand] = text

    # what has no rows

    def _unbatched_backward(self, sums: dict[tuple[int, int], str]) -> None:
        """Add up the shares of everything without rows, in the order in which ``backpropagate`` visits them."""
        graph = self.graph
        self.gradients: dict[int, str] = {}
        if graph.rows is None:
            self.gradients[graph.loss] = "1.0"
            self._loss_without_rows()
        for node in reversed(self.active):
            if node.index not in self.trained or node.op in ("mean_rows", "sum_rows"):
                continue
            for place, operand in enumerate(node.operands):
                if operand not in self.trained or graph.nodes[operand].batched:
                    continue
                if node.batched:
                    share = sums[node.index, place]
                else:
                    share = self._share(node, place, self._gradient(node.index), None)
                self._accumulate(self.gradients, operand, share)

    def _gradient(self, index: int) -> str:
        name = f"g{index}"
        if name not in self.known:
            self._define(name, self.gradients[index], self.uses.get(name, 0))
        return self.known[name]

    def _loss_without_rows(self) -> None:
        loss = self.graph.nodes[self.graph.loss]
        if loss.op is not None:
            self._forward(loss, None)
        self._kept(self._value(loss.index, None))

    def _own_gradients(self) -> dict[int, str]:
        """Each parameter's gradient; one that names parameters is worked out now, before any of them moves."""
        found: dict[int, str] = {}
        for index in (self.graph.index[name] for name in self.graph.parameters):
            text = self.gradients.get(index, "0.0")
            if _PARAMETER.search(text):
                self.lines.append(f"{self.indent}u{index} = {text}")
                text = f"u{index}"
            found[index] = text
        return found


def _literal(value: float) -> str:
    return repr(value) if value >= 0 and str(value)[0] != "-" else f"({value!r})"
