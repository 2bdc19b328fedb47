"""What a request may say, as pydantic models: they check names and types, and are the OpenAPI document's input schemas.

What a value *means* (whether a column exists, which fields a kind of model takes) is checked below, by the room that
knows. Numbers are numbers: ``3.0`` is a whole number, ``"3"`` and ``true`` are none (a form's texts are converted
before they come here).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
)

from api.engine.initializers import INITIALIZERS
from api.engine.losses import LOSSES
from api.engine.optimizers import DIALECTS, OPTIMIZERS
from api.engine.schedules import EVERY, SCHEDULES
from api.engine.wording import shown
from api.training.early_stopping import SIGNS
from api.training.models import MODELS
from api.training.networks import ACTIVATIONS

LARGEST_WHOLE = 2**53 - 1  # the largest integer that every JSON reader keeps


def whole(value: Any) -> Any:
    """``3.0`` as the whole number that it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def numbers(value: Any) -> Any:
    """``value`` if it is a number or a nested list of numbers; ValueError otherwise."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, bool) or not isinstance(item, int | float):
            raise ValueError(f"must be a number or a nested list of numbers, not {shown(item)}")
    return value


# The bounds stand before the validator, or the JSON schema would not have them.
Whole = Annotated[int, Field(ge=0, le=LARGEST_WHOLE), BeforeValidator(whole)]
Count = Annotated[int, Field(ge=1, le=LARGEST_WHOLE), BeforeValidator(whole)]
NUMBERS_SCHEMA: dict[str, Any] = {
    "description": "A number or a nested, row-major list of numbers.",
    "anyOf": [{"type": "number"}, {"type": "array", "items": {}}],
}
Numbers = Annotated[Any, PlainValidator(numbers), WithJsonSchema(NUMBERS_SCHEMA)]
# Cells are checked with their row and column where tables are read.
Rows = Annotated[list[Any], WithJsonSchema({"type": "array", "items": {"type": "array", "items": {"type": "number"}}})]
Phase = Literal["ready", "forward", "backward"]
# The tables below know which kinds there are and say so better than a type could; the schema lists them.
ModelKind = Annotated[str, Field(json_schema_extra={"enum": [*MODELS, "preset"]})]
LossKind = Annotated[str, Field(json_schema_extra={"enum": list(LOSSES)})]
OptimizerKind = Annotated[str, Field(json_schema_extra={"enum": list(OPTIMIZERS)})]
Dialect = Annotated[str, Field(json_schema_extra={"enum": list(DIALECTS)})]
Activation = Annotated[str, Field(json_schema_extra={"enum": list(ACTIVATIONS)})]
ScheduleKind = Annotated[str, Field(json_schema_extra={"enum": list(SCHEDULES)})]
Every = Annotated[str, Field(json_schema_extra={"enum": list(EVERY.choices)})]
Monitor = Annotated[str, Field(json_schema_extra={"enum": list(SIGNS)})]
InitializerKind = Annotated[str, Field(json_schema_extra={"enum": list(INITIALIZERS)})]


class Body(BaseModel):
    """A JSON object with known fields only."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)


# Fields in which null says something; elsewhere it is the same as leaving the field out.
_NULL_MEANS = frozenset({"clip", "data", "split", "title"})


