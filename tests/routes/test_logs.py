"""The log: JSON lines, with a request's id, never with a session's nor with anything of a body."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2

from tests.routes.serving import ROOT

BROKEN = """
import sys
from api import cli
from api.routes import catalog
def broken(*_, **__):
    raise ValueError("SECRET WORDS of " + sys.argv[-1])
catalog.catalog = broken
sys.exit(cli.main(sys.argv[1:-1]))
"""


def logged(folder: Path, level: str = "info") -> tuple[list[dict[str, Any]], list[str]]:
    """What a service logs of a class's morning, and what must not be among it."""
    command = [sys.executable, "-c", BROKEN, "serve", "--port", "0", "--log-level", level, "a mishap"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment
    )
    assert process.stdout is not None
    address = process.stdout.readline().split()[-1].rstrip("/")
    with httpx2.Client(base_url=address) as client:
        state = client.post("/v1/sessions", json={"title": "SECRET TITLE"}).json()
        path = state["links"]["self"]
        for call in ("", ".json", "/history", "/revisions/0", "/nothing", "/live.txt"):
            client.get(path + call, headers={"Referer": address + path})
        client.get("/v1/sessions", params={"id": state["id"]})
        client.get(f"/{state['id']}")
        client.post(f"{path}/edit", json={"title": "SECRET TITLE", "w": "SECRET FIELD"}, headers={"Host": "evil"})
        client.post(f"{path}/forward", headers={"X-Request-Id": "from-the-proxy-1"})
        failed = client.get("/v1/catalog", headers={"X-Request-Id": "x" * 99})
        assert failed.status_code == 500
        assert failed.headers["x-request-id"] != "x" * 99
    process.send_signal(signal.SIGTERM)
    _, text = process.communicate(timeout=20)
    return [json.loads(line) for line in text.splitlines()], [state["id"], state["share"]["read"], "SECRET"]


def test_every_request_has_its_line_and_none_has_a_secret(tmp_path: Path) -> None:
    lines, secrets = logged(tmp_path)
    requests = [line for line in lines if line["message"] == "request"]
    assert [line["status"] for line in requests] == [201, 200, 200, 200, 200, 404, 404, 303, 404, 400, 200, 500]
    assert [line["route"] for line in requests[:4]] == [
        "/v1/sessions", "/v1/sessions/{id}", "/v1/sessions/{id}", "/v1/sessions/{id}/history",
    ]  # fmt: skip
    assert requests[5]["route"] is None
    assert requests[-2]["request_id"] == "from-the-proxy-1"
    assert len({line["request_id"] for line in requests}) == len(requests)
    assert all(line["seconds"] > 0 and line["level"] == "info" and line["time"].endswith("Z") for line in requests)
    for secret in secrets:
        assert secret not in json.dumps(lines)


def test_a_mishap_is_told_by_its_place_and_not_by_its_words(tmp_path: Path) -> None:
    lines, secrets = logged(tmp_path, "error")
    (mishap,) = lines
    assert (mishap["level"], mishap["message"], mishap["method"]) == ("error", "unhandled error", "GET")
    (told,) = mishap["exception"]
    assert told["type"] == "ValueError"
    assert told["frames"][-1].endswith(" broken")
    assert any("catalog.py" in frame for frame in told["frames"])
    for secret in secrets:
        assert secret not in json.dumps(lines)
