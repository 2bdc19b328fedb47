"""The NumPy script of every case runs and finds the session's numbers, and says what it is.

The other libraries' are run in ``tests/libraries``.
"""

from __future__ import annotations

import ast
import re

import pytest

from api.scripts.script import TARGETS
from tests.scripts.cases import EVERY, ODD, Case
from tests.scripts.random_programs import scripts
from tests.scripts.running import DONE, run, script_of

ARTICLE = Case({}, 12)
NETWORK = Case({
    "model": {"kind": "mlp", "layers": [{"units": 3, "activation": "tanh"}, {"units": 1}]},
    "data": {"dataset": "xor"}, "optimizer": {"kind": "adam"}, "batch_size": 4,
})  # fmt: skip


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    """What each case's script printed."""
    return dict(zip(EVERY, run([script_of(case, "numpy") for case in EVERY.values()]), strict=True))


@pytest.mark.parametrize("name", EVERY)
def test_the_numpy_script_finds_the_numbers_of_the_session(name: str, printed: dict[str, str]) -> None:
    assert DONE in printed[name]


@pytest.mark.parametrize("tensors", [False, True], ids=["numbers", "tensors"])
def test_scripts_of_random_programs_find_the_numbers_too(tensors: bool) -> None:
    texts = scripts(tensors, 150, "numpy")
    assert len(texts) > 100
    assert [said for said in run(texts) if DONE not in said] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("learning_rate = 0.05", "learning_rate = 0.0500001"),
        ("[4.0, 1.0, 2.0]", "[4.0, 1.0, 2.000001]"),
        ("np.sum(dL_dyhat * x1)", "np.sum(dL_dyhat * x2)"),
        ("np.array(-0.017)", "np.array(-0.0170001)"),
        ("orders = [rows] * 2", "orders = [rows, rows[::-1]]"),
    ],
)
def test_a_script_that_is_wrong_says_so(old: str, new: str) -> None:
    text = script_of(ARTICLE, "numpy")
    assert text.count(old) == 1
    (said,) = run([text.replace(old, new)])
    assert "AssertionError" in said


def test_the_chain_rule_is_written_out_line_by_line() -> None:
    lines = script_of(NETWORK, "numpy").splitlines()
    found = [line.split("#")[0].strip() for line in lines if re.match(r"    dL_d\w+ = ", line)]
    assert found == [
        "dL_dyhat = 1 / n * 2 * (yhat - y)",
        "dL_dz2 = dL_dyhat",
        "dL_db2 = np.sum(dL_dz2, axis=0)",
        "dL_dh1 = dL_dz2 @ W2.T",
        "dL_dW2 = h1.T @ dL_dz2",
        "dL_dz1 = dL_dh1 * (1 - h1**2)",
        "dL_db1 = np.sum(dL_dz1, axis=0)",
        "dL_dW1 = x.T @ dL_dz1",
    ]


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        ("numpy", ["def adam_step(w, g, learning_rate, t, m, v):", "mhat = m / (1 - beta1**t)"]),
        ("pytorch", ["optimizer = torch.optim.Adam(params, ", "L.backward()", "optimizer.step()"]),
        ("jax", ["@jax.jit", "jax.value_and_grad(forward, has_aux=True)", "mhat = m / (1 - beta1**t)"]),
        ("tensorflow", ["with tf.GradientTape() as tape:", "@tf.function", "mhat = m / (1 - beta1**t)"]),
    ],
)
def test_each_library_is_used_as_its_readers_know_it(target: str, lines: list[str]) -> None:
    text = script_of(NETWORK, target)
    assert all(line in text for line in lines)
    assert ("dL_d" in text) == (target == "numpy")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["names that mean something else", "nested deep", "standardized, from CSV"])
def test_nothing_that_somebody_has_written_becomes_code(name: str, target: str) -> None:
    text = script_of(ODD[name], target)
    tree = ast.parse(text.encode())
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert modules <= {"numpy", "torch", "jax", "jax.numpy", "tensorflow", "math", "os"}
    assert "raise SystemExit(1)" not in {line.strip() for line in text.splitlines()}
    assert not any("coding" in line for line in text.splitlines()[:2])


def test_a_script_tells_which_names_it_writes_otherwise() -> None:
    text = script_of(ODD["names that mean something else"], "numpy")
    assert "# lambda is written lambda_ here" in text
    assert "# np is written np_ here" in text
    assert "# batch is" not in text


@pytest.mark.parametrize(("kind", "classes"), [("adam", "Adam"), ("rmsprop", ""), ("sgd", "SGD")])
def test_keras_optimizers_are_used_where_they_keep_float64(kind: str, classes: str) -> None:
    text = script_of(Case({"optimizer": {"kind": kind, "dialect": "keras"}}), "tensorflow")
    assert ("tf.keras.optimizers." in text) == (kind != "adam")
    assert (f"tf.keras.optimizers.{classes}" in text) == (kind != "adam")


@pytest.mark.parametrize(
    ("schedule", "steps", "has"),
    [
        ({"kind": "step", "step_size": 2}, 12, True),
        ({"kind": "inverse_time", "decay_rate": 0.1}, 12, False),
        ({"kind": "one_cycle", "max_lr": 0.01, "total_steps": 10, "every": "update"}, 12, False),
        ({"kind": "one_cycle", "max_lr": 0.01, "total_steps": 20, "every": "update"}, 12, True),
    ],
)
def test_pytorchs_scheduler_is_used_where_it_has_one_that_goes_so_far(
    schedule: dict[str, object], steps: int, has: bool
) -> None:
    text = script_of(Case({"schedule": schedule}, steps), "pytorch")
    assert ("torch.optim.lr_scheduler." in text) == has
    assert ("def rate(k):" in text) != has
