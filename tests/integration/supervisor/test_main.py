"""A whole supervisor against a real database: it follows, survives, gives way and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from inflect.control.sync import sync_directory
from inflect.embedded.postgres import PostgresServer
from inflect.store import pipelines, workers
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision
from inflect.store.processors import current
from tests.waiting import eventually

COMMAND = [sys.executable, "-m", "tests.integration.supervisor.serving"]


@dataclass
class Serving:
    """A supervisor's process with all it has started."""

    process: subprocess.Popen[bytes]
    log: Path

    def tree(self) -> list[psutil.Process]:
        us = psutil.Process(self.process.pid)
        return [us, *us.children(recursive=True)]

    def text(self) -> str:
        return self.log.read_text()

    def stop(self, within_s: float = 15) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)


@pytest.fixture
def processors(tmp_path: Path) -> Path:
    directory = tmp_path / "processors"
    directory.mkdir()
    return directory


@pytest.fixture
def start(database_url: str, processors: Path, tmp_path: Path) -> Iterator[Callable[[], Serving]]:
    """Start supervisors; those a test leaves are killed with all they started."""
    started: list[Serving] = []

    def start_one() -> Serving:
        log = tmp_path / f"serve-{len(started)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen([*COMMAND, database_url, str(processors)], stdout=file, stderr=file)
        started.append(Serving(process, log))
        return started[-1]

    yield start_one
    for serving in started:
        sys.stderr.write(serving.text())  # shown by pytest when the test fails
        if serving.process.poll() is None:
            for process in serving.tree():
                with suppress(psutil.NoSuchProcess):  # it ended meanwhile
                    process.kill()
        serving.process.wait()


def save(db: Database, name: str, expected: int | None = None, mode: str = "obeys", **more: Any) -> int:
    document = {"name": name, "source": {"topic": "in"}, "target": {"topic": "out"}, "labels": {"mode": mode}, **more}
    new = NewRevision(name, expected, document, {}, ())
    return pipelines.save_revisions(db, [new], author="test", origin="cli")[name]


def running(db: Database, name: str, revision: int = 1, count: int = 1) -> list[int]:
    """Return the pids of a pipeline's workers once they all run the revision, else nothing."""
    rows = workers.workers(db, name)
    done = len(rows) == count and all(row.state == "running" and row.revision == revision for row in rows)
    return [row.pid for row in rows if row.pid is not None] if done else []


def state(db: Database, name: str) -> str:
    return pipelines.get_pipeline(db, name).state


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


@contextmanager
def stopped(postgres: PostgresServer) -> Iterator[None]:
    """Stop the session's server for the block; it runs again for the other tests whatever happens."""
    postgres.stop()
    try:
        yield
    finally:
        postgres.start()


Start = Callable[[], Serving]


def test_it_runs_what_the_database_says_and_ends_clean(database: Database, start: Start) -> None:
    save(database, "orders", workers={"min": 2})
    serving = start()
    eventually(lambda: running(database, "orders", count=2))
    eventually(lambda: state(database, "orders") == "running")
    eventually(lambda: "ready http://127.0.0.1:8080" in serving.text())
    processes = serving.tree()
    assert serving.stop() == 0
    eventually(lambda: all_gone(processes), within_s=3)
    assert workers.workers(database) == []
    row = pipelines.get_pipeline(database, "orders")
    assert (row.state, row.reason) == ("starting", "the supervisor has stopped; workers start with it")
    (progress, *_rest) = workers.progress(database, "orders")
    assert progress.counts.consumed == progress.offset > 0


def test_a_new_pipeline_and_a_new_revision_are_followed_within_two_seconds(database: Database, start: Start) -> None:
    save(database, "clicks")
    start()
    clicks = eventually(lambda: running(database, "clicks"))
    save(database, "orders")
    orders = eventually(lambda: running(database, "orders"), within_s=3)
    save(database, "orders", expected=1)
    assert eventually(lambda: running(database, "orders", revision=2), within_s=3) == orders
    assert running(database, "clicks") == clicks


def test_pause_drains_resume_starts_and_delete_ends(database: Database, start: Start) -> None:
    save(database, "orders")
    save(database, "clicks")
    start()
    clicks = eventually(lambda: running(database, "clicks"))
    eventually(lambda: running(database, "orders"))
    pipelines.set_paused(database, "orders", paused=True, author="test")
    eventually(lambda: state(database, "orders") == "paused" and not workers.workers(database, "orders"))
    pipelines.set_paused(database, "orders", paused=False, author="test")
    eventually(lambda: running(database, "orders") and state(database, "orders") == "running")
    pipelines.save_revisions(database, [], delete=["orders"], author="test", origin="cli")
    eventually(lambda: not workers.workers(database, "orders"))
    assert running(database, "clicks") == clicks


