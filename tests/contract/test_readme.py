"""The README does what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import httpx2
import pytest

from api.routes.analyses import ANALYSES
from api.settings import Settings
from tests.contract.readme import TEXT, blocks, walk

END = "--- end of output ---"
TURNS = [turn for block in blocks("walk") for turn in walk(block)]


def test_the_readme_has_one_command_to_serve_and_one_to_test() -> None:
    for name, last in (("serve", "stepgrad serve"), ("test", "pytest")):
        (command,) = blocks(name)
        assert command.count("\n") == 1
        assert command.strip().endswith(last)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq")
def test_the_walks_print_what_the_readme_shows(address: str) -> None:
    assert len(TURNS) > 10
    script = f"\necho '{END}'\n".join(["set -euo pipefail", *(command for command, _ in TURNS), ""])
    script = script.replace("http://127.0.0.1:8000", address).replace(".venv/bin/python", sys.executable)
    # From a bash of its own, in which a variable that one command sets is there for the next.
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert not done.returncode, done.stderr
    printed = done.stdout.split(END)[1:-1]
    for (command, expected), output in zip(TURNS, printed, strict=True):
        assert alike(output, expected), f"$ {command}\n{output}\ninstead of\n{expected}"


def alike(output: str, expected: str) -> bool:
    """Whether both are the same but for white space; ``…`` stands for anything."""
    parts = ["".join(part.split()) for part in expected.replace("127.0.0.1:8000", "…").split("…")]
    return re.fullmatch(".*".join(map(re.escape, parts)), "".join(output.split())) is not None


def test_an_output_is_compared_but_for_white_space_and_what_is_left_out() -> None:
    assert alike('{"a": 1}\n', '{"a":\n 1}')
    assert alike('{"id":"abc","a":1}', '{"id":"…","a":1}')
    assert not alike('{"a": 2}', '{"a": 1}')
    assert not alike("", "…1")


def test_the_table_of_calls_has_every_route_and_no_other(address: str) -> None:
    document = httpx2.get(f"{address}/openapi.json").json()
    served = {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method in item
        if method in ("get", "post", "patch", "delete", "put")
    }
    written: set[str] = set()
    _, _, table = TEXT.partition("\n| call | does |\n")
    for row in table.partition("\n\n")[0].splitlines():
        called, of_row = re.findall(r"`([^`]+)`", re.split(r"(?<!\\)\|", row)[1]), [""]
        for text in called:
            method, _, path = text.rpartition(" ")
            # A shortened address goes on from the first one of its row.
            path = path.partition("?")[0].replace("…", of_row[0])
            of_row = of_row if of_row[0] else [path.rpartition("/")[0]]
            written.add(f"{method or 'GET'} {path}")
    of_a_revision = {
        f"GET /v1/sessions/{{id}}/revisions/{{revision}}/{name}"
        for name in ("equations", "graph.svg", "graph.dot", "course.svg", "code", *(row.path for row in ANALYSES))
    }
    assert written - served == {"GET /openapi.json"}
    assert served - written <= of_a_revision


def test_the_table_of_settings_has_every_flag_with_its_environment_variable() -> None:
    rows = re.findall(r"^\| `--([a-z-]+)` \| `(STEPGRAD_[A-Z_]+)` \| (.+) \|$", TEXT, re.MULTILINE)
    assert [flag.replace("-", "_") for flag, _, _ in rows] == list(Settings.model_fields)
    for flag, variable, default in rows:
        name = flag.replace("-", "_")
        assert variable == f"STEPGRAD_{name.upper()}"
        if default.startswith("`"):
            told = f"{Settings.model_fields[name].default}".removesuffix(".0")
            assert default.strip("`") == {"True": "true", "False": "false"}.get(told, told)
