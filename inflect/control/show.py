"""A pipeline as people and scripts see it: the object of `inflect show --json` and of the API.

Read from the database alone: what the supervisor and its workers last said. Counts are a copy of what rides in Kafka
beside the offsets, so they are exact as of the last report.
"""

import socket
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inflect.model.event import Counts
from inflect.store import pipelines as store
from inflect.store import workers as status
from inflect.store.database import Database
from inflect.store.figures import lag_events, lag_s
from inflect.store.pipelines import PipelineRow
from inflect.store.workers import ProgressRow, WorkerRow


def show(db: Database, name: str) -> dict[str, Any]:
    """Return one pipeline's object; NotFoundError when there is none."""
    row = store.get_pipeline(db, name)
    return describe(row, status.workers(db, name), status.progress(db, name), datetime.now(UTC))


def show_all(db: Database) -> list[dict[str, Any]]:
    """Return every pipeline's object, by name."""
    workers, progress = status.by_pipeline(status.workers(db)), status.by_pipeline(status.progress(db))
    now = datetime.now(UTC)
    return [describe(row, workers[row.name], progress[row.name], now) for row in store.list_pipelines(db)]


def describe(
    row: PipelineRow, workers: Sequence[WorkerRow], progress: Sequence[ProgressRow], now: datetime
) -> dict[str, Any]:
    """Return the object of one pipeline from its rows. Lag is None until the ends of its partitions have been seen."""
    counts = sum((part.counts for part in progress), Counts())
    seconds = lag_s(progress, now.timestamp())
    return {
        "name": row.name,
        "state": row.state,
        "reason": row.reason,
        "revision": row.revision,
        "workers": [_worker(worker) for worker in workers if is_alive(worker)],
        "counts": asdict(counts) | {"unaccounted": counts.unaccounted},
        "lag": {"events": lag_events(progress), "seconds": None if seconds is None else round(seconds, 3)},
    }


def is_alive(worker: WorkerRow) -> bool:
    """Whether the process behind a row may live: on this host the kernel knows better than a row seconds old."""
    here = worker.host == socket.gethostname() and worker.pid is not None
    return not here or Path(f"/proc/{worker.pid}").exists()


def _worker(row: WorkerRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "pid": row.pid,
        "host": row.host,
        "state": row.state,
        "partitions": list(row.partitions),
        "revision": row.revision,
    }
