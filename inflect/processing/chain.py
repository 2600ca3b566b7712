"""A batch through a pipeline's chain: every event of the settled prefix gets exactly one outcome.

Framing, the steps in V8, encoding and the records that failed and filtered events leave. Stages run in the order
decode, steps, encode, produce; schemas will stand before and behind the steps. No Kafka and no wall clock here.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from types import TracebackType
from typing import Any, Self

from inflect.engine.isolate import FramingError
from inflect.engine.program import build_program
from inflect.engine.runner import Lines, Part, Runner
from inflect.model.event import Batch, Counts, Failure, Location, Record, StepCounts
from inflect.model.pipeline import OnError
from inflect.model.revision import Revision
from inflect.model.status import MetricSample
from inflect.processing.dead_letter import Occasion, dead_letter, filtered_record, headers_bytes, record_bytes
from inflect.processing.framing import TOMBSTONE, Frame, columns, frame, single_out
from inflect.processing.outputs import EncodingError, part_records, value_decoder
from inflect.processing.sampling import StepSampler

# How long one batch may take before its settled prefix is handed back.
BUDGET_S = 20.0

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
    `count` met `on_error: stop`. `trace` is empty outside the test page.
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


class _HaltError(Exception):
    """Event `index` meets `on_error: stop` after the steps: the prefix before it is settled again."""

    def __init__(self, index: int, failure: Failure) -> None:
        super().__init__(str(failure))
        self.index = index
        self.failure = failure


class Chain:
    """A revision's chain, with its isolate. Raises RefusedError when a processor cannot be loaded."""

    def __init__(self, revision: Revision, *, max_record_bytes: Mapping[str, int], trace: bool = False) -> None:
        self._revision = revision
        self._limits = max_record_bytes
        self._trace = trace
        self._program = build_program(revision, trace=trace)
        self._runner = Runner(self._program)
        self._sampler = StepSampler(tuple(step.name for step in revision.pipeline.steps))
        self._decode = value_decoder(revision.pipeline.target.format)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the isolate. When `needs_replacement` is true afterwards, only `os._exit` ends this process for sure."""
        self._runner.close()

    @property
    def needs_replacement(self) -> bool:
        """An isolate could not be stopped: commit this batch, then leave the process by `os._exit`."""
        return self._runner.stuck

    def take_samples(self) -> tuple[MetricSample, ...]:
        """Seconds per event of each step since the last call, from the batches that were sampled."""
        return self._sampler.take()

    def settle(self, batch: Batch, *, now: datetime) -> Settled:
        """Give every event of a prefix of `batch` its outcome. Never empty, unless its first event halts."""
        framed = frame(batch, self._revision.pipeline.source.format)
        occasion = Occasion(self._revision, now)
        end, halted = self._first_halt(framed, len(batch))
        while True:
            try:
                parts = self._run(batch, framed, end)
                return _Settlement(self, batch, framed, occasion).settle(parts, end, halted)
            except (FramingError, UnicodeDecodeError):
                framed = single_out(framed)
                end, halted = self._first_halt(framed, len(batch))
            except _HaltError as halt:
                end, halted = halt.index, halt.failure

    def _first_halt(self, framed: Frame, end: int) -> tuple[int, Failure | None]:
        """Up to where events may run: the first that cannot be read halts where failures stop the pipeline."""
        if self.stops and framed.settled:
            faults = [(index, fault) for index, fault in framed.settled.items() if isinstance(fault, Failure)]
            if faults:
                return min(faults, key=lambda item: item[0])
        return end, None

    @property
    def stops(self) -> bool:
        """Whether a failure outside the steps halts."""
        return self._revision.pipeline.on_error == "stop" and not self._trace

    def _run(self, batch: Batch, framed: Frame, end: int) -> list[Part]:
        lines = Lines(framed.lines, lambda first, last: columns(batch, first, last))
        deadline = time.monotonic() + BUDGET_S
        return self._runner.run(lines, 0, end, deadline=deadline, timed=self._sampler.wants_sample())


class _Settlement:
    """One batch being given its outcomes: what the engine said of each event, turned into records and counts."""

    def __init__(self, chain: Chain, batch: Batch, framed: Frame, occasion: Occasion) -> None:
        self._chain = chain
        self._revision = chain._revision  # noqa: SLF001  two halves of one thing
        self._pipeline = chain._revision.pipeline  # noqa: SLF001  the same
        self._batch = batch
        self._framed = framed
        self._occasion = occasion
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
            self._chain._sampler.add(*meta["ticks"])  # noqa: SLF001  two halves of one thing
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
        source = self._chain._program.source_line(file, line) if file and line else None  # noqa: SLF001  two halves
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
        if on_error == "stop" and not self._chain._trace:  # noqa: SLF001  two halves of one thing
            raise _HaltError(index, failure)
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
        try:
            topic, decode = self._pipeline.target.topic, self._chain._decode  # noqa: SLF001  two halves of one thing
            self._records[index] = part_records(self._batch, index, outputs, topic, decode)
            self._delivered.add(index)
        except EncodingError as error:
            self._fail(index, Failure("encode", "exception", str(error)))

    def _encode_values(self) -> None:
        decode = self._chain._decode  # noqa: SLF001  two halves of one thing
        if decode is None:
            return
        for index, text in enumerate(self._values):
            if not text:
                continue
            try:
                self._values[index] = decode(str(text))
            except EncodingError as error:
                self._fail(index, Failure("encode", "exception", str(error)))
                continue
            if not self._values[index]:  # an empty value is delivered, and must not look like none
                self._leave(index, ((text, None),))

    def _limit(self, topic: str) -> int:
        return self._chain._limits.get(topic, _UNLIMITED)  # noqa: SLF001  two halves of one thing

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
