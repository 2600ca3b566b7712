"""The one decision of the supervisor: what to do now, given what should run and what does.

Pure: no clock, no process, no database; times are seconds of a monotonic clock, passed in. Repeating the step
and carrying out its actions converges, and a pool that is as it should be yields nothing. Stops come before
starts, and no pool's actions depend on another pool but for the seats that stagger a mass start.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

HEARTBEAT_S: Final = 60.0
"""A worker whose loop is silent for so long is taken for hung; below Kafka's `max.poll.interval.ms`."""

START_HEARTBEAT_S: Final = 120.0
"""The same while it starts: the first connection to a broker may take its time."""

TERMINATE_AFTER_S: Final = 10.0
"""How long the message to stop may go unheeded before SIGTERM says it again."""

GRACE_S: Final = 30.0
"""How long a stop may take in all before SIGKILL; more than two transaction timeouts of a worker."""

SEATS: Final = 4
"""How many workers may be starting at a time on the whole box."""

SEAT_S: Final = 10.0
"""How long a worker that says nothing keeps its seat, so that hung starts cannot hold up the others."""

RestartToken = tuple[str, ...]
HoldState = Literal["starting", "paused", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a pool should have no worker: the pipeline's state to show, and the reason in words."""

    state: HoldState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DesiredPool:
    """What one pipeline should have running.

    `restart_token` holds what workers cannot change while they live: when it differs they are replaced.
    """

    revision: int
    workers: int = 1
    restart_token: RestartToken = ()
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """When a slot may start again after `failures` failed lives in a row under `revision`."""

    failures: int = 0
    not_before: float = 0.0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ObservedWorker:
    """One live process: the revision it was last told, and when it last reported (None: not yet)."""

    slot: int
    revision: int
    started_at: float
    restart_token: RestartToken = ()
    heard_at: float | None = None
    starting: bool = True
    stopping_since: float | None = None
    terminated: bool = False
    killed: bool = False


@dataclass(frozen=True, slots=True)
class ObservedPool:
    """Live workers and what is remembered of those that died.

    `quarantined` is the revision that a worker said it cannot run; `halted` is true from the moment a worker
    met `on_error: stop` until the store has it too.
    """

    workers: tuple[ObservedWorker, ...] = ()
    backoff: Mapping[int, Backoff] = field(default_factory=dict)
    quarantined: int | None = None
    halted: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """All pools at one moment."""

    now: float
    pools: Mapping[str, ObservedPool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KillWorker:
    """SIGKILL; safe at any moment, because everything a worker does is a transaction."""

    pipeline: str
    slot: int
    reason: str


@dataclass(frozen=True, slots=True)
class TerminateWorker:
    """SIGTERM to a worker that did not heed the message to stop."""

    pipeline: str
    slot: int


@dataclass(frozen=True, slots=True)
class StopWorker:
    """Ask a worker to finish its batch and end."""

    pipeline: str
    slot: int


@dataclass(frozen=True, slots=True)
class TellRevision:
    """Tell a running worker the revision to run from its next transaction on."""

    pipeline: str
    slot: int
    revision: int


@dataclass(frozen=True, slots=True)
class StartWorker:
    """Start a process in a free slot."""

    pipeline: str
    slot: int
    revision: int


Action = KillWorker | TerminateWorker | StopWorker | TellRevision | StartWorker


def reconcile(desired: Mapping[str, DesiredPool], observed: Observed) -> tuple[Action, ...]:
    """Return the actions to carry out now, in order: ends first, then revisions to tell, then starts."""
    changes = [
        action
        for name in sorted(observed.pools)
        for action in _changes(name, desired.get(name), observed.pools[name], observed.now)
    ]
    tells = [action for action in changes if isinstance(action, TellRevision)]
    ends = [action for action in changes if not isinstance(action, TellRevision)]
    return (*ends, *tells, *_starts(desired, observed))


def should_run(wanted: DesiredPool | None, pool: ObservedPool) -> bool:
    """Whether the pool is to have workers at all: wanted, not held or halted, not in quarantine."""
    if wanted is None or wanted.hold is not None or pool.halted:
        return False
    return pool.quarantined != wanted.revision


def _changes(name: str, wanted: DesiredPool | None, pool: ObservedPool, now: float) -> Iterator[Action]:
    """Yield what to do with the workers that live, highest slot first."""
    for worker in sorted(pool.workers, key=lambda worker: -worker.slot):
        if worker.killed:
            continue
        if silent := _silence(worker, now):
            yield KillWorker(name, worker.slot, silent)
        elif worker.stopping_since is not None:
            yield from _escalate(name, worker, now - worker.stopping_since)
        elif wanted is None or not _belongs(wanted, pool, worker):
            yield StopWorker(name, worker.slot)
        elif worker.revision != wanted.revision:
            yield TellRevision(name, worker.slot, wanted.revision)


def _belongs(wanted: DesiredPool, pool: ObservedPool, worker: ObservedWorker) -> bool:
    """Whether the worker may live on, if need be under another revision."""
    if not should_run(wanted, pool) or worker.slot >= wanted.workers:
        return False
    return worker.restart_token == wanted.restart_token


def _silence(worker: ObservedWorker, now: float) -> str:
    """Return why the worker is taken for hung, or nothing."""
    limit_s = START_HEARTBEAT_S if worker.starting else HEARTBEAT_S
    last = worker.started_at if worker.heard_at is None else worker.heard_at
    return f"no heartbeat for {limit_s:.0f} s" if now - last >= limit_s else ""


def _escalate(name: str, worker: ObservedWorker, stopping_for_s: float) -> Iterator[Action]:
    """Yield the next, harder way to end a worker that was asked to stop."""
    if stopping_for_s >= GRACE_S:
        yield KillWorker(name, worker.slot, f"did not stop within {GRACE_S:.0f} s")
    elif stopping_for_s >= TERMINATE_AFTER_S and not worker.terminated:
        yield TerminateWorker(name, worker.slot)


def _starts(desired: Mapping[str, DesiredPool], observed: Observed) -> list[StartWorker]:
    """Return the starts there are seats for: first workers of all pools first, then the longest waiting."""
    waiting = sorted(
        (slot, not_before, name)
        for name, wanted in desired.items()
        for slot, not_before in _free_slots(wanted, observed.pools.get(name, ObservedPool()), observed.now)
    )
    seats = max(0, SEATS - _seats_taken(observed))
    return [StartWorker(name, slot, desired[name].revision) for slot, _, name in waiting[:seats]]


def _free_slots(wanted: DesiredPool, pool: ObservedPool, now: float) -> Iterator[tuple[int, float]]:
    """Yield the slots to start now, each with the time it became due."""
    stale = any(worker.restart_token != wanted.restart_token for worker in pool.workers)
    if stale or not should_run(wanted, pool):
        return
    taken = {worker.slot for worker in pool.workers}
    for slot in range(wanted.workers):
        backoff = pool.backoff.get(slot, Backoff())
        due = backoff.not_before if backoff.revision == wanted.revision else 0.0
        if slot not in taken and due <= now:
            yield slot, due


def _seats_taken(observed: Observed) -> int:
    """Count the workers that have not said a word yet and still may take their time."""
    return sum(
        worker.heard_at is None and observed.now - worker.started_at < SEAT_S
        for pool in observed.pools.values()
        for worker in pool.workers
    )
