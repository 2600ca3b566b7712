"""Migrations: old or new, never half; one at a time; nothing newer, nothing foreign."""

import multiprocessing
import os
import signal
from dataclasses import replace
from multiprocessing.synchronize import Event

import psycopg
import pytest

from inflect.errors import InflectError
from inflect.store.database import Database
from inflect.store.migrations import KNOWN, Migration, migrate, pending
from tests.waiting import eventually

FIRST = KNOWN[0]


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("select table_name from information_schema.tables where table_schema = 'public'")
        return {name for (name,) in found}


def migrate_in_child(url: str, slow: str, begun: Event) -> None:
    """Migrate with a last statement that waits for a lock the test holds."""
    begun.set()
    with Database(url) as db:
        migrate(db, migrations=(*KNOWN, Migration(len(KNOWN) + 1, "slow", slow)))


def test_an_empty_database_gets_everything_once(empty_database_url: str) -> None:
    with Database(empty_database_url) as db:
        names = [migration.title for migration in KNOWN]
        assert pending(db) == names
        assert migrate(db) == names
        assert pending(db) == []
        assert migrate(db) == []


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [migration.number for migration in KNOWN] == list(range(1, len(KNOWN) + 1))


def test_a_migration_that_fails_leaves_nothing_of_itself(empty_database_url: str) -> None:
    broken = Migration(len(KNOWN) + 1, "broken", "create table half (a integer); create table half (a integer);")
    with Database(empty_database_url) as db:
        with pytest.raises(InflectError, match="half"):
            migrate(db, migrations=(*KNOWN, broken))
        assert pending(db) == []
    assert "half" not in tables(empty_database_url)
    assert "pipelines" in tables(empty_database_url)


def test_a_newer_database_is_refused(database: Database) -> None:
    newer = Migration(len(KNOWN) + 1, "from_the_future", "create table future (a integer)")
    migrate(database, migrations=(*KNOWN, newer))
    words = f"newer than this version of Inflect: it has migration {newer.number:04}"
    for ask in (migrate, pending):
        with pytest.raises(InflectError, match=words):
            ask(database)


def test_a_history_that_is_not_ours_is_refused(database: Database) -> None:
    with pytest.raises(InflectError, match="is not the one of this version"):
        migrate(database, migrations=(replace(FIRST, text="create table other (a integer)"), *KNOWN[1:]))


@pytest.mark.row("D18")
def test_of_two_that_migrate_at_once_one_waits_and_finds_it_done(empty_database_url: str) -> None:
    applied: list[list[str]] = []
    with psycopg.connect(empty_database_url) as holder:
        lock = "pg_advisory_xact_lock(4711)"
        holder.execute(f"select {lock}".encode())
        spawn = multiprocessing.get_context("spawn")
        begun = spawn.Event()
        slow = f"create table slow (a integer); select {lock}"
        child = spawn.Process(target=migrate_in_child, args=(empty_database_url, slow, begun))
        child.start()
        begun.wait(30)
        eventually(lambda: waiting_for_locks(empty_database_url) == 1, within_s=30, why="the child is in the middle")
        with Database(empty_database_url) as db:
            holder.rollback()
            applied.append(migrate(db, migrations=(*KNOWN, Migration(len(KNOWN) + 1, "slow", slow))))
        child.join(30)
    assert child.exitcode == 0
    assert applied == [[]]
    assert "slow" in tables(empty_database_url)


@pytest.mark.row("D17")
def test_one_killed_in_the_middle_leaves_the_old_schema_and_the_next_goes_on(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as holder:
        holder.execute("select pg_advisory_xact_lock(4711)")
        spawn = multiprocessing.get_context("spawn")
        begun = spawn.Event()
        slow = "create table slow (a integer); select pg_advisory_xact_lock(4711)"
        child = spawn.Process(target=migrate_in_child, args=(empty_database_url, slow, begun))
        child.start()
        eventually(lambda: waiting_for_locks(empty_database_url) == 1, within_s=30, why="the child is in the middle")
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join(30)
    assert "slow" not in tables(empty_database_url)
    with Database(empty_database_url) as db:
        slow_again = Migration(len(KNOWN) + 1, "slow", "create table slow (a integer)")
        eventually(lambda: waiting_for_locks(empty_database_url) == 0, why="the server noticed the dead client")
        assert migrate(db, migrations=(*KNOWN, slow_again)) == [f"{len(KNOWN) + 1:04}_slow"]


def waiting_for_locks(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select count(*) from pg_locks where not granted and locktype = 'advisory'"
            " and database = (select oid from pg_database where datname = current_database())"
        ).fetchone()
    assert found is not None
    return int(found[0])
