"""A disk that is full or may not be written, a database that another program holds, a damaged one: over HTTP."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from tests.postgres import NOBODY, Server, other_user
from tests.routes.serving import ROOT, serving

pytestmark = pytest.mark.thorough
NETWORK = {
    "model": {"kind": "mlp", "layers": [{"units": 40, "activation": "tanh"}, {"units": 10, "activation": "identity"}]},
    "data": {"dataset": "digits"},
    "loss": {"kind": "softmax_cross_entropy"},
}
CYCLE = ("forward", "backward", "update")


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A small disk at a new folder, and what changes its options; only root may make one."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a small disk")
    folder.mkdir()

    def mount(*arguments: str) -> None:
        subprocess.run(["mount", *arguments, str(folder)], check=True, capture_output=True)

    mount("-t", "tmpfs", "-o", f"size={size},mode=0777", "tmpfs")
    try:
        yield lambda options: mount("-o", f"remount,{options}")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


def fill(client: httpx2.Client) -> tuple[str, dict[str, Any], httpx2.Response]:
    """Steps of a network, each of which takes some 20 kB, until one is refused: the session's path, the last state that
    was answered, and the refusal."""
    made = client.post("/v1/sessions", json=NETWORK)
    assert made.status_code == 201, made.text
    path, state = made.headers["location"], made.json()
    for turn in range(3000):
        answer = client.post(f"{path}/{CYCLE[turn % 3]}")
        if answer.status_code != 200:
            return path, state, answer
        state = answer.json()
    raise AssertionError("the disk is not full after all that")


def is_full_and_recovers(client: httpx2.Client, more: Callable[[], None]) -> None:
    """While the disk is full, writes are 507 and looks go on; when there is ``more`` room, all goes on."""
    path, state, refused = fill(client)
    assert (refused.status_code, refused.json()["type"]) == (507, "/problems/store-full")
    for _ in range(3):
        assert client.post("/v1/sessions", json=NETWORK).status_code == 507
        assert client.get(path).json() == state
    assert client.get(f"{path}/revisions/1").json()["revision"] == 1
    assert client.get(f"{path}/history?limit=5").status_code == 200
    assert client.get("/livez").status_code == 200
    more()
    revision = state["revision"]
    for turn in range(revision, revision + 6):
        answer = client.post(f"{path}/{CYCLE[turn % 3]}")
        assert (answer.status_code, answer.json()["revision"]) == (200, turn + 1), answer.text
    assert client.get(f"{path}/revisions/{revision}").json()["parameters"] == state["parameters"]


def test_a_full_disk_is_507_and_there_is_full_recovery(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with disk(folder, "3m") as remount:
        with serving(folder) as (address, _), httpx2.Client(base_url=address) as client:
            is_full_and_recovers(client, lambda: remount("size=20m"))
        with closing(sqlite3.connect(folder / "served.db")) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_full_disk_under_postgresql_is_507_and_there_is_full_recovery(tmp_path: Path, postgres: Server) -> None:
    postgres.migrated()
    folder = postgres.folder / "disk"
    with disk(folder, "14m") as remount:
        if other_user():
            shutil.chown(folder, NOBODY)
        postgres.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
        postgres.execute("CREATE DATABASE small TEMPLATE template_stepgrad TABLESPACE small STRATEGY file_copy")
        try:
            url = postgres.url("small")
            with serving(tmp_path, database_url=url) as (address, _), httpx2.Client(base_url=address) as client:
                is_full_and_recovers(client, lambda: remount("size=60m"))
        finally:
            postgres.execute("DROP DATABASE small")
            postgres.execute("DROP TABLESPACE small")


def test_a_file_that_another_program_holds_is_503_in_time_and_looks_go_on(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, _), httpx2.Client(base_url=address, timeout=20) as client:
        path = client.post("/v1/sessions").headers["location"]
        with closing(sqlite3.connect(tmp_path / "served.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            refused_in_time(client, path)
            other.execute("ROLLBACK")
        assert client.post(f"{path}/forward").json()["revision"] == 1


def test_a_row_that_another_program_holds_is_503_in_time_and_looks_go_on(tmp_path: Path, postgres: Server) -> None:
    url = postgres.migrated()
    name = url.partition("@/")[2].partition("?")[0]
    with serving(tmp_path, database_url=url) as (address, _), httpx2.Client(base_url=address, timeout=20) as client:
        path = client.post("/v1/sessions").headers["location"]
        free = client.post("/v1/sessions").headers["location"]
        with psycopg.connect(postgres.conninfo(name)) as other:
            other.execute("SELECT * FROM sessions WHERE key = 1 FOR UPDATE")
            refused_in_time(client, path)
            assert client.post(f"{free}/forward").status_code == 200
        assert client.post(f"{path}/forward").json()["revision"] == 1


def refused_in_time(client: httpx2.Client, path: str) -> None:
    """An action is refused, and looking is not."""
    began = time.monotonic()
    refused = client.post(f"{path}/forward")
    assert time.monotonic() - began < 6
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/store-unavailable")
    assert "locked" in refused.json()["detail"]
    assert refused.headers["retry-after"] == "1"
    assert client.get(path).json()["revision"] == 0
    assert client.get(f"{path}/revisions/0").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_a_disk_that_may_not_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with disk(folder, "3m") as remount:
        with serving(folder) as (address, _):
            assert httpx2.post(f"{address}/v1/sessions").status_code == 201
        remount("ro")
        for url in ("served.db", "new.db"):
            refused = started(f"sqlite:///{folder}/{url}", tmp_path)
            assert refused.returncode == 1
            assert "writable" in refused.stderr
            assert "Traceback" not in refused.stderr
        remount("rw")
        with serving(folder) as (address, _):
            assert httpx2.get(f"{address}/readyz").status_code == 200


def test_a_damaged_file_is_refused_at_the_start(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, _):
        for _ in range(30):
            httpx2.post(f"{address}/v1/sessions")
    path = tmp_path / "served.db"
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:4096] + bytes(4096) + whole[8192:], b"not SQLite" * 999):
        path.write_bytes(damaged)
        refused = started(f"sqlite:///{path}", tmp_path)
        assert refused.returncode == 1
        assert "restore a backup" in refused.stderr
        assert path.read_bytes() == damaged
    path.write_bytes(whole)
    with serving(tmp_path) as (address, _):
        assert httpx2.get(f"{address}/readyz").status_code == 200


def started(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A service that does not start."""
    return subprocess.run(
        [sys.executable, "-m", "api.cli", "serve", "--port", "0", "--database-url", url],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=30,
        check=False,
    )
