"""What a worker says of itself: its heartbeat, its progress and what it waits for.

The words go out from the loop's own thread, also while a call to Kafka takes long: a loop that is stuck falls silent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from time import monotonic
from typing import Protocol

from inflect.model.status import PartitionProgress, Report, WorkerState
from inflect.worker.link import Link
from inflect.worker.memory import rss_bytes
from inflect.worker.samples import Measurements

REPORT_EVERY_S = 1.0


class Source(Protocol):
    """What a report asks of the consumer."""

    topic: str
    progress: dict[int, PartitionProgress]

    def ends(self) -> Mapping[int, int]:
        """Last seen end of each held partition, -1 where it is not known."""


class Reporter:
    """Says the state when it changes and once a second. `source` is the consumer while there is one."""

    def __init__(self, link: Link, revision: int) -> None:
        self.revision = revision
        self.source: Source | None = None
        self.measured = Measurements()
        self._link = link
        self._state: WorkerState = "starting"
        self._detail = ""
        self._said_at = 0.0

    def note(self, state: WorkerState, detail: str = "") -> None:
        """Set what the next report says."""
        self._state, self._detail = state, detail

    def say_when_due(self) -> None:
        """Report when the last one is a second old."""
        if monotonic() - self._said_at >= REPORT_EVERY_S:
            self.say()

    def say(self) -> None:
        """Report now."""
        held = self.source.progress if self.source is not None else {}
        report = Report(
            state=self._state,
            revision=self.revision,
            partitions=tuple(sorted(held)),
            progress=dict(_stands(self.source)) if self.source is not None else {},
            samples=self.measured.take(),
            rss_bytes=rss_bytes(),
            detail=self._detail,
        )
        self._link.say(report)
        self._said_at = monotonic()


def _stands(source: Source) -> Iterator[tuple[int, PartitionProgress]]:
    """Yield where each partition stands, as far as that is known: something is committed, or there is nothing yet."""
    ends = source.ends()
    for partition, stand in source.progress.items():
        end = ends.get(partition, -1)
        if stand.offset >= 0 or end == 0:
            yield partition, replace(stand, offset=max(stand.offset, 0), end=end, topic=source.topic)
