"""What is shown of a pipeline."""

from inflect.supervisor.reconcile import DesiredPool, Hold
from inflect.supervisor.states import CRASH_LOOP, PoolStatus, pipeline_state

WANTED = DesiredPool(1)


def test_a_pool_without_a_word_is_starting() -> None:
    assert pipeline_state(WANTED, PoolStatus()) == ("starting", "")


def test_one_running_worker_makes_it_running() -> None:
    status = PoolStatus({0: ("waiting", "no partition assigned"), 1: ("running", "")})
    assert pipeline_state(WANTED, status) == ("running", "")


def test_a_pool_that_only_waits_says_for_what() -> None:
    status = PoolStatus({0: ("waiting", "waiting for the broker: refused")})
    assert pipeline_state(WANTED, status) == ("starting", "waiting for the broker: refused")


def test_pausing_becomes_paused_when_the_last_worker_is_gone() -> None:
    paused = DesiredPool(1, hold=Hold("paused"))
    assert pipeline_state(paused, PoolStatus({0: ("stopping", "")})) == ("pausing", "")
    assert pipeline_state(paused, PoolStatus()) == ("paused", "")


def test_a_halt_stops_the_pipeline_and_says_why() -> None:
    assert pipeline_state(WANTED, PoolStatus(halt="event orders:0:7")) == ("stopped", "event orders:0:7")


def test_a_quarantine_is_a_failure() -> None:
    assert pipeline_state(WANTED, PoolStatus(quarantine="missing topic: x")) == ("failed", "missing topic: x")


def test_a_crash_loop_is_a_failure_that_says_how_often() -> None:
    status = PoolStatus({0: ("starting", "")}, {0: (CRASH_LOOP, "ended with exit code 1: boom")})
    assert pipeline_state(WANTED, status) == (
        "failed",
        "worker 0 ended with exit code 1: boom (3 times in a row); it is started again",
    )


def test_one_crash_is_a_start_with_a_reason() -> None:
    state, reason = pipeline_state(WANTED, PoolStatus({}, {0: (1, "was killed: no heartbeat for 60 s")}))
    assert (state, reason) == ("starting", "worker 0 was killed: no heartbeat for 60 s (once); it is started again")


def test_a_running_pool_tells_of_the_slot_that_rests() -> None:
    state, reason = pipeline_state(WANTED, PoolStatus({0: ("running", "")}, {1: (1, "ended with exit code 1")}))
    assert state == "running"
    assert "worker 1" in reason


def test_a_pool_of_no_workers_is_idle() -> None:
    assert pipeline_state(DesiredPool(1, workers=0), PoolStatus()) == ("idle", "")


def test_a_hold_is_shown_with_its_reason() -> None:
    held = DesiredPool(1, hold=Hold("failed", "revision 1 cannot be read"))
    assert pipeline_state(held, PoolStatus()) == ("failed", "revision 1 cannot be read")
