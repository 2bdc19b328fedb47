"""The command line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest

from api.cli import build_parser, main
from api.settings import Settings, setting_of
from api.training.limits import Limits
from tests.routes.serving import ROOT, Listener, call, serving


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        timeout=30,
        check=False,
    )


def test_help_lists_every_setting_with_its_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    for name in Settings.model_fields:
        assert "--" + name.replace("_", "-") in shown
        assert f"STEPGRAD_{name.upper()}" in shown.replace("\n", "").replace(" ", "")


def test_every_limit_is_a_setting() -> None:
    assert {setting_of(field.name) for field in fields(Limits)} <= set(Settings.model_fields)
    assert Settings(max_rows=7).limits.rows == 7
    assert Settings().limits == Limits()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["serve", "--prot", "1"],
        ["serve", "--port", "x"],
        ["serve", "--port", "99999"],
        ["migrate", "--port", "1"],
    ],
)
def test_wrong_usage_has_status_2(arguments: list[str], tmp_path: Path) -> None:
    ended = run(tmp_path, *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "usage: stepgrad" in ended.stderr


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    ended = run(tmp_path, "serve", STEPGRAD_MAX_ROWS="many")
    assert ended.returncode == 2
    assert "STEPGRAD_MAX_ROWS" in ended.stderr


def test_a_flag_beats_its_variable() -> None:
    parser = build_parser()
    assert parser.parse_args(["serve", "--port", "9"]).port == "9"


def test_a_port_that_is_taken_is_said_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run(tmp_path, "serve", "--port", str(taken.getsockname()[1]))
    assert ended.returncode == 1
    assert "cannot listen at 127.0.0.1" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_that_cannot_be_opened_is_said_so(tmp_path: Path) -> None:
    ended = run(tmp_path, "serve", "--port", "0", "--database-url", f"sqlite:///{tmp_path}/no/such/folder.db")
    assert ended.returncode == 1
    assert ended.stderr.startswith("stepgrad: ")
    assert "Traceback" not in ended.stderr


def test_importing_the_command_line_is_cheap() -> None:
    code = "import sys, api.cli, api.settings; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not {"numpy", "sqlalchemy", "fastapi"} & set(ended.stdout.split())


def test_a_session_is_found_again_after_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, _):
        created = call("POST", f"{url}/v1/sessions")[1]
        state = call("POST", url + created["links"]["forward"])[1]
    with serving(tmp_path, "--root-path", "/x") as (url, _):
        assert url.endswith("/x")
        again = call("GET", f"{url}/v1/sessions/{created['id']}")[1]
        assert again["links"]["self"] == f"/x/v1/sessions/{created['id']}"
        assert {**again, "links": None} == {**state, "links": None}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_service_though_streams_are_open(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as (url, process):
        created = call("POST", f"{url}/v1/sessions")[1]
        listener = Listener(url + created["links"]["live"], Accept="text/event-stream")
        listener.until(b"event: state")
        started = time.monotonic()
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - started < 4
        listener.end()


def test_no_worker_outlives_a_killed_service(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, process):
        created = call("POST", f"{url}/v1/sessions", {"optimizer": {"learning_rate": 0.001}})[1]
        call("POST", url + created["links"]["run"], {"steps": 100_000})
        children = [int(name) for name in _children(process.pid)]
        assert children
        process.kill()
        process.wait()
        deadline = time.monotonic() + 10
        while any(_is_alive(child) for child in children) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(_is_alive(child) for child in children)


def _children(pid: int) -> list[str]:
    folder = Path(f"/proc/{pid}/task/{pid}/children")
    if not folder.exists():
        pytest.skip("only Linux lists a process's children")
    return folder.read_text().split()


def _is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
