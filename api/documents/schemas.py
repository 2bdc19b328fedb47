"""What answers look like, as pydantic models: the OpenAPI document's output schemas.

Answers are built as plain dicts and not validated as they leave, which would cost more than the request; a test holds
every one of them against its model here instead. Nothing is ever missing: what is not there yet is null.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from api.documents.bodies import Numbers, Phase

NonFinite = Literal["NaN", "Infinity", "-Infinity"]


class Document(BaseModel):
    """A JSON object whose fields are all there, and no others."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Summary(Document):
    """Stands for an array that is too long to list; `?arrays=full` lists it."""

    summary: Literal[True]
    shape: list[int]
    min: float | NonFinite
    max: float | NonFinite
    mean: float | NonFinite
    norm: float | NonFinite
    first: list[float | NonFinite]


class Tensor(RootModel[float | NonFinite | list[Any] | Summary]):
    """A number, a nested row-major list of numbers, or a summary of one; what is not finite is a text."""


class Node(Document):
    """One quantity of the graph."""

    model_config = ConfigDict(extra="allow")

    id: str
    role: Literal["placeholder", "parameter", "model", "operation", "loss", "constant"]
    op: str | None
    formula: str | None
    latex: str
    shape: list[int]
    value: Tensor | None
    gradient: Tensor | None


class Partial(Document):
    """∂target/∂source along one edge; `value` is null where the local Jacobian is not elementwise."""

    latex: str
    formula: str
    value: Tensor | None


class Edge(Document):
    """Runs in forward direction; one per pair of nodes."""

    model_config = ConfigDict(extra="allow")

    source: str
    target: str
    partial: Partial
    contribution: Tensor | None


class Graph(Document):
    """The computation, one node per named quantity (`named`) or per primitive operation (`ops`)."""

    model_config = ConfigDict(extra="allow")

    detail: Literal["named", "ops"]
    nodes: list[Node]
    edges: list[Edge]


class Path(Document):
    """One way from the loss to a parameter, with the partial of each edge."""

    nodes: list[str]
    partials: list[Tensor | None]
    product: Tensor | None
    """Null where a partial is not elementwise."""


class ChainRule(Document):
    """A gradient as the sum over all paths."""

    gradient: Tensor
    path_count: int
    paths: list[Path]


class Term(Document):
    """One term of the optimiser's rule."""

    symbol: str
    latex: str
    formula: str
    substituted: str | None
    """Null for tensors: the session's equations write small ones out."""
    value: Tensor


class ParameterUpdate(Document):
    """What the last update did to one parameter."""

    before: Tensor
    gradient: Tensor
    after: Tensor
    terms: list[Term]


class LastUpdate(Document):
    """The update that led here."""

    step: int
    epoch: int
    batch: int
    loss: float | NonFinite
    learning_rate: float | NonFinite
    """The rate that was in force."""
    parameters: dict[str, ParameterUpdate]


class Optimizer(Document):
    """The rule in force, its hyperparameters and its memory."""

    model_config = ConfigDict(extra="allow")

    kind: str
    dialect: str
    learning_rate: float | None
    """The base rate, which the schedule changes; null for a rule without one."""
    slots: dict[str, dict[str, Tensor]]


class Warning_(Document):
    """Something worth knowing, and what to do about it."""

    model_config = ConfigDict(extra="allow", title="Warning")

    code: str
    message: str


class Parent(Document):
    """Where a session was forked from: the read-only id and the revision."""

    read: str
    revision: int


class Share(Document):
    """The read-only id, to give away."""

    read: str


class Run(Document):
    """How a run went; with early stopping also `best`, the step to rewind to for the best parameters, or null."""

    model_config = ConfigDict(extra="allow")

    steps_done: int
    stopped_by: Literal["completed", "budget", "until", "early_stopping", "diverged", "disconnected", "interrupted"]


class EpochMetrics(Document):
    """What is said of a finished epoch: the mean of its batches' losses, and how well its last parameters do on the
    rows held out; an accuracy is null where outputs name no classes."""

    epoch_loss: float | NonFinite | None
    validation_loss: float | NonFinite | None
    validation_accuracy: float | None
    test_loss: float | NonFinite | None
    test_accuracy: float | None


class LastEpoch(EpochMetrics):
    """The last finished epoch."""

    epoch: int


class ParameterCount(Document):
    """A tensor's share of the trained numbers, or that of like single numbers together."""

    name: str
    """The parameter, or the first and the last of several that differ in their numbering alone."""
    parameters: int
    shape: list[int]
    count: int
    text: str
    """How the count comes about, as in `2·16 = 32`."""


