"""Model kinds: each gives the source text of its formulas, and from there on every model is an expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from api.engine.builder import build
from api.engine.errors import FieldError, InvalidInput
from api.engine.graph import Graph
from api.engine.losses import LOSSES
from api.engine.wording import near_miss, pointer_part, shown
from api.training.data import Data
from api.training.limits import Limits

Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Model:
    """One row: the fields a body may have, and how it becomes a graph; ``biases`` start at 0 whatever is drawn."""

    kind: str
    fields: tuple[str, ...]
    build: Callable[[Body, Body, Data | None, Limits], tuple[dict[str, object], Graph]]
    about: str
    biases: tuple[str, ...] = ()


def graph_of(model: Body, loss: Body, data: Data | None, limits: Limits) -> tuple[dict[str, object], Graph]:
    """The model's object with its defaults filled in, and its graph. Raises ``InvalidInput`` below ``/model``."""
    kind = model.get("kind")
    if kind not in MODELS:
        given = "" if kind is None else near_miss(str(kind), MODELS)
        there_are = "; there are " + ", ".join(MODELS)
        what = "a model needs its kind" if kind is None else f"there is no model {shown(kind)}"
        raise InvalidInput(what + (given or there_are), "/model/kind")
    row = MODELS[str(kind)]
    strange = [name for name in model if name not in ("kind", *row.fields)]
    if strange:
        faults = [(name, f"{row.kind} has no field {shown(name)}{near_miss(name, row.fields)}") for name in strange]
        errors = [FieldError(f"/model/{pointer_part(name)}", text) for name, text in faults]
        raise InvalidInput(faults[0][1], errors=errors)
    return row.build(model, loss, data, limits)


def _linear(model: Body, loss: Body, data: Data | None, limits: Limits) -> tuple[dict[str, object], Graph]:
    """ŷ = w₁x₁ + … + wₙxₙ + b over the columns that are no targets."""
    if data is None:
        raise InvalidInput("a linear model needs data; a formula without data is {'kind': 'expression'}", "/data")
    if len(data.targets) != 1:
        raise InvalidInput(f"a linear model has one target, not {len(data.targets)}", "/data/targets")
    features = data.features
    if not features:
        raise InvalidInput("a linear model needs a column besides its target", "/data/columns")
    own = {"yhat", "L", "b", *(f"w{place}" for place in range(1, len(features) + 1))}
    clash = next((name for name in data.columns if name in own), None)
    if clash:
        raise InvalidInput(f"the column {clash} has a name that the linear model itself uses; rename it", "/data")
    terms = " + ".join(f"w{place}*{name}" for place, name in enumerate(features, 1))
    error = LOSSES[str(loss["kind"])].formula.format(yhat="yhat", y=data.targets[0])
    source = f"yhat = {terms} + b\nL = {error}"
    return dict(model), _graph(source, data, limits, None, None, loss)


def _expression(model: Body, loss: Body, data: Data | None, limits: Limits) -> tuple[dict[str, object], Graph]:
    source = model.get("source")
    if not isinstance(source, str) or not source.strip():
        raise InvalidInput("an expression needs its source, such as 'yhat = w*x + b'", "/model/source")
    for field in ("shapes", "placeholders"):
        if model.get(field):
            raise InvalidInput(f"{field} are for tensors, which this version lacks: leave it out", f"/model/{field}")
    outputs = model.get("outputs")
    target = model.get("loss")
    graph = _graph(source, data, limits, outputs, target, loss)
    filled: dict[str, object] = {
        "kind": "expression",
        "source": source,
        "shapes": {},
        "placeholders": {},
        "outputs": list(graph.outputs),
        "loss": graph.nodes[graph.loss].id,
    }
    return filled, graph


def _graph(source: str, data: Data | None, limits: Limits, outputs: object, target: object, loss: Body) -> Graph:
    columns = () if data is None else data.columns
    return build(
        source,
        columns,
        outputs=None if outputs is None else [str(name) for name in outputs],  # type: ignore[attr-defined]
        loss=None if target is None else str(target),
        reduction=str(loss["reduction"]),
        max_nodes=limits.nodes,
    )


MODELS: dict[str, Model] = {
    row.kind: row
    for row in (
        Model("linear", (), _linear, "yhat = w1*x1 + … + wn*xn + b over the columns that are no targets", ("b",)),
        Model(
            "expression",
            ("source", "shapes", "placeholders", "outputs", "loss"),
            _expression,
            "any formulas: a data column's name is a placeholder, an assigned one a node, any other a parameter",
        ),
    )
}
