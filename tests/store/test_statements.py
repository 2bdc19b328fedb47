from __future__ import annotations

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.base import Executable

from api.store import class_statements, statements

FOUND = {**vars(statements), **vars(class_statements)}
ALL = {name: value for name, value in FOUND.items() if isinstance(value, Executable)}


@pytest.mark.parametrize("name", ALL)
def test_every_statement_is_good_for_both_databases(name: str) -> None:
    statement = ALL[name]
    assert isinstance(statement, ClauseElement)
    for dialect in (make_url("sqlite://"), make_url("postgresql://")):
        assert str(statement.compile(dialect=dialect.get_dialect()()))


def test_there_is_a_statement_to_test() -> None:
    assert "move_on" in ALL
