"""Writes the status of all pools to the store, and keeps the metrics that workers send in pieces.

Pieces are added up here, on top of what the store kept from an earlier life, whether Postgres answers or not; a slot
that is not wanted any more is folded into `gone`.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from inflect.metrics import Series, SeriesKey, accumulate, fold_gone
from inflect.model.status import MetricSample, PipelineState
from inflect.store import pipelines, workers
from inflect.store.database import Database
from inflect.supervisor.status import Status

METRICS_S: Final = 2.0

Pieces = Iterable[tuple[SeriesKey, tuple[MetricSample, ...]]]


class StatusWriter:
    """Writes what changed and what must not grow old. All methods may raise UnreachableError; call them again."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._series: dict[SeriesKey, Series] | None = None
        self._pieces: list[tuple[SeriesKey, tuple[MetricSample, ...]]] = []
        self._states: dict[str, tuple[PipelineState, str]] = {}
        self._metrics_due = 0.0

    def add(self, pieces: Pieces) -> None:
        """Take increments of metrics, to be added to what the store has."""
        if self._series is None:
            self._pieces.extend(pieces)
            return
        for key, samples in pieces:
            accumulate(self._series.setdefault(key, {}), samples)

    def forget_states(self) -> None:
        """Write all states with the next status: somebody else may have written one meanwhile."""
        self._states.clear()

    def write(self, status: Status) -> None:
        """Write workers and progress, states that changed, and every few seconds the metrics."""
        workers.save_reports(self._db, status.workers, status.progress)
        changed = {name: state for name, state in status.states.items() if self._states.get(name) != state}
        pipelines.set_state(self._db, changed)
        self._states = dict(status.states)
        if time.monotonic() >= self._metrics_due:
            self.write_metrics(status.slots)

    def write_metrics(self, slots: Mapping[str, int | None]) -> None:
        """Write all series; `slots` is {pipeline: workers wanted, None where the pool is held}."""
        series = self._loaded()
        known = {key: one for key, one in series.items() if key[0] in slots}
        self._series = fold_gone(known, _live(known, slots))
        workers.save_metrics(self._db, self._series)
        self._metrics_due = time.monotonic() + METRICS_S

    def _loaded(self) -> dict[SeriesKey, Series]:
        if self._series is None:
            self._series = workers.load_metrics(self._db)
            pieces, self._pieces = self._pieces, []
            self.add(pieces)
        return self._series


def _live(keys: Iterable[SeriesKey], slots: Mapping[str, int | None]) -> Iterator[SeriesKey]:
    """Yield the series of slots that go on: those wanted, and all of a pool that only rests."""
    for name, worker in keys:
        wanted = slots[name]
        if wanted is None or (worker.isdigit() and int(worker) < wanted):
            yield name, worker
