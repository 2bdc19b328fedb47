"""Every formula of a step: with symbols, with the numbers put in, and its value.

``about`` names the quantity as an answer to ``check`` would: ``values.yhat``, ``partials.L/yhat``, ``gradients.w1``,
``updated.w1``. ``symbolic`` is the whole equation; ``substituted`` its right-hand side with numbers, a list with one
item per row where there are several rows; in MathML it starts with its = sign (≈ where digits were dropped). Small
tensors are written out as matrices, larger ones begun.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from api.documents.lines import Line, number_lines, shown
from api.documents.state import Stored
from api.documents.tensor_lines import tensor_lines
from api.documents.tensors import tensor
from api.documents.updates import explained
from api.engine import terms
from api.engine.explain import with_numbers
from api.engine.latex import LATEX
from api.engine.mathml import MATHML, markup
from api.engine.notation import TEXT, WHOLE, Script, exact, rounded
from api.engine.terms import Matrix, Name, Number
from api.training.session import Session

Document = dict[str, Any]
SCRIPTS: dict[str, Script] = {"text": TEXT, "latex": LATEX, "mathml": MATHML}
_WRITTEN = 3
"""Rows up to which MathML puts the numbers into the formula for each; of more, for the first two."""


def equations(stored: Stored, format: str = "latex") -> list[Document]:
    """The equations of the session's present step in one script."""
    session = stored.session
    numbers = session.definition.graph.scalar
    lines = [*(number_lines(session) if numbers else tensor_lines(session)), *_updated(session)]
    return [_mathml(line) if format == "mathml" else _plain(line, SCRIPTS[format]) for line in lines]


def model_equations(stored: Stored) -> list[Document]:
    """The model as it is now, in MathML: each formula with the parameters' numbers put in, and the inputs' names left.

    None where parameters are tensors, whose numbers fill no line.
    """
    session, lines = stored.session, []
    graph = session.definition.graph
    if not graph.scalar:
        return []
    known = {name: float(value) for name, value in session.parameters.items()}
    for node in graph.named:
        formula = graph.formulas.get(node.id)
        if node.op is None or formula is None or node.index == graph.loss or formula.size > terms.LONGEST:
            continue
        if any(name in known for name in terms.names(formula)):
            lines.append(_mathml(Line(f"model.{node.id}", Name(node.id), with_numbers(formula, known), None, None)))
    return lines


def _plain(line: Line, script: Script) -> Document:
    substituted = None
    if line.rows is not None:
        written = [script.write(row) for row in line.rows]
        substituted = script.listed(written, line.count > len(written)) if line.listed else written[0]
    return {
        "about": line.about,
        "symbolic": script.equation(script.write(line.left), script.write(line.right), line.assigned),
        "substituted": substituted,
        "value": tensor(line.value),
    }


def _mathml(line: Line) -> Document:
    symbolic = markup(MATHML.equation(MATHML.write(line.left), MATHML.write(line.right), line.assigned))
    substituted = value = None
    if line.value is not None and not isinstance(line.value, list | float | int):
        value = markup(_tensor_markup(line.value))
    elif line.rows is not None and line.value is not None:
        values = line.value if isinstance(line.value, list) else [line.value]
        numbers = [MATHML.write(Number(one)) for one in values[: shown(len(values))]]
        same = all(rounded(one) == exact(one) for one in values[: shown(len(values))])
        value = markup(_listed(numbers, len(values), "=" if same else "≈"))
    if line.rows is not None and line.value is not None:
        plain = all(isinstance(row, Number) for row in line.rows)  # then these are the values: nothing to be put in
        written = len(line.rows) if plain or line.count <= _WRITTEN else _WRITTEN - 1
        substituted = markup(_listed([MATHML.write(row) for row in line.rows[:written]], line.count, "="))
    return {"about": line.about, "symbolic": symbolic, "substituted": substituted, "value": value}


def _tensor_markup(value: Any) -> str:
    """A small tensor as a matrix, one line for each row; of a larger one its shape."""
    array = np.asarray(value, dtype=np.float64)
    if array.size > WHOLE or array.ndim > 2:
        return f"<mtext>of shape {' × '.join(map(str, array.shape))}</mtext>"
    same = all(rounded(one) == exact(one) for one in array.ravel().tolist())
    number = Number(float(array.ravel()[0])) if array.size == 1 else Matrix(np.atleast_2d(array))
    return f"<mo>{'=' if same else '≈'}</mo>{MATHML.write(number)}"


def _listed(items: list[str], count: int, relation: str) -> str:
    """One item as it is, several as a list in square brackets, with dots where ``count`` is more."""
    listed = items[0] if count == 1 else MATHML.listed(items, count > len(items))
    return f"<mo>{relation}</mo>{listed}"


def _updated(session: Session) -> list[Line]:
    """Each line of the optimiser's rule for each parameter, of the last update."""
    update = session.last_update
    if update is None or session.values is not None:
        return []
    graph, lines = session.definition.graph, []
    loss = graph.nodes[graph.loss].id
    for name in update.before:
        for one in explained(update, name, loss, matrices=True):
            numbers = None if one.substituted is None else [one.substituted]
            lines.append(Line(f"updated.{name}", one.left, one.right, numbers, one.value, assigned=True))
    return lines
