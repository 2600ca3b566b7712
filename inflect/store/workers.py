"""What workers report: live processes, progress of partitions, accumulated metrics.

Status, not desired state: nobody is notified, readers poll. The supervisor writes all of it about once a second; a pod
writes its own row. Kafka's offset metadata stays the authority for counts, this is a copy for pages and metrics.
What belongs to a pipeline that was deleted meanwhile is left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.types.json import Json, Jsonb

from inflect.metrics import Series, SeriesKey, read_series, write_series
from inflect.model.event import Counts, StepCounts
from inflect.model.status import PartitionProgress, WorkerState
from inflect.store.database import Database
from inflect.store.statements import execute, rows, tuples

LIVE_S = 15
"""A worker whose row nobody has written for this long is gone."""

Progress = Mapping[str, Mapping[Any, PartitionProgress]]
"""By pipeline and place: a partition's number, or (topic, partition) where a pool has read several topics."""


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One live worker process; `id` names it (a pod's name, `NAME-SLOT` on one box), `slot` is its place in the pool.

    `restarts` counts the slot's lives before this one; `heartbeat_at` is when its loop last reported.
    """

    pipeline: str
    slot: int
    id: str
    pid: int | None
    host: str
    state: WorkerState
    detail: str
    partitions: tuple[int, ...]
    revision: int
    restarts: int
    rss_bytes: int
    started_at: datetime
    heartbeat_at: datetime


@dataclass(frozen=True, slots=True)
class ProgressRow:
    """One source partition, as in `PartitionProgress`; `updated_at` is when its offset was last seen to move.

    `current` is false for a topic the pipeline no longer reads: it counts in the totals, and nowhere else.
    """

    pipeline: str
    partition: int
    offset: int
    end: int
    revision: int
    counts: Counts
    steps: dict[str, StepCounts]
    last_timestamp: int
    updated_at: datetime
    topic: str = ""
    current: bool = True


Report = TypeVar("Report", WorkerRow, ProgressRow)


def save_reports(db: Database, workers: Iterable[WorkerRow], progress: Progress) -> None:
    """Write the status of all pools: these workers are the live ones, every other row goes.

    `progress` is {pipeline: {place: progress}}, of as many partitions as there is news of. Call it at least every
    few seconds, also when nothing changed: rows that are not rewritten count as dead (`LIVE_S`).
    """
    listed = Jsonb([_worker_record(worker) for worker in workers])
    with _writing(db) as connection:
        execute(connection, "workers.delete_other_workers", {"rows": listed})
        execute(connection, "workers.put_workers", {"rows": listed})
        _put_progress(connection, progress)


def save_report(db: Database, worker: WorkerRow, progress: Mapping[int, PartitionProgress]) -> None:
    """Write the status of one worker that has no supervisor beside it (a pod)."""
    with _writing(db) as connection:
        execute(connection, "workers.put_workers", {"rows": Jsonb([_worker_record(worker)])})
        _put_progress(connection, {worker.pipeline: progress})


def remove_worker(db: Database, pipeline: str, slot: int, worker_id: str) -> None:
    """Take a worker out of the status when it ends; a successor in the same slot stays."""
    with db.connection() as connection:
        execute(connection, "workers.delete_worker", {"pipeline": pipeline, "slot": slot, "id": worker_id})


def workers(db: Database, name: str | None = None) -> list[WorkerRow]:
    """Return live workers of one pipeline or of all, by pipeline and slot."""
    with db.connection() as connection:
        return rows(connection, _worker_row, "workers.workers", {"name": name, "live_s": LIVE_S})


def progress(db: Database, name: str | None = None) -> list[ProgressRow]:
    """Return progress of one pipeline or of all, by pipeline and partition; topics it no longer reads come last."""
    with db.connection() as connection:
        return rows(connection, _progress_row, "workers.progress", {"name": name})


def save_ends(db: Database, ends: Mapping[str, tuple[str, Mapping[int, int]]]) -> None:
    """Write where the topics of pipelines without workers end: {pipeline: (topic, {partition: end})}.

    What no worker has ever settled is left out, and so are pipelines that have a live worker: it knows better.
    """
    records = [
        {"pipeline": name, "topic": topic, "partition": partition, "end": end}
        for name, (topic, partitions) in ends.items()
        for partition, end in partitions.items()
    ]
    with _writing(db) as connection:
        execute(connection, "workers.put_ends", {"rows": Jsonb(records), "live_s": LIVE_S})


def save_metrics(db: Database, series: Mapping[SeriesKey, Series]) -> None:
    """Replace all accumulated metrics: {(pipeline, worker): series}."""
    records = Json(
        [
            {"pipeline": pipeline, "worker": worker, "series": write_series(one)}
            for (pipeline, worker), one in series.items()
        ]
    )
    with _writing(db) as connection:
        execute(connection, "workers.delete_other_series", {"rows": records})
        execute(connection, "workers.put_series", {"rows": records})


def load_metrics(db: Database) -> dict[SeriesKey, Series]:
    """Return what `save_metrics` kept, so that series go on where they were after a restart."""
    with db.connection() as connection:
        found = tuples(connection, "workers.series")
    return {(pipeline, worker): read_series(series) for pipeline, worker, series in found}


def by_pipeline(rows: Iterable[Report]) -> defaultdict[str, list[Report]]:
    """Sort workers or progress into their pipelines; a pipeline without any has an empty list."""
    sorted_rows: defaultdict[str, list[Report]] = defaultdict(list)
    for one in rows:
        sorted_rows[one.pipeline].append(one)
    return sorted_rows


@contextmanager
def _writing(db: Database) -> Iterator[Connection[Any]]:
    """Open a transaction that no pipeline is deleted beside."""
    with db.transaction() as connection:
        execute(connection, "pipelines.share_changes")
        yield connection


def _worker_record(worker: WorkerRow) -> dict[str, Any]:
    times = {"started_at": worker.started_at.isoformat(), "heartbeat_at": worker.heartbeat_at.isoformat()}
    return asdict(worker) | times


def _worker_row(*, partitions: list[int], **columns: Any) -> WorkerRow:
    return WorkerRow(partitions=tuple(partitions), **columns)


def _put_progress(connection: Connection[Any], progress: Progress) -> None:
    """Write progress; partitions where nothing was committed yet (a negative offset) have none."""
    records = [
        _progress_record(pipeline, place[1] if isinstance(place, tuple) else place, one)
        for pipeline, places in progress.items()
        for place, one in places.items()
        if one.offset >= 0
    ]
    if records:
        execute(connection, "workers.put_progress", {"rows": Jsonb(records)})


def _progress_record(pipeline: str, partition: int, one: PartitionProgress) -> dict[str, Any]:
    return {
        "pipeline": pipeline,
        "topic": one.topic,
        "partition": partition,
        "offset": one.offset,
        "end": one.end,
        "revision": one.revision,
        "assigned_at_ms": one.assigned_at_ms,
        **asdict(one.counts),
        "steps": {name: asdict(counts) for name, counts in one.steps.items()},
        "last_timestamp": one.last_timestamp,
    }


def _progress_row(  # noqa: PLR0913  one parameter per column that is folded
    *,
    consumed: int,
    delivered: int,
    filtered: int,
    dead_lettered: int,
    dropped: int,
    steps: dict[str, dict[str, int]],
    **columns: Any,
) -> ProgressRow:
    counts = Counts(consumed, delivered, filtered, dead_lettered, dropped)
    return ProgressRow(counts=counts, steps={name: StepCounts(**one) for name, one in steps.items()}, **columns)
