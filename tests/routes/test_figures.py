"""``/metrics``: only where it is asked for, with figures that are right, and no id in them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.engine.errors import StepgradError
from tests.routes.conftest import settings


def test_there_are_no_figures_unless_they_are_asked_for(client: TestClient) -> None:
    answer = client.get("/metrics")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
    assert "STEPGRAD_METRICS" in answer.json()["detail"]


def test_figures_count_requests_by_route_and_commits(tmp_path: Path) -> None:
    with TestClient(create_app(settings(tmp_path, metrics=True))) as client:
        state = client.post("/v1/sessions").json()
        path = state["links"]["self"]
        for action in ("forward", "backward", "update", "update"):
            client.post(f"{path}/{action}")
        client.get("/nothing/of/the/kind")
        answer = client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        lines = dict(line.rpartition(" ")[::2] for line in answer.text.splitlines() if not line.startswith("#"))
        assert lines['stepgrad_requests_total{method="POST",route="/v1/sessions",status="201"}'] == "1.0"
        assert lines['stepgrad_requests_total{method="POST",route="/v1/sessions/{id}/update",status="409"}'] == "1.0"
        assert lines['stepgrad_requests_total{method="GET",route="none",status="404"}'] == "1.0"
        assert lines['stepgrad_request_seconds_count{route="/v1/sessions/{id}/update"}'] == "2.0"
        assert (lines["stepgrad_commits_total"], lines["stepgrad_changes_total"]) == ("4.0", "4.0")
        assert (lines["stepgrad_sessions_in_memory"], lines["stepgrad_runs"]) == ("1.0", "0.0")
        assert state["id"] not in answer.text
        accepted = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
        assert accepted.headers["content-type"].startswith("application/openmetrics-text")


def test_without_their_package_the_setting_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(StepgradError, match=r"pip install 'stepgrad\[metrics\]'"):
        create_app(settings(tmp_path, metrics=True))
