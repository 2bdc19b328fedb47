from __future__ import annotations

import re

import pytest

from api.pages.dot import graph_dot
from tests.documents.stored import traced
from tests.pages.documents import BODIES, article, state

NODE = re.compile(r'  "(?:[^"\\]|\\.)*" \[label="(?:[^"\\]|\\.)*", fillcolor="#\w{6}", fontcolor="#\w{6}"\]')
EDGE = re.compile(r'  "(?:[^"\\]|\\.)*" -> "(?:[^"\\]|\\.)*"(?: \[label="(?:[^"\\]|\\.)*"\])?')


@pytest.mark.parametrize("detail", ["named", "ops"])
@pytest.mark.parametrize("name", BODIES)
def test_every_node_and_edge_is_a_line_of_dot(name: str, detail: str) -> None:
    document = state(traced(**BODIES[name]), detail)
    first, *lines, last = graph_dot(document).splitlines()
    assert (first, last) == ("digraph stepgrad {", "}")
    assert len([line for line in lines if NODE.fullmatch(line)]) == len(document["graph"]["nodes"])
    assert len([line for line in lines if EDGE.fullmatch(line)]) == len(document["graph"]["edges"])
    assert len(lines) == 3 + len(document["graph"]["nodes"]) + len(document["graph"]["edges"])


def test_values_gradients_and_partials_are_labels() -> None:
    text = graph_dot(state(article()))
    assert '"w1" [label="w₁\\n−0.017\\n∇ −16.93"' in text
    assert '"w1" -> "yhat" [label="4"]' in text


def test_quotes_and_backslashes_are_escaped() -> None:
    document = state(article("ready"))
    for node in document["graph"]["nodes"]:
        node["id"] = f'{node["id"]}"]; evil [label="\\'
    assert '\\"]; evil [label=\\"\\\\"' in graph_dot(document)
    assert all(NODE.fullmatch(line) for line in graph_dot(document).splitlines() if "evil" in line and "->" not in line)
