"""The JAX script: ``value_and_grad`` finds the gradients, the optimiser's rule is written out, ``jit`` compiles it."""

from __future__ import annotations

from api.scripts.checks import checks
from api.scripts.model import model, names_of
from api.scripts.repetition import Repetition
from api.scripts.rows import data, order
from api.scripts.rule import rule_of
from api.scripts.sections import Lines, heading, helpers, imports, start
from api.scripts.steps import loop, schedule, stepping, steps
from api.scripts.target import JAX

_GRADIENTS = '''
def gradients(params, batch):
    """The loss, the outputs, and the gradients."""
    (L, outputs), grads = jax.value_and_grad(forward, has_aux=True)(params, batch)
    return L, outputs, grads
'''

_EAGER = "XLA takes longer over that many small operations than they take to run"
_OPERATIONS, _PARAMETERS = 200, 50
"""Beyond which compiling takes longer than running."""


def compiles(repetition: Repetition) -> bool:
    """Whether ``jit`` is worth its while."""
    graph = repetition.definition.graph
    return len(graph.active) <= _OPERATIONS and len(graph.parameters) <= _PARAMETERS


def script(repetition: Repetition) -> Lines:
    """The script's lines."""
    names, rule = names_of(repetition, JAX), rule_of(repetition, JAX)
    made = model(repetition, JAX, names)
    jit = ["@jax.jit"] if compiles(repetition) else []
    eager = ["", f"# Nothing is compiled: {_EAGER}."] if not jit else []
    return [
        *heading(repetition, JAX, names), *eager,
        *imports(JAX, 'jax.config.update("jax_enable_x64", True)  # float64'),
        *helpers(JAX, made),
        "# The model.", *made, "", "",
        *jit, *_GRADIENTS.strip("\n").split("\n"), "", "",
        "# The optimiser.", *rule.function, "", "",
        *jit, *steps(rule, JAX), "", "",
        *data(repetition, JAX), *order(repetition), "",
        "# The start.", *start(repetition, JAX, slots=True), *schedule(repetition), "",
        "# The training.", *loop(repetition, stepping(rule, JAX), JAX.batch), "", "",
        *checks(repetition, JAX, ["L, outputs, grads = gradients(params, batch)"]),
    ]  # fmt: skip
