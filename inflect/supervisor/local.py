"""The local backend: a pool of worker processes per pipeline on this box.

It observes its processes, carries out the actions of `reconcile`, and keeps what workers said last: that
is the status of the pools. It decides nothing by itself but how long a slot rests after a failed life,
and it speaks neither to Postgres nor to Kafka.
"""

import random
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from inflect import lifecycle, logs
from inflect.metrics import SUPERVISOR, SeriesKey
from inflect.model.revision import Revision
from inflect.model.status import Halted, MetricSample, PartitionProgress, Quarantined, Report, Run, Stop
from inflect.supervisor.backoff import after_failure, after_leave
from inflect.supervisor.children import Children, Ears
from inflect.supervisor.desired import Desired, Halt
from inflect.supervisor.process import Child, Target
from inflect.supervisor.reconcile import (
    Action,
    Backoff,
    KillWorker,
    Observed,
    ObservedPool,
    ObservedWorker,
    StartWorker,
    StopWorker,
    TellRevision,
    TerminateWorker,
)

_log = logs.get("supervisor")


@dataclass(slots=True)
class Worker:
    """A live process in a slot: what it was told and what it last said."""

    child: Child
    revision: Revision
    started_at: float
    started: datetime
    restart_token: tuple[str, ...] = ()
    report: Report | None = None
    heard_at: float | None = None
    stopping_since: float | None = None
    terminated: bool = False
    kill_reason: str = ""


@dataclass(slots=True)
class Pool:
    """A pipeline's workers by slot, and what is remembered of earlier ones."""

    workers: dict[int, Worker] = field(default_factory=dict)
    backoff: dict[int, Backoff] = field(default_factory=dict)
    endings: dict[int, str] = field(default_factory=dict)
    lives: dict[int, int] = field(default_factory=dict)
    progress: dict[tuple[str, int], PartitionProgress] = field(default_factory=dict)
    quarantine: Quarantined | None = None
    halt: Halt | None = None
    resumes: int = 0


OnSamples = Callable[[SeriesKey, tuple[MetricSample, ...]], None]
_RESTARTED = MetricSample("inflect_worker_restarts_total", amount=1.0)


