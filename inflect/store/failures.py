"""What psycopg raises, in the words of `inflect.errors`; every call of the store passes through `translated`.

A message says what failed, at which server, and how to mend it. It never holds a password: servers are named by host,
port and database alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import conninfo, errors

from inflect.errors import ConflictError, InflectError, UnreachableError, UsageError

_STALE_SCHEMA = (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction)
_BUSY = (errors.LockNotAvailable, errors.QueryCanceled, errors.DeadlockDetected)
_CLASH = (errors.UniqueViolation, errors.SerializationFailure)


def address(url: str) -> str:
    """Return `host:port/database` of a connection URL; raise UsageError where it is none."""
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise UsageError(
            f"the database URL cannot be read: {one_line(error)}; it looks like postgresql://user@host:5432/name"
        ) from error
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


def one_line(error: BaseException) -> str:
    """Return an error's text on one line."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def translated(server: str) -> Iterator[None]:
    """Raise what the block raises from psycopg as an error of ours; `server` is where, for the message."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, server) from error


def translate(error: Exception, server: str) -> InflectError:  # noqa: PLR0911  one return per family of errors
    """Return the error of ours that a psycopg error means."""
    said = one_line(error)
    if isinstance(error, _STALE_SCHEMA):
        return InflectError(f"the database {server} has not the schema of this version ({said}); run `inflect migrate`")
    if isinstance(error, _CLASH):
        return ConflictError(f"somebody else changed the same thing at the same time ({said}); read it again and retry")
    if isinstance(error, _BUSY):
        return UnreachableError(f"Postgres at {server} is busy ({said}); retry in a moment")
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return UnreachableError(f"Postgres at {server} is read-only ({said}); connect to the primary")
    if isinstance(error, errors.InsufficientPrivilege):
        return InflectError(f"the database user may not do this at {server} ({said}); grant it the right")
    if isinstance(error, psycopg.DataError):
        return UsageError(f"a value cannot be stored ({said})")
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return UnreachableError(f"cannot reach Postgres at {server}: {said}")
    return InflectError(f"Postgres at {server} refused: {said}")
