"""Random formulas for the property tests."""

from __future__ import annotations

from hypothesis import strategies as st

LEAVES = ("w1", "w2", "w3", "x1", "x2", "0.5", "2", "1.25")
UNARY = ("tanh", "sigmoid", "relu", "softplus", "sin", "cos", "abs", "square", "exp", "sqrt", "log", "-")
BINARY = ("+", "-", "*", "/", "maximum", "minimum")


def _deeper(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    unary = st.tuples(st.sampled_from(UNARY), inner).map(lambda one: f"{one[0]}({one[1]})")
    power = st.tuples(inner, st.sampled_from(["2", "3", "-1", "0.5"])).map(lambda one: f"({one[0]})**{one[1]}")
    binary = st.tuples(st.sampled_from(BINARY), inner, inner).map(
        lambda one: f"{one[0]}({one[1]}, {one[2]})" if len(one[0]) > 1 else f"({one[1]}) {one[0]} ({one[2]})"
    )
    return st.one_of(unary, power, binary)


formulas = st.recursive(st.sampled_from(LEAVES), _deeper, max_leaves=12)
"""One formula over w1 … w3 and x1, x2."""


@st.composite
def sources(draw: st.DrawFn) -> str:
    """A few assignments in which each name may be used many times; the last one is the loss."""
    lines = [f"h{number} = {draw(formulas)}" for number in range(draw(st.integers(0, 3)))]
    names = [line.split(" ")[0] for line in lines]
    joined = " + ".join(f"{name}*{draw(st.sampled_from([*names, 'w1', 'x1']))}" for name in names)
    return "\n".join([*lines, f"L = ({draw(formulas)}) * w1 + w2 + ({joined or 'w3'})"])


numbers = st.floats(-2, 2).map(lambda value: round(value, 3))
