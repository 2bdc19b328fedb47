"""Schemathesis sends what the OpenAPI document allows, and what it does not, and follows its links.

No answer may be a 5xx, have a status, a media type, a header or a body that the document does not tell of, be 2xx to a
request that the document forbids, or find what was deleted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.readme import ROOT
from tests.routes.serving import serving

pytest.importorskip("schemathesis", reason="needs pip install '.[ci]'")


@pytest.mark.thorough
@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing", "stateful"])
def test_every_answer_is_as_the_openapi_document_says(phases: str, tmp_path: Path) -> None:
    with serving(tmp_path, "--run-seconds", "0.2") as (address, process):
        command = [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            f"{ROOT}/tests/contract/schemathesis.toml",
        ]
        command += ["run", f"{address}/openapi.json", "--no-color", "--phases", phases, "--seed", "1"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "STEPGRAD_UNDER_TEST": address}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert process.poll() is None
    assert done.returncode == 0, done.stdout + done.stderr
