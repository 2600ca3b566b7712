"""What metrics show of every pipeline, put together from the rows of one moment."""

from collections import Counter
from collections.abc import Iterable, Sequence

from inflect.metrics import PipelineFigures, render
from inflect.model.event import Counts, StepCounts
from inflect.store.database import Database
from inflect.store.pipelines import PipelineRow, list_pipelines
from inflect.store.workers import ProgressRow, WorkerRow, by_pipeline, load_metrics, progress, workers


def exposition(db: Database, *, now_s: float, version: str) -> bytes:
    """Return the whole `/metrics` page of this box; `now_s` is seconds since 1970, for lag in seconds."""
    pipelines, live, partitions = list_pipelines(db), by_pipeline(workers(db)), by_pipeline(progress(db))
    figures = [pipeline_figures(row, live[row.name], partitions[row.name], now_s) for row in pipelines]
    return render(figures, load_metrics(db), version=version)


def pipeline_figures(
    row: PipelineRow, live: Sequence[WorkerRow], partitions: Sequence[ProgressRow], now_s: float
) -> PipelineFigures:
    """Return the figures of one pipeline from its own rows."""
    steps: dict[str, StepCounts] = {}
    for part in partitions:
        for name, passed in part.steps.items():
            steps[name] = steps.get(name, StepCounts()) + passed
    return PipelineFigures(
        name=row.name,
        revision=row.revision,
        counts=sum((part.counts for part in partitions), Counts()),
        steps=steps,
        workers=Counter(worker.state for worker in live),
        lag_events=lag_events(partitions),
        lag_s=lag_s(partitions, now_s),
        last_commit_s=max((part.updated_at.timestamp() for part in partitions if part.revision), default=None),
    )


def lag_events(partitions: Iterable[ProgressRow]) -> int | None:
    """Return how many events are not settled yet, over the partitions whose end is known; None where none is."""
    known = [max(0, part.end - part.offset) for part in partitions if _is_known(part)]
    return sum(known) if known else None


def lag_s(partitions: Iterable[ProgressRow], now_s: float) -> float | None:
    """Return the age in seconds of the newest settled event of the slowest partition with lag.

    0 without lag; None where no end is known, or nothing has been settled to tell the age from.
    """
    known = [part for part in partitions if _is_known(part)]
    behind = [part.last_timestamp for part in known if part.end > part.offset]
    if not known or (behind and min(behind) < 0):
        return None
    return max(0.0, now_s - min(behind) / 1000) if behind else 0.0


def _is_known(part: ProgressRow) -> bool:
    """Whether the lag of a partition can be told: it is read now, and its end has been seen."""
    return part.current and part.end >= 0
