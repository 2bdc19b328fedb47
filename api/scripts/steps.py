"""The training of a script: its learning rate, the step with the optimiser's rule written out, and the loop."""

from __future__ import annotations

from collections.abc import Sequence

from api.scripts import rates
from api.scripts.literals import number
from api.scripts.repetition import Repetition
from api.scripts.rule import Written
from api.scripts.target import Target

Lines = list[str]


def schedule(repetition: Repetition) -> Lines:
    """The learning rate: a number, the function ``rate``, or the class ``Plateau``."""
    definition = repetition.definition
    base = definition.optimizer.get("learning_rate")
    if base is None:
        return []
    if not definition.scheduled:
        return [f"learning_rate = {number(base)}"]
    if definition.schedule["kind"] == "plateau":
        return ["", "", *rates.plateau(definition.schedule, base, repetition.start.progress.plateau), ""]
    return ["", *rates.rate(definition.schedule, base), "", ""]


def loop(
    repetition: Repetition, step: Sequence[str], batch: str, *, own_rate: bool = True, after: Sequence[str] = ()
) -> Lines:
    """The training loop: ``step`` for each batch, ``after`` each epoch. ``own_rate``: the script sets the learning rate
    itself."""
    definition, start = repetition.definition, repetition.start.position
    rate = _rate(repetition, start.step) if own_rate and definition.scheduled else ("", "")
    lines = ["losses = []"]
    plateau = definition.scheduled and definition.schedule["kind"] == "plateau"
    if plateau:
        lines.append(f"total, batches = {number(repetition.start.progress.epoch_loss_sum)}, {start.batch - 1}")
        step = [*step, "total, batches = total + losses[-1], batches + 1"]
        after = [*(["plateau.watch(total / batches)"] if own_rate else []), *after, "total, batches = 0.0, 0"]
    if definition.data is None:
        lines.append(f"for epoch in range({start.epoch}, {start.epoch + repetition.steps}):  # every step is an epoch")
        body = [*filter(None, rate), "batch = ()", *step, *after]
        return [*lines, *(f"    {line}" for line in body)]
    counted = f"enumerate(orders, start={start.epoch})" if rate[0] and "epoch" in rate[0] else ""
    lines.append(f"for epoch, order in {counted}:" if counted else "for order in orders:")
    lines += [f"    {rate[0]}"] if rate[0] else []
    lines.append("    for first in range(0, len(order), batch_size):")
    lines += [f"        {rate[1]}"] if rate[1] else []
    lines.append(f"        batch = [{batch.format('order[first : first + batch_size]')} for column in inputs]")
    return [*lines, *(f"        {line}" for line in step), *(f"    {line}" for line in after)]


def _rate(repetition: Repetition, step: int) -> tuple[str, str]:
    """The line that sets the learning rate for an epoch, and that which sets it for an update."""
    schedule = repetition.definition.schedule
    if schedule["kind"] == "plateau":
        return "learning_rate = plateau.rate(plateau.reductions)", ""
    if schedule["every"] == "update":
        return "", f"learning_rate = rate({f'{step} + ' if step else ''}len(losses))"
    return "learning_rate = rate(epoch - 1)", ""


def steps(rule: Written, target: Target) -> Lines:
    """The function ``train_step``, which does all of a step with the rule written out."""
    kept = ", slots" if rule.slots else ""
    rate = ", learning_rate" if "learning_rate" in rule.more else ""
    lines = [
        f"def train_step(params{kept}, batch{rate}):",
        '    """One step: the gradients, then each parameter moved by its own."""',
        "    L, outputs, grads = gradients(params, batch)",
    ]
    if not rule.call:
        return [*lines, "    return L, params"]
    memory = ", *memory" if rule.slots else ""
    zipped = "zip(params, grads, *slots)" if rule.slots else "zip(params, grads)"
    if rule.ahead:
        names = ", ".join(["w", *rule.slots])
        lines += [
            "    # the gradient that counts is taken further on, where the momentum would lead",
            f"    ahead = [{rule.ahead} for {names} in zip(params, *slots)]",
            "    _, _, grads = gradients(ahead, batch)",
        ]
    if rule.norm:
        lines.append(f"    norm = {_NORMS[target.name]}  # of all gradients together")
    arguments = ", ".join(["w", "g", *rule.more])
    moved = f"[{rule.call}({arguments}{memory}) for w, g{memory} in {zipped}]"
    if rule.slots:
        return [*lines, f"    moved = {moved}", "    params, *slots = zip(*moved)", "    return L, params, slots"]
    return [*lines, f"    params = {moved}", "    return L, params"]


_NORMS = {
    "numpy": "np.sqrt(sum(np.sum(g**2) for g in grads))",
    "pytorch": "torch.sqrt(sum(torch.sum(g**2) for g in grads))",
    "jax": "jnp.sqrt(sum(jnp.sum(g**2) for g in grads))",
    "tensorflow": "tf.linalg.global_norm(grads)",
}


def stepping(rule: Written, target: Target) -> Lines:
    """The lines of the loop that call it."""
    kept = ", slots" if rule.slots else ""
    rate = ", learning_rate" if "learning_rate" in rule.more else ""
    if rate and target.name == "tensorflow":
        rate = ", tf.constant(learning_rate, tf.float64)"
    return [f"L, params{kept} = train_step(params{kept}, batch{rate})", "losses.append(float(L))"]
