"""How much one session may ask for; ``GET /v1/limits`` shows these numbers, the settings change them."""

from __future__ import annotations

from dataclasses import dataclass

from api.engine.errors import LimitExceeded


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest accepted sizes; more is ``LimitExceeded`` (bytes: ``BodyTooLarge``).

    ``body_bytes`` is read before anything is parsed, ``form_fields`` and ``depth`` while parsing. ``rows`` and
    ``columns`` are the data's, ``nodes`` the primitive operations of a graph, ``source_length`` the characters of a
    formula's source text, ``parameters`` the trainable numbers, not names. One run does at most ``run_steps`` updates
    in at most ``run_seconds``. ``history_items`` is the longest page of a history, of examples or of paths, ``answers``
    the longest list to check, ``predictions`` the most numbers that a model's outputs may hold for the rows of one
    request. One analysis (of gradients, stability, landscape …) takes at most ``analysis_operations``, a second or two;
    curvature is worked out for at most ``hessian_parameters``, a landscape has at most ``landscape_points``, a
    comparison ``variants``.
    """

    body_bytes: int = 2 * 1024 * 1024
    form_fields: int = 1_000
    depth: int = 64
    title_length: int = 200
    rows: int = 10_000
    columns: int = 64
    nodes: int = 20_000
    source_length: int = 200_000
    parameters: int = 100_000
    run_steps: int = 1_000_000
    run_seconds: float = 10.0
    history_items: int = 1_000
    answers: int = 1_000
    predictions: int = 200_000
    analysis_operations: int = 16_000_000
    hessian_parameters: int = 200
    landscape_points: int = 10_000
    variants: int = 20


def check_title(title: str | None, limits: Limits) -> None:
    """Raise LimitExceeded for a title that is too long."""
    if title and len(title) > limits.title_length:
        raise LimitExceeded(f"a title has at most {limits.title_length} characters", limits.title_length, "/title")