class State(Document):
    """A training session at one revision."""

    model_config = ConfigDict(extra="allow")

    id: str | None
    revision: int | None
    phase: Phase
    allowed: list[str]
    step: int
    epoch: int
    batch: int
    batches_per_epoch: int
    batch_rows: list[int]
    definition: dict[str, Any]
    inputs: dict[str, Tensor]
    parameters: dict[str, Tensor]
    parameter_count: int
    parameter_counts: list[ParameterCount]
    """What the count is made up of; the counts add up to it."""
    outputs: dict[str, Tensor] | None
    loss: float | NonFinite | None
    gradients: dict[str, Tensor] | None
    graph: Graph
    chain_rule: dict[str, ChainRule] | None
    learning_rate: float | NonFinite
    """The rate in force at this step, as the schedule has it."""
    optimizer: Optimizer
    last_update: LastUpdate | None
    last_epoch: LastEpoch | None
    """Null before the first epoch is finished."""
    warnings: list[Warning_]
    parent: Parent | None
    share: Share | None
    run: Run | None
    """How the run that led here went; null for other actions."""
    links: dict[str, str] | None
    pinned: bool
    expires_at: str | None
    """When the session will be deleted if nothing changes it; null for never."""


class Evaluation(State):
    """The state of the first batch after backward, and what the update would do; nothing is stored."""

    next_update: LastUpdate | dict[str, Any]


class HistoryItem(EpochMetrics):
    """One finished step; what is said of an epoch stands at its last step and is null elsewhere."""

    model_config = ConfigDict(extra="allow")

    step: int
    epoch: int
    batch: int
    loss: float | NonFinite | None
    learning_rate: float | NonFinite | None
    gradient_norm: float | NonFinite | None
    seconds: float | None


class History(Document):
    """A page of the current line's steps; `next` is the address of the following page."""

    items: list[HistoryItem]
    next: str | None


class Equation(Document):
    """One formula, with symbols and with the numbers put in."""

    about: str
    symbolic: str
    substituted: str | None
    value: Tensor | str | None
    """A number or numbers; in MathML its markup, starting with its = sign."""


class Row(Document):
    """One row of the data."""

    model_config = ConfigDict(extra="allow")


class Definition(Document):
    """Everything a session is made of; posted again it makes the same session."""

    model_config = ConfigDict(extra="allow")

    model: dict[str, Any]
    optimizer: dict[str, Any]
    parameters: dict[str, Numbers]


class Data(Document):
    """Every row of the data."""

    model_config = ConfigDict(extra="allow")

    columns: list[str]
    rows: list[Any]


class MistakeName(Document):
    """A mistake that gives the number: its code, a sentence that helps, and the part of the guide that says more."""

    code: str
    message: str
    link: str


class Mistake(MistakeName):
    """The mistake that explains the most of the answers; `also` lists others that explain as much."""

    also: list[MistakeName]


class Verdict(Document):
    """One quantity of somebody's answer beside the expected one."""

    model_config = ConfigDict(extra="allow")

    quantity: str
    verdict: Literal["right", "wrong", "follow_through", "missing", "malformed"]
    given: Any
    expected: Tensor | None
    mistake: Mistake | None
    detail: str | None


class Check(Document):
    """What is right and what is not."""

    model_config = ConfigDict(extra="allow")

    correct: bool
    score: float
    first_wrong: str | None
    quantities: list[Verdict]


class Checks(Document):
    """One check per student, in the order given."""

    model_config = ConfigDict(extra="allow")

    items: list[Check]


class Asked(Document):
    """The present question of a practice: a quantity, named as in `check`; `hint` has the rule where it may be seen."""

    quantity: str
    symbol: str
    shape: list[int]
    tries_left: int
    hint: list[dict[str, str | None]]


class Said(Document):
    """What is said of the last answer; the right numbers only if it was right or they were to be shown."""

    quantity: str
    verdict: Literal["right", "wrong", "shown", "unreadable"]
    given: str | None
    expected: Tensor | None
    mistake: dict[str, Any] | None
    detail: str | None
    equations: list[Equation]


class Practice(Document):
    """A step to be worked out: what is given, what is asked, what was answered. `done` and `tries` are to be sent
    back with the next `answer`."""

    revision: int
    step: int
    epoch: int
    batch: int
    batches_per_epoch: int
    given: dict[str, Any]
    questions: int
    left_out: int
    done: str
    tries: int
    score: dict[str, int]
    last: Said | None
    question: Asked | None
    answered: list[dict[str, Any]]


class Catalog(Document):
    """Everything there is to choose from."""

    model_config = ConfigDict(extra="allow")


class LimitsDocument(Document):
    """The largest accepted sizes."""

    model_config = ConfigDict(extra="allow", title="Limits")


class ProblemKind(Document):
    """What a problem's code means."""

    code: str
    title: str
    status: int


class Health(Document):
    """Whether the service runs."""

    status: Literal["ok"]


class Fault(Document):
    """One fault in a body: an RFC 6901 pointer and a sentence."""

    pointer: str
    detail: str


class Problem(Document):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: str
    errors: list[Fault] | None = None
    allowed: list[str] | None = None
    """The actions that are accepted now."""
    revision: int | None = None
    """The session's current revision."""
    limit: float | None = None
    """The largest accepted number."""
