"""What an operator can set: each field is a flag of ``stepgrad serve`` and an environment variable ``STEPGRAD_…``."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.training.limits import Limits

_DEFAULT = Limits()


class Settings(BaseSettings):
    """The service's settings, from the environment unless given; a field's description is its line in ``--help``."""

    model_config = SettingsConfigDict(env_prefix="STEPGRAD_", extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="address to listen at")
    port: int = Field(8000, ge=0, le=65535, description="port to listen at; 0 takes a free one")
    database_url: str = Field(
        "sqlite:///stepgrad.db", description="where sessions are kept: sqlite:///FILE or postgresql+psycopg://…"
    )
    root_path: str = Field("", description="path prefix under which a proxy serves the API, such as /stepgrad")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="host names to answer to, comma-separated; * for any; this machine's own always"
    )
    trusted_proxies: str = Field(
        "127.0.0.1", description="proxies whose X-Forwarded-For is believed: addresses and networks, comma-separated"
    )
    server_key: str = Field("", repr=False, description="key without which nobody may create sessions")
    session_rate: int = Field(0, ge=0, description="requests a minute to one session; 0 for any number")
    creation_rate: int = Field(0, ge=0, description="sessions a minute created from one address; 0 for any number")
    retention_days: float = Field(
        0, ge=0, description="days without a change after which a session that is not pinned is deleted; 0 for never"
    )
    metrics: bool = Field(False, description="serve figures for Prometheus at /metrics (needs stepgrad[metrics])")
    limit_concurrency: int = Field(1000, ge=1, description="requests under way at once; more are answered 503")
    run_workers: int = Field(2, ge=1, le=64, description="processes that do long runs")
    heartbeat_seconds: float = Field(15.0, gt=0, description="silence after which a live stream sends a sign of life")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error")

    max_body_bytes: int = Field(_DEFAULT.body_bytes, ge=1024, description="bytes in a request's body")
    max_form_fields: int = Field(_DEFAULT.form_fields, ge=16, description="fields and files in a form")
    max_depth: int = Field(_DEFAULT.depth, ge=8, le=128, description="nesting of a JSON body")
    max_title_length: int = Field(_DEFAULT.title_length, ge=1, description="characters of a session's title")
    max_rows: int = Field(_DEFAULT.rows, ge=1, description="rows of data in a session")
    max_columns: int = Field(_DEFAULT.columns, ge=1, description="columns of data in a session")
    max_nodes: int = Field(_DEFAULT.nodes, ge=1, description="primitive operations in a graph")
    max_source_length: int = Field(_DEFAULT.source_length, ge=1, description="characters of a formula")
    max_parameters: int = Field(_DEFAULT.parameters, ge=1, description="trainable numbers in a model")
    max_run_steps: int = Field(_DEFAULT.run_steps, ge=1, description="updates in one run")
    run_seconds: float = Field(_DEFAULT.run_seconds, gt=0, description="time budget of one run")
    max_history_items: int = Field(_DEFAULT.history_items, ge=1, description="rows in one page of a history")
    max_answers: int = Field(_DEFAULT.answers, ge=1, description="students in one list of answers to check")
    max_predictions: int = Field(_DEFAULT.predictions, ge=1, description="numbers predicted in one request")
    max_analysis_operations: int = Field(
        _DEFAULT.analysis_operations, ge=1_000, description="operations of one analysis; 8 million are about a second"
    )
    max_hessian_parameters: int = Field(
        _DEFAULT.hessian_parameters, ge=1, description="parameters up to which curvature is worked out"
    )
    max_landscape_points: int = Field(_DEFAULT.landscape_points, ge=9, description="points of one loss landscape")
    max_variants: int = Field(_DEFAULT.variants, ge=1, description="variants in one comparison")

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip().lower() for part in value.split(",") if part.strip())
        return value

    @field_validator("root_path")
    @classmethod
    def _without_trailing_slash(cls, value: str) -> str:
        path = value.strip().rstrip("/")
        return path if not path or path.startswith("/") else "/" + path

    @property
    def limits(self) -> Limits:
        """The part of the settings that training and the readers of bodies know."""
        return Limits(**{field.name: getattr(self, setting_of(field.name)) for field in fields(Limits)})


def setting_of(limit: str) -> str:
    """The name of the setting that holds a limit."""
    return limit if limit in Settings.model_fields else f"max_{limit}"
