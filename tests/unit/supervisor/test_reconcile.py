"""The reconcile step, by example and by simulation."""

import random
from dataclasses import dataclass, field, replace

import pytest

from inflect.supervisor.reconcile import (
    GRACE_S,
    HEARTBEAT_S,
    SEAT_S,
    SEATS,
    START_HEARTBEAT_S,
    TERMINATE_AFTER_S,
    Action,
    Backoff,
    DesiredPool,
    Hold,
    KillWorker,
    Observed,
    ObservedPool,
    ObservedWorker,
    StartWorker,
    StopWorker,
    TellRevision,
    TerminateWorker,
    reconcile,
)

NOW = 1000.0


def worker(slot: int = 0, revision: int = 1, **other: object) -> ObservedWorker:
    well = ObservedWorker(slot, revision, started_at=NOW - 100, heard_at=NOW - 1, starting=False)
    return replace(well, **other)  # type: ignore[arg-type]  # keywords of the dataclass


def observed(*workers: ObservedWorker, name: str = "orders", **other: object) -> Observed:
    return Observed(NOW, {name: ObservedPool(tuple(workers), **other)})  # type: ignore[arg-type]  # as above


def test_a_new_pipeline_starts_its_workers_lowest_slot_first() -> None:
    assert reconcile({"orders": DesiredPool(1, workers=2)}, Observed(NOW)) == (
        StartWorker("orders", 0, 1),
        StartWorker("orders", 1, 1),
    )


def test_a_pool_as_desired_is_left_alone() -> None:
    assert reconcile({"orders": DesiredPool(1)}, observed(worker())) == ()


def test_a_changed_revision_is_told_without_restart() -> None:
    assert reconcile({"orders": DesiredPool(2)}, observed(worker())) == (TellRevision("orders", 0, 2),)


def test_a_paused_pool_drains() -> None:
    desired = {"orders": DesiredPool(1, workers=2, hold=Hold("paused"))}
    assert reconcile(desired, observed(worker(0), worker(1))) == (StopWorker("orders", 1), StopWorker("orders", 0))


def test_a_deleted_pipeline_drains() -> None:
    assert reconcile({}, observed(worker())) == (StopWorker("orders", 0),)


def test_workers_beyond_the_pool_stop_highest_slot_first() -> None:
    actions = reconcile({"orders": DesiredPool(1, workers=1)}, observed(worker(0), worker(1), worker(2)))
    assert actions == (StopWorker("orders", 2), StopWorker("orders", 1))


def test_a_revision_that_needs_a_restart_stops_all_and_then_starts() -> None:
    desired = {"orders": DesiredPool(2, workers=2, restart_token=("other",))}
    old = [worker(0, restart_token=("topic",)), worker(1, restart_token=("topic",))]
    assert reconcile(desired, observed(*old)) == (StopWorker("orders", 1), StopWorker("orders", 0))
    half = observed(worker(1, restart_token=("topic",), stopping_since=NOW))
    assert reconcile(desired, half) == ()
    assert reconcile(desired, observed()) == (StartWorker("orders", 0, 2), StartWorker("orders", 1, 2))


def test_a_quarantined_revision_is_not_started_again_but_the_next_one_is() -> None:
    assert reconcile({"orders": DesiredPool(4)}, observed(quarantined=4)) == ()
    assert reconcile({"orders": DesiredPool(5)}, observed(quarantined=4)) == (StartWorker("orders", 0, 5),)


def test_a_quarantine_stops_the_rest_of_the_pool() -> None:
    actions = reconcile({"orders": DesiredPool(1, workers=2)}, observed(worker(1), quarantined=1))
    assert actions == (StopWorker("orders", 1),)


def test_a_halted_pool_stops_its_other_workers_and_starts_none() -> None:
    actions = reconcile({"orders": DesiredPool(1, workers=2)}, observed(worker(1), halted=True))
    assert actions == (StopWorker("orders", 1),)


def test_a_slot_rests_until_its_time_and_a_new_revision_wakes_it() -> None:
    resting = {0: Backoff(failures=3, not_before=NOW + 4, revision=1)}
    assert reconcile({"orders": DesiredPool(1)}, observed(backoff=resting)) == ()
    assert reconcile({"orders": DesiredPool(2)}, observed(backoff=resting)) == (StartWorker("orders", 0, 2),)
    rested = {0: Backoff(failures=3, not_before=NOW, revision=1)}
    assert reconcile({"orders": DesiredPool(1)}, observed(backoff=rested)) == (StartWorker("orders", 0, 1),)


def test_a_silent_worker_is_killed() -> None:
    silent = worker(heard_at=NOW - HEARTBEAT_S)
    assert reconcile({"orders": DesiredPool(1)}, observed(silent)) == (
        KillWorker("orders", 0, "no heartbeat for 60 s"),
    )


def test_a_starting_worker_may_be_silent_for_longer() -> None:
    starting = worker(starting=True, heard_at=None, started_at=NOW - HEARTBEAT_S)
    assert reconcile({"orders": DesiredPool(1)}, observed(starting)) == ()
    stuck = worker(starting=True, heard_at=None, started_at=NOW - START_HEARTBEAT_S)
    assert reconcile({"orders": DesiredPool(1)}, observed(stuck)) == (
        KillWorker("orders", 0, "no heartbeat for 120 s"),
    )


