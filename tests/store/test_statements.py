from __future__ import annotations

import pytest
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.base import Executable

from api.store import statements

ALL = {name: value for name, value in vars(statements).items() if isinstance(value, Executable)}


@pytest.mark.parametrize("name", ALL)
def test_every_statement_is_good_for_both_databases(name: str) -> None:
    statement = ALL[name]
    assert isinstance(statement, ClauseElement)
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        assert str(statement.compile(dialect=dialect))


def test_there_is_a_statement_to_test() -> None:
    assert "move_on" in ALL
