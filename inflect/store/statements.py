"""Named SQL statements: `-- name: get_pipeline` in `sql/<room>.sql`, read at import, run with named parameters.

Rows come back as the dataclass that is asked for, column by column. This module knows no statement by heart.
"""

import re
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, TypeVar

from psycopg import Connection, Cursor
from psycopg.rows import kwargs_row, tuple_row

from inflect.errors import NotFoundError

Row = TypeVar("Row")
Parameters = Mapping[str, Any]

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def _split(text: str) -> list[tuple[str, str]]:
    """Cut a file into (name, statement); whatever stands before the first name is a comment of the file."""
    parts = _NAME.split(text)[1:]
    return [(name, body.strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)]


def _read() -> dict[str, str]:
    """Return every statement of `sql/*.sql` as {"pipelines.list": text}: the file's stem, then the name."""
    found: dict[str, str] = {}
    for file in sorted(resources.files("inflect.store").joinpath("sql").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql"):
            room = file.name.removesuffix(".sql")
            found.update({f"{room}.{name}": text for name, text in _split(file.read_text("utf-8"))})
    return found


STATEMENTS = _read()
"""Read with the code that runs them: an upgrade beside a running process must not mix its statements with ours."""


def execute(connection: Connection[Any], name: str, parameters: Parameters | None = None) -> int:
    """Run a statement; return how many rows it touched."""
    return connection.execute(STATEMENTS[name], parameters).rowcount


def rows(
    connection: Connection[Any], shape: Callable[..., Row], name: str, parameters: Parameters | None = None
) -> list[Row]:
    """Return all rows as what `shape` makes of the columns, given by name."""
    cursor: Cursor[Row] = connection.cursor(row_factory=kwargs_row(shape))
    with cursor:
        return cursor.execute(STATEMENTS[name], parameters).fetchall()


def row(connection: Connection[Any], shape: Callable[..., Row], name: str, parameters: Parameters, missing: str) -> Row:
    """Return the one row, or raise NotFoundError with the sentence `missing`."""
    found = rows(connection, shape, name, parameters)
    if not found:
        raise NotFoundError(missing)
    return found[0]


def tuples(connection: Connection[Any], name: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
    """Return all rows as plain tuples, for answers too small for a name of their own."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(STATEMENTS[name], parameters).fetchall()
