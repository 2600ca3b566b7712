"""Pools of real processes under the reconcile step."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from inflect.supervisor.local import Pool
from inflect.supervisor.reconcile import GRACE_S, HEARTBEAT_S, TERMINATE_AFTER_S
from inflect.supervisor.status import status_of
from tests.integration.supervisor.conftest import Bench
from tests.integration.supervisor.fake_worker import revision
from tests.waiting import eventually


def pool(bench: Bench, name: str) -> Pool:
    return bench.pools.pools[name]


def test_a_pool_starts_and_stops_again(bench: Bench) -> None:
    bench.want(revision("orders"), workers=3)
    pids = bench.until(lambda: len(bench.pids("orders")) == 3 and bench.pids("orders"))
    bench.want()
    bench.until(lambda: "orders" not in bench.pools.pools)
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_changed_revision_is_told_to_the_same_processes(bench: Bench) -> None:
    bench.want(revision("orders", 1), revision("clicks", 1), workers=2)
    bench.until(lambda: len(bench.pids("orders")) == len(bench.pids("clicks")) == 2)
    before = bench.pids("orders"), bench.pids("clicks")
    bench.want(revision("orders", 2), revision("clicks", 1), workers=2)
    bench.until(lambda: bench.running("orders") == {0: 2, 1: 2})
    assert (bench.pids("orders"), bench.pids("clicks")) == before


def test_another_source_topic_replaces_the_workers(bench: Bench) -> None:
    bench.want(revision("orders", 1), revision("clicks"), workers=2)
    before = bench.until(lambda: len(bench.pids("orders")) == 2 and bench.pids("orders"))
    clicks = bench.until(lambda: len(bench.pids("clicks")) == 2 and bench.pids("clicks"))
    bench.want(revision("orders", 2, topic="elsewhere"), revision("clicks"), workers=2)
    after = bench.until(lambda: len(bench.pids("orders")) == 2 and set(bench.pids("orders")).isdisjoint(before))
    assert after
    assert bench.pids("clicks") == clicks


def test_a_killed_worker_is_replaced_after_a_rest_and_the_other_pipeline_keeps_its_process(bench: Bench) -> None:
    bench.want(revision("orders"), revision("clicks"))
    bench.until(lambda: bench.pids("orders") and bench.pids("clicks"))
    killed, kept = bench.pids("orders")[0], bench.pids("clicks")
    os.kill(killed, signal.SIGKILL)
    bench.until(lambda: bench.pids("orders") and bench.pids("orders") != [killed])
    assert bench.pids("clicks") == kept
    assert pool(bench, "orders").endings[0] == "was ended by signal 9 (Killed)"


@pytest.mark.row("E05")
def test_a_crash_loop_rests_longer_and_longer_and_disturbs_nobody(bench: Bench) -> None:
    bench.want(revision("bad", mode="crashes"), revision("good"))
    kept = bench.until(lambda: bench.pids("good"))
    bench.until(lambda: pool(bench, "bad").lives.get(0) == 3)
    bench.until(lambda: pool(bench, "bad").backoff[0].failures == 3)
    assert pool(bench, "bad").endings[0] == "ended with exit code 3: boom"
    state = status_of(bench.pools, bench.desired, 0.0).states["bad"]
    assert state == ("failed", "worker 0 ended with exit code 3: boom (3 times in a row); it is started again")
    assert bench.pids("good") == kept


def test_a_new_revision_heals_a_crash_loop_at_once(bench: Bench) -> None:
    bench.want(revision("orders", 1, mode="crashes"))
    bench.until(lambda: pool(bench, "orders").backoff.get(0) and pool(bench, "orders").backoff[0].failures == 3)
    bench.want(revision("orders", 2))
    bench.until(lambda: bench.pids("orders"), within_s=2)


@pytest.mark.row("E03")
def test_a_worker_that_ignores_stop_is_killed_after_its_grace(bench: Bench) -> None:
    bench.want(revision("orders", mode="ignores-stop"))
    (pid,) = bench.until(lambda: bench.pids("orders"))
    bench.want()
    bench.until(lambda: pool(bench, "orders").workers[0].stopping_since)
    bench.until(lambda: pool(bench, "orders").workers[0].terminated, later_s=TERMINATE_AFTER_S)
    assert psutil.pid_exists(pid)
    bench.until(lambda: not psutil.pid_exists(pid), later_s=GRACE_S)


@pytest.mark.row("E04")
def test_a_hung_worker_is_killed_and_replaced(bench: Bench) -> None:
    bench.want(revision("orders", mode="hangs"))
    (pid,) = bench.until(lambda: bench.pids("orders"))
    bench.turn(later_s=HEARTBEAT_S)
    bench.until(lambda: bench.pids("orders") not in ([], [pid]))
    assert pool(bench, "orders").endings[0] == "was killed: no heartbeat for 60 s"


@pytest.mark.row("E02")
def test_a_supervisor_that_was_frozen_does_not_blame_its_workers(bench: Bench) -> None:
    bench.want(revision("orders", mode="hangs"))
    bench.until(lambda: bench.pids("orders"))
    worker = pool(bench, "orders").workers[0]
    assert worker.heard_at is not None
    bench.pools.excuse_silence(worker.heard_at + 600)
    assert worker.heard_at + HEARTBEAT_S > worker.started_at + 600


def test_a_halt_stops_the_pool_until_the_store_has_it_and_somebody_resumes(bench: Bench) -> None:
    bench.want(revision("orders", mode="halts"), workers=2)
    halt = bench.until(lambda: bench.pools.pools.get("orders") and pool(bench, "orders").halt)
    bench.until(lambda: not pool(bench, "orders").workers)
    assert halt.reason == "event orders:0:7 met on_error: stop"
    lives = dict(pool(bench, "orders").lives)
    for _ in range(10):
        bench.turn(later_s=120)
    assert pool(bench, "orders").lives == lives
    bench.pools.forget_halt("orders", halt)
    bench.until(lambda: sum(pool(bench, "orders").lives.values()) > sum(lives.values()))


def test_the_first_halt_stands_until_the_store_has_it_however_many_workers_halt(bench: Bench) -> None:
    bench.want(revision("orders", mode="halts"), workers=4)
    first = bench.until(lambda: bench.pools.pools.get("orders") and pool(bench, "orders").halt)
    bench.until(lambda: not pool(bench, "orders").workers)
    assert pool(bench, "orders").halt is first


def test_a_quarantined_revision_rests_until_the_next_one(bench: Bench) -> None:
    bench.want(revision("orders", 1, mode="cannot-run"))
    bench.until(lambda: bench.pools.pools.get("orders") and pool(bench, "orders").quarantine)
    bench.until(lambda: not pool(bench, "orders").workers)
    for _ in range(10):
        bench.turn(later_s=120)
    assert pool(bench, "orders").lives == {0: 1}
    assert status_of(bench.pools, bench.desired, 0.0).states["orders"] == ("failed", "missing topic: clean")
    bench.want(revision("orders", 2))
    bench.until(lambda: bench.pids("orders"))


def test_a_resume_gives_a_quarantined_revision_another_chance(bench: Bench) -> None:
    bench.want(revision("orders", 1, mode="cannot-run"))
    bench.until(lambda: bench.pools.pools.get("orders") and pool(bench, "orders").quarantine)
    bench.until(lambda: not pool(bench, "orders").workers)
    bench.want(revision("orders", 1, mode="cannot-run"), resumes=1)
    bench.until(lambda: pool(bench, "orders").lives == {0: 2})


def test_a_worker_that_speaks_garbage_is_killed(bench: Bench) -> None:
    bench.want(revision("orders", mode="garbage"), revision("clicks"))
    kept = bench.until(lambda: bench.pids("clicks"))
    bench.until(lambda: bench.pools.pools.get("orders") and pool(bench, "orders").endings.get(0))
    assert pool(bench, "orders").endings[0].startswith("was killed: spoke no worker's language")
    assert bench.pids("clicks") == kept


def test_a_worker_stuck_in_half_a_message_holds_up_nobody(bench: Bench) -> None:
    bench.want(revision("orders", mode="half"), revision("clicks", 1))
    kept = bench.until(lambda: bench.pids("clicks"))
    bench.want(revision("orders", mode="half"), revision("clicks", 2))
    bench.until(lambda: bench.running("clicks") == {0: 2}, within_s=2)
    assert bench.pids("clicks") == kept


def test_a_worker_that_never_reads_cannot_block_the_supervisor(bench: Bench) -> None:
    bench.want(revision("orders", 1, mode="deaf"), revision("clicks"))
    bench.until(lambda: bench.pids("orders") and bench.pids("clicks"))
    heavy = revision("orders", 2)
    heavy = type(heavy)(2, heavy.pipeline, {"lib/big.js": "x" * 5_000_000}, ())
    bench.want(heavy, revision("clicks"))
    bench.until(lambda: pool(bench, "orders").workers[0].child.wants_to_write)
    heard = len(bench.samples)
    bench.until(lambda: len(bench.samples) > heard + 10, within_s=5)
    assert set(bench.samples) == {("clicks", "0")}


def test_a_worker_that_leaves_unasked_is_started_again_and_is_no_failure(bench: Bench) -> None:
    bench.want(revision("orders", mode="leaves"))
    bench.until(lambda: bench.pools.pools.get("orders") and pool(bench, "orders").lives.get(0) == 2)
    assert pool(bench, "orders").backoff[0].failures == 0


def test_workers_survive_the_death_of_the_forkserver_and_new_ones_start(bench: Bench) -> None:
    bench.want(revision("orders"))
    (pid,) = bench.until(lambda: bench.pids("orders"))
    psutil.Process(pid).parent().kill()  # type: ignore[union-attr]  # the forkserver
    bench.want(revision("orders"), workers=2)
    bench.until(lambda: len(bench.pids("orders")) == 2)
    assert bench.pids("orders")[0] == pid
    os.kill(pid, signal.SIGKILL)
    bench.until(lambda: len(bench.pids("orders")) == 2 and bench.pids("orders")[0] != pid)


def test_a_child_holds_its_own_end_of_the_pipe_and_nobody_elses(bench: Bench) -> None:
    bench.want(revision("orders"), workers=4)
    pids = bench.until(lambda: len(bench.pids("orders")) == 4 and bench.pids("orders"))
    held = [[str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()] for pid in pids]
    sockets = [{name for name in names if name.startswith("socket:")} for names in held]
    assert all(len(one) == 1 for one in sockets), "the orphan watch may hold the same end twice"
    assert len({name for one in sockets for name in one}) == 4


@pytest.mark.row("E10")
@pytest.mark.parametrize("mode", ["obeys", "ignores-stop"])
def test_leaving_the_block_leaves_no_process_and_no_descriptor(bench: Bench, mode: str) -> None:
    us = psutil.Process()
    bench.want(revision("orders", mode=mode), workers=3)
    pids = bench.until(lambda: len(bench.pids("orders")) == 3 and bench.pids("orders"))
    bench.children.__exit__(None, None, None)
    assert len(bench.children) == 0
    eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    assert us.num_fds() < 60
