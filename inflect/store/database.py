"""A few connections that are lent and kept, and that a restart of Postgres does not trouble.

Every wait has an end: connecting, a statement, a lock, a silent network. A connection is asked before it is lent; one
that died is replaced at once, so the first call after an outage works, and a call during one says why within a moment.
(psycopg_pool does neither: it connects from threads of its own, rests a second or more between attempts, and a caller
whose time ran out learns only that.) The listener is not a guest here: it has a session of its own (`store.notifier`).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import Connection, conninfo
from psycopg.pq import TransactionStatus

from inflect.errors import UnreachableError
from inflect.store.failures import address, translated

CONNECT_TIMEOUT_S = 2
BORROW_TIMEOUT_S = 3.0
_SESSION = {
    "timezone": "UTC",
    "statement_timeout": "10s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "60s",
}


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
    """Connections to one URL; use it as a context manager. Safe to share between threads, never across a fork.

    Opening it reaches nobody: the first call does, and raises UnreachableError when that fails.
    """

    def __init__(self, url: str, *, max_connections: int = 4) -> None:
        self.url = url
        self.server = address(url)
        self._conninfo = connection_string(url)
        self._max_connections = max_connections
        self._lendable = threading.BoundedSemaphore(max_connections)
        self._idle: list[Connection[tuple[Any, ...]]] = []
        self._open = False

    def __enter__(self) -> Self:
        self._open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        while self._idle:
            self._idle.pop().close()

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
        if not self._lendable.acquire(timeout=BORROW_TIMEOUT_S):
            raise UnreachableError(
                f"Postgres at {self.server} is busy: none of {self._max_connections} connections came free within"
                f" {BORROW_TIMEOUT_S:.0f} s; retry in a moment"
            )
        try:
            connection = self._find()
            try:
                yield connection
            finally:
                self._keep(connection)
        finally:
            self._lendable.release()

    def _find(self) -> Connection[tuple[Any, ...]]:
        """Return a kept connection that answers, else a new one."""
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                if _answers(connection):
                    return connection
                connection.close()
        return psycopg.connect(self._conninfo, autocommit=True)

    def _keep(self, connection: Connection[tuple[Any, ...]]) -> None:
        """Take a connection back; one that died, was left inside a transaction, or comes too late is closed."""
        if self._open and connection.info.transaction_status == TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            connection.close()


def _answers(connection: Connection[Any]) -> bool:
    try:
        connection.execute("")
    except psycopg.Error:
        return False
    return True
