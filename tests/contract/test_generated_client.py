"""A client that a public generator writes from the service's own OpenAPI document walks a session with typed models."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

pytest.importorskip("openapi_python_client", reason="needs pip install '.[ci]'")


@pytest.fixture(scope="module")
def generated(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A package ``walker``, generated and importable."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_bytes(httpx2.get(f"{address}/openapi.json").content)
    # Pictures and tables, which the generator has no type for, are texts to it.
    kinds = dict.fromkeys(("image/svg+xml", "text/vnd.graphviz", "text/csv", "text/event-stream"), "text/plain")
    (folder / "config.yaml").write_text(json.dumps({"content_type_overrides": kinds, "post_hooks": []}))
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json", "--meta", "none"]
    command += ["--output-path", "walker", "--config", "config.yaml", "--fail-on-warning"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == "walker"]:
            del sys.modules[name]


def call(name: str) -> Any:
    return importlib.import_module(f"walker.api.{name}")


@pytest.mark.usefixtures("generated")
def test_a_generated_client_walks_a_session(address: str) -> None:
    models = importlib.import_module("walker.models")
    with importlib.import_module("walker").Client(base_url=address, raise_on_unexpected_status=True) as client:
        body = models.CreateRequest.from_dict({"title": "generated", "optimizer": {"learning_rate": 0.05}})
        state = call("sessions.create").sync(client=client, body=body)
        assert isinstance(state, models.State)
        assert (state.revision, state.phase, state.parameters["w1"]) == (0, "ready", -0.017)
        forward = call("actions.forward").sync(id=state.id, client=client)
        assert isinstance(forward, models.State)
        assert (forward.loss, forward.outputs["yhat"]) == (4.477456, [-0.116])
        backward = call("actions.backward").sync(id=state.id, client=client, if_match='"r1"')
        assert backward.gradients.to_dict() == {"w1": -16.928, "w2": -4.232, "b": -4.232}
        assert {node.id: node.role for node in backward.graph.nodes}["yhat"] == "model"
        update = call("actions.update").sync(id=state.id, client=client)
        assert update.last_update.parameters["w1"].after == update.parameters["w1"] == 0.8294
        again = call("actions.update").sync(id=state.id, client=client)
        assert isinstance(again, models.Problem)
        assert (again.status, again.type_) == (409, "/problems/wrong-phase")
        run = call("actions.run").sync(id=state.id, client=client, body=models.RunRequest(epochs=2))
        assert (run.run.stopped_by, run.epoch) == ("completed", 3)
        undone = call("actions.undo").sync(id=state.id, client=client)
        assert (undone.revision, undone.step) == (5, 1)
        shown = call("sessions.show").sync(id=state.id, client=client)
        assert shown.to_dict() == undone.to_dict()
        past = call("sessions.show_revision").sync(id=state.id, revision="1", client=client)
        assert past.loss == 4.477456
        history = call("sessions.history").sync(id=state.id, client=client)
        assert [item.step for item in history.items] == [0]


@pytest.mark.usefixtures("generated")
def test_the_generated_models_send_back_what_they_were_given(address: str) -> None:
    models = importlib.import_module("walker.models")
    state = httpx2.post(f"{address}/v1/sessions").json()
    for action in ("forward", "backward", "update"):
        assert models.State.from_dict(state).to_dict() == state
        state = httpx2.post(f"{address}/v1/sessions/{state['id']}/{action}").json()
    definition = httpx2.get(f"{address}/v1/sessions/{state['id']}/definition").json()
    body = models.CreateRequest.from_dict(definition)
    assert httpx2.post(f"{address}/v1/sessions", json=body.to_dict()).status_code == 201
