"""Derivatives and notation of formulas."""

from __future__ import annotations

import pytest

from api.engine.explain import tree
from api.engine.latex import LATEX
from api.engine.mathml import MATHML
from api.engine.notation import TEXT, Spelling, exact, rounded, spelling
from api.engine.ops import RULES
from api.engine.terms import Name, apply, differentiate


@pytest.mark.parametrize(
    ("formula", "name", "derivative"),
    [
        ("w1*x1 + w2*x2 + b", "w1", "x1"),
        ("w1*x1 + w2*x2 + b", "b", "1"),
        ("w1*x1 + w2*x2 + b", "q", "0"),
        ("(yhat - y)**2", "yhat", "2*(yhat - y)"),
        ("(yhat - y)**2", "y", "-2*(yhat - y)"),
        ("a*a", "a", "2*a"),
        ("a*a*a", "a", "3*a*a"),
        ("3*(2*a)", "a", "6"),
        ("a/b", "a", "1/b"),
        ("a/b", "b", "-a/b**2"),
        ("tanh(a)", "a", "1 - h**2"),
        ("2*tanh(3*a)", "a", "6*(1 - tanh(3*a)**2)"),
        ("exp(-a)", "a", "-h"),
        ("relu(a - b)", "b", "-[a - b > 0]"),
        ("a**3", "a", "3*a**2"),
        ("a**-1", "a", "-a**(-2)"),
    ],
)
def test_derivatives_are_written_as_a_person_would(formula: str, name: str, derivative: str) -> None:
    assert TEXT.write(differentiate(tree(formula), name, RULES, Name("h"))) == derivative


@pytest.mark.parametrize(
    "formula",
    [
        "a + b*c",
        "(a + b)*c",
        "a - (b - c)",
        "a - b - c",
        "a/(b*c)",
        "a/b/c",
        "-a**2",
        "(-a)**2",
        "a**(-2)",
        "tanh(a + b)",
        "-(a + b)",
    ],
)
def test_text_has_the_brackets_it_needs_and_no_more(formula: str) -> None:
    assert TEXT.write(tree(formula)) == formula


@pytest.mark.parametrize(
    ("formula", "latex"),
    [
        ("w1*x1 + b", "w_1 x_1 + b"),
        ("2*(yhat - y)", r"2 (\hat{y} - y)"),
        ("2*3*a", r"2 \cdot 3 a"),
        ("a/b", r"\frac{a}{b}"),
        ("sigmoid(z)", r"\sigma\left(z\right)"),
        ("sqrt(a)**3", r"\sqrt{a}^3"),
        ("House_size*w1_2_3", r"\mathrm{House\_size} w_{1,2,3}"),
        ("alpha*x", r"\alpha x"),
    ],
)
def test_latex(formula: str, latex: str) -> None:
    assert LATEX.write(tree(formula)) == latex


def test_mathml_escapes_and_marks_up() -> None:
    assert MATHML.write(tree("w1*x1")) == (
        "<msub><mi>w</mi><mrow><mn>1</mn></mrow></msub><mo>&#8290;</mo><msub><mi>x</mi><mrow><mn>1</mn></mrow></msub>"
    )
    power = "<mrow><mn>1</mn><mo>×</mo><msup><mn>10</mn><mn>300</mn></msup></mrow>"
    assert MATHML.write(tree("1e300*x")).startswith(power)
    assert "&gt;" in MATHML.write(differentiate(tree("relu(a)"), "a", RULES))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("yhat", ("y", True, "")),
        ("yhat2", ("y", True, "2")),
        ("w1", ("w", False, "1")),
        ("w1_2_3", ("w", False, "1,2,3")),
        ("w_1", ("w", False, "1")),
        ("alpha", ("α", False, "")),
        ("House_size", ("House_size", False, "")),
        ("yhat:3", ("y", True, "(3)")),
        ("hat", ("hat", False, "")),
        ("_", ("_", False, "")),
    ],
)
def test_a_name_says_how_it_is_set(name: str, parts: tuple[str, bool, str]) -> None:
    assert spelling(name) == Spelling(*parts)


def test_numbers_are_written_shortest_or_rounded() -> None:
    assert [exact(value) for value in (4.0, -0.116, 1e-7, 1e300, float("nan"), float("-inf"))] == [
        "4",
        "-0.116",
        "1e-07",
        "1e+300",
        "NaN",
        "-Infinity",
    ]
    assert [rounded(value) for value in (1 / 3, 0.1, 123456789.0, 2e-10)] == ["0.333333", "0.1", "123456789", "2e-10"]


def test_matrix_products_are_bracketed_as_python_reads_them() -> None:
    a, b, c = (Name(name) for name in "abc")
    product = apply("matmul", a, b)
    assert TEXT.write(product * c) == "(a @ b)*c"
    assert TEXT.write(apply("multiply", c, product)) == "c*(a @ b)"
    assert TEXT.write(apply("matmul", product, c)) == "a @ b @ c"
    assert TEXT.write(apply("matmul", c, product)) == "c @ (a @ b)"
    assert TEXT.write(apply("matmul", a * b, c)) == "a*b @ c"
    assert TEXT.write(apply("matmul", a, b * c)) == "a @ (b*c)"
    assert TEXT.write(apply("matmul", a, -(b * c))) == "a @ (-b*c)"
    assert TEXT.write(-product) == "-(a @ b)"
    assert TEXT.write(product / c + product) == "(a @ b)/c + a @ b"
