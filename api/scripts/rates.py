"""The table of schedules as scripts write them: the learning rate after k finished epochs, or updates, line by line.

``base`` is the optimiser's own rate; the schedule's fields stand before the lines under their own names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from api.scripts.literals import number

Fields = Mapping[str, Any]
_HALF_WAVE = "return {end} + ({start} - {end}) * (1 + math.cos(math.pi * {share})) / 2"
_COSINE = _HALF_WAVE.format(start="base", end="eta_min", share="{share}")


def _cyclic(fields: Fields) -> list[str]:
    scale = {"triangular": "", "triangular2": " / 2**cycle", "exp_range": " * gamma**k"}[fields["mode"]]
    return [
        "cycle, place = divmod(k, step_size_up + step_size_down)",
        "if place <= step_size_up:",
        "    share = place / step_size_up",
        "else:",
        "    share = 1 - (place - step_size_up) / step_size_down",
        f"return base + (max_lr - base) * share{scale}",
    ]


def _one_cycle(fields: Fields) -> list[str]:
    legs = ["(0, peak, first, max_lr), (peak, total_steps - 1, max_lr, last)"]
    if fields["three_phase"]:
        legs = ["(0, peak, first, max_lr), (peak, back, max_lr, first), (back, total_steps - 1, first, last)"]
    wave = fields["anneal_strategy"] == "cos"
    return [
        "first = max_lr / div_factor",
        "last = first / final_div_factor",
        "peak = pct_start * total_steps - 1",
        *(["back = 2 * pct_start * total_steps - 2"] if fields["three_phase"] else []),
        f"legs = [{legs[0]}]",
        "start, end, low, high = next((leg for leg in legs if k <= leg[1]), legs[-1])",
        "share = min(1, (k - start) / (end - start)) if end > start else 1",
        _HALF_WAVE.format(start="low", end="high", share="share") if wave else "return low + (high - low) * share",
    ]


RATES: Mapping[str, list[str] | Callable[[Fields], list[str]]] = {
    "step": ["return base * gamma ** (k // step_size)"],
    "multistep": ["return base * gamma ** sum(milestone <= k for milestone in milestones)"],
    "exponential": ["return base * gamma**k"],
    "linear": [
        "share = min(k, total_iters) / total_iters",
        "return base * (start_factor + (end_factor - start_factor) * share)",
    ],
    "polynomial": ["return base * (1 - min(k, total_iters) / total_iters) ** power"],
    "cosine": [_COSINE.format(share="k / t_max")],
    "cosine_restarts": [
        "if t_mult == 1:",
        "    k %= t_0",
        "while k >= t_0:",
        "    k, t_0 = k - t_0, t_0 * t_mult",
        _COSINE.format(share="k / t_0"),
    ],
    "cyclic": _cyclic,
    "one_cycle": _one_cycle,
    "inverse_time": lambda fields: [
        f"return base / (1 + decay_rate * {'(k // decay_steps)' if fields['staircase'] else 'k / decay_steps'})"
    ],
    "warmup_cosine": [
        "if k < warmup_iters:",
        "    return base * (start_factor + (1 - start_factor) * k / warmup_iters)",
        _COSINE.format(share="(k - warmup_iters) / t_max"),
    ],
    "plateau": [],
}
"""By kind: the lines, or a function of the fields where these choose them. ``plateau`` has a class of its own."""

_SPENT = {"kind", "every", "mode", "three_phase", "anneal_strategy", "staircase"}
"""Fields that choose lines rather than stand in them."""

_PLATEAU = '''
class Plateau:
    """Makes the learning rate smaller when {patience} epochs in a row have had no better mean loss."""

    best, waited, resting, reductions = {state}

    def rate(self, reductions):
        """The learning rate after so many reductions."""
        return max({base} * {factor}**reductions, {min_lr}) if reductions else {base}

    def watch(self, loss):
        """At the end of an epoch with this mean loss."""
        if {better}:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        if self.resting > 0:
            self.resting, self.waited = self.resting - 1, 0
        if self.waited > {patience}:
            self.waited, self.resting = 0, {cooldown}
            if self.rate(self.reductions) - self.rate(self.reductions + 1) > {eps}:
                self.reductions += 1


plateau = Plateau()
'''


def rate(schedule: Fields, base: float) -> list[str]:
    """The function ``rate(k)`` of any schedule but ``constant`` and ``plateau``."""
    every = "updates" if schedule["every"] == "update" else "epochs"
    fields = {name: value for name, value in schedule.items() if name not in _SPENT}
    if schedule["kind"] == "cyclic":
        fields["step_size_down"] = fields["step_size_down"] or fields["step_size_up"]
    row = RATES[schedule["kind"]]
    lines = row(schedule) if callable(row) else row
    given = {"base": base, **fields}
    read = {name: _text(value) for name, value in given.items() if re.search(rf"\b{name}\b", "\n".join(lines))}
    body = [f"    {', '.join(read)} = {', '.join(read.values())}", *(f"    {line}" for line in lines)]
    title = f'    """The learning rate after k finished {every}, as the schedule {schedule["kind"]} has it."""'
    return ["def rate(k):", title, *body]


def plateau(schedule: Fields, base: float, memory: tuple[float, ...] | None) -> list[str]:
    """The class ``Plateau`` and the one object of it; ``memory`` is what it remembers, None at the beginning."""
    sign = schedule["mode"] == "min"
    threshold = _text(schedule["threshold"])
    if schedule["threshold_mode"] == "rel":
        better = f"loss < self.best * (1 - {threshold})" if sign else f"loss > self.best * (1 + {threshold})"
    else:
        better = f"loss < self.best - {threshold}" if sign else f"loss > self.best + {threshold}"
    best, *counts = memory or ((1 if sign else -1) * float("inf"), 0, 0, 0)
    state = ", ".join([number(best), *(str(int(count)) for count in counts)])
    fields = {name: _text(schedule[name]) for name in ("factor", "min_lr", "patience", "cooldown", "eps")}
    return _PLATEAU.strip("\n").format(better=better, state=state, base=_text(base), **fields).split("\n")


def _text(value: Any) -> str:
    return number(value) if isinstance(value, float) else repr(value)
