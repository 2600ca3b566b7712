"""The listener: hears changes, notices when it cannot, and holds the lock of one supervisor at a time."""

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psycopg
import pytest

from inflect.embedded.postgres import PostgresServer
from inflect.store.database import Database
from inflect.store.notifier import Listener
from tests.integration.store.samples import revision, save
from tests.waiting import eventually

NOTICED_S = 10.0


@pytest.fixture
def listener(database_url: str) -> Iterator[Listener]:
    with Listener(database_url) as found:
        yield found


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path / "postgres", port=None, durable=False) as server:
        yield server


def connect(listener: Listener) -> None:
    listener.check(time.monotonic())
    assert listener.connected, listener.problem
    listener.resync = False


def turn(listener: Listener, ahead_s: float = 0) -> bool:
    """One turn of an owner's loop: whether it is connected and was asked to read everything."""
    listener.check(time.monotonic() + ahead_s)
    listener.drain()
    return listener.connected and listener.resync


def notify(url: str, payload: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select pg_notify('inflect', %s)", [payload])


def backend(url: str) -> int:
    """Process id of the listener's session."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        ).fetchall()
    ((pid,),) = found
    return int(pid)


def terminate(url: str, pid: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(%s)", [pid])


def test_a_change_wakes_the_owner_and_says_which_pipeline(database: Database, listener: Listener) -> None:
    connect(listener)
    assert select.select([listener], [], [], 0)[0] == []
    save(database, revision("one"), revision("two"))
    assert select.select([listener], [], [], 5)[0] == [listener]
    assert eventually(listener.drain) <= {"one", "two"}


def test_the_first_connect_asks_to_read_everything(listener: Listener) -> None:
    assert not listener.resync
    listener.check(time.monotonic())
    assert listener.resync


def test_a_change_between_connect_and_the_first_look_is_heard(listener: Listener, database_url: str) -> None:
    connect(listener)
    notify(database_url, "orders")
    assert eventually(listener.drain) == {"orders"}


def test_what_a_heartbeat_brings_along_is_not_lost(listener: Listener, database_url: str) -> None:
    connect(listener)
    notify(database_url, "orders")
    listener.check(time.monotonic() + 60)
    assert listener.connected
    assert listener.drain() == {"orders"}


@pytest.mark.row("D06")
def test_ten_thousand_notifications_and_garbage_are_one_small_set(listener: Listener, database_url: str) -> None:
    connect(listener)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("select pg_notify('inflect', 'orders-' || i % 3) from generate_series(1, 10000) i")
        connection.execute("select pg_notify('inflect', repeat('x', 7999))")
        connection.execute("select pg_notify('inflect', '')")
        connection.execute("select pg_notify('another', 'orders-9')")
        connection.execute("select pg_notify('inflect', 'last')")
    heard: set[str] = set()

    def all_heard() -> bool:
        heard.update(listener.drain())
        return "last" in heard

    eventually(all_heard)
    assert heard == {"orders-0", "orders-1", "orders-2", "last"}


def test_a_session_that_was_ended_is_noticed_and_replaced_with_a_resync(listener: Listener, database_url: str) -> None:
    connect(listener)
    terminate(database_url, backend(database_url))
    eventually(lambda: not listener.connected or turn(listener), within_s=NOTICED_S)
    eventually(lambda: turn(listener), within_s=NOTICED_S)
    notify(database_url, "orders")
    assert eventually(listener.drain) == {"orders"}


@pytest.mark.row("D03")
def test_a_change_while_the_session_is_down_costs_a_resync_not_the_change(
    database: Database, listener: Listener, database_url: str
) -> None:
    connect(listener)
    terminate(database_url, backend(database_url))
    save(database, revision())
    eventually(lambda: turn(listener), within_s=NOTICED_S, why="everything is to be read again")


def test_a_restart_of_the_server_is_survived(own_server: PostgresServer) -> None:
    with Listener(own_server.url) as listener:
        connect(listener)
        own_server.kill()
        eventually(lambda: listener.drain() or not listener.connected, within_s=NOTICED_S)
        begun = time.monotonic()
        listener.check(begun + 60)
        assert time.monotonic() - begun < 3
        assert not listener.connected
        assert "cannot reach Postgres" in listener.problem
        assert select.select([listener], [], [], 0)[0] == []
        own_server.start()
        eventually(lambda: turn(listener, ahead_s=60), within_s=20)
        assert listener.problem == ""


@pytest.mark.row("D05")
def test_a_frozen_server_process_is_noticed_within_the_deadline(listener: Listener, database_url: str) -> None:
    connect(listener)
    pid = backend(database_url)
    os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        listener.check(begun + 60)
        assert time.monotonic() - begun < 3
        assert not listener.connected
        assert "no answer within 2 s" in listener.problem
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: turn(listener, ahead_s=60), within_s=NOTICED_S)


@pytest.mark.row("D04")
def test_a_network_that_swallows_everything_is_noticed_within_ten_seconds(database_url: str) -> None:
    with Swallowing(database_url) as network, Listener(network.url) as listener:
        connect(listener)
        network.swallow()
        begun = time.monotonic()
        eventually(lambda: turn(listener) or not listener.connected, within_s=NOTICED_S)
        assert time.monotonic() - begun < NOTICED_S


@pytest.mark.row("D11")
def test_a_pooler_that_shares_sessions_is_refused_by_name(database_url: str) -> None:
    with Shuffling(database_url) as network, Listener(network.url) as listener:
        listener.check(time.monotonic())
        assert not listener.connected
        assert "LISTEN does not arrive" in listener.problem


def test_of_two_one_holds_the_lock_and_a_second_asking_does_not_stack_it(database_url: str) -> None:
    with Listener(database_url) as first, Listener(database_url) as second:
        connect(first)
        connect(second)
        assert first.try_lock()
        assert first.try_lock()
        assert first.holds_lock
        assert not second.try_lock()
        terminate_holder(database_url)
        eventually(second.try_lock)
        eventually(lambda: first.drain() or not first.holds_lock, within_s=5)
        eventually(lambda: turn(first), within_s=NOTICED_S)
        assert not first.holds_lock
        assert not first.try_lock()


def test_the_lock_is_free_once_its_holder_is_closed(database_url: str) -> None:
    with Listener(database_url) as second:
        connect(second)
        with Listener(database_url) as first:
            connect(first)
            assert first.try_lock()
            assert not second.try_lock()
        eventually(second.try_lock)


def test_a_lock_that_was_taken_away_is_noticed_by_the_heartbeat(listener: Listener) -> None:
    connect(listener)
    assert listener.try_lock()
    assert listener._connection is not None
    listener._query("select pg_advisory_unlock_all()")
    listener.check(time.monotonic() + 60)
    assert not listener.holds_lock


def test_without_a_connection_there_is_no_lock_and_nothing_to_read(listener: Listener) -> None:
    assert not listener.try_lock()
    assert listener.drain() == set()
    assert select.select([listener], [], [], 0)[0] == []


def test_attempts_grow_apart(own_server: PostgresServer) -> None:
    own_server.stop()
    with Listener(own_server.url) as listener:
        pauses = []
        now = 0.0
        for _ in range(10):
            listener.check(now)
            pauses.append(listener._attempt_at - now)
            now = listener._attempt_at
        assert pauses[0] <= 0.25
        assert 4.0 <= pauses[-1] <= 8.0


def terminate_holder(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
            " and database = (select oid from pg_database where datname = current_database())"
        )


class Swallowing:
    """A network to the server that can fall silent without closing anything."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        self._door = socket.create_server(("127.0.0.1", 0))
        port = self._door.getsockname()[1]
        self.url = parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()
        self._silent = threading.Event()
        self._ends: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._door.close()
        for end in self._ends:
            end.close()

    def swallow(self) -> None:
        self._silent.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            if self._silent.is_set():
                self._ends.append(client)
                continue
            self._join(client)

    def _join(self, client: socket.socket) -> None:
        server = socket.create_connection(self._target)
        self._ends += [client, server]
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if not self._silent.is_set():
                    sink.sendall(self.changed(data))
        except OSError:
            return

    def changed(self, data: bytes) -> bytes:
        return data


class Shuffling(Swallowing):
    """What a pooler in transaction mode does to LISTEN: it ends on a session that is not the next statement's."""

    def changed(self, data: bytes) -> bytes:
        return data.replace(b"listen inflect_", b"listen elsewher")
