"""The PyTorch script: autograd finds the gradients, and where the dialect is PyTorch's own, its optimisers and
schedulers do the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from api.scripts.checks import checks
from api.scripts.literals import nested, number
from api.scripts.model import model, names_of
from api.scripts.repetition import Repetition
from api.scripts.rows import data, order
from api.scripts.rule import rule_of
from api.scripts.sections import Lines, heading, helpers, imports, start
from api.scripts.steps import loop, schedule, stepping, steps
from api.scripts.target import PYTORCH

_GRADIENTS = '''
def gradients(params, batch):
    """The loss, the outputs, and the gradients."""
    params = [w.detach().requires_grad_() for w in params]
    L, outputs = forward(params, batch)
    {backward}
    return L.detach(), outputs, [{grad} for w in params]
'''
_BACKWARD = "L.backward()"
_CLASSES = {
    "sgd": ("SGD", ""), "momentum": ("SGD", ""), "nesterov": ("SGD", "nesterov=True"), "adagrad": ("Adagrad", ""),
    "rmsprop": ("RMSprop", ""), "adadelta": ("Adadelta", ""), "adam": ("Adam", ""), "amsgrad": ("Adam", "amsgrad=True"),
    "adamax": ("Adamax", ""), "nadam": ("NAdam", ""), "adamw": ("AdamW", ""), "radam": ("RAdam", ""),
}  # fmt: skip
_MEMORY = {
    "t": "step", "buf": "momentum_buffer", "m": "exp_avg", "v": "exp_avg_sq", "vmax": "max_exp_avg_sq", "u": "exp_inf",
    "P": "mu_product", "D": "acc_delta",
}  # fmt: skip
_SQUARES = {"adagrad": "sum", "rmsprop": "square_avg", "adadelta": "square_avg"}
_WORDS = {"learning_rate": "lr", "epsilon": "eps"}
_SCHEDULERS = {
    "step": "StepLR", "multistep": "MultiStepLR", "exponential": "ExponentialLR", "linear": "LinearLR",
    "polynomial": "PolynomialLR", "cosine": "CosineAnnealingLR", "cosine_restarts": "CosineAnnealingWarmRestarts",
    "plateau": "ReduceLROnPlateau", "cyclic": "CyclicLR", "one_cycle": "OneCycleLR",
}  # fmt: skip
_SCHEDULE_WORDS = {"t_max": "T_max", "t_0": "T_0", "t_mult": "T_mult"}
_SOON = 1_000
"""Periods of a cosine up to which PyTorch's scheduler, which goes from rate to rate, keeps twelve digits."""


def script(repetition: Repetition) -> Lines:
    """The script's lines."""
    names = names_of(repetition, PYTORCH)
    made = model(repetition, PYTORCH, names)
    head = [
        *heading(repetition, PYTORCH, names),
        *imports(PYTORCH, "torch.set_default_dtype(torch.float64)"),
        *helpers(PYTORCH, made),
        "# The model.", *made, "", "",
    ]  # fmt: skip
    return [*head, *(_with_optimizer(repetition) if has_class(repetition) else _written_out(repetition))]


def has_class(repetition: Repetition) -> bool:
    """Whether PyTorch has an optimiser that makes the same steps."""
    definition = repetition.definition
    optimizer = definition.optimizer
    if optimizer["dialect"] != "torch" or optimizer["kind"] not in _CLASSES or not definition.names:
        return False
    # without momentum, its SGD knows neither dampening nor nesterov
    return optimizer["kind"] not in ("momentum", "nesterov") or optimizer["momentum"] > 0


def _written_out(repetition: Repetition) -> Lines:
    rule, graph = rule_of(repetition, PYTORCH), repetition.definition.graph
    reached = {graph.nodes[place].id for node in graph.active for place in node.operands}
    every = set(graph.parameters) <= reached
    gradients = _GRADIENTS.format(
        backward=_BACKWARD if graph.loss in graph.trained else "# no parameter has a part in the loss",
        grad="w.grad" if every else "torch.zeros_like(w) if w.grad is None else w.grad",
    )
    return [
        *gradients.strip("\n").split("\n"), "", "",
        "# The optimiser.", *rule.function, "", "",
        *steps(rule, PYTORCH), "", "",
        *data(repetition, PYTORCH), *order(repetition), "",
        "# The start.", *start(repetition, PYTORCH, slots=True), *schedule(repetition), "",
        "# The training.", *loop(repetition, stepping(rule, PYTORCH), PYTORCH.batch), "", "",
        *checks(repetition, PYTORCH, ["L, outputs, grads = gradients(params, batch)"]),
    ]  # fmt: skip