def given(body: BaseModel) -> dict[str, Any]:
    """The fields that the caller gave, as plain values all the way down."""
    return {
        name: _plain(value)
        for name in type(body).model_fields
        if name in body.model_fields_set and ((value := getattr(body, name)) is not None or name in _NULL_MEANS)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return given(value)
    if isinstance(value, list) and value and isinstance(value[0], BaseModel):
        return [given(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


class OneHotBody(Body):
    """A column of whole numbers from 0, fed as one-hot vectors."""

    one_hot: str
    classes: Count | None = None
    """How many classes there are; by default one more than the largest in the column."""


class LayerBody(Body):
    """A layer of a network."""

    units: Count
    activation: Activation | None = None
    """By default identity."""


class ModelBody(Body):
    """What is trained: ``linear`` from the data's columns, an ``mlp`` of layers, or an ``expression`` written out."""

    kind: ModelKind | None = None
    source: str | None = None
    """Assignments, one a line or separated by semicolons: `yhat = w*x + b`, `L = (yhat - y)**2`."""
    shapes: dict[str, list[Whole]] | None = None
    """The shapes of parameters that are no scalars."""
    placeholders: dict[str, list[str] | OneHotBody] | None = None
    """Columns that feed one placeholder together, or one column of classes as one-hot."""
    outputs: list[str] | None = None
    """The names shown as outputs; by default those assigned in the loss's own formula."""
    loss: str | None = None
    """The name of the loss; by default the last one assigned."""
    layers: list[LayerBody] | None = None
    """Of a network, from the first hidden layer to the output."""
    name: str | None = None
    """Of a preset."""
    scalars: bool | None = None
    """Whether a network is written out neuron by neuron."""


class DataBody(Body):
    """The rows to learn from, in one of three forms: ``dataset``, ``columns`` with ``rows``, or ``csv``."""

    dataset: str | None = None
    """The name of a built-in data set."""
    kind: Literal["rows", "csv"] | None = None
    """Where rows came from, as a definition tells it."""
    columns: list[str] | None = None
    labels: list[str] | None = None
    """The columns' names as people read them."""
    rows: Rows | None = None
    csv: str | None = None
    """A table's text with a header line; comma, semicolon or tab."""
    targets: list[str] | None = None
    """The columns to predict; by default the last."""
    standardize: bool | None = None


class LossBody(Body):
    """How far the outputs are from the targets."""

    kind: LossKind | None = None
    reduction: Literal["mean", "sum"] | None = None
    delta: float | None = None
    """Where Huber's loss becomes linear; by default 1."""


class ClipBody(Body):
    """The bound that gradients are clipped to: of the norm of all together, or of each one's size."""

    norm: float | None = None
    value: float | None = None


class OptimizerBody(Body):
    """The rule that turns gradients into new parameters; which numbers apply depends on kind and dialect."""

    kind: OptimizerKind | None = None
    dialect: Dialect | None = None
    """Whose formula and defaults: PyTorch's, Keras's, or the article's."""
    learning_rate: float | None = None
    momentum: float | None = None
    dampening: float | None = None
    nesterov: bool | None = None
    rho: float | None = None
    """The decay of rmsprop and adadelta."""
    beta1: float | None = None
    beta2: float | None = None
    epsilon: float | None = None
    momentum_decay: float | None = None
    weight_decay: float | None = None
    clip: ClipBody | None = None
    """Null for none."""


class ScheduleBody(Body):
    """How the learning rate changes with the epochs or updates; which fields apply depends on the kind."""

    kind: ScheduleKind | None = None
    every: Every | None = None
    gamma: float | None = None
    step_size: Whole | None = None
    milestones: list[Whole] | None = None
    start_factor: float | None = None
    end_factor: float | None = None
    total_iters: Whole | None = None
    warmup_iters: Whole | None = None
    power: float | None = None
    t_max: Whole | None = None
    t_0: Whole | None = None
    t_mult: Whole | None = None
    eta_min: float | None = None
    mode: str | None = None
    factor: float | None = None
    patience: Whole | None = None
    threshold: float | None = None
    threshold_mode: str | None = None
    cooldown: Whole | None = None
    min_lr: float | None = None
    eps: float | None = None
    max_lr: float | None = None
    step_size_up: Whole | None = None
    step_size_down: Whole | None = None
    total_steps: Whole | None = None
    pct_start: float | None = None
    anneal_strategy: str | None = None
    div_factor: float | None = None
    final_div_factor: float | None = None
    three_phase: bool | None = None
    decay_rate: float | None = None
    decay_steps: float | None = None
    staircase: bool | None = None


class InitializerBody(Body):
    """How parameters that are not given are drawn; which numbers apply depends on the kind."""

    kind: InitializerKind | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    stddev: float | None = None
    gain: float | None = None


class SplitBody(Body):
    """The rows kept apart: a fraction or a number of them, drawn by the seed, or the rows themselves."""

    validation: float | None = None
    test: float | None = None
    validation_rows: list[Whole] | None = None
    """Row numbers from 0, as a definition has them; the rows that count."""
    test_rows: list[Whole] | None = None


class StartBody(Body):
    """Where the new session stands when it is created."""

    step: Whole = 0
    epochs: Whole | None = None
    """Whole epochs to train before, instead of ``step``."""
    phase: Phase = "ready"


class ChangesBody(Body):
    """A session's definition, or what is to differ from another one's."""

    title: str | None = None
    """What people call it."""
    model: ModelBody | None = None
    """What is trained."""
    data: DataBody | None = None
    """The rows to learn from; null for a formula of parameters alone."""
    loss: LossBody | None = None
    """How far the outputs are from the targets; of a formula only `reduction`."""
    optimizer: OptimizerBody | None = None
    """The rule of an update; what it leaves out has the defaults of its kind and dialect."""
    schedule: ScheduleBody | None = None
    """How the learning rate changes."""
    initializer: InitializerBody | None = None
    """How parameters are drawn."""
    parameters: dict[str, Numbers] | None = None
    """Initial values; the initializer draws what is not given."""
    batch_size: Count | None = None
    """Rows fed at a time."""
    shuffle: bool | None = None
    """Whether the rows are fed in another order in each epoch."""
    split: SplitBody | None = None
    """Rows kept apart from training."""
    seed: Whole | None = None
    """What draws parameters, orders and splits: the same seed, the same draws."""


class CreateBody(ChangesBody):
    """A session's definition; every field has a default, and no field at all is the article's own session."""

    start: StartBody | None = None
    """Where the session stands when it is created."""
    pinned: bool | None = None
    """Whether the session is kept where others are deleted after a time."""


class PatchBody(Body):
    """What can be changed by hand in phase ``ready``."""

    parameters: dict[str, Numbers] | None = None
    optimizer: OptimizerBody | None = None
    schedule: ScheduleBody | None = None
    batch_size: Count | None = None
    title: str | None = None
    pinned: bool | None = None
    """Whether the session is kept where others are deleted after a time."""


class UntilBody(Body):
    """Where to stop early: the first of these that comes true."""

    step: Whole | None = None
    epoch: Count | None = None
    loss_below: float | None = None
    patience: Whole | None = None
    """Epochs in a row that may pass without progress on the validation rows; as Keras' EarlyStopping."""
    min_delta: Annotated[float, Field(ge=0)] | None = None
    """By how much a metric must be better than the best before it; by default 0."""
    monitor: Monitor | None = None
    """`validation_loss`, by default, or `validation_accuracy`."""


class RunBody(Body):
    """How far to run: a number of steps, or to the n-th epoch boundary from here."""

    steps: Count | None = None
    epochs: Count | None = None
    until: UntilBody | None = None


class RewindBody(Body):
    """The step of the current line to go back to."""

    step: Whole


class ForkBody(Body):
    """Where to branch off, and what the new session does differently."""

    step: Whole | None = None
    changes: ChangesBody | None = None


class EmptyBody(Body):
    """Nothing but the control fields."""


class AnswersBody(Body):
    """Any part of a trace to compare with: keys of partials are ``target/source``."""

    student: str | None = None
    values: dict[str, Any] | None = None
    """By node; like the next three, a number or a nested list of numbers each, or null for one left out."""
    partials: dict[str, Any] | None = None
    gradients: dict[str, Any] | None = None
    updated: dict[str, Any] | None = None
    rtol: Annotated[float, Field(ge=0)] | None = None
    atol: Annotated[float, Field(ge=0)] | None = None
    decimals: Annotated[int, Field(ge=0, le=15), BeforeValidator(whole)] | None = None


class CheckBody(Body):
    """Answers to check against a session: one set, or a list with a ``student`` each."""

    answers: Annotated[
        Annotated[AnswersBody, Tag("one")] | Annotated[list[AnswersBody], Tag("many")],
        Discriminator(lambda value: "many" if isinstance(value, list) else "one"),
    ]


class CheckAnyBody(CheckBody):
    """Answers to check against a session that is described rather than stored."""

    session: CreateBody | None = None


class Control(BaseModel):
    """Fields that steer a request; any body may hold them beside its own."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    revision: Whole | None = None
    """The revision the request was made for; another one is 412, like If-Match."""
    idempotency_key: str | None = None
    """The same as the header Idempotency-Key."""
    server_key: str | None = None
    """The server's key, for a form that creates a session where one is needed; programs send Authorization: Bearer."""
    return_: Annotated[Literal["minimal", "representation"] | None, Field(alias="return")] = None
    """`minimal` answers 204 without a body."""
