"""``/metrics``, for Prometheus, when it is asked for: requests by route, commits, sessions in memory, open pages.

Its package comes with ``stepgrad[metrics]``. Labels are methods, statuses and the patterns of routes, never an id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.types import Scope

from api.engine.errors import StepgradError
from api.routes.logs import route_of

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"})
TOLD = {
    "commits": "Transactions that were committed.",
    "changes": "Changes in them; more than commits where many came at once.",
    "commit_seconds": "Time that the commits took.",
    "sessions_in_memory": "Sessions kept at hand.",
    "listeners": "Live pages and event streams that are open.",
    "runs": "Long runs under way.",
}
COUNTED = frozenset({"commits", "changes", "commit_seconds"})


class Figures:
    """One application's figures. ``store`` is asked for its own whenever they are looked at."""

    def __init__(self, store: Callable[[], Mapping[str, float]]) -> None:
        try:
            import prometheus_client as prometheus
        except ImportError:
            raise StepgradError(
                "--metrics needs the package prometheus-client: pip install 'stepgrad[metrics]'"
            ) from None
        self._registry = prometheus.CollectorRegistry()
        labels = ("method", "route", "status")
        kept: dict[str, Any] = {"registry": self._registry}
        self._requests = prometheus.Counter("stepgrad_requests", "Requests answered.", labels, **kept)
        words = "Seconds until the end of the answer."
        self._seconds = prometheus.Histogram("stepgrad_request_seconds", words, ("route",), buckets=SECONDS, **kept)
        self._registry.register(_Store(store))
        for collector in (prometheus.ProcessCollector, prometheus.GCCollector):
            collector(registry=self._registry)

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request."""
        route = route_of(scope) or "none"
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, accept: str) -> tuple[bytes, str]:
        """All figures, in the format that ``Accept`` prefers, and its media type."""
        from prometheus_client.exposition import choose_encoder

        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


class _Store:
    """The store's figures, as Prometheus collects them."""

    def __init__(self, figures: Callable[[], Mapping[str, float]]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Any]:
        """One metric each."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for name, value in self._figures().items():
            family = CounterMetricFamily if name in COUNTED else GaugeMetricFamily
            yield family(f"stepgrad_{name}", TOLD[name], value=value)
