"""Dead letters through the pipeline's current revision, exactly once.

What a letter becomes and the mark that it has been redriven are one Kafka transaction. An older redrive of the same
pipeline is fenced first, and only then is read which letters are marked: so each is taken by one of them, whenever
either was killed. Nothing is kept but the marks; a redrive that ended early is simply run again. Not for a process
that has to live: V8 may take it along (`control.redriver` gives it one of its own).
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from time import monotonic

from inflect import logs
from inflect.control.chains import Chains
from inflect.control.ledger import Ledger, Mark, make_ledger, read_ledger
from inflect.control.letters import Box, open_box
from inflect.control.restore import Restorer, batch_of_events
from inflect.control.selection import Case, Order, cases
from inflect.control.tally import Tally
from inflect.errors import CannotRunError, ConflictError, InflectError, UnreachableError
from inflect.kafka.admin import Admin
from inflect.kafka.browse import Browser
from inflect.kafka.producer import NotReadyError, TransactionFailedError, TransactionSink
from inflect.model.event import Batch, Counts, Failure, Outcome, Record
from inflect.model.revision import Revision
from inflect.processing.chain import Settled
from inflect.schemas.writers import WriterSchemas

MOST_BATCH_BYTES = 8 * 1024 * 1024
OPEN_WITHIN_S = 60.0
_MOST_SETBACKS = 5
_MOST_CONVICTED = 5
_SETBACK_PAUSE_S = 0.5

_log = logs.get("redrive")


@dataclass(frozen=True, slots=True)
class Done:
    """A case with its outcome and the records it leaves; not yet written."""

    case: Case
    outcome: Outcome
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who follows a redrive: `progress` is told the tally after each batch, `pause` waits and says whether to stop."""

    progress: Callable[[Tally], None]
    pause: Callable[[float], bool]


def redrive(
    revision: Revision, kafka: Mapping[str, str], order: Order, watcher: Watcher, writers: WriterSchemas | None = None
) -> Tally:
    """Redrive the open letters that are there now. `writers` finds the schemas that events name, as in a worker.

    Raises ConflictError when another redrive of the pipeline takes over, CannotRunError where topics are missing,
    RefusedError where a processor cannot be loaded, UnreachableError while Kafka, or the registry where it is needed,
    is away. Letters redriven until then stay so.
    """
    name = revision.pipeline.name
    with ExitStack() as stack:
        admin = stack.enter_context(Admin(kafka))
        limits = _limits(admin, revision)
        reader, aside = (stack.enter_context(Browser(kafka)) for _ in range(2))
        chains = stack.enter_context(Chains(revision, limits, writers))
        sink: TransactionSink | None = None
        if not order.dry_run:
            make_ledger(admin)
            sink = TransactionSink(kafka, f"inflect-redrive-{name}", *limits.values())
            stack.callback(sink.close)
            _open(sink, watcher)  # fences an older redrive: what it has marked by now is all it will ever mark
        box = open_box(admin, reader, revision.pipeline)
        ledger = partial(read_ledger, admin, aside, name, box.ledger.topic_ids)
        run = _Redrive(revision, box, chains, sink, ledger, order, watcher)
        for batch in run.batches(cases(revision, order, reader, box, Restorer(admin, aside))):
            run.take(batch)
            if run.tally.stopped is not None:
                break
    return run.tally


def _limits(admin: Admin, revision: Revision) -> dict[str, int]:
    """The size limit of every topic that is written; CannotRunError names those that are missing."""
    pipeline = revision.pipeline
    written = tuple(dict.fromkeys((pipeline.target.topic, *pipeline.side_topics)))
    if missing := sorted(set(written) - admin.describe(written).keys()):
        raise CannotRunError(f"missing topic: {', '.join(missing)}. Create it, then redrive again.")
    return admin.max_record_bytes(written)


def _open(sink: TransactionSink, watcher: Watcher) -> None:
    deadline = monotonic() + OPEN_WITHIN_S
    while not sink.ready:
        try:
            sink.open()
        except NotReadyError as error:
            if monotonic() > deadline or watcher.pause(0):
                raise UnreachableError(f"{error}; run the redrive again") from error


