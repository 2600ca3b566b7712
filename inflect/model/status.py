"""What workers say about themselves and what the supervisor makes of it.

Pure data on the pipe between worker and supervisor, and in the status rows that pages and commands read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from inflect.model.event import Counts, StepCounts
from inflect.model.revision import Revision

WorkerState = Literal["starting", "running", "waiting", "stopping"]
PipelineState = Literal["starting", "running", "idle", "pausing", "paused", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class Run:
    """Supervisor to worker: run this revision from the next transaction boundary on."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class Stop:
    """Supervisor to worker: finish the batch in flight, commit it, leave the group, exit 0."""


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """Where one source partition stands after the last committed transaction; absolute, read back from Kafka.

    `offset` is the next one to consume, `end` the last seen end of the partition (for lag; -1: not known yet),
    `revision` the one that committed it, `last_timestamp` the ms timestamp of the newest settled event (-1: none).
    `assigned_at_ms` is when its worker was given the partition: a late word of a former owner is told from its
    successor's. `topic` is set in reports.
    """

    offset: int
    end: int
    revision: int
    counts: Counts
    steps: Mapping[str, StepCounts] = field(default_factory=dict)
    last_timestamp: int = -1
    assigned_at_ms: int = 0
    topic: str = ""


@dataclass(frozen=True, slots=True)
class MetricSample:
    """Increments since the last report: a metric's name, its labels beside `pipeline`, and what was observed.

    Counters carry `amount`; histograms carry `observations` in the metric's unit.
    """

    name: str
    labels: tuple[tuple[str, str], ...] = ()
    amount: float = 0.0
    observations: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Worker to supervisor, at least once a second from the loop itself: this *is* the heartbeat.

    `detail` says what the worker waits for when it is not running (`waiting for the broker: …`).
    """

    state: WorkerState
    revision: int
    partitions: tuple[int, ...] = ()
    progress: Mapping[int, PartitionProgress] = field(default_factory=dict)
    samples: tuple[MetricSample, ...] = ()
    rss_bytes: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Halted:
    """Worker to supervisor, its last word: an event met `on_error: stop`. It is kept; the pipeline stops before it."""

    partition: int
    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Worker to supervisor, its last word: it cannot run this revision at all. No restart until the next one."""

    revision: int
    reason: str
