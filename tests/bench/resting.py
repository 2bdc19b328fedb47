"""What a service costs that is not being asked: its start, its sessions' memory and disk, and others while one runs."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.bench.durable_step import ACTIONS, SERVE, Client, connected, serving
from tests.bench.ratios import Ratio, medians, seconds

PACKAGES = "import fastapi, numpy, pydantic, sqlalchemy, uvicorn"
STARTS = 9
IDLE = 3_000
STEPS = 600
BODIES = {
    "sgd, 3 numbers": {"optimizer": {"kind": "sgd", "learning_rate": 0.01}},
    "adam, 9 numbers": {"optimizer": {"kind": "adam"}},
    "adam, 819 numbers": {
        "model": {
            "kind": "mlp",
            "layers": [{"units": 16, "activation": "tanh"}, {"units": 13, "activation": "tanh"}, {"units": 1}],
        },
        "data": {"dataset": "xor"},
        "optimizer": {"kind": "adam"},
    },
}


def measure() -> list[Ratio]:
    """Start, memory, disk, and the patience of others."""
    return [start(), memory(), *disk(), others()]


def start() -> Ratio:
    """From the start of the process to its first answer ÷ the import of five packages."""
    with tempfile.TemporaryDirectory() as name:
        taken = medians({"start": lambda: first_answer(Path(name)), "import": imported}, STARTS)
    return Ratio("start to first answer ÷ importing five packages", taken["start"] / taken["import"], "at most 0.85")


def imported() -> None:
    """The five packages, by a Python of their own."""
    subprocess.run([sys.executable, "-c", PACKAGES], check=True)


def first_answer(folder: Path) -> None:
    """A service on a database that is there, up to the answer that it is ready."""
    with serving(["-c", SERVE, "serve", "--database-url", f"sqlite:///{folder / 'start.db'}"]) as client:
        client.call("GET", "/readyz")


def memory() -> Ratio:
    """What the process grows by with each session that has been stepped and then rests."""
    with tempfile.TemporaryDirectory() as name:
        command = ["-c", SERVE, "serve", "--database-url", f"sqlite:///{Path(name) / 'memory.db'}"]
        with serving(command) as client:
            for _ in range(300):
                stepped(client, 2)
            before = resident(client.pid)
            for _ in range(IDLE):
                stepped(client, 2)
            grown = (resident(client.pid) - before) / IDLE
    return Ratio("memory of an idle session ÷ 50 kB", grown / 50_000, f"at most 1; {grown / 1000:.1f} kB")


def stepped(client: Client, steps: int, body: bytes = b"{}") -> str:
    """A new session's path, after so many actions."""
    path: str = json.loads(client.call("POST", "/v1/sessions", body, 201))["links"]["self"]
    for action in ACTIONS[:steps]:
        client.call("POST", f"{path}/{action}")
    return path


def resident(pid: int) -> int:
    """Bytes of a process that are in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def disk() -> list[Ratio]:
    """The growth of the file with each finished step ÷ what is allowed."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        for title, body in BODIES.items():
            path = Path(name) / f"{title}.db"
            sizes, numbers = [], 0
            for steps in (0, STEPS):  # stopped, so that the file is all there is
                with serving(["-c", SERVE, "serve", "--database-url", f"sqlite:///{path}"]) as client:
                    address = stepped(client, 0, json.dumps(body).encode())
                    state = json.loads(client.call("GET", address))
                    slots = len(state["optimizer"]["slots"])
                    numbers = state["parameter_count"] * (1 + slots)
                    for _ in range(steps):
                        for action in ACTIONS:
                            client.call("POST", f"{address}/{action}")
                sizes.append(path.stat().st_size)
            per_step, allowed = (sizes[1] - sizes[0]) / STEPS, 3 * 8 * numbers + 600
            note = f"at most 1; {per_step:.0f} bytes"
            found.append(
                Ratio(f"disk of a finished step ÷ (3 × its numbers' + 600), {title}", per_step / allowed, note)
            )
    return found


def others() -> Ratio:
    """One client's median step while another's run goes on ÷ without."""
    with tempfile.TemporaryDirectory() as name:
        command = [
            "-c",
            SERVE,
            "serve",
            "--database-url",
            f"sqlite:///{Path(name) / 'others.db'}",
            "--run-seconds",
            "2",
        ]
        with serving(command) as client:
            path = stepped(client, 0, b'{"optimizer": {"learning_rate": 0.001}}')
            runner = stepped(client, 0, b'{"optimizer": {"learning_rate": 0.0001}}')
            turn = iter(range(10**9))
            act = lambda: client.call("POST", f"{path}/{ACTIONS[next(turn) % 3]}")  # noqa: E731
            ratios = [beside(client.port, runner, act) for _ in range(7)]
    return Ratio("others' p50 during a long run ÷ idle", statistics.median(ratios), "at most 1.1")


def beside(port: int, runner: str, act: Callable[[], bytes]) -> float:
    """The median of an action during a run ÷ that just before it."""
    idle = statistics.median(seconds(act) for _ in range(150))
    other = connected(port)
    run = threading.Thread(target=partial(other.call, "POST", f"{runner}/run", b'{"steps": 1000000}'))
    run.start()
    time.sleep(0.3)
    busy = []
    while run.is_alive():
        taken = seconds(act)
        if run.is_alive():
            busy.append(taken)
    run.join()
    other.socket.close()
    return statistics.median(busy) / idle
