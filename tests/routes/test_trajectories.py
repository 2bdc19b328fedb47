"""Training over HTTP: the steps that other authors printed, and those that PyTorch and Keras themselves make."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.libraries import cases
from tests.libraries.made import GOLDEN
from tests.routes.test_published import act, created, printed

LIBRARIES = cases.optimizers()
SCHEDULES = [name for name, body in cases.SCHEDULES.items() if body["kind"] != "plateau"]
"""Those that do not look at losses."""


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    """What the libraries made, as it is kept."""
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


# printed by other authors


def test_the_linear_regression_of_andrew_ng(client: TestClient) -> None:
    # A. Ng, Machine Learning Specialization, course 1, lab Gradient Descent for Linear Regression, 2022: what it
    # prints before each iteration of the cost and, after it, of the gradient and the parameters
    here = created(
        client,
        model={"kind": "linear"},
        data={"columns": ["x", "y"], "rows": [[1.0, 300.0], [2.0, 500.0]]},
        loss={"kind": "half_squared_error"},
        parameters={"w1": 0, "b": 0},
        optimizer={"learning_rate": 0.01},
        batch_size=2,
    )
    lines = {
        0: ("7.93e+04", "-6.500e+02", "-4.000e+02", "6.500e+00", "4.00000e+00"),
        1000: ("3.41e+00", "-3.712e-01", "6.007e-01", "1.949e+02", "1.08228e+02"),
        5000: ("9.95e-03", "-2.004e-02", "3.243e-02", "1.997e+02", "1.00444e+02"),
        9000: ("2.90e-05", "-1.082e-03", "1.751e-03", "2.000e+02", "1.00024e+02"),
    }
    for iteration, (cost, dw, db, w, b) in lines.items():
        if iteration:
            act(client, here, "run", steps=iteration - act(client, here, "undo")["step"])
        slopes = act(client, here, "forward", "backward")["gradients"]
        assert printed(slopes["w1"], dw), iteration
        assert printed(slopes["b"], db), iteration
        state = act(client, here, "update")
        assert printed(state["parameters"]["w1"], w), iteration
        assert printed(state["parameters"]["b"], b), iteration
        assert printed(act(client, here, "forward")["loss"], cost), iteration
    state = act(client, here, "run", steps=10_000 - state["step"])
    assert printed([state["parameters"]["w1"], state["parameters"]["b"]], "(199.9929, 100.0116)".strip("()"))


def test_the_gradient_descent_of_statquest(client: TestClient) -> None:
    # J. Starmer, StatQuest: Gradient Descent, Step-by-Step, 2019: the sum of squared residuals of three points
    data = {"columns": ["weight", "height"], "rows": [[0.5, 1.4], [2.3, 1.9], [2.9, 3.2]]}
    shared: dict[str, Any] = {"data": data, "batch_size": 3, "loss": {"reduction": "sum"}}

    def model(slope: str) -> dict[str, Any]:
        return {"kind": "expression", "source": f"L = (height - (intercept + {slope}*weight))**2"}

    here = created(client, model=model("0.64"), parameters={"intercept": 0}, optimizer={"learning_rate": 0.1}, **shared)
    for slope, intercept in (("-5.7", "0.57"), ("-2.3", "0.8"), ("-0.9", "0.89")):
        assert printed(act(client, here, "forward", "backward")["gradients"]["intercept"], slope)
        assert printed(act(client, here, "update")["parameters"]["intercept"], intercept)
    assert printed(act(client, here, "run", steps=20)["parameters"]["intercept"], "0.95")

    start = {"intercept": 0, "slope": 1}
    here = created(client, model=model("slope"), parameters=start, optimizer={"learning_rate": 0.01}, **shared)
    gradients = act(client, here, "forward", "backward")["gradients"]
    assert printed([gradients["intercept"], gradients["slope"]], "-1.6 -0.8")
    after = act(client, here, "update")["parameters"]
    assert printed([after["intercept"], after["slope"]], "0.016 1.008")
    final = act(client, here, "run", steps=1000)["parameters"]
    assert printed([final["intercept"], final["slope"]], "0.95 0.64")


BOWL = "L = 0.1*x1**2 + 2*x2**2"
DESCENTS: dict[str, tuple[str, dict[str, float], dict[str, Any], int, str]] = {
    # A. Zhang et al., Dive into Deep Learning, 12.3: x² from 10, x1² + 2·x2² from (−5, −2)
    "gd": ("L = x**2", {"x": 10}, {"kind": "sgd", "learning_rate": 0.2}, 10, "0.060466"),
    "gd-2d": ("L = x1**2 + 2*x2**2", {"x1": -5, "x2": -2}, {"kind": "sgd", "learning_rate": 0.1}, 20,
              "-0.057646 -0.000073"),
    # 12.6 Momentum
    "gd-0.4": (BOWL, {"x1": -5, "x2": -2}, {"kind": "sgd", "learning_rate": 0.4}, 20, "-0.943467 -0.000073"),
    "gd-0.6": (BOWL, {"x1": -5, "x2": -2}, {"kind": "sgd", "learning_rate": 0.6}, 20, "-0.387814 -1673.365109"),
    "momentum-0.5": (BOWL, {"x1": -5, "x2": -2}, {"kind": "momentum", "learning_rate": 0.6, "momentum": 0.5}, 20,
                     "0.007188 0.002553"),
    "momentum-0.25": (BOWL, {"x1": -5, "x2": -2}, {"kind": "sgd", "learning_rate": 0.6, "momentum": 0.25}, 20,
                      "-0.126340 -0.186632"),
    # 12.7 Adagrad and 12.8 RMSProp, with epsilon inside the root
    "adagrad": (BOWL, {"x1": -5, "x2": -2},
                {"kind": "adagrad", "dialect": "article", "learning_rate": 0.4, "epsilon": 1e-6}, 20,
                "-2.382563 -0.158591"),
    "adagrad-2": (BOWL, {"x1": -5, "x2": -2},
                  {"kind": "adagrad", "dialect": "article", "learning_rate": 2, "epsilon": 1e-6}, 20,
                  "-0.002295 -0.000000"),
    "rmsprop": (BOWL, {"x1": -5, "x2": -2},
                {"kind": "rmsprop", "dialect": "article", "learning_rate": 0.4, "rho": 0.9, "epsilon": 1e-6}, 20,
                "-0.010599 0.000000"),
    # the example of keras.optimizers.RMSprop
    "keras-rmsprop": ("L = var1**2/2", {"var1": 10}, {"kind": "rmsprop", "dialect": "keras", "learning_rate": 0.1}, 1,
                      "9.683772"),
}  # fmt: skip


@pytest.mark.parametrize("name", DESCENTS)
def test_a_descent_ends_where_it_was_printed_to_end(name: str, client: TestClient) -> None:
    source, start, optimizer, steps, text = DESCENTS[name]
    here = created(
        client, data=None, model={"kind": "expression", "source": source}, parameters=start, optimizer=optimizer
    )
    state = act(client, here, "run", steps=steps)
    assert (state["step"], printed(list(state["parameters"].values()), text)) == (steps, True)


# made by the libraries


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_run_is_the_librarys_trajectory(name: str, client: TestClient, stored: dict[str, Any]) -> None:
    theirs = stored["optimizers"][name]
    here = created(client, optimizer=LIBRARIES[name], parameters=cases.START)
    end = act(client, here, "run", steps=cases.UPDATES)
    assert list(end["parameters"].values()) == pytest.approx(theirs[-1], rel=1e-12, abs=0)
    for step in (1, 7, 13):
        inside = client.get(f"{here}/steps/{step}").json()
        assert list(inside["parameters"].values()) == pytest.approx(theirs[step - 1], rel=1e-12, abs=0), step
    items = client.get(f"{here}/history").json()["items"]
    rows = [[4, 1, 2], [2, 8, -14], [1, 0, 1], [3, 2, -1], [1, 4, -7], [6, 7, -8]]
    before = [list(cases.START.values()), *theirs]
    for item, (w1, w2, b) in zip(items, before, strict=False):
        x1, x2, y = rows[item["step"] % 6]
        assert item["loss"] == pytest.approx((w1 * x1 + w2 * x2 + b - y) ** 2, rel=1e-9), item["step"]
    assert len(items) == cases.UPDATES


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_runs_rates_are_the_librarys(name: str, client: TestClient, stored: dict[str, Any]) -> None:
    optimizer = {"kind": "adam", "learning_rate": cases.BASE_RATE}
    here = created(client, optimizer=optimizer, schedule=cases.SCHEDULES[name], batch_size=6)
    act(client, here, "run", epochs=cases.RATES)
    rates = [item["learning_rate"] for item in client.get(f"{here}/history").json()["items"]]
    assert rates == pytest.approx(stored["schedules"][name], rel=1e-12, abs=0)