@pytest.mark.row("E01")
def test_kill_9_leaves_no_process_and_a_restart_converges(database: Database, start: Start) -> None:
    for name in ("orders", "clicks", "stubborn"):
        save(database, name, mode="ignores-stop" if name == "stubborn" else "obeys", workers={"min": 2})
    serving = start()
    eventually(lambda: all(running(database, name, count=2) for name in ("orders", "clicks", "stubborn")))
    processes = serving.tree()
    assert len(processes) >= 9, "supervisor, forkserver, tracker, web and six workers"
    serving.process.kill()
    serving.process.wait()
    eventually(lambda: all_gone(processes), within_s=3)
    dead = {process.pid for process in processes}
    start()
    eventually(lambda: set(running(database, "orders", count=2)) - dead and running(database, "clicks", count=2))


def test_a_second_supervisor_waits_and_takes_over(database: Database, start: Start) -> None:
    save(database, "orders")
    first = start()
    (before,) = eventually(lambda: running(database, "orders"))
    second = start()
    eventually(lambda: "another supervisor holds this database" in second.text())
    assert len(second.tree()) <= 3, "forkserver and tracker, but no worker"
    first.process.kill()
    after = eventually(lambda: [pid for pid in running(database, "orders") if pid != before], within_s=15)
    assert psutil.Process(after[0]) in second.tree()


def test_a_waiting_supervisor_ends_at_once_when_told(database: Database, start: Start) -> None:
    save(database, "orders")
    start()
    eventually(lambda: running(database, "orders"))
    second = start()
    eventually(lambda: "another supervisor holds this database" in second.text())
    assert second.stop(within_s=5) == 0


@pytest.mark.row("D02")
def test_workers_outlive_a_restart_of_postgres_and_changes_are_followed_afterwards(
    database: Database, start: Start, postgres: PostgresServer
) -> None:
    save(database, "orders")
    serving = start()
    before = eventually(lambda: running(database, "orders"))
    with stopped(postgres):
        eventually(lambda: "Postgres is away" in serving.text())
        assert psutil.pid_exists(before[0])
    eventually(lambda: "Postgres is back" in serving.text(), within_s=20)
    save(database, "orders", expected=1)
    assert eventually(lambda: running(database, "orders", revision=2), within_s=20) == before


@pytest.mark.row("D09")
def test_the_lock_is_taken_again_when_its_session_is_ended(database: Database, database_url: str, start: Start) -> None:
    save(database, "orders")
    start()
    before = eventually(lambda: running(database, "orders"))
    with psycopg.connect(database_url, autocommit=True) as connection:
        ended = connection.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database ="
            " (select oid from pg_database where datname = current_database())"
        ).fetchall()
    assert ended
    save(database, "orders", expected=1)
    assert eventually(lambda: running(database, "orders", revision=2)) == before


@pytest.mark.row("D10")
def test_a_supervisor_whose_lock_went_to_another_stops_its_workers_and_fails(
    database: Database, database_url: str, start: Start
) -> None:
    save(database, "orders")
    first = start()
    eventually(lambda: running(database, "orders"))
    processes = first.tree()
    first.process.send_signal(signal.SIGSTOP)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    second = start()
    eventually(lambda: [pid for pid in running(database, "orders") if psutil.Process(pid) in second.tree()])
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(20) == 1
    assert "another supervisor has taken over" in first.text()
    eventually(lambda: all_gone(processes), within_s=3)


def test_a_halt_is_recorded_and_a_resume_tries_again(database: Database, start: Start) -> None:
    save(database, "orders", mode="halts")
    start()
    eventually(lambda: state(database, "orders") == "stopped")
    eventually(lambda: pipelines.get_pipeline(database, "orders").halted)
    row = pipelines.get_pipeline(database, "orders")
    assert row.halted == row.reason == "event orders:0:7 met on_error: stop"
    for _ in range(3):
        pipelines.set_paused(database, "orders", paused=False, author="test")
        assert pipelines.get_pipeline(database, "orders").halted is None
        eventually(lambda: pipelines.get_pipeline(database, "orders").halted)
    save(database, "orders", expected=1)
    eventually(lambda: running(database, "orders", revision=2))


