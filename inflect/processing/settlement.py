"""The outcomes of one batch: what the engine said of each event becomes values, records and counts.

Encoding, the target's schema, sizes, dead letters and the stamp. Every event of the prefix gets exactly one outcome; an
event that fails here has left nothing.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from inflect.engine.program import Program
from inflect.engine.runner import Part
from inflect.model.event import Batch, Counts, Failure, Location, Record, StepCounts
from inflect.model.pipeline import OnError
from inflect.processing.dead_letter import Occasion, dead_letter, filtered_record, headers_bytes, record_bytes
from inflect.processing.framing import TOMBSTONE, Frame
from inflect.processing.outputs import Encoder, EncodingError, part_records
from inflect.processing.sampling import StepSampler

_UNLIMITED = 1 << 62
_UTF8_WORST = 4


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line a step wrote with `console`; `step` is None while a module loads."""

    level: str
    step: str | None
    text: str
    partition: int | None
    offset: int | None


@dataclass(slots=True)
class Settled:
    """The settled prefix of a batch; what is behind `count` has to be fetched again.

    `values[i]`, where truthy, goes to the target with the source's key, headers and timestamp; `records[i]` is what
    event i leaves instead. `counts` per source partition, `steps` per step name, both of the prefix. `halted`: event
    `count` met `on_error: stop`. `trace` is empty outside the test page. `check_s`: seconds that
    checks in Python took, incoming and outgoing.
    """

    count: int
    values: list[str | bytes]
    records: dict[int, tuple[Record, ...]]
    counts: dict[int, Counts]
    steps: dict[str, StepCounts]
    halted: Failure | None
    logs: tuple[LogLine, ...]
    failures: dict[int, Failure] = field(default_factory=dict)
    trace: list[dict[str, Any]] = field(default_factory=list)
    filtered_by: dict[int, tuple[int, str | None]] = field(default_factory=dict)
    check_s: tuple[float, float] = field(default=(0.0, 0.0), compare=False)


class HaltError(Exception):
    """Event `index` meets `on_error: stop` after the steps, or its turn comes too late (no `failure`).

    The prefix before it is settled again.
    """

    def __init__(self, index: int, failure: Failure | None) -> None:
        super().__init__(str(failure))
        self.index = index
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Means:
    """What settling needs of a chain; `limits` are the topics' largest records in bytes."""

    program: Program
    limits: Mapping[str, int]
    encode: Encoder | None
    sampler: StepSampler
    trace: bool


