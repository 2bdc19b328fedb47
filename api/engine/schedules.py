"""The table of schedules: the learning rate as a function of the finished epochs, or updates.

A row's ``rate`` takes ``k``, the number of finished epochs (or updates, as ``every`` says) since the session's step 0,
the base rate and the row's fields. So a rate belongs to a step for good: undo, forks and runs need no state for it.
Only ``plateau`` looks at losses, and keeps a ``Plateau``.

Names and defaults are PyTorch's in lower case. Rates are given in closed form; torch multiplies from step to step,
which agrees but for rounding. Its cyclic and one-cycle schedules also move the momentum; here it stays
(``cycle_momentum=False``).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from api.engine.errors import InvalidInput
from api.engine.fields import NEEDED, Field, read
from api.engine.ops import power
from api.engine.wording import near_miss, shown

Fields = Mapping[str, Any]
EVERY = Field("every", "epoch", "choice", choices=("epoch", "update"))


@dataclass(frozen=True, slots=True)
class Schedule:
    """One row: ``latex`` is the rate η_k, with η the base rate."""

    kind: str
    title: str
    fields: tuple[Field, ...]
    rate: Callable[[int, float, Fields], float]
    latex: str
    source: str


class Plateau(NamedTuple):
    """What ``plateau`` remembers: the best loss, epochs without a better one, epochs of rest left, reductions made."""

    best: float
    waited: float = 0.0
    resting: float = 0.0
    reductions: float = 0.0


def _constant(_k: int, base: float, _fields: Fields) -> float:
    return base


def _step(k: int, base: float, fields: Fields) -> float:
    return base * power(fields["gamma"], k // fields["step_size"])


def _multistep(k: int, base: float, fields: Fields) -> float:
    return base * power(fields["gamma"], bisect_right(sorted(fields["milestones"]), k))


def _exponential(k: int, base: float, fields: Fields) -> float:
    return base * power(fields["gamma"], k)


def _linear(k: int, base: float, fields: Fields) -> float:
    start, end, total = fields["start_factor"], fields["end_factor"], fields["total_iters"]
    return float(base * (start + (end - start) * min(total, k) / total))


def _polynomial(k: int, base: float, fields: Fields) -> float:
    total = fields["total_iters"]
    return base * power(1.0 - min(total, k) / total, fields["power"])


def _half_wave(start: float, end: float, share: float) -> float:
    """From ``start`` to ``end`` on half a cosine wave, ``share`` of the way."""
    return end + (start - end) * (1.0 + math.cos(math.pi * share)) / 2.0


def _cosine(k: int, base: float, fields: Fields) -> float:
    return _half_wave(base, fields["eta_min"], k / fields["t_max"])


def _cosine_restarts(k: int, base: float, fields: Fields) -> float:
    length = fields["t_0"]
    if fields["t_mult"] == 1:
        k %= length
    while k >= length:
        k, length = k - length, length * fields["t_mult"]
    return _half_wave(base, fields["eta_min"], k / length)


def _cyclic(k: int, base: float, fields: Fields) -> float:
    up = fields["step_size_up"]
    total = up + (fields["step_size_down"] or up)
    cycle, ratio = 1 + k // total, up / total
    place = (k % total) / total
    share = place / ratio if place <= ratio else (place - 1.0) / (ratio - 1.0)
    scale = {"triangular": 1.0, "triangular2": power(0.5, cycle - 1), "exp_range": power(fields["gamma"], k)}
    return float(base + (fields["max_lr"] - base) * share * scale[fields["mode"]])


def _one_cycle(k: int, _base: float, fields: Fields) -> float:
    total, top = fields["total_steps"], fields["max_lr"]
    first = top / fields["div_factor"]
    peak, last = fields["pct_start"] * total - 1.0, first / fields["final_div_factor"]
    legs = [(0.0, peak, first, top), (peak, total - 1.0, top, last)]
    if fields["three_phase"]:
        back = 2.0 * fields["pct_start"] * total - 2.0
        legs = [legs[0], (peak, back, top, first), (back, total - 1.0, first, last)]
    start, end, low, high = next((leg for leg in legs if k <= leg[1]), legs[-1])
    share = min(1.0, (k - start) / (end - start)) if end > start else 1.0
    return _half_wave(low, high, share) if fields["anneal_strategy"] == "cos" else (high - low) * share + low


def _inverse_time(k: int, base: float, fields: Fields) -> float:
    share = min(k / fields["decay_steps"], _FAR)
    return float(base / (1.0 + fields["decay_rate"] * (math.floor(share) if fields["staircase"] else share)))


def _warmup_cosine(k: int, base: float, fields: Fields) -> float:
    warm, start = fields["warmup_iters"], fields["start_factor"]
    if k < warm:
        return float(base * (start + (1.0 - start) * k / warm))
    return _half_wave(base, fields["eta_min"], (k - warm) / fields["t_max"])


_FAR = 1e18  # so many decays that no rate is left; more might not be whole
_GAMMA = Field("gamma", 0.1)
_MINIMUM = Field("eta_min", 0.0)
_TORCH = "torch.optim.lr_scheduler."
_COSINE = r"\eta_{\min} + \tfrac{1}{2} (\eta - \eta_{\min}) (1 + \cos(\pi %s))"


def _whole(name: str, default: Any = NEEDED, low: float = 1) -> Field:
    return Field(name, default, kind="whole", low=low)


def _share(name: str, default: Any = NEEDED, open: str = "") -> Field:
    return Field(name, default, high=1.0, open=open)


_TABLE = (
    Schedule("constant", "Constant", (), _constant, r"\eta_k = \eta", "no scheduler"),
    Schedule(
        "step", "Decay every few epochs", (_whole("step_size"), _GAMMA), _step,
        r"\eta_k = \eta \gamma^{\lfloor k / \mathrm{step\_size} \rfloor}", _TORCH + "StepLR",
    ),
    Schedule(
        "multistep", "Decay at milestones", (Field("milestones", kind="wholes"), _GAMMA), _multistep,
        r"\eta_k = \eta \gamma^{|\{m \in \mathrm{milestones} : m \le k\}|}", _TORCH + "MultiStepLR",
    ),
    Schedule(
        "exponential", "Exponential decay", (Field("gamma"),), _exponential,
        r"\eta_k = \eta \gamma^k", _TORCH + "ExponentialLR",
    ),
    Schedule(
        "linear", "Linear from one factor to another",
        (_share("start_factor", 1 / 3, open="("), _share("end_factor", 1.0), _whole("total_iters", 5)), _linear,
        r"\eta_k = \eta \left(s + (e - s) \frac{\min(k, n)}{n}\right), \quad s = \mathrm{start\_factor},\ "
        r"e = \mathrm{end\_factor},\ n = \mathrm{total\_iters}", _TORCH + "LinearLR",
    ),
    Schedule(
        "polynomial", "Polynomial decay to zero", (_whole("total_iters", 5), Field("power", 1.0)), _polynomial,
        r"\eta_k = \eta \left(1 - \frac{\min(k, n)}{n}\right)^p, \quad n = \mathrm{total\_iters},\ p = \mathrm{power}",
        _TORCH + "PolynomialLR",
    ),
    Schedule(
        "cosine", "Cosine annealing", (_whole("t_max"), _MINIMUM), _cosine,
        r"\eta_k = " + _COSINE % r"k / t_{\max}", _TORCH + "CosineAnnealingLR",
    ),
    Schedule(
        "cosine_restarts", "Cosine annealing with warm restarts", (_whole("t_0"), _whole("t_mult", 1), _MINIMUM),
        _cosine_restarts,
        r"\eta_k = " + _COSINE % r"t / T_i" + r", \quad T_i = t_0 t_{\mathrm{mult}}^i,\ t = k - \sum_{j < i} T_j < T_i",
        _TORCH + "CosineAnnealingWarmRestarts",
    ),
    Schedule(
        "plateau", "Reduce on a plateau",
        (
            Field("mode", "min", "choice", choices=("min", "max")), _share("factor", 0.1, open=")"),
            _whole("patience", 10, low=0), Field("threshold", 1e-4),
            Field("threshold_mode", "rel", "choice", choices=("rel", "abs")), _whole("cooldown", 0, low=0),
            Field("min_lr", 0.0), Field("eps", 1e-8),
        ),
        _constant,
        r"\eta_k = \max(\eta\, \mathrm{factor}^r, \mathrm{min\_lr}), \quad r\ \text{grows by one when more than "
        r"patience epochs in a row have no better mean loss}", _TORCH + "ReduceLROnPlateau",
    ),
    Schedule(
        "cyclic", "Cyclic",
        (
            Field("max_lr"), _whole("step_size_up", 2000), _whole("step_size_down", None),
            Field("mode", "triangular", "choice", choices=("triangular", "triangular2", "exp_range")),
            Field("gamma", 1.0),
        ),
        _cyclic,
        r"\eta_k = \eta + (\mathrm{max\_lr} - \eta)\, x_k s_k, \quad x_k\ \text{from 0 to 1 over step\_size\_up and "
        r"back over step\_size\_down},\ s_k = 1,\ 2^{1 - \mathrm{cycle}}\ \text{or}\ \gamma^k\ \text{by mode}",
        _TORCH + "CyclicLR(cycle_momentum=False)",
    ),
    Schedule(
        "one_cycle", "One cycle",
        (
            Field("max_lr"), _whole("total_steps"), _share("pct_start", 0.3),
            Field("anneal_strategy", "cos", "choice", choices=("cos", "linear")),
            Field("div_factor", 25.0, open="("), Field("final_div_factor", 1e4, open="("),
            Field("three_phase", False, "switch"),
        ),
        _one_cycle,
        r"\eta_0 = \frac{\mathrm{max\_lr}}{\mathrm{div\_factor}} \to \mathrm{max\_lr} \to "
        r"\frac{\eta_0}{\mathrm{final\_div\_factor}}, \quad \text{the peak at}\ k = \mathrm{pct\_start} \cdot "
        r"\mathrm{total\_steps} - 1", _TORCH + "OneCycleLR(cycle_momentum=False); it does not use the base rate",
    ),
    Schedule(
        "inverse_time", "Inverse time decay",
        (Field("decay_rate"), Field("decay_steps", 1.0, open="("), Field("staircase", False, "switch")), _inverse_time,
        r"\eta_k = \frac{\eta}{1 + \mathrm{decay\_rate} \cdot k / \mathrm{decay\_steps}}",
        "keras.optimizers.schedules.InverseTimeDecay",
    ),
    Schedule(
        "warmup_cosine", "Linear warm-up, then cosine annealing",
        (_whole("warmup_iters"), _whole("t_max"), _share("start_factor", 1 / 3, open="("), _MINIMUM), _warmup_cosine,
        r"\eta_k = \begin{cases} \eta \left(s + (1 - s) \frac{k}{n}\right) & k < n \\ "
        + _COSINE % r"(k - n) / t_{\max}" + r" & k \ge n \end{cases}, \quad s = \mathrm{start\_factor},\ "
        r"n = \mathrm{warmup\_iters}", _TORCH + "SequentialLR of LinearLR and CosineAnnealingLR",
    ),
)  # fmt: skip

SCHEDULES: dict[str, Schedule] = {row.kind: row for row in _TABLE}


def resolve(body: Fields, pointer: str = "/schedule") -> dict[str, Any]:
    """``{"kind": …, "every": …}`` with every field filled in and checked; ``constant`` has none.

    Raises ``InvalidInput`` with a pointer for an unknown kind and for each fault in a field.
    """
    kind = body.get("kind", "constant")
    row = SCHEDULES.get(kind) if isinstance(kind, str) else None
    if row is None:
        hint = near_miss(str(kind), SCHEDULES) or "; there are " + ", ".join(SCHEDULES)
        raise InvalidInput(f"there is no schedule {shown(kind)}{hint}", f"{pointer}/kind")
    given = {name: value for name, value in body.items() if name != "kind"}
    filled = read((EVERY, *row.fields), given, f"the schedule {kind}", pointer)
    if kind == "plateau" and filled["every"] != "epoch":
        raise InvalidInput("plateau looks at the mean loss of an epoch, so every must be epoch", f"{pointer}/every")
    return {"kind": kind} | (filled if row.fields else {})


def rate(schedule: Fields, base: float, step: int, epoch: int, plateau: Plateau | None) -> float:
    """The learning rate of the update number ``step`` (from 0), which lies in ``epoch`` (from 1)."""
    if schedule["kind"] == "plateau":
        return _reduced(base, schedule, plateau.reductions if plateau else 0.0)
    finished = step if schedule.get("every") == "update" else epoch - 1
    return SCHEDULES[schedule["kind"]].rate(finished, base, schedule)


def watched(schedule: Fields, base: float, plateau: Plateau | None, loss: float) -> Plateau | None:
    """What is remembered after an epoch with this mean loss; nothing where the schedule looks at none."""
    if schedule["kind"] != "plateau":
        return None
    sign = 1.0 if schedule["mode"] == "min" else -1.0
    best, waited, resting, reductions = plateau or Plateau(sign * math.inf)
    if _better(schedule, sign, loss, best):
        best, waited = loss, 0.0
    else:
        waited += 1.0
    if resting > 0:
        resting, waited = resting - 1.0, 0.0
    if waited > schedule["patience"]:
        waited, resting = 0.0, float(schedule["cooldown"])
        if _reduced(base, schedule, reductions) - _reduced(base, schedule, reductions + 1.0) > schedule["eps"]:
            reductions += 1.0
    return Plateau(best, waited, resting, reductions)


def _better(schedule: Fields, sign: float, loss: float, best: float) -> bool:
    threshold: float = schedule["threshold"]
    if schedule["threshold_mode"] == "rel":
        return sign * loss < sign * best * (1.0 - sign * threshold)
    return sign * loss < sign * best - threshold


def _reduced(base: float, schedule: Fields, reductions: float) -> float:
    return max(base * power(schedule["factor"], reductions), schedule["min_lr"]) if reductions else base
