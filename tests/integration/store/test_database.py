"""Connections that end, servers that restart, and calls that get an answer in time anyway."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from inflect.embedded.postgres import PostgresServer
from inflect.errors import InflectError, UnreachableError, UsageError
from inflect.store.database import Database
from inflect.store.migrations import migrate
from inflect.store.pipelines import list_pipelines
from tests.integration.store.samples import revision, save

ANSWER_S = 6.0


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path / "postgres", port=None) as server:
        yield server


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def one(db: Database) -> int:
    with db.connection() as connection:
        answer = connection.execute("select 1").fetchone()
    assert answer is not None
    return int(answer[0])


def end_all_sessions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


def test_the_call_after_a_restart_works_however_many_connections_died(own_server: PostgresServer) -> None:
    with Database(own_server.url) as db:
        migrate(db)
        save(db, revision())
        with db.connection(), db.connection(), db.connection(), db.connection() as last:
            last.execute("select 1")
        own_server.kill()
        own_server.start()
        assert [row.name for row in list_pipelines(db)] == ["orders-clean"]


def test_while_the_server_is_away_calls_say_so_soon_and_work_when_it_is_back(own_server: PostgresServer) -> None:
    with Database(own_server.url) as db:
        assert one(db) == 1
        own_server.stop()
        for _ in range(3):
            begun = time.monotonic()
            with pytest.raises(UnreachableError, match=r"cannot reach Postgres at 127\.0\.0\.1"):
                one(db)
            assert time.monotonic() - begun < ANSWER_S
        own_server.start()
        assert one(db) == 1


def test_opening_reaches_nobody_and_the_first_call_says_why(unused_port: int) -> None:
    with (
        Database(f"postgresql://ada:secret@127.0.0.1:{unused_port}/inflect") as db,
        pytest.raises(UnreachableError, match="refused") as raised,
    ):
        one(db)
    assert "secret" not in str(raised.value)


def test_sessions_that_were_ended_are_replaced(database: Database, database_url: str) -> None:
    for _ in range(5):
        assert one(database) == 1
        end_all_sessions(database_url)
    assert one(database) == 1


def settings(db: Database) -> list[tuple[str]]:
    with db.connection() as connection:
        return connection.execute("select key from settings").fetchall()


def insert_then(db: Database, happen: Callable[[], None]) -> None:
    with db.transaction() as connection:
        connection.execute("insert into settings (key, value) values ('first', '')")
        happen()
        connection.execute("insert into settings (key, value) values ('second', '')")


def test_a_session_that_ends_in_the_middle_loses_the_whole_transaction(database: Database, database_url: str) -> None:
    with pytest.raises(UnreachableError):
        insert_then(database, lambda: end_all_sessions(database_url))
    assert settings(database) == []


def test_any_exception_undoes_a_transaction(database: Database) -> None:
    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        insert_then(database, fail)
    assert settings(database) == []


@pytest.mark.row("D12")
def test_when_all_connections_are_taken_the_next_caller_is_told(database_url: str) -> None:
    with (
        Database(database_url, max_connections=1) as db,
        db.connection(),
        pytest.raises(UnreachableError, match="is busy: none of 1 connections"),
    ):
        one(db)


@pytest.mark.row("D15")
def test_a_lock_is_not_waited_for_without_end(database: Database, database_url: str) -> None:
    with psycopg.connect(database_url) as other:
        other.execute("lock table pipelines in access exclusive mode")
        begun = time.monotonic()
        with pytest.raises(UnreachableError, match="is busy"):
            list_pipelines(database)
        assert time.monotonic() - begun < ANSWER_S


def test_every_connection_has_its_limits_and_speaks_utc(database: Database) -> None:
    with database.connection() as connection:
        shown = [
            connection.execute(f"show {name}".encode()).fetchone()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "timezone")
        ]
    assert shown == [("10s",), ("3s",), ("1min",), ("UTC",)]


def test_an_empty_database_is_told_how_to_become_ours(empty_database_url: str) -> None:
    with Database(empty_database_url) as db, pytest.raises(InflectError, match="inflect migrate"):
        list_pipelines(db)


@pytest.mark.row("D13")
def test_a_read_only_server_is_said_to_be_one(database_url: str) -> None:
    read_only = f"{database_url}?options=-c%20default_transaction_read_only%3Don"
    with Database(read_only) as db, pytest.raises(UnreachableError, match="read-only"):
        save(db, revision())


def test_a_url_that_is_none_is_refused_before_anything_is_tried() -> None:
    with pytest.raises(UsageError, match="postgresql://"):
        Database("nonsense")


def test_connections_are_kept_and_closed_with_the_database(database_url: str) -> None:
    with Database(database_url) as db:
        with db.connection() as connection:
            first = connection
        with db.connection() as connection:
            assert connection is first
    assert first.closed


def test_a_connection_left_inside_a_transaction_is_not_lent_again(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("begin")
    assert connection.closed
    assert one(database) == 1