class Settlement:
    """One batch being given its outcomes: what the engine said of each event, turned into records and counts."""

    def __init__(self, means: Means, batch: Batch, framed: Frame, occasion: Occasion, patience_s: float) -> None:
        """`patience_s`: how long checks of the outputs may take, after which HaltError ends the batch early."""
        self._means = means
        self._revision = occasion.revision
        self._pipeline = occasion.revision.pipeline
        self._batch = batch
        self._framed = framed
        self._occasion = occasion
        self._deadline = time.monotonic() + patience_s
        self._check_s = 0.0
        self._values: list[str | bytes] = []
        self._records: dict[int, tuple[Record, ...]] = {}
        self._failures: dict[int, Failure] = {}
        self._kept: dict[int, tuple[int, str | None]] = {}
        self._delivered: set[int] = set()
        self._dead: set[int] = set()
        self._dropped: set[int] = set()
        self._filtered = 0

    def settle(self, parts: Sequence[Part], end: int, halted: Failure | None) -> Settled:
        """Assemble the outcomes of `parts`, which cover a prefix of the batch up to `end` at most."""
        for part in parts:
            self._values += part.outputs
        count = len(self._values)
        reason = halted if count == end else None
        for part in parts:
            reason = self._take(part, count) or reason
        self._take_framed(count)
        self._encode_values()
        self._refuse_too_large()
        self._stamp()
        return Settled(
            count=count,
            values=self._values,
            records=self._records,
            counts=self._counts(count),
            steps=self._steps(parts),
            halted=reason,
            logs=tuple(line for part in parts for line in self._logs(part)),
            failures=self._failures,
            trace=[entry for part in parts for entry in part.meta.get("trace") or ()],
            filtered_by=self._kept,
            check_s=(0.0, self._check_s),
        )

    def _take(self, part: Part, count: int) -> Failure | None:
        """What one call said; the failure that halted it, if one did."""
        meta, halted = part.meta, None
        self._filtered += meta["filtered"]
        for index, *facts in meta["failures"]:
            failure = self._failure(*facts)
            if part.first + index >= count:
                halted = failure
            else:
                self._fail(part.first + index, failure)
        for index, step, reason in meta.get("kept", ()):
            self._keep(part.first + index, step, reason)
        for index, outputs in meta.get("specials", ()):
            self._leave(part.first + index, outputs)
        if meta.get("ticks"):
            self._means.sampler.add(*meta["ticks"])
        return halted

    def _failure(  # noqa: PLR0913, PLR0917  the columns of one failure, as the engine lists them
        self,
        stage: Any,
        kind: Any,
        step: int,
        message: str,
        file: str | None,
        line: int | None,
        column: int | None,
        path: str | None,
    ) -> Failure:
        name = self._pipeline.steps[step].name if step >= 0 else None
        source = self._means.program.source_line(file, line) if file and line else None
        return Failure(stage, kind, message, name, Location(file, line, column, source) if file else None, path)

    def _take_framed(self, count: int) -> None:
        for index, what in self._framed.settled.items():
            if index >= count:
                continue
            if isinstance(what, Failure):
                self._fail(index, what)
            elif what == TOMBSTONE and self._pipeline.source.tombstones == "deliver":
                self._leave(index, ((None, None),))
            else:
                self._filtered += 1

    def _policy(self, failure: Failure) -> tuple[OnError, str | None]:
        for step in self._pipeline.steps:
            if step.name == failure.step:
                return step.on_error, step.dead_letter
        return self._pipeline.on_error, self._pipeline.dead_letter

    def _fail(self, index: int, failure: Failure) -> None:
        """Event `index` failed: what it left until now is taken back."""
        on_error, topic = self._policy(failure)
        if on_error == "stop" and not self._means.trace:
            raise HaltError(index, failure)
        self._values[index] = ""
        self._records.pop(index, None)
        self._delivered.discard(index)
        self._failures[index] = failure
        if on_error == "dead_letter":
            if topic is None:  # parsing refuses it; dropping what nobody asked to drop would be silent loss
                raise RuntimeError(f"a failed event has no dead letter topic to go to ({failure}); this is a defect")
            self._dead.add(index)
            limit = self._limit(topic)
            self._records[index] = (dead_letter(self._batch, index, failure, topic, limit, self._occasion),)
        else:
            self._dropped.add(index)

    def _keep(self, index: int, step: int, reason: str | None) -> None:
        self._kept[index] = (step, reason)
        topic = self._pipeline.steps[step].filtered
        if topic is not None:
            record = filtered_record(self._batch, index, self._pipeline.steps[step], topic, reason, self._revision)
            self._records[index] = (record,)

    def _leave(self, index: int, outputs: Sequence[Any]) -> None:
        started = self._in_time(index)
        try:
            topic, encode = self._pipeline.target.topic, self._means.encode
            self._records[index] = part_records(self._batch, index, outputs, topic, encode)
            self._delivered.add(index)
        except EncodingError as error:
            self._fail(index, error.failure)
        self._check_s += time.monotonic() - started

    def _in_time(self, index: int) -> float:
        """What the clock says; a batch whose checks take too long ends before event `index`."""
        now = time.monotonic()
        if index and now > self._deadline:
            raise HaltError(index, None)
        return now

    def _encode_values(self) -> None:
        encode = self._means.encode
        if encode is None:
            return
        for index, text in enumerate(self._values):
            if not text:
                continue
            started = self._in_time(index)
            value: str | bytes | None = None
            try:
                value = self._values[index] = encode(str(text))
            except EncodingError as error:
                self._fail(index, error.failure)
            self._check_s += time.monotonic() - started
            if value is not None and not value:  # an empty value is delivered, and must not look like none
                self._leave(index, ((text, None),))

    def _limit(self, topic: str) -> int:
        return self._means.limits.get(topic, _UNLIMITED)

    def _refuse_too_large(self) -> None:
        limit = self._limit(self._pipeline.target.topic)
        for index in sorted(self._delivered):
            self._check(index, max(_sizes(self._records[index])), limit)
        if self._worst_bytes() <= limit:
            return
        for index, value in enumerate(self._values):
            if value:
                self._check(index, record_bytes(value, self._batch.keys[index], self._batch.headers[index]), limit)

    def _worst_bytes(self) -> int:
        """No plain record is larger than this, found without a look at each."""
        longest = max(map(len, self._values), default=0) * _UTF8_WORST
        keys = max(map(len, filter(None, self._batch.keys)), default=0)
        headers = max(map(headers_bytes, self._batch.headers)) if any(self._batch.headers) else 0
        return record_bytes(None, None, None) + longest + keys + headers

    def _check(self, index: int, size: int, limit: int) -> None:
        if size > limit:
            message = f"too large: {size:,} > {limit:,} bytes (max.message.bytes of {self._pipeline.target.topic})"
            self._fail(index, Failure("produce", "too_large", message))

    def _stamp(self) -> None:
        if not self._pipeline.stamp:
            return
        stamp = ("inflect.revision", str(self._revision.number).encode())
        batch, topic = self._batch, self._pipeline.target.topic
        for index, value in enumerate(self._values):
            if value:
                plain = Record(topic, value, batch.keys[index], batch.headers[index], batch.timestamps[index])
                self._records[index] = (plain,)
                self._delivered.add(index)
                self._values[index] = ""
        for index in self._delivered:
            self._records[index] = tuple(
                Record(r.topic, r.value, r.key, (*(r.headers or ()), stamp), r.timestamp) for r in self._records[index]
            )

    def _counts(self, count: int) -> dict[int, Counts]:
        partitions = self._batch.partitions
        consumed = Counter(partitions[:count])
        delivered = Counter(compress(partitions, self._values))
        delivered.update(partitions[index] for index in self._delivered)
        dead = Counter(partitions[index] for index in self._dead)
        dropped = Counter(partitions[index] for index in self._dropped)
        counts = {
            partition: Counts(
                total,
                delivered[partition],
                total - delivered[partition] - dead[partition] - dropped[partition],
                dead[partition],
                dropped[partition],
            )
            for partition, total in consumed.items()
        }
        filtered = sum(c.filtered for c in counts.values())
        if filtered != self._filtered:
            raise RuntimeError(f"events without an outcome: {filtered - self._filtered} of {count}; this is a defect")
        return counts

    def _steps(self, parts: Sequence[Part]) -> dict[str, StepCounts]:
        totals = {step.name: StepCounts() for step in self._pipeline.steps}
        for part in parts:
            for step, counts in zip(self._pipeline.steps, part.meta["steps"], strict=True):
                totals[step.name] += StepCounts(*counts)
        return totals

    def _logs(self, part: Part) -> list[LogLine]:
        lines = [self._log(part.first, *entry) for entry in part.meta.get("logs", ())]
        dropped = part.meta.get("logsDropped", 0)
        if dropped:
            lines.append(
                LogLine("warning", None, f"{dropped} more console lines of this batch are not shown", None, None)
            )
        return lines

    def _log(self, first: int, event: int, step: int, level: str, text: str) -> LogLine:
        if event < 0 or first + event >= len(self._batch):
            return LogLine(level, None, text, None, None)
        index = first + event
        name = self._pipeline.steps[step].name if 0 <= step < len(self._pipeline.steps) else None
        return LogLine(level, name, text, self._batch.partitions[index], self._batch.offsets[index])


def _sizes(records: Sequence[Record]) -> list[int]:
    return [record_bytes(record.value, record.key, record.headers) for record in records] or [0]