def test_a_pipeline_that_cannot_run_fails_alone(database: Database, start: Start) -> None:
    save(database, "bad", mode="cannot-run")
    save(database, "good")
    start()
    eventually(lambda: running(database, "good"))
    eventually(lambda: state(database, "bad") == "failed")
    assert pipelines.get_pipeline(database, "bad").reason == "missing topic: clean"
    save(database, "bad", expected=1)
    eventually(lambda: running(database, "bad", revision=2))


@pytest.mark.row("D16")
def test_a_row_edited_into_nonsense_fails_alone(database: Database, database_url: str, start: Start) -> None:
    save(database, "orders")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("alter table revisions disable trigger all")
        connection.execute("""update revisions set document = '{"name": 7, "steps": "x"}'""")
    save(database, "clicks")
    start()
    eventually(lambda: running(database, "clicks"))
    eventually(lambda: state(database, "orders") == "failed")


FILTER = "filters/only-paid.js"


def save_with_filter(db: Database, processors: Path) -> None:
    """Put a filter into the directory and the database, and a pipeline that uses it."""
    file = processors / FILTER
    file.parent.mkdir()
    file.write_text("module.exports = (event) => event.paid")
    sync_directory(db, processors, author="test")
    document = {
        "name": "orders",
        "source": {"topic": "in"},
        "steps": [{"filter": "only-paid"}],
        "target": {"topic": "out"},
        "labels": {"mode": "obeys"},
    }
    pins = {FILTER: current(db)[FILTER].hash}
    new = NewRevision("orders", None, document, pins, (FILTER,))
    pipelines.save_revisions(db, [new], author="test", origin="cli")


def test_a_changed_file_is_a_new_revision_told_to_the_same_process(
    database: Database, start: Start, processors: Path
) -> None:
    save_with_filter(database, processors)
    save(database, "clicks")
    start()
    orders, clicks = eventually(lambda: running(database, "orders")), eventually(lambda: running(database, "clicks"))
    (processors / FILTER).write_text("module.exports = (event) => event.paid === true")
    assert eventually(lambda: running(database, "orders", revision=2)) == orders
    assert running(database, "clicks") == clicks
    assert pipelines.get_revision(database, "orders", 2).author == "supervisor"


def test_a_file_with_a_syntax_error_is_named_with_its_line_and_the_old_one_runs_on(
    database: Database, start: Start, processors: Path
) -> None:
    save_with_filter(database, processors)
    serving = start()
    orders = eventually(lambda: running(database, "orders"))
    (processors / FILTER).write_text("module.exports = (event) => {\n  return (\n}")
    eventually(lambda: f"{FILTER}:3" in serving.text())
    assert running(database, "orders", revision=1) == orders
    (processors / FILTER).write_text("module.exports = () => true")
    assert eventually(lambda: running(database, "orders", revision=2)) == orders


@pytest.mark.row("E13")
def test_a_second_signal_ends_even_those_that_ignore_the_first(database: Database, start: Start) -> None:
    save(database, "orders", mode="ignores-stop")
    serving = start()
    eventually(lambda: running(database, "orders"))
    processes = serving.tree()
    serving.process.send_signal(signal.SIGTERM)
    eventually(lambda: "stopping" in serving.text())
    assert serving.stop(within_s=5) == 0
    eventually(lambda: all_gone(processes), within_s=3)


@pytest.mark.row("E12")
def test_a_signal_to_the_whole_group_ends_in_order(database: Database, start: Start) -> None:
    save(database, "orders")
    serving = start()
    eventually(lambda: running(database, "orders"))
    processes = serving.tree()
    for process in processes:
        os.kill(process.pid, signal.SIGTERM)
    assert serving.process.wait(10) == 0
    eventually(lambda: all_gone(processes), within_s=3)


def test_metrics_go_on_where_they_were(database: Database, start: Start) -> None:
    save(database, "orders")

    def committed() -> float:
        series = workers.load_metrics(database).get(("orders", "0"), {})
        return sum(total.value for (name, _), total in series.items() if name == "inflect_transactions_total")

    first = start()
    eventually(lambda: committed() > 5)
    assert first.stop() == 0
    before = committed()
    start()
    eventually(lambda: committed() > before)


@pytest.mark.row("D01")
def test_a_supervisor_waits_for_a_database_that_is_down_at_start(
    database: Database, start: Start, postgres: PostgresServer
) -> None:
    save(database, "orders")
    with stopped(postgres):
        serving = start()
        eventually(lambda: "Postgres does not answer; waiting for it" in serving.text())
    eventually(lambda: running(database, "orders"), within_s=20)
