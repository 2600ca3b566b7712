"""The pools as others see them: what is written to the store once a second. Pure."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from inflect.model.status import PartitionProgress, PipelineState, WorkerState
from inflect.store.workers import WorkerRow
from inflect.supervisor.desired import Desired, Halt
from inflect.supervisor.local import LocalPools, Pool, Worker
from inflect.supervisor.reconcile import DesiredPool
from inflect.supervisor.states import PoolStatus, pipeline_state

_HOST: Final = socket.gethostname()
_LEFT_BEHIND: Final[tuple[PipelineState, str]] = ("starting", "the supervisor has stopped; workers start with it")


@dataclass(frozen=True, slots=True)
class Status:
    """Everything worth showing at one moment; figures are absolute, so a later status replaces an earlier one.

    `progress` is by topic and partition. `slots` is how many workers each pipeline should have, None where it is held.
    """

    workers: tuple[WorkerRow, ...] = ()
    progress: Mapping[str, Mapping[tuple[str, int], PartitionProgress]] = field(default_factory=dict)
    states: Mapping[str, tuple[PipelineState, str]] = field(default_factory=dict)
    halts: Mapping[str, Halt] = field(default_factory=dict)
    slots: Mapping[str, int | None] = field(default_factory=dict)


def status_of(pools: LocalPools, desired: Desired, now: float) -> Status:
    """Return the status of all pools that are desired; `now` is the monotonic clock's."""
    known = {name: pool for name, pool in pools.pools.items() if name in desired.pools}
    return Status(
        workers=tuple(_worker(name, slot, pool, now) for name, pool in known.items() for slot in sorted(pool.workers)),
        progress={name: dict(pool.progress) for name, pool in known.items()},
        states={name: _state(wanted, known.get(name)) for name, wanted in desired.pools.items()},
        halts={name: pool.halt for name, pool in known.items() if pool.halt is not None},
        slots={name: pool.workers if pool.hold is None else None for name, pool in desired.pools.items()},
    )


def stopped_status(pools: LocalPools, desired: Desired, now: float) -> Status:
    """Return the last status of a supervisor whose workers are gone; `desired` is what it followed."""
    status = status_of(pools, desired, now)
    states = {
        name: state if desired.pools[name].hold or state[0] in ("stopped", "failed") else _LEFT_BEHIND
        for name, state in status.states.items()
    }
    return replace(status, states=states)


def _state(wanted: DesiredPool, pool: Pool | None) -> tuple[PipelineState, str]:
    if pool is None:
        return pipeline_state(wanted, PoolStatus())
    quarantine = pool.quarantine
    status = PoolStatus(
        workers={slot: _said(worker) for slot, worker in pool.workers.items()},
        failures={
            slot: (backoff.failures, pool.endings[slot])
            for slot, backoff in pool.backoff.items()
            if slot in pool.endings and backoff.revision == wanted.revision
        },
        halt=pool.halt.reason if pool.halt is not None else "",
        quarantine=quarantine.reason if quarantine and quarantine.revision == wanted.revision else "",
    )
    return pipeline_state(wanted, status)


def _said(worker: Worker) -> tuple[WorkerState, str]:
    if worker.stopping_since is not None:
        return "stopping", ""
    return ("starting", "") if worker.report is None else (worker.report.state, worker.report.detail)


def _worker(name: str, slot: int, pool: Pool, now: float) -> WorkerRow:
    worker = pool.workers[slot]
    state, detail = _said(worker)
    report = worker.report
    heard_at = worker.heard_at
    return WorkerRow(
        pipeline=name,
        slot=slot,
        id=f"{name}-{slot}",
        pid=worker.child.pid,
        host=_HOST,
        state=state,
        detail=detail,
        partitions=report.partitions if report else (),
        revision=report.revision if report else worker.revision.number,
        restarts=pool.lives[slot] - 1,
        rss_bytes=report.rss_bytes if report else 0,
        started_at=worker.started,
        heartbeat_at=worker.started if heard_at is None else datetime.now(UTC) - timedelta(seconds=now - heard_at),
    )
