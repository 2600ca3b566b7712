"""A small pool of connections that a restart of Postgres does not trouble.

Every wait has an end: connecting, a statement, a lock, a silent network. A connection that died is found before it is
lent and replaced, so the call after a failure works as soon as the server does. The listener is not a guest here: it
has a session of its own (`store.notifier`).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import Connection, conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

from inflect.errors import UnreachableError
from inflect.store.failures import address, one_line, translated

CONNECT_TIMEOUT_S = 2
BORROW_TIMEOUT_S = 3.0
_SESSION = {
    "timezone": "UTC",
    "statement_timeout": "10s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "60s",
}

# Each failed attempt would be a line on standard error, beside the error that the caller gets anyway.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def connection_string(url: str, **session: str) -> str:
    """Return `url` with our time limits added; what the user set in the URL wins, except for session settings.

    `session` are server settings that replace ours for this connection (`statement_timeout="0"`).
    """
    given = conninfo.conninfo_to_dict(url)
    options = " ".join(f"-c {key}={value}" for key, value in {**_SESSION, **session}.items())
    defaults = {
        "application_name": "inflect",
        "client_encoding": "utf8",
        "connect_timeout": CONNECT_TIMEOUT_S,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }
    merged: dict[str, Any] = {**defaults, **given, "options": f"{given.get('options', '')} {options}".strip()}
    return conninfo.make_conninfo("", **merged)


class Database:
    """A pool for one URL; use it as a context manager. Safe to share between threads, never across a fork.

    Opening it reaches nobody: the first call does, and raises UnreachableError after at most 5 s.
    """

    def __init__(self, url: str, *, max_connections: int = 4) -> None:
        self.url = url
        self.server = address(url)
        self._conninfo = connection_string(url)
        self._pool = ConnectionPool(
            self._conninfo,
            min_size=0,
            max_size=max_connections,
            timeout=BORROW_TIMEOUT_S,
            reconnect_timeout=BORROW_TIMEOUT_S,
            check=ConnectionPool.check_connection,
            kwargs={"autocommit": True},
            num_workers=1,
            open=False,
        )

    def __enter__(self) -> Self:
        self._pool.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close()

    @contextmanager
    def connection(self) -> Iterator[Connection[tuple[Any, ...]]]:
        """Lend a connection; each statement is a transaction of its own. Errors of psycopg leave as ours."""
        with translated(self.server), self._lent() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection[tuple[Any, ...]]]:
        """Lend a connection inside one transaction: committed at the end of the block, undone by any exception."""
        with self.connection() as connection, connection.transaction():
            yield connection

    @contextmanager
    def _lent(self) -> Iterator[Connection[tuple[Any, ...]]]:
        try:
            connection = self._pool.getconn()
        except PoolTimeout as error:
            raise UnreachableError(self._why_none()) from error
        try:
            yield connection
        finally:
            self._pool.putconn(connection)

    def _why_none(self) -> str:
        """Say why the pool had nothing to lend; it knows only that time ran out, so ask the server once more."""
        try:
            psycopg.connect(self._conninfo).close()
        except psycopg.Error as error:
            return f"cannot reach Postgres at {self.server}: {one_line(error)}"
        return (
            f"Postgres at {self.server} is busy: no free connection within {BORROW_TIMEOUT_S:.0f} s; retry in a moment"
        )
