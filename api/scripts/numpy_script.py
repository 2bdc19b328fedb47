"""The NumPy script: forward, backward and update by hand, line by line."""

from __future__ import annotations

from api.scripts.chain import Chain, kept_for
from api.scripts.checks import checks
from api.scripts.formulas import Forward
from api.scripts.literals import listed
from api.scripts.model import names_of
from api.scripts.pieces import beside
from api.scripts.repetition import Repetition
from api.scripts.rows import data, order
from api.scripts.rule import rule_of
from api.scripts.sections import Lines, function, heading, helpers, imports, outputs, start
from api.scripts.steps import loop, schedule, stepping, steps
from api.scripts.target import NUMPY


def script(repetition: Repetition) -> Lines:
    """The script's lines."""
    graph = repetition.definition.graph
    names = names_of(repetition, NUMPY)
    forward = Forward(graph, "numpy", NUMPY.scalar, names, kept_for(graph))
    chain = Chain(forward)
    loss = names[graph.nodes[graph.loss].id]
    body = ["", "# Forward: every value, up to the loss.", *beside(forward.count() + forward.lines)]
    if chain.lines:
        body += ["", "# Backward: the chain rule, from the loss to the parameters.", *beside(chain.lines)]
    results = f"{loss}, {outputs(repetition, names)}, ({listed(chain.results)})"
    about = "The loss of a batch, the outputs, and the gradients."
    model = function(repetition, names, "gradients", about, body, results)
    rule = rule_of(repetition, NUMPY)
    return [
        *heading(repetition, NUMPY, names),
        *imports(NUMPY, 'np.seterr(all="ignore")  # inf and nan, where there are any, are results like others'),
        *helpers(NUMPY, [*model, *rule.function]),
        "# The model.", *model, "", "",
        "# The optimiser.", *rule.function, "", "",
        *steps(rule, NUMPY), "", "",
        *data(repetition, NUMPY), *order(repetition), "",
        "# The start.", *start(repetition, NUMPY, slots=True), *schedule(repetition), "",
        "# The training.", *loop(repetition, stepping(rule, NUMPY), NUMPY.batch), "", "",
        *checks(repetition, NUMPY, ["L, outputs, grads = gradients(params, batch)"]),
    ]  # fmt: skip
