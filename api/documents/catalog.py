"""Everything there is to choose from, straight from the tables."""

from __future__ import annotations

from typing import Any

from api.engine.initializers import INITIALIZERS
from api.engine.losses import LOSSES
from api.engine.ops import OPERATIONS
from api.engine.optimizers import OPTIMIZERS
from api.training.datasets import DATASETS
from api.training.definition import SCHEDULES
from api.training.models import MODELS
from api.training.networks import ACTIVATIONS
from api.training.presets import PRESETS


def catalog() -> dict[str, Any]:
    """Model kinds, presets, datasets, operations, losses, optimisers, schedules and initialisers."""
    return {
        "models": [{"kind": row.kind, "fields": list(row.fields), "about": row.about} for row in MODELS.values()],
        "presets": [
            {"name": row.name, "title": row.title, "body": dict(row.body), "source": row.source}
            for row in PRESETS.values()
        ],
        "datasets": [
            {
                "name": row.name,
                "title": row.title,
                "columns": list(row.columns),
                "targets": list(row.targets),
                "row_count": row.row_count,
                "source": row.source,
            }
            for row in DATASETS.values()
        ],
        "operations": [
            {
                "name": row.name,
                "function": row.function,
                "arity": row.arity,
                "options": list(row.options),
                "meaning": row.meaning,
            }
            for row in OPERATIONS.values()
        ],
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
                "slots": list(row.slots),
                "dialects": {
                    dialect: {
                        "defaults": dict(row.fields[dialect]),
                        "rule": [{"symbol": one.symbol, "formula": one.formula, "latex": one.latex} for one in lines],
                    }
                    for dialect, lines in row.rule.items()
                },
                "source": row.source,
            }
            for row in OPTIMIZERS.values()
        ],
        "activations": [{"name": name, "formula": formula.format(z="z")} for name, formula in ACTIVATIONS.items()],
        "schedules": [{"kind": kind, "fields": []} for kind in SCHEDULES],
        "initializers": [
            {"kind": row.kind, "defaults": row.defaults, "latex": row.formula, "source": row.source}
            for row in INITIALIZERS.values()
        ],
    }
