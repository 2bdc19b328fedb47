"""What hostile programs come to: each ends in a report, and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from api.grading.assignment import Assignment
from api.grading.distinct import Chosen
from api.grading.marks import graded
from api.grading.running import Source, run
from api.grading.sandbox import KINDS, Limits, NoSandbox, Program, Sandbox, Stopped, chosen

LIMITS = Limits(seconds=2.0, memory=1024**3)
MADE = Assignment.of({"seed": "s", "cases": 1})
CASES = Chosen(MADE).of("ada")


def works(kind: str) -> bool:
    try:
        chosen(kind, LIMITS)
    except NoSandbox:
        return False
    return True


HERE = [kind for kind in ("bubblewrap", "process") if works(kind)]


def body(text: str) -> bytes:
    lines = "\n".join(f"    {line}" for line in text.splitlines())
    return (
        f"import os, socket, subprocess, sys, threading, time\n\ndef forward(parameters, inputs):\n{lines}\n".encode()
    )


def said(kind: str, program: bytes) -> str:
    """What the report says of a program's forward pass."""
    done = run(MADE, CASES, Source("ada", "s.py", {"s.py": program}), kind, LIMITS)
    report = graded(MADE, CASES, done.sheets)
    assert report["sections"]["values"]["score"] == 0.0
    first = report["first_wrong"]
    return f"{first['verdict']} {first['detail']} {' '.join(done.notes)}"


HOSTILE = {
    "an endless loop": ("while True: pass", "longer than 2 seconds"),
    "a fork bomb": ("while True: os.fork()", "PermissionError"),
    "a bomb of threads": ("while True: threading.Thread(target=time.sleep, args=(60,)).start()", "RuntimeError"),
    "ten gibibytes": ("return {'L': len(bytearray(10 * 1024 ** 3))}", "MemoryError"),
    "the network": ("socket.create_connection(('127.0.0.1', 9), 1)", "PermissionError"),
    "a name on the network": ("socket.getaddrinfo('example.org', 80)", "rror"),
    "another program": ("subprocess.run(['/bin/ls'])", "Error"),
    "becoming another program": ("os.execv('/bin/ls', ['ls'])", "PermissionError"),
    "ending the grader": ("os.kill(os.getppid(), 9)", "PermissionError"),
    "ending everybody": ("os.kill(-1, 9)", "PermissionError"),
    "ending itself": ("os._exit(7)", "ended by itself, with status 7"),
    "ending itself politely": ("sys.exit(3)", "SystemExit"),
    "a crash": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "a flood of words": ("while True: print('x' * 10_000)", "longer than 2 seconds"),
    "too many numbers": ("return {'yhat': [0.0] * 3_000_000}", "malformed"),
    "endless depth": ("x = []\nfor _ in range(100_000): x = [x]\nreturn {'L': x, 'yhat': x}", "malformed"),
    "recursion": ("return forward(parameters, inputs)", "RecursionError"),
    "no numbers": ("return {'L': object(), 'yhat': 'a lot'}", "malformed"),
    "nothing": ("return None", "gave no dict"),
    "something else": ("return 5", "gave no dict"),
    "waiting for input": ("return {'L': input()}", "EOFError"),
    "a hostile float": ("class F(float):\n    def __repr__(self): raise SystemExit\nreturn {'L': F(1)}", ""),
    "the channel itself": ("os.write(int(sys.argv[2]), b'no JSON\\n')\ntime.sleep(9)", "channel"),
    "closing the channel": ("os.close(int(sys.argv[2]))", "ended"),
}


@pytest.mark.parametrize("kind", HERE)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_program_ends_in_a_report(kind: str, name: str) -> None:
    text, reason = HOSTILE[name]
    assert reason in said(kind, body(text))


@pytest.mark.parametrize("kind", HERE)
def test_the_grader_s_files_cannot_be_read(kind: str, tmp_path: Path) -> None:
    secret = tmp_path / "assignment.json"
    secret.write_text("secret")
    for path in (str(secret), "/etc/passwd", f"/proc/{os.getpid()}/environ", f"/proc/{os.getpid()}/cmdline"):
        found = said(kind, body(f"return {{'yhat': open({path!r}).read()}}"))
        assert "Error" in found, (path, found)
        assert "secret" not in found
    listing = said(kind, body(f"return {{'yhat': os.listdir({str(tmp_path)!r})}}"))
    assert "Error" in listing