def _with_optimizer(repetition: Repetition) -> Lines:
    definition = repetition.definition
    pass_ = ["optimizer.zero_grad()", "L, outputs = forward(params, batch)", *_backward(repetition)]
    clip = definition.optimizer.get("clip", {})
    step = [*pass_, "losses.append(L.item())"]  # before the step: the loss may be a parameter itself
    step += [f"torch.nn.utils.clip_grad_norm_(params, {number(clip['norm'])})"] if "norm" in clip else []
    step += [f"torch.nn.utils.clip_grad_value_(params, {number(clip['value'])})"] if "value" in clip else []
    scheduler = _scheduler(repetition)
    step += [] if scheduler or not definition.scheduled else ['optimizer.param_groups[0]["lr"] = learning_rate']
    step += ["optimizer.step()"]
    every = definition.schedule.get("every")
    step += ["scheduler.step()"] if scheduler and every == "update" else []
    watched = "total / batches" if definition.schedule["kind"] == "plateau" else ""
    after = [f"scheduler.step({watched})"] if scheduler and every == "epoch" else []
    rate = schedule(repetition) if definition.scheduled and not scheduler else []
    return [
        *data(repetition, PYTORCH), *order(repetition), "",
        "# The start.", *start(repetition, PYTORCH, slots=False), "for w in params:", "    w.requires_grad_()", "",
        "# The optimiser.", _optimizer(definition.optimizer), *_memory(repetition), *scheduler, *rate, "",
        "# The training.", *loop(repetition, step, PYTORCH.batch, own_rate=not scheduler, after=after), "", "",
        *checks(repetition, PYTORCH, [*pass_, "grads = [w.grad for w in params]"]),
    ]  # fmt: skip


def _backward(repetition: Repetition) -> Lines:
    """Autograd leaves no gradient where the loss does not depend on a parameter, and optimisers leave out what has
    none; the session's weight decay does not."""
    graph = repetition.definition.graph
    lines = ["L.backward()"] if graph.loss in graph.trained else []
    reached = {place for node in graph.active for place in node.operands}
    for at, name in enumerate(graph.parameters):
        if graph.index[name] not in reached:
            lines.append(f"params[{at}].grad = torch.zeros_like(params[{at}])  # the loss does not depend on it")
    return lines


def _optimizer(optimizer: Mapping[str, Any]) -> str:
    kind = optimizer["kind"]
    name, special = _CLASSES[kind]
    given = {
        word: value for word, value in optimizer.items() if word not in ("kind", "dialect", "clip", "beta1", "beta2")
    }
    words = {_WORDS.get(word, word): _text(value) for word, value in given.items()}
    if "rho" in words and kind == "rmsprop":
        words["alpha"] = words.pop("rho")
    if "beta1" in optimizer:
        words["betas"] = f"({number(optimizer['beta1'])}, {number(optimizer['beta2'])})"
    if kind == "adamw" and "weight_decay" not in words:
        words["weight_decay"] = "0.0"
    listed = [f"{word}={value}" for word, value in words.items()] + ([special] if special else [])
    return f"optimizer = torch.optim.{name}(params, {', '.join(listed)})"


def _text(value: Any) -> str:
    return number(value) if isinstance(value, float) else repr(value)


def _memory(repetition: Repetition) -> Lines:
    """What the optimiser remembers, where it does not begin anew."""
    definition, slots, kind = repetition.definition, repetition.start.slots, repetition.definition.optimizer["kind"]
    counted = slots.get("t", {})
    if not slots or not _used(repetition):
        return []
    lines = ["# What it remembers of the steps before."]
    for at, name in enumerate(definition.names):
        if counted and not counted[name]:
            continue  # this one begins anew
        words = {
            _SQUARES.get(kind, _MEMORY[slot]) if slot == "v" else _MEMORY[slot]: slots[slot][name] for slot in slots
        }
        words = {"step": float(repetition.start.position.step), **words}
        lines.append(f"optimizer.state[params[{at}]] = {{")
        lines += [f'    "{word}": torch.tensor({nested(value, "    ")}),' for word, value in words.items()]
        lines.append("}")
    return lines


def _used(repetition: Repetition) -> bool:
    rule, slots = repetition.definition.rule, repetition.start.slots
    return any(np.any(value != rule.born(slot)) for slot in slots for value in slots[slot].values())


def _scheduler(repetition: Repetition) -> Lines:
    """PyTorch's scheduler, where there is one and the schedule begins with the script."""
    definition, position, progress = repetition.definition, repetition.start.position, repetition.start.progress
    kind, fields = definition.schedule["kind"], dict(definition.schedule)
    if kind not in _SCHEDULERS:
        return []
    updates = fields["every"] == "update"
    finished = position.step if updates else position.epoch - 1
    end = repetition.session.position.step if updates else repetition.session.position.epoch
    begun = finished or (kind == "plateau" and (progress.plateau or position.batch > 1))
    far = (kind == "cosine" and fields["t_max"] > _SOON) or (kind == "one_cycle" and end >= fields["total_steps"])
    if begun or far:
        return []
    words = {_SCHEDULE_WORDS.get(word, word): value for word, value in fields.items() if word not in ("kind", "every")}
    listed = [f"{word}={_text(value)}" for word, value in words.items()]
    if kind == "cyclic":
        listed = [f"base_lr={number(definition.optimizer['learning_rate'])}", *listed]
    if kind in ("cyclic", "one_cycle"):
        listed.append("cycle_momentum=False")
    return [f"scheduler = torch.optim.lr_scheduler.{_SCHEDULERS[kind]}(optimizer, {', '.join(listed)})"]
