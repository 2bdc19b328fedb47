"""The optimiser's step as lines of a generated loop over numbers.

The parameter with index 3 is ``p3``, its slot ``m`` is ``m_3``, its gradient a text or a variable ``u3``, and where a
rule looks ahead, the place that it looks at is ``q3``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from api.engine.rules import Rule, Stage, written

_WORD = re.compile(r"\w+|-?[\d.e+-]+")
_GRADIENT = re.compile(r"\bg\b")


def carried(rule: Rule, indices: Sequence[int]) -> list[str]:
    """The variables that live from step to step: every parameter, then slot by slot every parameter's."""
    return [f"p{index}" for index in indices] + [f"{slot}_{index}" for slot in rule.slots for index in indices]


def is_word(text: str) -> bool:
    """Whether ``text`` is a variable or a number, so that it may stand anywhere and often."""
    return _WORD.fullmatch(text) is not None


def update_lines(rule: Rule, stage: Stage, gradients: Mapping[int, str]) -> Iterator[str]:
    """The lines of one stage for every parameter; ``gradients`` by the parameter's index, as texts."""
    texts = dict(gradients)
    if stage.together is not None and stage.together.together == "norm":
        for index, text in gradients.items():
            if not is_word(text):
                texts[index] = f"u{index}"
                yield f"u{index} = {text}"
        yield f"{stage.together.symbol} = hypot({', '.join(texts.values())})"
    uses = sum(len(_GRADIENT.findall(formula)) for _, formula in written(stage.lines, {}))
    for index, text in texts.items():
        if uses > 1 and not is_word(text):
            yield f"u{index} = {text}"
            text = f"u{index}"
        yield from _lines(rule, stage, index, text)


def _lines(rule: Rule, stage: Stage, index: int, gradient: str) -> Iterator[str]:
    called = {"w": f"p{index}", "g": gradient, "ahead": f"q{index}"}
    called |= {slot: f"{slot}_{index}" for slot in rule.slots}
    for line in stage.lines:
        ((symbol, formula),) = written((line,), called)
        if line.symbol == "g":
            called["g"] = symbol = "g"
        yield f"{symbol} = {formula}"
