"""Installed as a reader installs it, into an empty environment, and used from another folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.contract.readme import ROOT, blocks

pytestmark = pytest.mark.thorough


def run(command: list[str], folder: Path) -> None:
    """A command that must succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False, env=plain())
    assert done.returncode == 0, done.stdout + done.stderr


def plain() -> dict[str, str]:
    """The environment without what leads Python back to the checkout."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "STEPGRAD", "VIRTUAL"))}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is, or would be, under version control, and nothing else."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(clone)], folder)
    (found,) = folder.glob("*.whl")
    return found


@contextmanager
def serving(command: list[str], folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The service at a port, from its start to its end by a signal that it cannot hear; it comes with its children."""
    environment = {**plain(), "STEPGRAD_PORT": str(port)}
    with (folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + 300
        while time.monotonic() < until and process.poll() is None:
            try:
                httpx2.get(f"http://127.0.0.1:{port}/readyz")
                break
            except httpx2.ConnectError:
                time.sleep(0.1)
        else:
            raise AssertionError((folder / "serve.log").read_text())
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def walk(command: list[str], folder: Path) -> None:
    """Start, look, create by form and by JSON, step, end it hard, start again: everything is still there."""
    port = free_port()
    with serving(command, folder, port), httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        start = client.get("/", headers={"Accept": "text/html"})
        assert start.headers["content-type"].startswith("text/html")
        for name in ("style.css", "favicon.svg", "guide.html", "article.svg"):
            assert client.get(f"/{name}").status_code == 200
        form = client.post("/v1/sessions", data={"title": "by form"}, headers={"Accept": "text/html"})
        assert form.status_code == 303
        page = client.get(form.headers["location"], headers={"Accept": "text/html"})
        assert "by form" in page.text
        session = client.post("/v1/sessions", json={"title": "by JSON"}).headers["location"]
        for action in ("forward", "backward", "update"):
            state = client.post(f"{session}/{action}").json()
        assert state["parameters"]["w1"] == 0.8294
        assert client.get(f"{session}/graph.svg").status_code == 200
        assert client.get("/openapi.json").json()["info"]["version"] == "0.1.0"
    with serving(command, folder, port), httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        assert client.get(session).json() == state
        assert client.get(form.headers["location"], headers={"Accept": "text/html"}).status_code == 200
        assert client.post(f"{session}/run", json={"epochs": 1}).json()["epoch"] == 2


def test_the_wheel_carries_the_client_the_templates_and_the_migrations(wheel: Path, clone: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder, inside in (("client", "api/client"), ("migrations", "api/migrations"), ("api", "api")):
        for path in (clone / folder).rglob("*"):
            if path.is_file():
                assert f"{inside}/{path.relative_to(clone / folder)}" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [
        name for name in names if name.startswith(("tests/", "client/", "migrations/")) or "__pycache__" in name
    ]


@pytest.mark.parametrize("way", ["the wheel", "pip install ."])
def test_it_serves_from_an_empty_environment_and_another_folder(
    way: str, wheel: Path, clone: Path, tmp_path: Path
) -> None:
    run([sys.executable, "-m", "venv", "fresh"], tmp_path)
    run(["fresh/bin/pip", "install", "-q", str(wheel if way == "the wheel" else clone)], tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    walk([str(tmp_path / "fresh/bin/stepgrad"), "serve"], elsewhere)
    assert (elsewhere / "stepgrad.db").is_file()


def test_the_readme_s_command_ends_with_the_service_open(clone: Path) -> None:
    (command,) = blocks("serve")
    walk(["bash", "-c", command], clone)
