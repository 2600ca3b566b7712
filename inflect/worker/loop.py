"""The loop: consume, process, produce; one transaction at a time.

User code runs before the transaction begins, so between begin and commit nothing can fail but Kafka. Orders are read
between two transactions, which makes every revision change a seam: each partition passes from one revision to the
next at
one offset. Whatever goes wrong ends in one of two ways on: the producer is renewed and Kafka is asked what is
committed, or
the consumer leaves and joins anew.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic

from inflect import lifecycle, logs
from inflect.errors import InflectError, UnreachableError
from inflect.kafka.consumer import ConsumerLostError, Fetched, SourceConsumer
from inflect.kafka.producer import (
    Checkpoint,
    DeliverySink,
    NotReadyError,
    Outputs,
    TransactionFailedError,
    TransactionSink,
)
from inflect.model.event import Failure
from inflect.model.revision import Revision
from inflect.model.status import Halted, PartitionProgress, Report, Stop, WorkerState
from inflect.processing.chain import Chain, Settled
from inflect.worker.books import Settlement, advance, first_unsettled
from inflect.worker.link import Link
from inflect.worker.memory import rss_bytes
from inflect.worker.samples import Measurements

REPORT_EVERY_S = 1.0
IDLE_S = 0.25
REVISION_WAIT_S = 10.0
BACKOFF_S = (0.1, 5.0)

_log = logs.get("worker")


class ReplaceMeError(InflectError):
    """This process has done its work but must not go on; a successor takes over."""


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker works: its slot in the pool, the way to Kafka, who directs it, and what it asks at the start."""

    slot: int
    kafka: Mapping[str, str]
    link: Link
    record_limits: Callable[[Revision], Mapping[str, int]]
    stop_requested: Callable[[], bool]


