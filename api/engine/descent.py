"""An optimiser as it was chosen: its object with every default filled in, and the rule that this stands for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from api.engine.errors import InvalidInput
from api.engine.fields import Field, read
from api.engine.optimizers import DIALECTS, OPTIMIZERS
from api.engine.rules import Dialect, Rule
from api.engine.wording import near_miss, shown

Document = dict[str, Any]
CLIPS = {"norm": "max_norm", "value": "clip_value"}
"""What a gradient can be clipped by, and the name of the bound in the rule."""
LETTERS = {
    "momentum": "mu",
    "dampening": "tau",
    "weight_decay": "lambda",
    "momentum_decay": "psi",
    "max_norm": "c",
    "clip_value": "c",
    "buf": "B",
    "norm": "N",
    "scale": "s",
    "mu_next": "mu:t+1",
    "rho_max": "rho:max",
}
"""What stands for a name of several letters where formulas are set."""

_CLIP = {
    "norm": "norm = norm(g)\nscale = minimum(max_norm/(norm + 1e-6), 1)\ng = g*scale",
    "value": "g = minimum(maximum(g, -clip_value), clip_value)",
}
"""As torch.nn.utils.clip_grad_norm_ and clip_grad_value_ do it, in every dialect before everything else."""
_COUPLED, _DECOUPLED = "g = g + weight_decay*w", "w = w - learning_rate*weight_decay*w"
_UNIT, _BELOW_ONE = Field("", high=1.0), Field("", high=1.0, open=")")
_LIKE = {
    "momentum": _UNIT,
    "rho": _UNIT,
    "beta1": _BELOW_ONE,
    "beta2": _BELOW_ONE,
    "nesterov": Field("", kind="switch"),
}
_BOUND = Field("", open="(")


def fields_of(row: Dialect) -> tuple[Field, ...]:
    """What an optimiser may be given in this dialect, besides kind, dialect and clip."""
    found = []
    for name, default in row.defaults.items():
        like = _LIKE.get(name, Field(""))
        found.append(Field(name, default, like.kind, like.low, like.high, like.open))
    return tuple(found)


def resolve(body: Mapping[str, Any], pointer: str = "/optimizer") -> Document:
    """``{"kind": …, "dialect": …}`` with the defaults of both; what is off is left out.

    Raises ``InvalidInput`` with a pointer for an unknown kind or dialect, for a kind that the dialect lacks, and for
    each field that is unknown or has no meaning.
    """
    kind, dialect = body.get("kind", "sgd"), body.get("dialect", "torch")
    for what, name, value, known in (
        ("optimizer", "kind", kind, OPTIMIZERS), ("dialect", "dialect", dialect, DIALECTS)
    ):  # fmt: skip
        if not isinstance(value, str) or value not in known:
            hint = near_miss(str(value), known) or "; there are " + ", ".join(known)
            raise InvalidInput(f"there is no {what} {shown(value)}{hint}", f"{pointer}/{name}")
    row = OPTIMIZERS[kind].dialects.get(dialect)
    if row is None:
        where = ", ".join(OPTIMIZERS[kind].dialects)
        raise InvalidInput(f"the dialect {dialect} has no {kind}; there is one in {where}", f"{pointer}/kind")
    given = {name: value for name, value in body.items() if name not in ("kind", "dialect", "clip")}
    values = read(fields_of(row), given, f"{kind} in the dialect {dialect}", pointer)
    _check_nesterov(dialect, values, pointer)
    kept = {name: value for name, value in values.items() if value or row.defaults[name]}
    return {"kind": kind, "dialect": dialect, **kept, **_clip_of(body.get("clip"), f"{pointer}/clip")}


def _check_nesterov(dialect: str, values: Document, pointer: str) -> None:
    if dialect == "torch" and values.get("nesterov") and (not values["momentum"] or values["dampening"]):
        raise InvalidInput("in torch, nesterov needs a momentum above 0 and no dampening", f"{pointer}/nesterov")


def _clip_of(body: Any, pointer: str) -> Document:
    if body is None:
        return {}
    if not isinstance(body, Mapping):
        raise InvalidInput(f"clip must be an object, not {shown(body)}", pointer)
    fields = [Field(name, open="(") for name in CLIPS if name in body]
    clip = read(fields or [Field(name, None) for name in CLIPS], body, "clip", pointer)
    if len(fields) != 1:
        raise InvalidInput('clip is either {"norm": c} or {"value": c}', pointer)
    return {"clip": clip}


def numbers(document: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that the optimiser's rule reads, by name; a field that is off is 0."""
    row = OPTIMIZERS[document["kind"]].dialects[document["dialect"]]
    known = {**row.defaults, **document}
    known |= {CLIPS[name]: bound for name, bound in document.get("clip", {}).items()}
    reads = rule(document).reads
    return {name: float(value) for name, value in known.items() if name in reads}


def rule(document: Mapping[str, Any]) -> Rule:
    """The rule of an optimiser's complete object; the same object for the same lines."""
    kind = document["kind"]
    if kind == "sgd" and document.get("momentum"):
        kind = "nesterov" if document.get("nesterov") else "momentum"
    clip = next(iter(document.get("clip", {})), "")
    return rule_of(kind, document["dialect"], "weight_decay" in document, clip)


def rule_of(kind: str, dialect: str, decay: bool = False, clip: str = "") -> Rule:
    """The lines of a kind in a dialect, with those of weight decay and of clipping by ``norm`` or ``value``."""
    return _rule(kind, dialect, decay, clip)


@lru_cache(maxsize=256)
def _rule(kind: str, dialect: str, decay: bool, clip: str) -> Rule:
    row = OPTIMIZERS[kind].dialects[dialect]
    decoupled = row.decoupled or dialect == "keras"
    decays = (_DECOUPLED if decoupled else _COUPLED) if decay else ""
    return Rule.of("\n".join((row.lead, _CLIP.get(clip, ""), decays, row.lines)), row.births)
