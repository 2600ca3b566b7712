"""Every named statement against the migrated schema."""

import re

import pytest

from inflect.store.database import Database
from inflect.store.statements import STATEMENTS

_PARAMETER = re.compile(r"%\((\w+)\)s")


def numbered(statement: str) -> str:
    """`%(name)s` as the server's own `$1`, the same number for the same name."""
    names = list(dict.fromkeys(_PARAMETER.findall(statement)))
    return _PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", statement)


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_the_statement_can_be_prepared(name: str, database: Database) -> None:
    with database.connection() as connection:
        connection.execute(f"prepare probe as {numbered(STATEMENTS[name])}".encode())