class LocalPools:
    """All pools; `children` owns their processes and calls back from its `wait`.

    `target(connection, slot, *args)` is the worker. `changed` turns true when something happened that
    calls for a reconcile step at once.
    """

    def __init__(self, children: Children, target: Target, *args: Any, on_samples: OnSamples) -> None:
        self._children = children
        self._target = target
        self._args = args
        self._on_samples = on_samples
        self.pools: dict[str, Pool] = {}
        self.changed = True

    @property
    def alive(self) -> int:
        """How many workers live."""
        return sum(len(pool.workers) for pool in self.pools.values())

    def forgive(self, desired: Desired) -> None:
        """Forget failures of pools that are gone, held, or resumed since the last call."""
        for name, pool in list(self.pools.items()):
            wanted = desired.pools.get(name)
            if wanted is None and not pool.workers:
                del self.pools[name]
            elif wanted is None or wanted.hold is not None or desired.resumes[name] != pool.resumes:
                pool.backoff.clear()
                pool.endings.clear()
                pool.quarantine = None
                self.changed = True
            pool.resumes = desired.resumes.get(name, pool.resumes)

    def forget_halt(self, name: str, halt: Halt) -> None:
        """Let go of a halt that the store has taken over."""
        pool = self.pools.get(name)
        if pool is not None and pool.halt == halt:
            pool.halt = None
            self.changed = True

    def excuse_silence(self, now: float) -> None:
        """Count all waiting from now: this process itself was stopped and heard nothing."""
        for pool in self.pools.values():
            for worker in pool.workers.values():
                if worker.heard_at is None:
                    worker.started_at = now
                else:
                    worker.heard_at = now
                if worker.stopping_since is not None:
                    worker.stopping_since = now

    def observe(self, now: float) -> Observed:
        """Return what lives now, in the words of `reconcile`."""
        self.changed = False
        return Observed(now, {name: _observed(pool) for name, pool in self.pools.items()})

    def carry_out(self, actions: tuple[Action, ...], desired: Desired) -> None:
        """Do what `reconcile` decided on `desired`."""
        now = time.monotonic()
        for action in actions:
            if isinstance(action, StartWorker):
                self._start(action, desired)
                continue
            worker = self.pools[action.pipeline].workers[action.slot]
            match action:
                case TellRevision():
                    worker.revision = desired.revisions[action.pipeline]
                    self._children.send(worker.child, Run(worker.revision))
                case StopWorker():
                    worker.stopping_since = now
                    self._children.send(worker.child, Stop())
                case TerminateWorker():
                    worker.terminated = True
                    worker.child.signal(signal.SIGTERM)
                case KillWorker():
                    self._kill(action.pipeline, action.slot, action.reason)

    def kill_all(self) -> None:
        """End every worker at once; safe, because what is not committed is done again."""
        for name, pool in self.pools.items():
            for slot in pool.workers:
                self._kill(name, slot, "told to end at once")

    def _kill(self, name: str, slot: int, reason: str) -> None:
        worker = self.pools[name].workers[slot]
        worker.kill_reason = reason
        worker.child.signal(signal.SIGKILL)
        _log.warning("worker killed", pipeline=name, slot=slot, pid=worker.child.pid, why=reason)

    def _start(self, action: StartWorker, desired: Desired) -> None:
        name, slot, now = action.pipeline, action.slot, time.monotonic()
        revision, token = desired.revisions[name], desired.pools[name].restart_token
        pool = self.pools.setdefault(name, Pool(resumes=desired.resumes[name]))
        ears = Ears(
            partial(self._on_message, name, slot),
            partial(self._on_garbage, name, slot),
            partial(self._on_end, name, slot),
        )
        try:
            child = self._children.start(ears, f"{name}-{slot}", self._target, slot, *self._args)
        except (OSError, EOFError) as error:
            self._rest(pool, slot, revision.number, 0.0, f"could not be started: {error}")
            _log.warning("worker not started", pipeline=name, slot=slot, why=str(error))
            return
        pool.workers[slot] = Worker(child, revision, now, datetime.now(UTC), token)
        pool.lives[slot] = pool.lives.get(slot, 0) + 1
        if slot in pool.backoff:
            self._on_samples((name, SUPERVISOR), (_RESTARTED,))
        self._children.send(child, Run(revision))
        _log.info("worker started", pipeline=name, slot=slot, pid=child.pid, revision=revision.number)

    def _on_message(self, name: str, slot: int, message: object) -> None:
        pool = self.pools[name]
        worker = pool.workers[slot]
        match message:
            case Report():
                self.changed |= worker.report is None or worker.report.state != message.state
                worker.report, worker.heard_at = message, time.monotonic()
                _advance(pool.progress, message.progress)
                if message.samples:
                    self._on_samples((name, str(slot)), message.samples)
            case Halted():
                halt = Halt(worker.revision.number, message.reason, time.monotonic())
                pool.halt = pool.halt or halt  # the first stands: the store may be taking it over just now
            case Quarantined():
                pool.quarantine = message
            case _:
                self._on_garbage(name, slot, f"it sent a {type(message).__name__}")
                worker.child.signal(signal.SIGKILL)

    def _on_garbage(self, name: str, slot: int, reason: str) -> None:
        self.pools[name].workers[slot].kill_reason = f"spoke no worker's language: {reason}"

    def _on_end(self, name: str, slot: int, code: int | None) -> None:
        """Remember how a life ended, and let the slot rest where it failed."""
        self.changed = True
        pool = self.pools[name]
        worker = pool.workers.pop(slot)
        told = worker.revision.number
        how = _ending(worker, code)
        _log.info("worker ended", pipeline=name, slot=slot, pid=worker.child.pid, how=how)
        if code == lifecycle.EXIT_HALTED:
            why = "on_error: stop met an event; the worker's log says which"
            pool.halt = pool.halt or Halt(told, why, time.monotonic())
        elif code == lifecycle.EXIT_CANNOT_RUN:
            pool.quarantine = pool.quarantine or Quarantined(told, "it cannot run; the worker's log says why")
        elif worker.stopping_since is not None:
            pool.backoff.pop(slot, None)
            pool.endings.pop(slot, None)
        elif code == lifecycle.EXIT_OK:
            before = pool.backoff.get(slot, Backoff())
            pool.backoff[slot] = after_leave(before, revision=told, now=time.monotonic())
        else:
            self._rest(pool, slot, told, time.monotonic() - worker.started_at, how)

    def _rest(self, pool: Pool, slot: int, revision: int, lived_s: float, how: str) -> None:
        pool.endings[slot] = how
        pool.backoff[slot] = after_failure(
            pool.backoff.get(slot, Backoff()),
            revision=revision,
            lived_s=lived_s,
            now=time.monotonic(),
            chance=random.random(),  # noqa: S311  jitter, not a secret
        )


def _advance(known: dict[tuple[str, int], PartitionProgress], said: Mapping[int, PartitionProgress]) -> None:
    """Take progress in, but not the late word of a worker that has lost the partition meanwhile.

    A report of an older assignment counts where it is further on: the wall clock may have been set back between two
    assignments. The same rule as the store's, `put_progress`.
    """
    for partition, progress in said.items():
        before = known.get((progress.topic, partition))
        if before is None or progress.assigned_at_ms >= before.assigned_at_ms or progress.offset > before.offset:
            known[progress.topic, partition] = progress


def _ending(worker: Worker, code: int | None) -> str:
    """Return how a worker's life ended, as the end of a sentence that begins with the worker."""
    said = worker.report.detail if worker.report is not None and worker.report.state == "stopping" else ""
    if worker.kill_reason:
        return f"was killed: {worker.kill_reason}"
    if code is None:
        return "ended for an unknown reason"
    if code < 0:
        return f"was ended by signal {-code} ({signal.strsignal(-code)})"
    return f"ended with exit code {code}" + (f": {said}" if said else "")


def _observed(pool: Pool) -> ObservedPool:
    return ObservedPool(
        workers=tuple(_observed_worker(slot, worker) for slot, worker in pool.workers.items()),
        backoff=dict(pool.backoff),
        quarantined=pool.quarantine.revision if pool.quarantine is not None else None,
        halted=pool.halt is not None,
    )


def _observed_worker(slot: int, worker: Worker) -> ObservedWorker:
    return ObservedWorker(
        slot=slot,
        revision=worker.revision.number,
        started_at=worker.started_at,
        restart_token=worker.restart_token,
        heard_at=worker.heard_at,
        starting=worker.report is None or worker.report.state == "starting",
        stopping_since=worker.stopping_since,
        terminated=worker.terminated,
        killed=bool(worker.kill_reason),
    )
