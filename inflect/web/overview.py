"""Rows of the store and tracks of figures made into what pages show of running pipelines.

Pure: `assemble` is given everything, the clock included. The pulse calls it once a beat; nobody else needs to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inflect.errors import RefusedError
from inflect.model.document import parse_pipeline
from inflect.model.event import Counts, StepCounts
from inflect.model.pipeline import Pipeline, Source, Target
from inflect.store import figures as figures_of_rows
from inflect.store.audit import AuditRow
from inflect.store.pipelines import PipelineRow
from inflect.store.workers import ProgressRow, WorkerRow
from inflect.web import charts, strip
from inflect.web.figures import Figures, Sample
from inflect.web.views import ChangeView, HealthView, PartitionView, PipelineView, WorkerView

SILENT_S = 10.0
_SHORT_HASH = 8
_MOVING = {"starting", "running", "idle", "pausing"}


@dataclass(frozen=True, slots=True)
class Reading:
    """One look into the database: every pipeline, its workers and its progress, and the newest changes."""

    at: datetime
    pipelines: Sequence[PipelineRow]
    workers: Sequence[WorkerRow]
    progress: Sequence[ProgressRow]
    changes: Sequence[AuditRow]


def read_pipeline(document: Mapping[str, Any]) -> Pipeline:
    """A stored document as a Pipeline; one that this version cannot read is reduced to its two ends."""
    try:
        return parse_pipeline(document)
    except RefusedError:
        source, target = document.get("source") or {}, document.get("target") or {}
        ends = Source(str(source.get("topic", "?"))), Target(str(target.get("topic", "?")))
        return Pipeline(str(document.get("name", "?")), *ends)


def sample(row: PipelineRow, progress: Sequence[ProgressRow], at: float) -> Sample:
    """What one look says of one pipeline: sums over its partitions."""
    counts, steps = Counts(), dict[str, StepCounts]()
    for part in progress:
        counts += part.counts
        for name, passed in part.steps.items():
            steps[name] = steps.get(name, StepCounts()) + passed
    return Sample(at, counts, steps, figures_of_rows.lag_events(progress), row.revision)


def partition(row: ProgressRow) -> PartitionView:
    """One partition's line."""
    end = row.end if row.end >= 0 else None
    lag = None if end is None else max(0, end - row.offset)
    return PartitionView(row.partition, row.offset, end, lag, row.revision, row.counts.consumed)


def assemble(  # noqa: PLR0913, PLR0917  everything that is known about one pipeline
    row: PipelineRow,
    pipeline: Pipeline,
    workers: Sequence[WorkerRow],
    progress: Sequence[ProgressRow],
    figures: Figures,
    now: datetime,
) -> PipelineView:
    """One pipeline as its row and its page show it."""
    return PipelineView(
        name=row.name,
        description=pipeline.description,
        state=row.state,
        reason=row.reason,
        paused=row.paused,
        revision=row.revision,
        author=row.author,
        changed_at=row.updated_at,
        strip=strip.draw(pipeline, figures, moving=row.state in _MOVING),
        counts=figures.counts,
        rate_in=figures.rate_in,
        rate_out=figures.rate_out,
        lag_events=figures_of_rows.lag_events(progress),
        lag_s=figures_of_rows.lag_s(progress, now.timestamp()),
        workers=tuple(_worker(worker, now) for worker in workers),
        workers_wanted=0 if row.paused else pipeline.workers.min,
        partitions=tuple(partition(part) for part in progress if part.current),
        spark=charts.spark(figures.points, lambda point: point.rate_in),
        labels=tuple(f"{key}={value}" for key, value in pipeline.labels.items()),
    )


def _worker(row: WorkerRow, now: datetime) -> WorkerView:
    return WorkerView(
        slot=row.slot,
        state=row.state,
        detail=row.detail,
        pid=row.pid,
        host=row.host,
        partitions=tuple(row.partitions),
        revision=row.revision,
        restarts=row.restarts,
        rss_bytes=row.rss_bytes,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        silent=(now - row.heartbeat_at).total_seconds() > SILENT_S,
    )


def change(row: AuditRow) -> ChangeView:
    """One line of the audit; its detail as `key value` words."""
    detail = ", ".join(_words(key, value) for key, value in row.detail.items() if value not in ("", None, [], {}))
    return ChangeView(row.at, row.actor, row.action, row.subject, detail)


def _words(key: str, value: Any) -> str:
    if key == "hash":
        return str(value)[:_SHORT_HASH]
    return str(value) if key in {"comment", "reason"} else f"{key} {value}"


def health(pipelines: Sequence[PipelineView]) -> HealthView:
    """The line on top: the worst thing that is true, else that all is well."""
    level, sentence, href = _verdict(pipelines)
    counts = sum((view.counts for view in pipelines), Counts())
    return HealthView(
        level=level,
        sentence=sentence,
        href=href,
        rate_in=sum(view.rate_in or 0 for view in pipelines),
        rate_out=sum(view.rate_out or 0 for view in pipelines),
        lag_events=sum(view.lag_events or 0 for view in pipelines),
        dead_lettered=counts.dead_lettered,
        unaccounted=counts.unaccounted,
    )


def _verdict(pipelines: Sequence[PipelineView]) -> tuple[Any, str, str | None]:
    if not pipelines:
        return "waiting", "No pipeline yet", "/"
    if troubled := [view for view in pipelines if view.troubled]:
        first = troubled[0]
        sentence = f"{first.name} {_complaint(first)}"
        if len(troubled) > 1:
            sentence = f"{len(troubled)} of {len(pipelines)} pipelines need you: {_names(troubled)}"
        return "trouble", sentence, f"/pipelines/{first.name}"
    if silent := [view for view in pipelines if view.workers and not view.workers_alive and not view.paused]:
        return "trouble", f"No word from the workers of {_names(silent)}", f"/pipelines/{silent[0].name}"
    if starting := [view for view in pipelines if view.state == "starting"]:
        return "waiting", f"Starting: {_names(starting)}", f"/pipelines/{starting[0].name}"
    return "well", f"All is well: {_states(pipelines)}", "/"


def _complaint(view: PipelineView) -> str:
    if view.counts.unaccounted:
        return "has books that do not balance"
    return f"{view.state}: {view.reason}" if view.reason else view.state


def _names(views: Sequence[PipelineView]) -> str:
    return ", ".join(view.name for view in views)


def _states(views: Sequence[PipelineView]) -> str:
    """`4 pipelines running, 1 paused`."""
    tally: dict[str, int] = {}
    for view in views:
        tally[view.state] = tally.get(view.state, 0) + 1
    words = [f"{number} {state}" for state, number in sorted(tally.items(), key=lambda item: -item[1])]
    return ", ".join(words)
