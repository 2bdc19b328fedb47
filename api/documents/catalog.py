"""Everything there is to choose from, straight from the tables."""

from __future__ import annotations

from typing import Any

from api.documents.updates import rule_document
from api.engine.descent import CLIPS, rule_of
from api.engine.fields import NEEDED, Field
from api.engine.initializers import INITIALIZERS
from api.engine.latex import LATEX
from api.engine.losses import LOSSES
from api.engine.notation import TEXT
from api.engine.ops import OPERATIONS, Operation
from api.engine.optimizers import OPTIMIZERS
from api.engine.rules import Dialect
from api.engine.schedules import EVERY, SCHEDULES
from api.engine.tensor_ops import TensorOperation
from api.engine.terms import Apply, Name, Term
from api.training.datasets import DATASETS
from api.training.models import MODELS
from api.training.networks import ACTIVATIONS
from api.training.presets import PRESETS


def catalog() -> dict[str, Any]:
    """Model kinds, presets, datasets, operations, losses, optimisers, schedules and initialisers."""
    return {
        "models": [{"kind": row.kind, "fields": list(row.fields), "about": row.about} for row in MODELS.values()],
        "presets": [
            {
                "name": row.name,
                "title": row.title,
                "body": dict(row.body),
                "trains_to": {"epochs": row.epochs, "loss": row.reaches},
                "source": row.source,
            }
            for row in PRESETS.values()
        ],
        "datasets": [
            {
                "name": row.name,
                "title": row.title,
                "columns": list(row.columns),
                "targets": list(row.targets),
                "row_count": row.row_count,
                "classes": list(row.classes) or None,
                "source": row.source,
            }
            for row in DATASETS.values()
        ],
        "operations": [_operation(row) for row in OPERATIONS.values()],
        "losses": [
            {
                "kind": row.kind,
                "formula": row.formula.format(yhat="yhat", y="y", **{name: name for name in row.fields}),
                "latex": row.latex,
                "defaults": dict(row.fields),
                "targets": row.targets,
                "source": row.source,
            }
            for row in LOSSES.values()
        ],
        "optimizers": [
            {
                "kind": row.kind,
                "title": row.title,
                "dialects": {name: _dialect(row.kind, name, dialect) for name, dialect in row.dialects.items()},
                "source": row.source,
            }
            for row in OPTIMIZERS.values()
        ],
        "activations": [{"name": name, "formula": formula.format(z="z")} for name, formula in ACTIVATIONS.items()],
        "clip": {name: rule_document(rule_of("sgd", "torch", clip=name))[:-1] for name in CLIPS},
        "schedules": [
            {
                "kind": row.kind,
                "title": row.title,
                "fields": {field.name: _field(field) for field in ((EVERY, *row.fields) if row.fields else ())},
                "latex": row.latex,
                "source": row.source,
            }
            for row in SCHEDULES.values()
        ],
        "initializers": [
            {"kind": row.kind, "defaults": row.defaults, "latex": row.formula, "source": row.source}
            for row in INITIALIZERS.values()
        ],
    }


def _operation(row: Operation | TensorOperation) -> dict[str, Any]:
    """An operation: y as a formula in a, b, and what its operands get: ∂y/∂a, or of a tensor's g = ∂L/∂y."""
    a, b, c = Name("a"), Name("b"), Name("c")
    operands = (a, b)[: row.arity]
    formula = (
        Apply("power", (a, c)) if row.name == "power" else Apply(row.name, operands, None, _STATIC.get(row.name, ()))
    )
    if isinstance(row, TensorOperation):
        back = row.cotangent(Name("g"), Name("y"), *operands)
    elif row.name == "power":
        back = (c * Apply("power", (a, c - 1)),)
    else:
        back = tuple(rule(Name("y"), *operands) for rule in row.derivatives)
    return {
        "name": row.name,
        "function": row.function,
        "arity": row.arity,
        "options": list(row.options),
        "meaning": row.meaning,
        **_written(formula),
        "partials": None if isinstance(row, TensorOperation) else list(map(_written, back)),
        "products": list(map(_written, back)) if isinstance(row, TensorOperation) else None,
    }


_STATIC: dict[str, tuple[tuple[str, int | None], ...]] = {
    "index": (("at", 0),),
    "reshape": (("size", 2), ("size", 3)),
}
"""What an operation needs to be written as an example of it."""


def _written(formula: Term) -> dict[str, str]:
    return {"formula": TEXT.write(formula), "latex": LATEX.write(formula)}


def _dialect(kind: str, name: str, dialect: Dialect) -> dict[str, Any]:
    """An optimiser in one dialect: its rule, and that with weight decay where it has one that is off by default."""
    rule = rule_of(kind, name, bool(dialect.defaults.get("weight_decay")))
    decays = "weight_decay" in dialect.defaults
    lines = rule_document(rule)
    return {
        "defaults": dict(dialect.defaults),
        "slots": {slot: rule.born(slot) for slot in rule.slots},
        "rule": lines,
        "latex": r"\begin{gathered} " + r" \\ ".join(line["latex"] for line in lines) + r" \end{gathered}",
        "with_weight_decay": rule_document(rule_of(kind, name, True)) if decays else None,
    }


def _field(field: Field) -> dict[str, Any]:
    """A field's default, or that it is needed, and what it may be."""
    needed = field.default is NEEDED
    return {
        "needed": needed,
        "default": None if needed else field.default,
        "type": {"wholes": "whole numbers", "whole": "whole number"}.get(field.kind, field.kind),
        "choices": list(field.choices) or None,
    }
