"""A session's names in a script: its own where that is possible, and never one for two."""

from __future__ import annotations

import keyword

from hypothesis import given
from hypothesis import strategies as st

from api.scripts.names import Names

WORDS = st.sampled_from(
    ["w", "lambda", "lambda_", "np", "np_", "n", "n_", "__debug__", "__", "_", "None", "dL_dw", "print"]
)


def test_ordinary_names_stay_as_they_are() -> None:
    names = Names(["w1", "yhat", "id", "print"], ["np"])
    assert [names[name] for name in ("w1", "yhat", "id", "print")] == ["w1", "yhat", "id", "print"]
    assert names.changed == {}


def test_words_of_python_and_of_the_library_are_written_otherwise() -> None:
    names = Names(["lambda", "lambda_", "np", "__debug__"], ["np"])
    assert names.changed == {"lambda": "lambda__", "np": "np_", "__debug__": "debug__"}


def test_the_scripts_own_names_make_way() -> None:
    names = Names(["params", "n"])
    assert [names.own("params"), names.own("n"), names.own("n"), names.own("batch")] == [
        "params_",
        "n_",
        "n__",
        "batch",
    ]


@given(st.lists(WORDS, unique=True), st.lists(WORDS))
def test_no_two_names_are_written_alike_and_each_can_be_assigned(wanted: list[str], own: list[str]) -> None:
    names = Names(wanted, ("np",))
    found = [names[name] for name in wanted] + [names.own(name) for name in own]
    assert len(set(found)) == len(found)
    assert not {"np", "__debug__"} & set(found)
    assert all(name.isidentifier() and not keyword.iskeyword(name) for name in found)
