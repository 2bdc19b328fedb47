"""Source text: what is read, and what is refused with its place."""

from __future__ import annotations

import time

import pytest

from api.engine.builder import build
from api.engine.errors import FormulaError, LimitExceeded
from api.engine.expression import parse
from api.engine.forward import forward


def value(formula: str, **parameters: float) -> float:
    graph = build(f"L = {formula}", ())
    result = forward(graph, parameters, {})[graph.loss]
    assert isinstance(result, float)
    return result


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("a + b*c", 2 + 3 * 5),
        ("(a + b)*c", 25.0),
        ("a - b - c", -6.0),
        ("a/b/c", 2 / 3 / 5),
        ("a - (b - c)", 4.0),
        ("-a**2", -4.0),
        ("(-a)**2", 4.0),
        ("a**-2", 0.25),
        ("2**3**2*a", 2 * 512.0),
        ("a**(1/2)", 2**0.5),
        ("--a", 2.0),
        ("+a - +b", -1.0),
        ("a*-b", -6.0),
        (".5*a + 1e1 + 2.", 13.0),
        ("maximum(a, b) + minimum(a, -b)", 0.0),
        ("square(a) + sqrt(square(b))", 7.0),
        ("abs(-a)", 2.0),
    ],
)
def test_formulas_mean_what_they_mean_on_paper(formula: str, expected: float) -> None:
    assert value(formula, a=2.0, b=3.0, c=5.0) == expected


def test_lines_semicolons_comments_and_brackets_may_break_a_formula_up() -> None:
    first, second = parse("h = (a +  # a comment\n  b); L = h*h\n\n# the end")
    assert (first.name, first.text) == ("h", "(a + # a comment b)")
    assert (second.name, second.text) == ("L", "h*h")


def test_python_keywords_are_names_like_any_other() -> None:
    assert value("lambda*if + n", **{"lambda": 2.0, "if": 3.0, "n": 1.0}) == 7.0


@pytest.mark.parametrize(
    ("source", "line", "column", "says"),
    [
        ("", 1, 1, "empty"),
        ("y = 9**9**9", 1, 6, "finite"),
        ("y = 1/0", 1, 6, "finite"),
        ("y = 1e999*x", 1, 5, "float64"),
        ("y = x\nz = x.__class__", 2, 6, "attributes"),
        ("y = ｗ1*x", 1, 5, "U+FF57"),
        ("y = w\u0430*x", 1, 6, "U+0430"),
        ("y = x × w", 1, 7, "written *"),
        ("y = x^2", 1, 6, "**"),
        ("y = x[0]", 1, 6, "too many indices"),
        ("y = x[w]", 1, 7, "integer"),
        ("y = x[0", 1, 6, "never closed"),
        ("y = x[]", 1, 7, "constant such as 0"),
        ("y = softmax(x)", 1, 5, "vector or a matrix"),
        ("y = x @ w", 1, 7, "multiplied with *"),
        ("y = sum(x, axis=w)", 1, 17, "integer"),
        ("y = sum(x, axis=0 + 1)", 1, 19, "constant integer"),
        ("y = sum(x, along=0)", 1, 12, "no option along"),
        ("y = tanh(x, axis=0)", 1, 13, "no option axis"),
        ("y = reshape(x, w)", 1, 5, "constant integers"),
        ("y = x == w", 1, 7, "second ="),
        ("y = import(x)", 1, 5, "no function import"),
        ("y = lambda: x", 1, 11, "operator is expected before :"),
        ("y = 'x'", 1, 5, "unexpected '"),
        ("exp = x", 1, 1, "function"),
        ("mean = x", 1, 1, "function"),
        ("y = exp", 1, 5, "brackets"),
        ("y = tanh(x, w)", 1, 5, "takes 1, not 2"),
        ("y = maximum(x)", 1, 5, "takes 2, not 1"),
        ("y = tanh()", 1, 10, "value is expected"),
        ("y = (x", 1, 5, "never closed"),
        ("y = x)", 1, 6, "without an open bracket"),
        ("y = x, w", 1, 6, "without an open function call"),
        ("y = x +", 1, 7, "ends"),
        ("y = x w", 1, 7, "operator"),
        ("y = x = w", 1, 7, "second ="),
        ("y x", 1, 1, "assignment"),
        ("3 = x", 1, 1, "name"),
        ("y =", 1, 3, "missing"),
        ("y = x\ny = w", 2, 1, "assigned twice"),
        ("y = w**x", 1, 6, "constant"),
        ("a = b*w\nb = a", 1, 5, "depends on itself"),
        ("L = L + w", 1, 5, "depends on itself"),
        ("a = w\nL = w", 1, 1, "neither"),
    ],
)
def test_what_is_no_formula_is_refused_with_line_and_column(source: str, line: int, column: int, says: str) -> None:
    with pytest.raises(FormulaError) as caught:
        build(source, ("x",))
    assert (caught.value.line, caught.value.column) == (line, column)
    assert says in caught.value.detail
    assert caught.value.errors[0].pointer == "/model/source"


def test_a_column_cannot_be_assigned() -> None:
    with pytest.raises(FormulaError, match="x is a column of the data"):
        build("x = w\nL = x", ("x",))


@pytest.mark.parametrize("source", ["L = " + "-" * 50_000 + "x", "L = " + "(" * 100_000, "L = x" + "+x" * 100_000])
def test_too_much_is_refused_quickly_and_with_its_place(source: str) -> None:
    started = time.perf_counter()
    with pytest.raises(LimitExceeded, match=r"line 1, column \d+: more than 20000") as caught:
        build(source, ("x",))
    assert caught.value.limit == 20_000
    assert time.perf_counter() - started < 5


def test_five_thousand_operations_are_as_good_as_five_however_they_are_nested() -> None:
    for source in (
        "L = " + "tanh(" * 5000 + "w" + ")" * 5000,
        "L = w" + " + w" * 5000,
        "L = " + "(w + " * 5000 + "w" + ")" * 5000,
        "\n".join(["h0 = w*w", *(f"h{n} = h{n - 1} + w" for n in range(1, 5000)), "L = h4999"]),
    ):
        assert len(build(source, ()).nodes) >= 5000


def test_assignments_may_stand_in_any_order() -> None:
    graph = build("L = h*h\nh = k + w\nk = w*3", (), loss="L")
    assert [node.id for node in graph.named] == ["w", "k", "h", "L"]
