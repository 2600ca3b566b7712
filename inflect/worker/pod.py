"""A worker that no supervisor starts: `inflect worker PIPELINE`, what a pod runs.

It leases a slot and reads its revision from Postgres, then a thread beside the loop asks the database every second
for orders and writes the status. While Postgres is away the loop goes on with what it has.
"""

import os
import queue
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from inflect import lifecycle, logs
from inflect.errors import InflectError, NotFoundError, UnreachableError
from inflect.model.revision import Revision
from inflect.model.status import Halted, Quarantined, Report, Run, Stop
from inflect.settings import Settings
from inflect.store.database import Database
from inflect.store.leases import SlotLease
from inflect.store.pipelines import get_pipeline, load_revision, set_halted, set_state
from inflect.store.workers import WorkerRow, remove_worker, save_report
from inflect.worker.equipment import SchemaAccess
from inflect.worker.link import Order, Word
from inflect.worker.main import leave, run

ASK_S = 1.0
START_WITHIN_S = 60.0

_log = logs.get("worker")


class StoreLink:
    """Orders from Postgres and words to it, by a thread of its own; the loop never waits for the database."""

    def __init__(self, db: Database, pipeline: str, slot: int, revision: int) -> None:
        self._db = db
        self._pipeline = pipeline
        self._slot = slot
        self._known = revision
        self._id = f"{socket.gethostname()}-{os.getpid()}"
        self._started_at = datetime.now(UTC)
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._ordered = threading.Event()
        self._stop = False
        self._words: queue.SimpleQueue[Word | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._follow, name="store", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_what: object) -> None:
        self._words.put(None)
        self._thread.join(5)

    def orders(self) -> list[Order]:
        """See `worker.link.Link`."""
        self._ordered.clear()
        received = []
        while not self._orders.empty():
            received.append(self._orders.get())
        return received

    def wait(self, timeout_s: float) -> bool:
        """See `worker.link.Link`."""
        self._ordered.wait(timeout_s)
        return not self._stop

    def say(self, word: Word) -> None:
        """See `worker.link.Link`."""
        self._words.put(word)

    def _follow(self) -> None:
        """Ask for orders and pass words on until told to end; what fails is tried again at the next turn."""
        while True:
            try:
                word = self._words.get(timeout=ASK_S)
                if word is None:
                    return remove_worker(self._db, self._pipeline, self._slot, self._id)
                self._write(word)
            except queue.Empty:
                pass
            except InflectError as error:
                _log.warning("status not written", pipeline=self._pipeline, why=str(error))
            self._ask()

    def _ask(self) -> None:
        try:
            row = get_pipeline(self._db, self._pipeline)
            if row.paused or row.halted:
                return self._order(Stop())
            if row.revision > self._known:
                self._order(Run(load_revision(self._db, self._pipeline, row.revision)))
                self._known = row.revision
        except NotFoundError:
            self._order(Stop())
        except InflectError as error:
            _log.warning("no news from Postgres; going on", pipeline=self._pipeline, why=str(error))
        return None

    def _order(self, order: Order) -> None:
        self._stop |= isinstance(order, Stop)
        self._orders.put(order)
        self._ordered.set()

    def _write(self, word: Word) -> None:
        if isinstance(word, Halted):
            set_halted(self._db, self._pipeline, word.reason)
        elif isinstance(word, Quarantined):
            set_state(self._db, {self._pipeline: ("failed", word.reason)})
        else:
            save_report(self._db, self._row(word), word.progress)

    def _row(self, report: Report) -> WorkerRow:
        return WorkerRow(
            pipeline=self._pipeline,
            slot=self._slot,
            id=self._id,
            pid=os.getpid(),
            host=socket.gethostname(),
            state=report.state,
            detail=report.detail,
            partitions=report.partitions,
            revision=report.revision,
            restarts=0,
            rss_bytes=report.rss_bytes,
            started_at=self._started_at,
            heartbeat_at=datetime.now(UTC),
        )


def run_pod(settings: Settings, pipeline: str) -> int:
    """Run one worker of `pipeline` until SIGTERM, a pause or the end of the pipeline; the exit code.

    Raises NotFoundError for a pipeline that does not exist and UnreachableError when Postgres stays away at the start.
    """
    lifecycle.quiet_core_dumps()
    with lifecycle.StopSignals() as signals, Database(settings.database_url) as db:
        revision = _first_revision(db, pipeline, lambda: signals.stop_requested)
        with SlotLease(db, pipeline) as lease, StoreLink(db, pipeline, lease.slot, revision.number) as link:
            schemas = SchemaAccess(settings.registry(), settings.data_dir / "schemas")
            code = run(link, lease.slot, settings.kafka, revision, lambda: signals.stop_requested, schemas)
    leave(code)


def _first_revision(db: Database, pipeline: str, stop_requested: Callable[[], bool]) -> Revision:
    """Wait for Postgres at most a minute: a pod starts beside its database, not always after it."""
    deadline = time.monotonic() + START_WITHIN_S
    pause = threading.Event()
    while True:
        try:
            return load_revision(db, pipeline, get_pipeline(db, pipeline).revision)
        except UnreachableError:
            if stop_requested() or time.monotonic() > deadline:
                raise
            pause.wait(ASK_S)
