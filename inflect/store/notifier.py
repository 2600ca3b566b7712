"""The listener: hears that something changed, and holds the lock that lets one supervisor at a time act.

It has a session of its own, never a pooled one, because LISTEN and the advisory lock live exactly as long as their
session. Notifications are hints: what was said while the session was down is lost, so after every connect the owner is
asked to read everything (`resync`), after LISTEN stands, never before.

A connection can die without a word (a half-open network, a frozen server), so the session is asked every
`HEARTBEAT_S` whether it still listens and still holds its lock, and is given up when no answer comes within
`ANSWER_S`. All waiting is bounded: no call takes much longer than 2 s, whatever the server does. libpq is driven
directly here, because psycopg's own calls wait for an answer without a limit; so there is also only one reader of
notifications, and nothing that collects them unread.
"""

import os
import random
import secrets
import select
import time
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import Connection, conninfo
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from inflect.store.database import connection_string
from inflect.store.failures import address, one_line, translate

CHANNEL = "inflect"
HEARTBEAT_S = 5.0
ANSWER_S = 2.0
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 8.0
_SUPERVISOR_LOCK = 0x1AF1EC9
_LONGEST_NAME = 63


class Listener:
    """A session that listens; use it as a context manager, from one thread.

    Call `check` on every turn of the loop, then look at `resync` and `drain`: an answer to `check` can bring
    notifications along that `fileno` will not announce any more. Entering reaches nobody: the first `check` connects.
    """

    def __init__(self, url: str) -> None:
        self.server = address(url)
        string = connection_string(url, statement_timeout="0", idle_session_timeout="0")
        self._conninfo = conninfo.make_conninfo(string, connect_timeout=int(ANSWER_S))
        self._connection: Connection[Any] | None = None
        self._names: set[str] = set()
        self._nothing = -1
        self._pause_s = _FIRST_PAUSE_S
        self._attempt_at = 0.0
        self._asked_at = 0.0
        self._holds_lock = False
        self.resync = False
        """True from each connect on; the owner sets it to False before it reads everything."""
        self.problem = ""
        """Why there is no connection, for people; empty while there is one."""

    def __enter__(self) -> Self:
        # Something to wait on while there is no connection: it never becomes readable.
        self._nothing = os.eventfd(0, os.EFD_CLOEXEC)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        os.close(self._nothing)

    @property
    def connected(self) -> bool:
        """Whether the session stood when last looked at."""
        return self._connection is not None

    @property
    def holds_lock(self) -> bool:
        """Whether this session holds the supervisor's lock; lost with the session, and not taken again by itself."""
        return self._holds_lock

    def fileno(self) -> int:
        """Return a descriptor that is readable when `drain` has something; another one after each (re)connect."""
        return self._nothing if self._connection is None else self._connection.fileno()

    def drain(self) -> set[str]:
        """Return the names of pipelines that were said to have changed since the last call; never waits."""
        if self._connection is not None:
            try:
                self._receive(self._connection.pgconn)
            except psycopg.Error as error:
                self._give_up(error, time.monotonic())
        names, self._names = self._names, set()
        return names

    def check(self, now: float) -> None:
        """Connect when it is time to, or ask a standing session whether it is alive; `now` is the monotonic clock's."""
        if self._connection is None:
            if now >= self._attempt_at:
                self._connect(now)
        elif now >= self._asked_at + HEARTBEAT_S:
            self._ask(now)

    def try_lock(self) -> bool:
        """Take the supervisor's lock unless another session has it; return whether this one holds it now.

        False without a connection. The lock is taken once, however often this is called.
        """
        if self._connection is None or self._holds_lock:
            return self._holds_lock
        try:
            self._holds_lock = self._query(f"select pg_try_advisory_lock({_SUPERVISOR_LOCK})")
        except psycopg.Error as error:
            # Whether the lock was taken is not known: only closing the session is sure to free it.
            self._give_up(error, time.monotonic())
        return self._holds_lock

    def _connect(self, now: float) -> None:
        try:
            self._connection = psycopg.connect(self._conninfo, autocommit=True)
            self._listen()
        except psycopg.Error as error:
            self._give_up(error, now)
            return
        self._asked_at = now
        self._pause_s = _FIRST_PAUSE_S
        self.problem = ""
        self.resync = True

    def _listen(self) -> None:
        """Listen, and hear oneself: behind a pooler that shares sessions LISTEN succeeds and nothing ever arrives."""
        echo = f"{CHANNEL}_{secrets.token_hex(8)}"
        self._query(f"listen {CHANNEL}; listen {echo}")
        self._query(f"select pg_notify('{echo}', '{echo}')")
        if echo not in self._names:
            raise psycopg.OperationalError(
                "LISTEN does not arrive: a pooler that shares sessions between clients stands before the server;"
                " connect to the server itself, or let the pooler give each client a session"
            )
        self._names.discard(echo)
        self._query(f"unlisten {echo}")

    def _ask(self, now: float) -> None:
        """Let the session itself say that it is alive, listens, and holds the lock if it should."""
        listens = f"exists (select from pg_listening_channels() as channel where channel = '{CHANNEL}')"
        locked = (
            "exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and granted"
            f" and classid = 0 and objid = {_SUPERVISOR_LOCK})"
        )
        self._asked_at = now
        try:
            if not self._query(f"select {listens}" + (f" and {locked}" if self._holds_lock else "")):
                raise psycopg.OperationalError("the session lost its LISTEN or its lock")
        except psycopg.Error as error:
            self._give_up(error, now)

    def _query(self, statement: str) -> bool:
        """Return the truth of the last statement's one value; raise when there is no answer within `ANSWER_S`."""
        connection = self._connection
        if connection is None:
            raise psycopg.OperationalError("not connected")
        pgconn = connection.pgconn
        pgconn.send_query(statement.encode())
        pgconn.flush()
        deadline = time.monotonic() + ANSWER_S
        truth = False
        while (result := self._next_result(pgconn, deadline)) is not None:
            truth = _truth(result)
        self._receive(pgconn)
        return truth

    def _next_result(self, pgconn: PGconn, deadline: float) -> PGresult | None:
        """Wait for the next result of a query; None after the last one."""
        while pgconn.is_busy():
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not _readable(pgconn.socket, left_s):
                raise psycopg.OperationalError(f"no answer within {ANSWER_S:.0f} s")
            self._receive(pgconn)
        return pgconn.get_result()

    def _receive(self, pgconn: PGconn) -> None:
        """Take in what has arrived, without waiting; raise when the connection is gone."""
        pgconn.consume_input()
        while (notification := pgconn.notifies()) is not None:
            name = notification.extra.decode("utf-8", "replace")
            # Whoever may connect may notify: what cannot be a name is not worth keeping.
            if 0 < len(name) <= _LONGEST_NAME:
                self._names.add(name)

    def _give_up(self, error: psycopg.Error, now: float) -> None:
        """Close the session and plan the next attempt: later after each failure, and not in step with others."""
        self._close()
        self.problem = one_line(translate(error, self.server))
        self._attempt_at = now + self._pause_s * random.uniform(0.5, 1.0)  # noqa: S311  spreads load, guards nothing
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _close(self) -> None:
        self._holds_lock = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _readable(descriptor: int, within_s: float) -> bool:
    """Wait for something to read; `poll`, because `select` refuses descriptors from 1024 on."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(within_s * 1000))


def _truth(result: PGresult) -> bool:
    """Return a result's first value as a truth; raise what the server refused."""
    if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        raise psycopg.OperationalError(result.error_message.decode("utf-8", "replace") if result.error_message else "")
    return result.status == ExecStatus.TUPLES_OK and result.get_value(0, 0) == b"t"
