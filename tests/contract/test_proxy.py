"""nginx before two servers, with the very configuration that docker-compose.yml gives it."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.contract.histories import check, load
from tests.contract.readme import ROOT
from tests.postgres import Server
from tests.routes.serving import Listener, serving

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = [pytest.mark.thorough, pytest.mark.skipif(NGINX is None, reason="needs nginx")]
PROBLEM = "application/problem+json"


@contextmanager
def proxying(folder: Path, servers: list[str], changed: dict[str, str] | None = None) -> Iterator[str]:
    """The address of nginx before some servers; ``changed`` replaces texts of its configuration."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    upstreams = "".join(f"server {server.removeprefix('http://')} max_fails=2 fail_timeout=5s;" for server in servers)
    text = (ROOT / "nginx.conf").read_text()
    places = {
        "server api:8000 max_fails=2 fail_timeout=5s;": upstreams,
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "root /srv/client;": f"root {ROOT}/client;",
        "access_log /dev/stdout json;": f"access_log {folder}/access.log json;",
        "error_log /dev/stderr emerg;": f"error_log {folder}/error.log emerg;",
        "/tmp/nginx": f"{folder}/nginx",
    }
    for given, here in (places | (changed or {})).items():
        assert given in text, given
        text = text.replace(given, here)
    if getpass.getuser() == "root":
        text = f"user root;\n{text}"
    (folder / "nginx.conf").write_text(text)
    command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    process = subprocess.Popen(command)
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> Iterator[tuple[str, Path]]:
    """nginx before two servers on one PostgreSQL, and the folder with its log."""
    folder, url = tmp_path_factory.mktemp("proxied"), postgres.migrated()
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(folder, database_url=url))[0] for _ in range(2)]
        yield stack.enter_context(proxying(folder, servers)), folder


def test_sixteen_clients_through_the_proxy_fit_one_order(proxied: tuple[str, Path]) -> None:
    address, folder = proxied
    statuses = check(load([address], clients=16, operations=100, sessions=3))
    assert statuses.keys() == {200, 409, 412, 422}
    assert len(set(re.findall(r'"upstream":"([^"]+)"', (folder / "access.log").read_text()))) == 2


def test_the_client_comes_from_the_proxy_and_everything_else_from_the_servers(proxied: tuple[str, Path]) -> None:
    address, _ = proxied
    for path in ("/", "/guide.html", "/style.css"):
        answer = httpx2.get(address + path)
        assert answer.status_code == 200
        assert "nginx" in answer.headers["server"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.content == (ROOT / "client" / (path.strip("/") or "index.html")).read_bytes()
    browser = {"Accept": "text/html"}
    made = httpx2.post(f"{address}/v1/sessions", headers=browser, data={"batch_size": "2"})
    assert made.status_code == 303
    assert httpx2.get(address + made.headers["location"].partition("#")[0], headers=browser).status_code == 200
    assert httpx2.post(address + "/").json()["type"] == "/problems/method-not-allowed"
    assert httpx2.get(f"{address}/nothing").headers["content-type"] == PROBLEM
    assert httpx2.get(f"{address}/metrics").json()["type"] == "/problems/not-found"


def test_live_pages_pass_at_once(proxied: tuple[str, Path]) -> None:
    address, _ = proxied
    path = httpx2.post(f"{address}/v1/sessions").headers["location"]
    listener = Listener(f"{address}{path}/live", Accept="text/event-stream")
    listener.until(b"id: 0")
    began = time.monotonic()
    httpx2.post(f"{address}{path}/forward")
    listener.until(b"id: 1")
    assert time.monotonic() - began < 2
    listener.close()


def test_a_body_that_is_too_large_is_a_problem_whoever_says_so(proxied: tuple[str, Path]) -> None:
    address, _ = proxied
    kind = {"Content-Type": "application/json"}
    for size in (2_500_000, 5_000_000):
        answer = httpx2.post(f"{address}/v1/sessions", content=b" " * size, headers=kind)
        assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)
        assert answer.json()["type"] == "/problems/limit-exceeded"


def test_what_is_logged_names_no_session(proxied: tuple[str, Path]) -> None:
    address, folder = proxied
    state = httpx2.post(f"{address}/v1/sessions").json()
    base = f"{address}{state['links']['self']}"
    seen = "/history.csv /revisions/0 /revisions/0/check /graph.svg?layout=true .json /steps/0.json"
    for path in ("", *seen.split()):
        httpx2.get(base + path, headers={"Referer": base})
    httpx2.get(f"{address}/v1/sessions", params={"id": state["id"]})
    httpx2.get(f"{address}/{state['id']}")
    httpx2.post(f"{base}/forward", headers={"Host": "elsewhere"})
    time.sleep(0.2)
    text = (folder / "access.log").read_text()
    assert state["id"] not in text
    assert state["share"]["read"] not in text
    lines = [json.loads(line) for line in text.splitlines()]
    routes = {line["route"] for line in lines}
    assert {"/v1/sessions", "/v1/sessions/{id}/forward", "/v1/sessions/{id}/revisions/{number}"} <= routes
    assert len({line["request_id"] for line in lines}) == len(lines)


def test_a_sender_that_takes_its_time_is_left_and_one_that_has_it_is_served(tmp_path: Path) -> None:
    short = {f"client_{part}_timeout 10s;": f"client_{part}_timeout 1s;" for part in ("header", "body")}
    head = b"POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with serving(tmp_path) as (server, _), proxying(tmp_path, [server], short) as address:
        for begun in (head, head + b"Content-Length: 9\r\n\r\n{"):
            with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=10) as slow:
                slow.sendall(begun)
                began = time.monotonic()
                while slow.recv(4096):
                    pass
                assert 0.5 < time.monotonic() - began < 5
        assert httpx2.post(f"{address}/v1/sessions").status_code == 201


def test_without_servers_the_proxy_says_so_as_a_problem(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with proxying(tmp_path, [f"http://127.0.0.1:{nobody.getsockname()[1]}"]) as address:
            answer = httpx2.post(f"{address}/v1/sessions")
            assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["status"] == 503
            assert httpx2.get(address).status_code == 200


def test_one_server_that_ends_is_not_noticed(tmp_path: Path, postgres: Server) -> None:
    url = postgres.migrated()
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(tmp_path, database_url=url)) for _ in range(2)]
        address = stack.enter_context(proxying(tmp_path, [address for address, _ in servers]))
        path = httpx2.post(f"{address}/v1/sessions", json={"optimizer": {"learning_rate": 0.01}}).headers["location"]
        for turn in range(30):
            if turn == 12:
                servers[0][1].terminate()
                servers[0][1].wait(timeout=20)
            action = ("forward", "backward", "update")[turn % 3]
            answer = httpx2.post(f"{address}{path}/{action}")
            assert (answer.status_code, answer.json()["revision"]) == (200, turn + 1), answer.text
