"""A pipeline with dead letters in real topics: written by its own chain, or by hand in another tool's dialect."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from inflect.control.redrive import Watcher, redrive
from inflect.control.selection import Order, Selection, Start
from inflect.control.tally import Tally
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.producer import plain_producer, push
from inflect.model.event import Batch, Headers, Record
from inflect.model.pipeline import BatchLimits, Pipeline, Source, Step, Target
from inflect.model.revision import Revision
from inflect.processing.chain import Chain
from tests.integration.worker.crew import committed

BROKEN = "module.exports = (event) => { throw new Error(`event ${event.n} is not liked`) }"
MENDED = "module.exports = (event) => ({ ...event, mended: true })"
ODD_FAIL = """
module.exports = (event, context) => {
  if (event.n % 4 === 1) throw new Error(`event ${event.n} is odd`)
  return event.n % 4 === 2 ? context.filter('even') : event
}
"""
AT_MS = int(time.time() * 1000) - 3_600_000  # a time of their own that retention leaves alone


@dataclass(slots=True)
class Letterbox:
    """Topics of a pipeline `name` with one step `like`, and ways to fill and empty them."""

    servers: str
    name: str
    source: str
    target: str
    dlq: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def kafka(self) -> dict[str, str]:
        return {"bootstrap.servers": self.servers}

    def revision(self, *codes: str, number: int = 1, **changes: Any) -> Revision:
        """Steps `like`, `step-1` …; their failures go to the dead letter topic."""
        names = ["like", *(f"step-{n}" for n in range(1, len(codes)))]
        steps = tuple(
            Step(each, "transformation", each, dead_letter=self.dlq, on_error="dead_letter") for each in names
        )
        facts = {"steps": steps, "dead_letter": self.dlq, "on_error": "dead_letter", **self.options, **changes}
        pipeline = Pipeline(self.name, Source(self.source), Target(self.target), **facts)
        entries = tuple(f"transformations/{each}.js" for each in names)
        return Revision(number, pipeline, dict(zip(entries, codes, strict=True)), entries)

    def events(self, count: int, *, first: int = 0) -> Batch:
        """Numbered events with keys, headers and times of their own."""
        numbers = range(first, first + count)
        return Batch(
            self.source,
            [json.dumps({"n": n}).encode() for n in numbers],
            [b"key-%d" % (n % 7) for n in numbers],
            [[("n", b"%d" % n)] for n in numbers],
            [AT_MS + n for n in numbers],
            [0 for _ in numbers],
            list(numbers),
        )

    def fail(self, revision: Revision, batch: Batch, limits: dict[str, int] | None = None) -> int:
        """Write what a worker would write of these events when they fail; how many letters that were."""
        with Chain(revision, max_record_bytes=limits or {}) as chain:
            settled = chain.settle(batch, now=datetime.now(UTC))
        assert settled.count == len(batch)
        letters = [record for records in settled.records.values() for record in records]
        self.write(letters)
        return len(letters)

    def write(self, records: Iterable[Record]) -> None:
        producer = plain_producer(self.kafka, max_record_bytes=8_000_000)
        for record in records:
            push(producer, record, 1e12)
            producer.poll(0)
        assert producer.flush(60) == 0

    def write_letter(self, value: bytes | None, headers: Headers, key: bytes | None = None) -> None:
        self.write([Record(self.dlq, value, key, headers, AT_MS)])

    def redrive(  # noqa: PLR0913  the options of the verb
        self,
        revision: Revision,
        *,
        ids: Sequence[str] = (),
        cause: str | None = None,
        start: Start = "source",
        dry_run: bool = False,
        rate: float | None = None,
        progress: Callable[[Tally], None] = lambda _tally: None,
    ) -> dict[str, Any]:
        """Redrive in this process; the answer."""
        order = Order(Selection(tuple(ids), cause), start, dry_run, rate)
        return redrive(revision, self.kafka, order, Watcher(progress, lambda _seconds: False)).answer()

    def records(self, topic: str) -> list[Any]:
        return committed(self.kafka, topic)[topic]

    def numbers(self, topic: str) -> list[int]:
        """The numbers of the events in a topic, in order."""
        return sorted(json.loads(message.value())["n"] for message in self.records(topic))

    def ids(self) -> list[str]:
        return [f"{m.topic()}:{m.partition()}:{m.offset()}" for m in self.records(self.dlq)]


def make(servers: str, topic_name: Callable[[str], str], *, partitions: int = 2, **options: Any) -> Letterbox:
    """A letterbox with new topics; `options` are the pipeline's."""
    made = Letterbox(servers, topic_name("likes"), topic_name("in"), topic_name("out"), topic_name("dlq"), options)
    with Admin(made.kafka) as admin:
        topics = (made.source, made.target, made.dlq)
        admin.create_topics([NewTopicSpec(topic, partitions) for topic in topics])
    return made


def small_batches(revision: Revision, most: int) -> Revision:
    """The revision with transactions of at most so many letters."""
    return replace(revision, pipeline=replace(revision.pipeline, batch=BatchLimits(max_events=most)))
