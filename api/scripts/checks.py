"""The end of a script: the session's own numbers, and that the script has come to the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from api.scripts.literals import LONG, nested, number, packed, summary
from api.scripts.pieces import comment
from api.scripts.repetition import RTOL, Repetition
from api.scripts.rows import listed_rows
from api.scripts.target import Target

Lines = list[str]

_CHECK = '''
def check(what, found, expected, atol):
    """Equal to {rtol} of the number; below atol it is all rounding."""
    {compare}
'''
_SUMMARY = '''
def summary(a):
    """What a long array is compared by: least, greatest, mean, Euclidean norm, and the first eight numbers."""
    {convert}
    {made}
'''
_COMPARE = f"np.testing.assert_allclose(found, expected, rtol={RTOL:g}, atol=atol, err_msg=what)"
_TORCH_COMPARE = (
    "found, expected = torch.as_tensor(found).detach(), torch.tensor(expected)\n    "
    f"torch.testing.assert_close(found, expected, rtol={RTOL:g}, atol=atol, "
    'msg=lambda text: f"{what}: {text}")'
)
_MADE = "return np.array([a.min(), a.max(), a.mean(), np.linalg.norm(a), *a.ravel()[:8]])"
_TORCH_MADE = "return torch.tensor([a.min(), a.max(), a.mean(), a.norm(), *a.flatten()[:8]])"


def checks(repetition: Repetition, target: Target, pass_: Lines) -> Lines:
    """``pass_`` are the lines that give ``L``, ``outputs`` and ``grads`` for a ``batch``."""
    torch = target.name == "pytorch"
    lines = _CHECK.format(rtol=f"{RTOL:g}", compare=_TORCH_COMPARE if torch else _COMPARE).strip("\n").split("\n")
    body = [*_losses(repetition), *_parameters(repetition), "", *_present(repetition, target, pass_)]
    if any("summary(" in line for line in body):
        convert = "a = a.detach()" if torch else "a = np.asarray(a)"
        made = _TORCH_MADE if torch else _MADE
        lines += ["", "", *_SUMMARY.format(convert=convert, made=made).strip("\n").split("\n")]
    end = f"{repetition.steps} step{'' if repetition.steps == 1 else 's'} repeated, and every number is the session's"
    return ["# The session's own numbers.", *lines, "", "", *body, f'print("{end}")']


def _losses(repetition: Repetition) -> Lines:
    kept = repetition.kept
    if not kept:
        return []
    first = repetition.start.position.step
    place = f"step - {first}" if first else "step"
    return [
        "expected_losses = {",
        *(f"    {step}: {number(loss)}," for step, loss in kept.items()),
        "}  # by step",
        "for step, expected in expected_losses.items():",
        f'    check(f"loss of step {{step}}", losses[{place}], expected, atol={repetition.room.losses:g})',
        "",
    ]


def _parameters(repetition: Repetition) -> Lines:
    wanted = repetition.session.parameters
    found = [(name, f"params[{place}]", wanted[name]) for place, name in enumerate(repetition.definition.names)]
    return list(_compared(found, repetition.room.parameters))


def _compared(quantities: Iterable[tuple[str, str, Any]], atol: float) -> Iterable[str]:
    """A check for each name, text and expected value; what is not finite is not compared."""
    for name, text, value in quantities:
        array = np.asarray(value, dtype=np.float64)
        if not np.isfinite(array).all():
            yield f"# {name} is not finite here, and what is not finite has no digits to compare."
            continue
        long = array.size > LONG
        found = f"summary({text})" if long else text
        expected = nested(np.array(summary(array)) if long else array)
        yield f'check("{comment(name)}", {found}, {expected}, atol={atol:g})'


def _present(repetition: Repetition, target: Target, pass_: Lines) -> Lines:
    """The batch that is fed now, sent forward and backward."""
    session, ahead, room, torch = repetition.session, repetition.ahead, repetition.room, target.name == "pytorch"
    graph, names = repetition.definition.graph, repetition.definition.names
    place = {row: at for at, row in enumerate(listed_rows(repetition))} if repetition.definition.data else {}
    rows = nested_rows([place[row] for row in session.batch_rows])
    lines = ["# The batch that is fed now, sent forward and backward."]
    if repetition.definition.data:
        lines += [f"present = {rows}", f"batch = [{target.batch.format('present')} for column in inputs]"]
    else:
        lines.append("batch = ()")
    lines += pass_
    loss, values, gradients = ahead.loss, ahead.values or [], ahead.gradients or {}
    one = graph.nodes[graph.loss].id
    lines += _compared([(one, "L", loss)], room.losses) if loss is not None and np.isfinite(loss) else _lost(torch)
    lines += _compared(
        [(name, f"outputs[{at}]", values[graph.index[name]]) for at, name in enumerate(graph.outputs) if name != one],
        room.outputs,
    )
    finite = all(np.isfinite(gradient).all() for gradient in gradients.values())
    if not finite:
        return [*lines, "# Training has diverged: there is no gradient to compare."]
    slopes = [(f"d{one}/d{name}", f"grads[{at}]", gradients[name]) for at, name in enumerate(names)]
    return [*lines, *_compared(slopes, room.gradients)]


def _lost(torch: bool) -> Lines:
    return [f"assert not {'torch' if torch else 'np'}.isfinite(L)  # training has diverged"]


def nested_rows(rows: list[int]) -> str:
    """Row numbers as a list, over several lines if they are many."""
    texts = [str(row) for row in rows]
    line = f"[{', '.join(texts)}]"
    return line if len(line) < 100 else f"[\n{packed(texts, '    ')}\n]"
