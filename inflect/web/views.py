"""What templates are fed: frozen dataclasses with everything worked out, and nothing to call.

A template chooses words and places; it never computes, queries or decides. Rates are events per second, None where
not enough has been seen yet.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from inflect.model.event import Counts
from inflect.model.status import PipelineState

NodeKind = Literal["source", "check", "transformation", "filter", "target"]


@dataclass(frozen=True, slots=True)
class BranchView:
    """Where events leave the line: `total` so far, `rate` now, the topic they went to, else their `fate` in a word."""

    kind: Literal["filtered", "failed"]
    total: int
    rate: float | None
    topic: str | None
    fate: str


@dataclass(frozen=True, slots=True)
class NodeView:
    """One stop on the strip. `note` is the quiet word under its name (format, kind)."""

    kind: NodeKind
    name: str
    note: str
    href: str | None = None
    branches: tuple[BranchView, ...] = ()


@dataclass(frozen=True, slots=True)
class ArrowView:
    """The flow between two stops; `share` 0..4 is how much of what was read is still on the line (its weight)."""

    total: int | None
    rate: float | None
    share: int


@dataclass(frozen=True, slots=True)
class StripView:
    """The picture of a pipeline: one more node than arrows. `moving` is false when nothing is meant to flow."""

    nodes: tuple[NodeView, ...]
    arrows: tuple[ArrowView, ...]
    moving: bool


@dataclass(frozen=True, slots=True)
class MarkView:
    """A revision that became current: `x` in percent of the chart's width."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class LineView:
    """One line of a chart: `points` as an SVG polyline in a box of 300 by 100, `meaning` its colour and word."""

    meaning: str
    label: str
    points: str


@dataclass(frozen=True, slots=True)
class ChartView:
    """Five minutes of one quantity. `ticks` are the axis' labels from top to bottom, `rows` the table behind it."""

    title: str
    unit: str
    lines: tuple[LineView, ...]
    ticks: tuple[str, ...]
    marks: tuple[MarkView, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One slot of a pool; `silent` when its heartbeat is old."""

    slot: int
    state: str
    detail: str
    pid: int | None
    host: str
    partitions: tuple[int, ...]
    revision: int | None
    restarts: int
    rss_bytes: int | None
    started_at: datetime | None
    heartbeat_at: datetime | None
    silent: bool


@dataclass(frozen=True, slots=True)
class PartitionView:
    """One partition of the source topic; `lag` None while its end is not known."""

    number: int
    offset: int
    end: int | None
    lag: int | None
    revision: int
    consumed: int


@dataclass(frozen=True, slots=True)
class PipelineView:
    """A pipeline now: what a row of the dashboard and the head of its page show."""

    name: str
    description: str
    state: PipelineState
    reason: str
    paused: bool
    revision: int
    author: str
    changed_at: datetime
    strip: StripView
    counts: Counts
    rate_in: float | None
    rate_out: float | None
    lag_events: int | None
    lag_s: float | None
    workers: tuple[WorkerView, ...]
    workers_wanted: int
    partitions: tuple[PartitionView, ...]
    spark: str
    labels: tuple[str, ...]

    @property
    def troubled(self) -> bool:
        """Whether a person should look: stopped, failed, books that do not balance."""
        return self.state in {"stopped", "failed"} or self.counts.unaccounted != 0

    @property
    def workers_alive(self) -> int:
        """Workers that have been heard of lately."""
        return sum(not worker.silent for worker in self.workers)


@dataclass(frozen=True, slots=True)
class HealthView:
    """The line on top of every page: is all well, in one sentence and five figures.

    `level` is `well`, `waiting` (something is starting, or there is nothing yet) or `trouble`.
    """

    level: Literal["well", "waiting", "trouble"]
    sentence: str
    href: str | None
    rate_in: float | None
    rate_out: float | None
    lag_events: int
    dead_lettered: int
    unaccounted: int


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One line of the audit."""

    at: datetime
    actor: str
    action: str
    subject: str
    detail: str
