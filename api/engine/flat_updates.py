"""The optimiser's step as lines of a generated loop over arrays, for vectors that hold many parameters (``flat``).

Of group 0, ``w_0`` are the parameters, ``g_0`` their gradients, ``x_0`` the place that a rule looks ahead at, ``m_0``
the slot ``m``; ``p3``, ``g3`` and ``q3`` are the parts of the node with index 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from api.engine.flat import Groups, Part
from api.engine.graph import Graph
from api.engine.rules import Rule, Stage, written
from api.engine.workspace import Place, Workspace

_GRADIENT = re.compile(r"\bg\b")


class FlatUpdates:
    """Names the ``vectors`` and ``numbers`` of a ``Flat``, gives the ``parameters``' and ``gradients``' places by node,
    and writes the update."""

    def __init__(self, graph: Graph, rule: Rule, groups: Groups, space: Workspace, used: Collection[int]) -> None:
        self.rule = rule
        self.space = space
        self.parameters: dict[int, Place] = {}
        self.gradients: dict[int, Place] = {}
        self.ahead: dict[int, Place] = {}
        self.vectors: list[str] = []
        self.numbers: list[str] = []
        indices = [graph.index[name] for name in graph.parameters]
        self.complete = all(index in used for index in indices)
        """Whether every gradient is written anew in every turn; else some are the zeros of the beginning."""
        self.names = [self._group(number, parts, indices) for number, parts in enumerate(groups)]
        self.numbers += ["spoilt"] if rule.hides else []

    def _group(self, number: int, parts: Sequence[Part], indices: Sequence[int]) -> dict[str, Place]:
        """What the rule's names stand for in one group, and the parts of its vectors."""
        rule, shape = self.rule, (parts[-1].last,)
        names = {field: Place(field) for field in rule.reads}
        names |= {"w": Place(f"w_{number}", shape), "g": self.space.fixed(f"zeros({shape})", shape, True)}
        self.vectors.append(f"w_{number}")
        if rule.looks_ahead:
            names["ahead"] = self.space.buffer(shape)
        for slot in rule.slots:
            single = slot in rule.single
            names[slot] = Place(f"{slot}_{number}", None if single else shape)
            (self.numbers if single else self.vectors).append(names[slot].text)
        for part in parts:
            index = indices[part.position]
            self.parameters[index] = self._part(part, names["w"])
            self.gradients[index] = self._part(part, names["g"])
            if rule.looks_ahead:
                self.ahead[index] = self._part(part, names["ahead"])
        return names

    def _part(self, part: Part, vector: Place) -> Place:
        return self.space.view(vector, f"{{}}[{part.first}:{part.last}].reshape({part.shape})", part.shape, True)

    def write(self, look_ahead: Callable[[], None]) -> None:
        """The update, once the gradients are there; ``look_ahead`` writes them again where the rule looks."""
        body = self.space.body
        if self.rule.hides:
            body += [f"spoilt += trace({names['g'].text})" for names in self.names]
        for place, stage in enumerate(self.rule.stages):
            together = stage.together
            if together is not None and together.together == "gradient":
                look_ahead()
            elif together is not None:
                sizes = ", ".join(f"length({gradient.text})" for gradient in self.gradients.values())
                body.append(f"{together.symbol} = hypot({sizes})")
                for names in self.names:
                    names[together.symbol] = Place(together.symbol)
            later = self.rule.stages[place + 1 :]
            needed = any(
                following.together or any(_reads(line.formula) for line in following.lines) for following in later
            )
            for number, names in enumerate(self.names):
                self._stage(stage, number, names, needed)

    def _stage(self, stage: Stage, number: int, names: dict[str, Place], needed: bool) -> None:
        """One group's lines; the last that reads the gradient may write over it, unless it is ``needed`` later."""
        lines = list(written(stage.lines, {}, arrays=True))
        for place, (symbol, formula) in enumerate(lines):
            last = not needed and symbol != "g" and not any(_reads(text) for _, text in lines[place + 1 :])
            spent = last and self.complete and len(_GRADIENT.findall(formula)) == 1
            here = names | {"g": names["g"]._replace(use="spent")} if spent else names
            self._line(symbol, formula, number, names, here)

    def _line(self, symbol: str, formula: str, number: int, names: dict[str, Place], here: dict[str, Place]) -> None:
        own = names.get(symbol)
        if own is not None and own.shape is not None:
            self.space.calculated(formula, here, own)
            return
        found = self.space.calculated(formula, here)
        if found.shape is None:
            names[symbol] = Place(f"{symbol}_{number}")
            self.space.body.append(f"{symbol}_{number} = {found.text}")
        elif found.use == "kept":
            names[symbol] = self.space.copied(found, self.space.buffer(found.shape))
        else:
            names[symbol] = found._replace(use="kept")


def _reads(formula: str) -> bool:
    return _GRADIENT.search(formula) is not None