def test_a_stop_grows_harder_from_message_to_signal_to_kill() -> None:
    asked = worker(stopping_since=NOW - 1)
    assert reconcile({}, observed(asked)) == ()
    deaf = worker(stopping_since=NOW - TERMINATE_AFTER_S)
    assert reconcile({}, observed(deaf)) == (TerminateWorker("orders", 0),)
    assert reconcile({}, observed(replace(deaf, terminated=True))) == ()
    stuck = worker(stopping_since=NOW - GRACE_S, terminated=True)
    assert reconcile({}, observed(stuck)) == (KillWorker("orders", 0, "did not stop within 30 s"),)
    assert reconcile({}, observed(replace(stuck, killed=True))) == ()


def test_a_slot_is_not_started_while_its_last_worker_still_ends() -> None:
    assert reconcile({"orders": DesiredPool(1)}, observed(worker(stopping_since=NOW))) == ()


@pytest.mark.row("E14")
def test_many_pipelines_start_a_few_at_a_time_and_each_gets_a_first_worker_before_any_a_second() -> None:
    desired = {f"p{number:03}": DesiredPool(1, workers=2) for number in range(200)}
    first = reconcile(desired, Observed(NOW))
    assert [(action.pipeline, action.slot) for action in first] == [(f"p{number:03}", 0) for number in range(SEATS)]
    silent = ObservedPool((worker(starting=True, heard_at=None, started_at=NOW),))
    assert reconcile(desired, Observed(NOW, {f"p{number:03}": silent for number in range(SEATS)})) == ()


def test_a_worker_that_never_speaks_gives_its_seat_away() -> None:
    hung = ObservedPool((worker(starting=True, heard_at=None, started_at=NOW - SEAT_S),))
    desired = {f"p{number}": DesiredPool(1) for number in range(SEATS + 1)}
    pools = {f"p{number}": hung for number in range(SEATS)}
    assert reconcile(desired, Observed(NOW, pools)) == (StartWorker(f"p{SEATS}", 0, 1),)


@dataclass
class Box:
    """A box of perfect processes: carries actions out and lets time pass."""

    pools: dict[str, dict[int, ObservedWorker]] = field(default_factory=dict)
    now: float = NOW

    def observe(self) -> Observed:
        pools = {name: ObservedPool(tuple(workers.values())) for name, workers in self.pools.items()}
        return Observed(self.now, pools)

    def carry_out(self, action: Action, desired: dict[str, DesiredPool]) -> None:
        workers = self.pools.setdefault(action.pipeline, {})
        match action:
            case StartWorker(name, slot, revision):
                assert slot not in workers
                token = desired[name].restart_token
                workers[slot] = ObservedWorker(slot, revision, self.now, token, heard_at=self.now, starting=False)
            case TellRevision(_, slot, revision):
                workers[slot] = replace(workers[slot], revision=revision)
            case StopWorker() | KillWorker():
                del workers[action.slot]


def some_desired(chance: random.Random) -> dict[str, DesiredPool]:
    return {
        name: DesiredPool(
            revision=chance.randint(1, 5),
            workers=chance.randint(0, 4),
            restart_token=(chance.choice("ab"),),
            hold=Hold("paused") if chance.random() < 0.2 else None,
        )
        for name in "pqrst"
        if chance.random() < 0.8
    }


def as_desired(desired: dict[str, DesiredPool]) -> dict[str, dict[int, tuple[int, tuple[str, ...]]]]:
    return {
        name: dict.fromkeys(range(pool.workers), (pool.revision, pool.restart_token))
        for name, pool in desired.items()
        if pool.hold is None and pool.workers
    }


@pytest.mark.parametrize("seed", range(50))
def test_repeated_steps_converge_from_anywhere_and_then_rest(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  repeatable, not secret
    box = Box()
    for _ in range(5):
        desired = some_desired(chance)
        for _ in range(30):
            before = {name: dict(workers) for name, workers in box.pools.items()}
            actions = reconcile(desired, box.observe())
            for action in actions:
                box.carry_out(action, desired)
            touched = {action.pipeline for action in actions}
            assert all(box.pools[name] == before[name] for name in before.keys() - touched)
        assert reconcile(desired, box.observe()) == ()
        reached = {
            name: {slot: (one.revision, one.restart_token) for slot, one in workers.items()}
            for name, workers in box.pools.items()
            if workers
        }
        assert reached == as_desired(desired)


@pytest.mark.parametrize("seed", range(50))
def test_a_change_of_one_pipeline_asks_nothing_of_the_others(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  repeatable, not secret
    box = Box()
    desired = some_desired(chance) | {"changed": DesiredPool(1, workers=2, restart_token=("a",))}
    for _ in range(30):
        for action in reconcile(desired, box.observe()):
            box.carry_out(action, desired)
    desired["changed"] = DesiredPool(2, workers=chance.randint(0, 4), restart_token=(chance.choice("ab"),))
    for _ in range(10):
        actions = reconcile(desired, box.observe())
        assert {action.pipeline for action in actions} <= {"changed"}
        for action in actions:
            box.carry_out(action, desired)


@pytest.mark.parametrize("seed", range(20))
def test_stops_come_before_starts(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  repeatable, not secret
    box = Box()
    desired = some_desired(chance)
    for action in reconcile(desired, box.observe()):
        box.carry_out(action, desired)
    actions = reconcile(some_desired(chance), box.observe())
    kinds = [isinstance(action, StartWorker) for action in actions]
    assert kinds == sorted(kinds)
