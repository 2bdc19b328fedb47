"""The TensorFlow script: a ``GradientTape`` finds the gradients; where the dialect is Keras's own and its optimiser
keeps float64, that does the rest, else the rule is written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from api.engine.graph import Graph, Role
from api.scripts.checks import checks
from api.scripts.literals import number
from api.scripts.model import model, names_of
from api.scripts.repetition import Repetition
from api.scripts.rows import data, order
from api.scripts.rule import rule_of
from api.scripts.sections import Lines, heading, helpers, imports, start
from api.scripts.steps import loop, schedule, stepping, steps
from api.scripts.target import TENSORFLOW

_GRADIENTS = '''
def gradients(params, batch):
    """The loss, the outputs, and the gradients."""
    with tf.GradientTape() as tape:
        tape.watch(params)
        L, outputs = forward(params, batch)
    return L, outputs, tape.gradient(L, params, unconnected_gradients=tf.UnconnectedGradients.ZERO)
'''
_KERAS = ('tf.keras.config.set_floatx("float64")  # the optimiser\'s own variables',)
_BACKEND = ("", "import os", "", 'os.environ["KERAS_BACKEND"] = "tensorflow"')
_CLASSES = {"sgd": "SGD", "adagrad": "Adagrad", "rmsprop": "RMSprop", "adadelta": "Adadelta"}
"""The others are not here: on TensorFlow, Keras reads momentum and betas as float32, which costs eight digits."""
_OPERATIONS = 500
"""Beyond which ``tf.function`` takes longer to trace a graph than it saves."""


def script(repetition: Repetition) -> Lines:
    """The script's lines."""
    names = names_of(repetition, TENSORFLOW)
    made = model(repetition, TENSORFLOW, names)
    keras = has_class(repetition)
    traced = len(repetition.definition.graph.active) <= _OPERATIONS
    eager = (
        [] if traced else ["", "# Nothing is traced: over that many operations that takes longer than running them."]
    )
    head = [
        *heading(repetition, TENSORFLOW, names), *eager,
        *(_BACKEND if keras else ()), *imports(TENSORFLOW, *(_KERAS if keras else ())),
        *helpers(TENSORFLOW, made),
        "# The model.", *made, "", "",
        *_GRADIENTS.strip("\n").split("\n"), "", "",
    ]  # fmt: skip
    decorator = ["@tf.function(autograph=False)"] if traced else []
    body = _with_optimizer(repetition, decorator) if keras else _written_out(repetition, decorator)
    return [*head, *body, *checks(repetition, TENSORFLOW, ["L, outputs, grads = gradients(params, batch)"])]


def has_class(repetition: Repetition) -> bool:
    """Whether Keras has an optimiser that makes the same steps, and these begin with the script."""
    definition, slots = repetition.definition, repetition.start.slots
    optimizer = definition.optimizer
    known = optimizer["dialect"] == "keras" and optimizer["kind"] in _CLASSES and "momentum" not in optimizer
    if not known or not definition.names or _is_variable(definition.graph):
        return False
    return all(np.all(value == definition.rule.born(slot)) for slot in slots for value in slots[slot].values())


def _is_variable(graph: Graph) -> bool:
    """Whether the loss may be a parameter itself, which the optimiser would change before it is told."""
    node = graph.nodes[graph.loss]
    while len(node.operands) == 1:
        node = graph.nodes[node.operands[0]]
    return node.role is Role.PARAMETER


def _written_out(repetition: Repetition, decorator: Lines) -> Lines:
    rule = rule_of(repetition, TENSORFLOW)
    return [
        "# The optimiser.", *rule.function, "", "",
        *decorator, *steps(rule, TENSORFLOW), "", "",
        *data(repetition, TENSORFLOW), *order(repetition), "",
        "# The start.", *start(repetition, TENSORFLOW, slots=True), *schedule(repetition), "",
        "# The training.", *loop(repetition, stepping(rule, TENSORFLOW), TENSORFLOW.batch), "", "",
    ]  # fmt: skip


def _with_optimizer(repetition: Repetition, decorator: Lines) -> Lines:
    variables = replace(TENSORFLOW, array="tf.Variable({}, dtype=tf.float64)")
    clip = repetition.definition.optimizer.get("clip", {})
    scheduled = repetition.definition.scheduled
    step = [
        *(["optimizer.learning_rate = learning_rate"] if scheduled else []),
        "losses.append(float(train_step(batch)))",
    ]
    return [
        *data(repetition, TENSORFLOW), *order(repetition), "",
        "# The start.", *start(repetition, variables, slots=False), "",
        "# The optimiser.", _optimizer(repetition.definition.optimizer), "optimizer.build(params)",
        *(schedule(repetition) if scheduled else []), "", "",
        *decorator,
        "def train_step(batch):",
        '    """One step: the gradients, and the optimiser\'s update of all parameters."""',
        "    L, outputs, grads = gradients(params, batch)",
        *_clipped(clip),
        "    optimizer.apply_gradients(zip(grads, params))",
        "    return L", "", "",
        "# The training.", *loop(repetition, step, TENSORFLOW.batch), "", "",
    ]  # fmt: skip


def _clipped(clip: Mapping[str, float]) -> Lines:
    if "norm" in clip:
        scale = f"tf.minimum({number(clip['norm'])} / (tf.linalg.global_norm(grads) + 1e-6), 1)"
        return [f"    scale = {scale}", "    grads = [g * scale for g in grads]"]
    if "value" in clip:
        bound = number(clip["value"])
        return [f"    grads = [tf.clip_by_value(g, -{bound}, {bound}) for g in grads]"]
    return []


def _optimizer(optimizer: Mapping[str, Any]) -> str:
    words = [
        f"{word}={number(value)}" if isinstance(value, float) else f"{word}={value}"
        for word, value in optimizer.items()
        if word not in ("kind", "dialect", "clip")
    ]
    return f"optimizer = tf.keras.optimizers.{_CLASSES[optimizer['kind']]}({', '.join(words)})"
