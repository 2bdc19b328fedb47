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
        ["export"],
        ["export", "A" * 22],
        ["export", "A" * 22, "out", "--every", "0"],
        ["export", "A" * 22, "out", "--every", "1.5"],
        ["export", "A" * 22, "out", "--steps", "1-2"],
        ["export", "A" * 22, "out", "--steps", ""],
        ["export", "A" * 22, "out", "--port", "1"],
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


def test_an_export_needs_no_service_and_does_not_mind_one(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, _):
        state = call("POST", f"{url}/v1/sessions")[1]
        call("POST", url + state["links"]["run"], {"steps": 2})
        address = url + state["links"]["self"]
        first = run(tmp_path, "export", address, "first", "--database-url", "sqlite:///served.db")
        assert (first.returncode, first.stderr) == (0, "")
        assert first.stdout == f"7 pages; open {Path('first') / 'index.html'}\n"
        call("POST", url + state["links"]["undo"])
    second = run(tmp_path, "export", state["id"], "second", STEPGRAD_DATABASE_URL="sqlite:///served.db")
    assert second.stdout.startswith("1 pages;")
    assert (tmp_path / "second" / "step-0-ready.html").read_text() != ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["A" * 22, "out"], "no session"),
        (["-" * 22, "out"], "no session"),
        (["-" + "a" * 21, "out"], "no session"),
        (["ID", "."], "is not empty"),
        (["ID", "served.db"], "no folder"),
        (["ID", "served.db/out"], "cannot be written"),
        (["ID", "out", "--steps", "5"], "there is no step 5"),
        (["ID", "out", "--steps", "2:1"], "FROM:TO"),
        (["ID", "out", "--database-url", "sqlite:///none.db"], "no database"),
    ],
)
def test_what_cannot_be_exported_has_status_2_and_a_reason(
    stored: tuple[Path, str], arguments: list[str], said: str
) -> None:
    folder, id = stored
    given = [id if one == "ID" else one for one in arguments]
    ended = run(folder, "export", *given, STEPGRAD_DATABASE_URL="sqlite:///served.db")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("stepgrad: ")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert {path.name for path in folder.iterdir()} <= {"served.db", "served.db-wal", "served.db-shm"}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a database, and the id of a session of two steps in it."""
    folder = tmp_path_factory.mktemp("stored")
    with serving(folder) as (url, _):
        state = call("POST", f"{url}/v1/sessions")[1]
        call("POST", url + state["links"]["run"], {"steps": 2})
    return folder, state["id"]


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


def test_backup_restore_and_client_do_what_they_say(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, _):
        _, state = call("POST", f"{address}/v1/sessions", {"pinned": True})
        url = f"sqlite:///{tmp_path}/served.db"
        made = run(tmp_path, "backup", "copy.db", STEPGRAD_DATABASE_URL=url)
        assert (made.returncode, made.stderr) == (0, "")
        assert call("POST", f"{address}{state['links']['forward']}")[0] == 200
        refused = run(tmp_path, "restore", "copy.db", "--replace", "--database-url", url)
        assert (refused.returncode, "stop it first" in refused.stderr) == (1, True)
    assert run(tmp_path, "restore", "copy.db", "--database-url", url).returncode == 1
    assert run(tmp_path, "restore", "copy.db", "--replace", "--database-url", url).returncode == 0
    with serving(tmp_path, "--retention-days", "30") as (address, _):
        _, restored = call("GET", f"{address}{state['links']['self']}")
        assert (restored["revision"], restored["pinned"], restored["expires_at"]) == (0, True, None)
        _, plain = call("POST", f"{address}/v1/sessions")
        assert (plain["pinned"], plain["expires_at"][-1]) == (False, "Z")
        _, pinned = call("PATCH", f"{address}{plain['links']['self']}", {"pinned": True})
        assert (pinned["revision"], pinned["pinned"], pinned["expires_at"]) == (1, True, None)
    for arguments, status in ((("client", "site"), 2), (("client", "site", "--api-url", "nowhere"), 2)):
        assert run(tmp_path, *arguments).returncode == status
    assert run(tmp_path, "client", "site", "--api-url", "https://api.example.org").returncode == 0
    assert (tmp_path / "site" / "index.html").is_file()
