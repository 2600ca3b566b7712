"""What the supervisor says of a pipeline: one state and the reason for it, in the contract's words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from inflect.model.status import PipelineState, WorkerState
from inflect.supervisor.reconcile import DesiredPool

CRASH_LOOP: Final = 3
"""So many failed lives in a row, with no worker running, are shown as a failure and not as a start."""


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """What is known of one pool's life.

    `workers`: slot to state and what it waits for, live ones only; `halt` and `quarantine`: a worker's last
    word, empty when there is none; `failures`: slot to failed lives in a row and how the last one ended.
    """

    workers: Mapping[int, tuple[WorkerState, str]] = field(default_factory=dict)
    failures: Mapping[int, tuple[int, str]] = field(default_factory=dict)
    halt: str = ""
    quarantine: str = ""


def pipeline_state(wanted: DesiredPool, status: PoolStatus) -> tuple[PipelineState, str]:
    """Return the state and the reason, which is empty where the state says it all."""
    if wanted.hold is not None:
        leaving = wanted.hold.state == "paused" and status.workers
        return ("pausing" if leaving else wanted.hold.state), wanted.hold.reason
    if status.halt:
        return "stopped", status.halt
    if status.quarantine:
        return "failed", status.quarantine
    if wanted.workers == 0 and not status.workers:
        return "idle", ""
    return _running_state(status)


def _running_state(status: PoolStatus) -> tuple[PipelineState, str]:
    states = status.workers.values()
    if any(state == "running" for state, _ in states):
        absent = {slot: life for slot, life in status.failures.items() if slot not in status.workers}
        return "running", _failure_text(absent, at_least=1)
    if looping := _failure_text(status.failures, at_least=CRASH_LOOP):
        return "failed", looping
    waits = [detail for state, detail in states if state == "waiting" and detail]
    return "starting", waits[0] if waits else _failure_text(status.failures, at_least=1)


def _failure_text(failures: Mapping[int, tuple[int, str]], *, at_least: int) -> str:
    """Return one sentence on the slot that fails most, or nothing."""
    failing = [(count, slot, how) for slot, (count, how) in failures.items() if count >= at_least]
    if not failing:
        return ""
    count, slot, how = max(failing)
    times = "once" if count == 1 else f"{count} times in a row"
    return f"worker {slot} {how} ({times}); it is started again"