@dataclass(frozen=True, slots=True)
class _Setback:
    """A transaction that failed, in words; the error itself would keep the producer alive by its traceback."""

    why: str
    fenced: bool
    record_refused: bool
    unclear: bool


class _Redrive:
    """One run: cases in, records and marks out, the tally of both."""

    def __init__(  # noqa: PLR0913, PLR0917  the parts of one run, made by `redrive` alone
        self,
        revision: Revision,
        box: Box,
        chains: Chains,
        sink: TransactionSink | None,
        ledger: Callable[[], Ledger],
        order: Order,
        watcher: Watcher,
    ) -> None:
        self.tally = Tally()
        self._revision = revision
        self._box = box
        self._chains = chains
        self._sink = sink
        self._ledger = ledger
        self._rate = None if order.dry_run else order.rate
        self._watcher = watcher
        self._began = monotonic()
        self._setbacks = 0
        self._convicted = 0  # letters in a row that Kafka takes in no form

    def batches(self, chosen: Iterator[Case]) -> Iterator[list[Case]]:
        """Cases for one transaction each: bounded in number by the pipeline, in bytes, and by a second of the rate."""
        most = self._revision.pipeline.batch.max_events
        most = min(most, max(1, math.floor(self._rate))) if self._rate else most
        held: list[Case] = []
        held_bytes = 0
        for case in chosen:
            held.append(case)
            held_bytes += case.event.bytes if case.event else 0
            if len(held) == most or held_bytes > MOST_BATCH_BYTES:
                yield held
                held, held_bytes = [], 0
        if held:
            yield held

    def take(self, batch: Sequence[Case]) -> None:
        """Settle the cases, write what they become, say so, and keep to the rate."""
        settled, refused = self._settle(batch)
        self._deliver(settled)
        for case in refused:
            self.tally.refuse(case.id, case.refusal or "")
        self._watcher.progress(self.tally)
        self._chains.check()
        behind_s = self.tally.selected / self._rate - (monotonic() - self._began) if self._rate else 0.0
        if self._watcher.pause(max(0.0, behind_s)) and self.tally.stopped is None:
            self.tally.stopped = "was asked to stop"

    def _settle(self, batch: Sequence[Case]) -> tuple[list[Done], list[Case]]:
        """What the cases become, up to one that meets `on_error: stop`; and those that are refused."""
        done: list[Done] = []
        refused: list[Case] = []
        for (fine, _, begin), group in groupby(batch, key=lambda case: case.way):
            left = list(group)
            if not fine:
                refused += left
                continue
            while left:
                settled = self._chains.settle(begin, _batch(left))
                self._write_logs(settled)
                done += self._outcomes(left, settled)
                left = left[settled.count :]
                if settled.halted is not None:
                    self.tally.stopped = _halted(left[0], settled.halted)
                    return done, refused
        return done, refused

    def _outcomes(self, batch: Sequence[Case], settled: Settled) -> list[Done]:
        done = [self._outcome(case, index, settled) for index, case in enumerate(batch[: settled.count])]
        counts = Counter(each.outcome for each in done)
        counted = sum(settled.counts.values(), Counts())
        if (counts["delivered"], counts["filtered"]) != (counted.delivered, counted.filtered):
            raise RuntimeError(f"outcomes {dict(counts)} of letters that were settled as {counted}; this is a defect")
        return done

    def _outcome(self, case: Case, index: int, settled: Settled) -> Done:
        records, value, event = settled.records.get(index, ()), settled.values[index], case.event
        if index in settled.failures:
            return Done(case, "dead_lettered" if records else "dropped", records)
        if value and event is not None:
            target = self._revision.pipeline.target.topic
            return Done(case, "delivered", (Record(target, value, event.key, event.headers, event.timestamp),))
        return Done(case, "delivered" if records and index not in settled.filtered_by else "filtered", records)

    def _deliver(self, done: Sequence[Done]) -> None:
        """Write outcomes and marks in one transaction, however often it takes, and count them."""
        if not done:
            return
        setback = self._write(done)
        if setback is None:
            self._setbacks = self._convicted = 0
            for each in done:
                self.tally.count(each.outcome)
            return
        if setback.fenced:
            raise ConflictError(
                f"another redrive of {self._box.pipeline} has taken over, or Kafka was away for too long. "
                "What has been redriven until now stays so; run it again for the rest."
            )
        self._recover(done, setback)

    def _recover(self, done: Sequence[Done], setback: _Setback) -> None:
        """A transaction failed, or nobody knows how it ended: the ledger does. What is not in it is tried again."""
        _log.warning("recovering", pipeline=self._box.pipeline, why=setback.why)
        self._setbacks += 1
        asked_to_stop = self._watcher.pause(_SETBACK_PAUSE_S * self._setbacks)
        left = self._unmarked(done)
        if setback.record_refused and len(done) == len(left) == 1:
            return self._convict(left[0], setback.why)
        if not left:
            return None
        narrows = (setback.record_refused or setback.unclear) and len(left) > 1
        if asked_to_stop or (self._setbacks > _MOST_SETBACKS and not narrows):
            raise InflectError(f"{setback.why}. What has been redriven until now stays so; run it again for the rest.")
        if narrows:  # the broker names no record: halves find it
            middle = len(left) // 2
            self._deliver(left[:middle])
            return self._deliver(left[middle:])
        return self._deliver(left)

    def _unmarked(self, done: Sequence[Done]) -> list[Done]:
        """Those that are not in the ledger, once no transaction of ours is open any more; the others are counted."""
        if self._sink is not None:
            self._sink.close()
            _open(self._sink, self._watcher)
        ledger, left = self._ledger(), []
        for each in done:
            if each.case.letter is not None and ledger.mark(each.case.letter.place, each.case.letter.offset) is None:
                left.append(each)
            else:
                self.tally.count(each.outcome)
        return left

    def _convict(self, one: Done, why: str) -> None:
        """Kafka refuses what this letter became: it fails, by the rules of its pipeline.

        Where its dead letter is refused too, it stays where it is. Several such in a row: no letter would fare better.
        """
        if one.case.failure is not None:
            reason = f"Kafka takes neither what letter {one.case.id} became nor its dead letter: {why}"
            self._convicted += 1
            if self._convicted >= _MOST_CONVICTED:
                raise CannotRunError(f"{reason}. So it was with {self._convicted} letters in a row; none is lost.")
            self._setbacks = 0
            self.tally.refuse(one.case.id, reason)
            return
        failure = Failure("produce", "rejected", f"Kafka refuses what the event became: {why}")
        settled, _ = self._settle([replace(one.case, failure=failure)])
        self._deliver(settled)

    def _write(self, done: Sequence[Done]) -> _Setback | None:
        """One transaction; what went wrong with it, if anything did. A dry run writes nothing."""
        if self._sink is None:
            return None
        if not self._sink.ready:
            _open(self._sink, self._watcher)
        try:
            self._sink.write(self._records(done))
        except TransactionFailedError as error:
            return _Setback(str(error), error.fenced, error.record_refused, error.unclear)
        return None

    def _records(self, done: Sequence[Done]) -> Iterator[Record]:
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for each in done:
            yield from each.records
            if each.case.letter is not None:
                mark = Mark(time, each.outcome, self._revision.number)
                yield self._box.ledger.record(each.case.letter.place, each.case.letter.offset, mark)

    def _write_logs(self, settled: Settled) -> None:
        for line in settled.logs:
            _log.info("console", pipeline=self._box.pipeline, step=line.step, level=line.level, text=line.text)


def _batch(group: Sequence[Case]) -> Batch:
    batch = batch_of_events([case.event for case in group if case.event is not None])
    failures = {index: case.failure for index, case in enumerate(group) if case.failure is not None}
    return replace(batch, failures=failures) if failures else batch


def _halted(case: Case, failure: Failure) -> str:
    where = f" in step {failure.step}" if failure.step else ""
    return f"on_error: stop met letter {case.id}: {failure.kind}{where}: {failure.message}"
