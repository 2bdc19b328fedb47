"""What may be said of assignments: what a teacher posts, and what students hand in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from api.documents.bodies import Body, Count, CreateBody, Whole, whole

Marks = Annotated[float, Field(ge=0)]


class AskBody(Body):
    """How many marks each part is worth; what is left out is not asked."""

    values: Marks | None = None
    partials: Marks | None = None
    gradients: Marks | None = None
    updated: Marks | None = None


class AssignmentBody(Body):
    """What a class is to work out; every field has a default."""

    title: str | None = None
    session: CreateBody | None = None
    """The session that each student's cases are drawn after."""
    cases: Count | None = None
    steps: Count | None = None
    ask: AskBody | None = None
    rtol: Annotated[float, Field(ge=0)] | None = None
    atol: Annotated[float, Field(ge=0)] | None = None
    decimals: Annotated[int, Field(ge=0, le=15), BeforeValidator(whole)] | None = None
    feedback: Literal["score", "first_wrong", "values"] | None = None
    """What students are told beside their score."""
    follow_through: Annotated[float, Field(ge=0, le=1)] | None = None
    """The share of the marks for the right rule on one's own wrong numbers."""
    attempts: Count | None = None
    students: list[str] | None = None
    """Names or codes; each gets a link of their own. Without, whoever has the link says who they are."""
    seed: str | None = None
    """What the cases are drawn from; by default a secret of this assignment."""


class StepAnswersBody(Body):
    """Answers for one case and step; a number, a nested list of numbers, or null each."""

    case: Count | None = None
    step: Whole | None = None
    values: dict[str, Any] | None = None
    partials: dict[str, Any] | None = None
    gradients: dict[str, Any] | None = None
    updated: dict[str, Any] | None = None


class SubmissionBody(Body):
    """A submission: ``answers``, or the text of a table."""

    student: str | None = None
    """Who hands in, where the link is not the student's own."""
    answers: list[StepAnswersBody] | None = None
    csv: str | None = None
    """Lines of `case,step,quantity,i,j,value`, or a column for each quantity."""