@pytest.mark.parametrize("kind", HERE)
def test_nothing_is_written_to_a_home_or_anywhere_else(kind: str, tmp_path: Path) -> None:
    home = Path.home()
    names = [tmp_path / "evil", home / ".stepgrad-evil", Path("/var/tmp/stepgrad-evil")]
    for path in names:
        text = f"open({str(path)!r}, 'w').write('x')\nraise OSError('it could be written')"
        assert "missing" in said(kind, body(text))
        assert not path.exists()
    removed = tmp_path / "kept"
    removed.write_text("kept")
    said(kind, body(f"os.remove({str(removed)!r})"))
    assert removed.read_text() == "kept"


@pytest.mark.parametrize("kind", HERE)
def test_a_program_that_ends_in_one_case_is_started_again_for_the_next(kind: str) -> None:
    made = Assignment.of({"seed": "s", "cases": 3})
    cases = Chosen(made).of("ada")
    program = body("if len(inputs['x1']) == 3: os._exit(1)\nreturn {'yhat': inputs['x1'], 'L': 1.0}")
    done = run(made, cases, Source("ada", "s.py", {"s.py": program}), kind, LIMITS)
    report = graded(made, cases, done.sheets)
    verdicts = [case["steps"][0]["quantities"][0]["verdict"] for case in report["cases"]]
    assert verdicts == ["wrong", "missing", "wrong"]


def test_ordinary_work_is_let_be() -> None:
    program = b"""
import math, random, json, re, itertools, collections, functools, statistics, decimal, tempfile
import numpy as np


def forward(parameters, inputs):
    x1, x2, y = (np.array(inputs[name]) for name in ("x1", "x2", "y"))
    yhat = parameters["w1"] * x1 + parameters["w2"] * x2 + parameters["b"]
    np.linalg.svd(np.random.rand(200, 200))
    print("some words")
    return {"yhat": yhat, "L": np.mean((yhat - y) ** 2, dtype=np.float64), "note": "mine"}
"""
    for kind in (*HERE, "none"):
        done = run(MADE, CASES, Source("ada", "s.py", {"s.py": program}), kind, Limits(seconds=20.0))
        report = graded(MADE, CASES, done.sheets)
        assert report["sections"]["values"]["score"] == 20.0, (kind, report["first_wrong"], done.notes)
        assert done.printed == "some words\n"


def test_the_strongest_sandbox_that_works_is_chosen_and_says_what_it_could_not_stop() -> None:
    assert HERE, "neither bubblewrap nor the kernel's own measures work here"
    assert chosen("auto", LIMITS).kind == HERE[0]
    assert chosen("auto", LIMITS).sentence == f"sandbox: {HERE[0]}"
    assert "reaching the network" in chosen("none", LIMITS).sentence
    weak = chosen("process", LIMITS, without=("landlock", "user"))
    assert any(text.startswith("writing or deleting the files") for text in weak.document["cannot_stop"])
    weaker = chosen("process", LIMITS, without=("landlock", "user", "namespaces", "seccomp"))
    assert "reaching the network" in weaker.document["cannot_stop"]
    nobody = Sandbox("process", ("user", "network", "programs"))
    assert "reading files that everybody may read" in nobody.document["cannot_stop"]


def test_a_weak_sandbox_is_chosen_by_itself_only_in_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    without = ("landlock", "user")
    monkeypatch.setenv("PATH", "/nowhere")  # no bubblewrap
    monkeypatch.setattr("api.grading.sandbox.in_container", lambda: True)
    assert chosen("auto", LIMITS, without=without).kind == "process"
    monkeypatch.setattr("api.grading.sandbox.in_container", lambda: False)
    with pytest.raises(NoSandbox, match="docker run"):
        chosen("auto", LIMITS, without=without)
    with pytest.raises(NoSandbox, match="not installed"):
        chosen("bubblewrap", LIMITS)


def test_no_process_and_no_folder_is_left() -> None:
    before = set(Path("/tmp").glob("stepgrad-*"))
    with Program(HERE[0], LIMITS, {"s.py": body("while True: pass")}) as program:
        program.ask({"do": "load", "folder": str(program.work), "file": "s.py"})
        process = program._process
        assert process is not None
        with pytest.raises(Stopped, match="longer than"):
            program.ask({"do": "forward", "parameters": {}, "inputs": {}}, 0.5)
    assert process.poll() is not None
    assert set(Path("/tmp").glob("stepgrad-*")) <= before
    assert set(KINDS) == {"bubblewrap", "process", "none"}