class Worker:
    """One worker's life: `run` returns the exit code."""

    def __init__(self, post: Post, revision: Revision) -> None:
        self._post = post
        self._link = post.link
        self._stopping = False
        self._halted = False
        self._state: WorkerState = "starting"
        self._detail = ""
        self._ends: dict[int, int] = {}
        self._measured = Measurements()
        self._reported = 0.0
        self._failures = 0
        self._waiting_since = 0.0
        self._paused: set[int] = set()
        self._wanted: Revision | None = None
        self._revision = revision
        limits = post.record_limits(revision)
        self._chain = Chain(revision, max_record_bytes=limits)
        self._sink = self._new_sink(max(limits.values(), default=1_000_000))

    def run(self) -> int:
        """Work until told to stop; the batch in flight is finished and committed first."""
        try:
            while not self._stopping:
                self._live()
        finally:
            self._sink.close()
            self._chain.close()
        return lifecycle.EXIT_HALTED if self._halted else lifecycle.EXIT_OK

    def _live(self) -> None:
        """One membership in the consumer group, until told to stop or until it is lost."""
        self._make_ready()
        if self._stopping:
            return
        pipeline = self._revision.pipeline
        try:
            with SourceConsumer(self._post.kafka, pipeline.group, pipeline.source.topic) as source:
                while not self._stopping:
                    self._turn(source)
                    self._obey(source)
                self._report(source, "stopping")
        except ConsumerLostError as error:
            self._back_off(str(error))

    def _turn(self, source: SourceConsumer) -> None:
        batch_limits = self._revision.pipeline.batch
        fetched = source.fetch(batch_limits.max_events, idle_s=IDLE_S, gather_s=batch_limits.max_wait_ms / 1000)
        self._ends = source.ends()
        self._hold_back(source)
        try:
            self._settle(source, fetched)
        except TransactionFailedError as error:
            self._measured.aborted()
            self._back_off(str(error))
            self._sink.close()
            self._make_ready()
            source.recall()
        if source.partitions:
            self._state = "running" if not self._paused else "waiting"
            self._detail = "" if not self._paused else self._detail
        else:
            self._state, self._detail = "waiting", source.last_error or "no partition assigned"
        self._report_when_due(source)

    def _settle(self, source: SourceConsumer, fetched: Fetched) -> None:
        """Process a batch and commit it with its offsets. Marker-only progress is committed too, so that lag reaches
        0.
        """
        moved = any(source.progress[p].offset != offset for p, offset in fetched.positions.items())
        if not moved or (not len(fetched.batch) and not self._worth_committing(source, fetched)):
            return
        if fetched.membership is None:
            raise ConsumerLostError("events arrived without a membership to commit them under")
        if not self._sink.ready:
            self._make_ready()
        settled = self._chain.settle(fetched.batch, now=datetime.now(UTC), attempt=1)
        self._write_logs(settled)
        if settled.count or not len(fetched.batch):
            self._commit(source, fetched, settled)
        if settled.count < len(fetched.batch):
            source.rewind(first_unsettled(fetched.batch, settled.count))
        if settled.halted is not None:
            self._halt(fetched, settled, settled.halted)
        if self._chain.needs_replacement:
            raise ReplaceMeError("an endless loop in user code could not be ended inside this process")

    def _worth_committing(self, source: SourceConsumer, fetched: Fetched) -> bool:
        """Whether positions moved from somewhere real: a first position alone is not progress."""
        return any(0 <= source.progress[p].offset < offset for p, offset in fetched.positions.items())

    def _commit(self, source: SourceConsumer, fetched: Fetched, settled: Settled) -> None:
        settlement = Settlement(settled.count, settled.counts, settled.steps)
        moved = advance(source.progress, fetched.batch, fetched.positions, settlement, self._revision.number)
        outputs = Outputs(self._revision.pipeline.target.topic, fetched.batch, settled.values, settled.records)
        started = monotonic()
        self._sink.commit(outputs, Checkpoint(source, moved, fetched.membership or b""))
        source.progress.update(moved)
        self._failures = 0
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        self._measured.committed(fetched.batch, settled.count, monotonic() - started, now_ms)
        self._measured.add(self._chain.take_samples())

    def _halt(self, fetched: Fetched, settled: Settled, failure: Failure) -> None:
        partition, offset = fetched.batch.partitions[settled.count], fetched.batch.offsets[settled.count]
        place = f"{fetched.batch.topic}:{partition}:{offset}"
        where = f" in step {failure.step}" if failure.step else ""
        at = f" at {failure.location}" if failure.location else ""
        reason = f"on_error: stop met event {place}: {failure.kind}{where}{at}: {failure.message}"
        self._link.say(Halted(partition, offset, reason))
        self._halted = self._stopping = True

    def _obey(self, source: SourceConsumer) -> None:
        self._orders()
        wanted = self._wanted
        if self._stopping or wanted is None:
            return
        try:
            self._change_revision(source, wanted)
        except UnreachableError as error:  # the order stands; it is carried out when the brokers answer
            self._detail = f"revision {wanted.number} waits: {error}"

    def _orders(self) -> None:
        for order in self._link.orders():
            if isinstance(order, Stop):
                self._stopping = True
            elif order.revision.number > self._revision.number:
                self._wanted = order.revision
        self._stopping |= self._post.stop_requested()

    def _change_revision(self, source: SourceConsumer, revision: Revision) -> None:
        """Swap the chain at the seam between two transactions; the group, the producer and the offsets stay."""
        limits = self._post.record_limits(revision)
        chain = Chain(revision, max_record_bytes=limits)
        self._chain.close()
        self._chain, self._revision, self._wanted = chain, revision, None
        source.resume(self._paused & set(source.partitions))
        self._paused.clear()
        self._sink.close()  # the new revision may write to topics with another size limit
        self._sink = self._new_sink(max(limits.values(), default=1_000_000))
        self._make_ready()
        self._report(source, "running")

    def _hold_back(self, source: SourceConsumer) -> None:
        """Let a partition rest that a newer revision has written already, until that revision reaches this worker
        too.

        Otherwise a rebalance in the middle of a change would take it back to the old one. Bounded, because offsets
        may
        also come from a database that was lost.
        """
        newer = {p for p, progress in source.progress.items() if progress.revision > self._revision.number}
        if self._paused and monotonic() - self._waiting_since > REVISION_WAIT_S:
            source.resume(self._paused & set(source.partitions))
            self._paused.clear()
            self._detail = ""
        elif newer - self._paused and not self._waiting_since:
            self._waiting_since = monotonic()
            self._paused = newer
            source.pause(newer)
            source.rewind({p: source.progress[p].offset for p in newer})
            self._detail = "waiting for the revision that committed these offsets"

    def _make_ready(self) -> None:
        """Open the sink, however long it takes, reporting what it waits for."""
        while not self._stopping and not self._sink.ready:
            try:
                self._sink.open()
            except NotReadyError as error:
                self._state, self._detail = "waiting", str(error)
            except TransactionFailedError as error:
                self._back_off(str(error))
            self._report_when_due(None)
            self._orders()

    def _back_off(self, why: str) -> None:
        """Wait after a failure, longer each time, listening for orders."""
        self._failures += 1
        self._state, self._detail = "waiting", why
        _log.warning("recovering", pipeline=self._revision.pipeline.name, slot=self._post.slot, why=why)
        delay = min(BACKOFF_S[1], BACKOFF_S[0] * 2.0**self._failures) * random.uniform(0.5, 1.0)  # noqa: S311  jitter
        deadline = monotonic() + delay
        self._report(None, "waiting")
        while not self._stopping and (left := deadline - monotonic()) > 0:
            self._link.wait(min(left, IDLE_S))
            self._orders()

    def _report_when_due(self, source: SourceConsumer | None) -> None:
        if monotonic() - self._reported >= REPORT_EVERY_S:
            self._report(source, self._state)

    def _report(self, source: SourceConsumer | None, state: WorkerState) -> None:
        self._state = state
        held: Mapping[int, PartitionProgress] = source.progress if source is not None else {}
        progress = {p: replace(state, end=self._ends.get(p, -1)) for p, state in held.items() if state.offset >= 0}
        report = Report(
            state=state,
            revision=self._revision.number,
            partitions=tuple(sorted(held)),
            progress=progress,
            samples=self._measured.take(),
            rss_bytes=rss_bytes(),
            detail=self._detail,
        )
        self._link.say(report)
        self._reported = monotonic()

    def _write_logs(self, settled: Settled) -> None:
        for line in settled.logs:
            _log.info(
                "console", pipeline=self._revision.pipeline.name, step=line.step, level=line.level, text=line.text
            )

    def _new_sink(self, max_record_bytes: int) -> TransactionSink | DeliverySink:
        pipeline = self._revision.pipeline
        if pipeline.guarantee == "exactly_once":
            return TransactionSink(self._post.kafka, pipeline.transactional_id(self._post.slot), max_record_bytes)
        return DeliverySink(self._post.kafka, max_record_bytes)
