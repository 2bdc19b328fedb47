"""Random programs beside PyTorch's autograd: every value and every gradient, to 1e-9.

The programs are run as Python, with PyTorch's functions under our names and one example at a time; what the engine
makes of the same text is not looked at. Where a rule has no derivative both follow the same convention, so programs
may stand right at a kink; one that comes as near as rounding may move it across is left out.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, reject, settings

from api.engine.backward import backpropagate
from api.engine.builder import build
from api.engine.forward import forward
from api.engine.graph import Graph
from api.engine.ops import ELEMENTWISE, FUNCTIONS, OPERATIONS
from tests.engine.programs import Array, Program, programs
from tests.libraries.conftest import missing

LARGE = 1e4
"""Beyond this, rounding alone may be seen at 1e-9."""
_NEAR = 1e-9


class AtAKink(Exception):
    """So near to a kink that rounding decides about the side."""


class Torch:
    """Python's meaning of a program's functions."""

    def __init__(self) -> None:
        self.torch: Any = importlib.import_module("torch")
        names = {name: getattr(self, name, None) or self.plain(name) for name in FUNCTIONS}
        self.functions: dict[str, Callable[..., Any]] = names

    def plain(self, name: str) -> Callable[[Any], Any]:
        function = getattr(self.torch, name)
        return lambda a: function(self.tensor(a))

    def tensor(self, value: Any) -> Any:
        return self.torch.as_tensor(value, dtype=self.torch.float64)

    def relu(self, a: Any) -> Any:
        return self.torch.relu(self.sided(a))

    def abs(self, a: Any) -> Any:
        return self.torch.abs(self.sided(a))

    def sided(self, a: Any) -> Any:
        a = self.tensor(a)
        if bool(((a != 0) & (a.abs() < _NEAR)).any()):
            raise AtAKink
        return a

    def softplus(self, a: Any) -> Any:
        return self.torch.logaddexp(self.tensor(a), self.tensor(0.0))

    def maximum(self, a: Any, b: Any) -> Any:
        self.sided(a - b)
        return self.torch.maximum(self.tensor(a), self.tensor(b))

    def minimum(self, a: Any, b: Any) -> Any:
        self.sided(a - b)
        return self.torch.minimum(self.tensor(a), self.tensor(b))

    def axes(self, a: Any, axis: int | None) -> tuple[int, ...]:
        return tuple(range(a.ndim)) if axis is None else (axis,)

    def sum(self, a: Any, axis: int | None = None) -> Any:
        return a.sum(self.axes(a, axis))

    def mean(self, a: Any, axis: int | None = None) -> Any:
        return a.mean(self.axes(a, axis))

    def max(self, a: Any, axis: int | None = None) -> Any:
        top = a.amax(self.axes(a, axis), keepdim=True)
        self.sided(top - a)
        return a.amax(self.axes(a, axis))

    def logsumexp(self, a: Any, axis: int | None = None) -> Any:
        return a.logsumexp(self.axes(a, axis))

    def softmax(self, a: Any, axis: int = -1) -> Any:
        return a.softmax(axis)

    def log_softmax(self, a: Any, axis: int = -1) -> Any:
        return a.log_softmax(axis)

    def transpose(self, a: Any) -> Any:
        return a.permute(tuple(reversed(range(a.ndim))))

    def concat(self, *parts: Any, axis: int = 0) -> Any:
        return self.torch.cat(parts, axis)

    def reshape(self, a: Any, *sizes: int) -> Any:
        return a.reshape(sizes)

    def run(self, program: Program) -> tuple[dict[str, Array], dict[str, Array]]:
        """The value and the gradient of every name, those of placeholders and what depends on them row by row."""
        parameters, inputs = program.numbers()
        shared = {name: self.torch.tensor(value, requires_grad=True) for name, value in parameters.items()}
        fed = {name: [self.leaf(row) for row in value] for name, value in inputs.items()}
        rows: list[dict[str, Any]] = [{} for _ in range(program.rows)]
        for name, formula in program.lines:
            code = compile(formula, name, "eval")
            if any(known in fed for known in code.co_names):
                fed[name] = []
                for place, row in enumerate(rows):
                    here = {known: fed[known][place] for known in code.co_names if known in fed and known != name}
                    row[name] = self.kept(eval(code, {**self.functions, **shared, **here}))  # noqa: S307 - our own text
                    fed[name].append(row[name])
            else:
                shared[name] = self.kept(eval(code, {**self.functions, **shared}))  # noqa: S307 - our own text
        self.loss(program, shared, fed).backward()
        values = {name: self.numbers(one) for name, one in shared.items()}
        values |= {name: np.array([self.numbers(one) for one in each]) for name, each in fed.items()}
        gradients = {name: self.slope(one) for name, one in shared.items()}
        gradients |= {name: np.array([self.slope(one) for one in each]) for name, each in fed.items()}
        return values, gradients

    def loss(self, program: Program, shared: dict[str, Any], fed: dict[str, list[Any]]) -> Any:
        if "L" in shared:
            return shared["L"]
        total = self.torch.stack(fed.pop("L"))
        shared["L"] = self.kept(total.mean() if program.reduction == "mean" else total.sum())
        return shared["L"]

    def leaf(self, value: Any) -> Any:
        return self.torch.tensor(value, dtype=self.torch.float64, requires_grad=True)

    def kept(self, value: Any) -> Any:
        value = self.tensor(value)
        if value.requires_grad:
            value = value + 0  # a tensor of its own, even where one name renames another
            value.retain_grad()
        return value

    @staticmethod
    def numbers(tensor: Any) -> Array:
        return np.asarray(tensor.detach().numpy())

    @staticmethod
    def slope(tensor: Any) -> Array:
        return np.zeros(tuple(tensor.shape)) if tensor.grad is None else np.asarray(tensor.grad.numpy())


@pytest.fixture(scope="module")
def torch() -> Torch:
    if reason := missing():
        pytest.skip(reason)
    return Torch()


def built(program: Program) -> Graph:
    shapes = {name: shape for name, shape in program.parameters.items() if shape}
    return build(program.source, program.placeholders, shapes=shapes, reduction=program.reduction)


def engine(program: Program) -> tuple[dict[str, Array], dict[str, Array]]:
    """The value and the gradient of every name, as the engine has them."""
    graph = built(program)
    parameters, inputs = program.numbers()
    plain: Mapping[str, Any] = parameters | inputs
    if graph.scalar:
        plain = {name: value.tolist() for name, value in plain.items()}
    values = forward(graph, plain, plain)
    found = backpropagate(graph, values).of
    named = {node.id: node.index for node in graph.named}
    zeros = {name: np.zeros(np.shape(values[index])) for name, index in named.items()}
    gradients = {name: np.asarray(found.get(index, zeros[name])) for name, index in named.items()}
    return {name: np.asarray(values[index]) for name, index in named.items()}, gradients


def beside(torch: Torch, program: Program) -> None:
    try:
        values, gradients = torch.run(program)
    except AtAKink:
        reject()
    everything = [*values.values(), *gradients.values()]
    assume(all(np.isfinite(one).all() and (np.abs(one) < LARGE).all() for one in everything))
    ours = engine(program)
    for what, theirs, mine in (("value", values, ours[0]), ("gradient", gradients, ours[1])):
        assert theirs.keys() == mine.keys()
        for name, expected in theirs.items():
            np.testing.assert_allclose(mine[name], expected, rtol=1e-9, atol=1e-9, err_msg=f"{what} of {name}")
            assert mine[name].shape == expected.shape


@pytest.mark.parametrize(
    ("tensors", "examples", "operations"),
    [(False, 500, ELEMENTWISE), (True, 1500, OPERATIONS)],
    ids=["numbers", "tensors"],
)
def test_random_programs_are_as_in_pytorch(
    torch: Torch, tensors: bool, examples: int, operations: Mapping[str, object]
) -> None:
    used: set[str] = set()

    @given(programs(tensors=tensors))
    @settings(deadline=None, max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
    def every(program: Program) -> None:
        beside(torch, program)
        used.update(node.op for node in built(program).nodes if node.op)

    every()
    assert used >= set(operations)
