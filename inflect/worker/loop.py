"""The loop: consume, process, produce; one transaction at a time.

User code runs before the transaction begins, so between begin and commit nothing can fail but Kafka. Orders are read
between two transactions, which makes every revision change a seam: each partition passes from one revision to the
next at one offset. Where an event names a schema that cannot be known now, its batch waits and the consumer goes on
polling. Whatever goes wrong ends in one of two ways on: the producer is renewed and Kafka is asked what is
committed, or the consumer leaves and joins anew.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from inflect import lifecycle, logs
from inflect.errors import CannotRunError, InflectError, UnreachableError
from inflect.kafka.consumer import ConsumerLostError, Fetched, SourceConsumer
from inflect.kafka.producer import Checkpoint, NotReadyError, Outputs, TransactionFailedError
from inflect.model.event import Failure
from inflect.model.revision import Revision, needs_restart
from inflect.model.status import Halted, Stop
from inflect.processing.chain import Settled
from inflect.schemas.writers import SchemaAwayError
from inflect.worker.books import Settlement, advance, first_unsettled
from inflect.worker.equipment import NO_SCHEMAS, Equipment, SchemaAccess, equip
from inflect.worker.link import Link
from inflect.worker.reporter import Reporter
from inflect.worker.setbacks import Setback, Setbacks

IDLE_S = 0.25
REVISION_WAIT_S = 10.0
LEAST_BACKOFF_S, MOST_BACKOFF_S = 0.2, 5.0
LOOK_AGAIN_AFTER = 2
SCHEMA_WAIT_S = 1.0

_log = logs.get("worker")


class ReplaceMeError(InflectError):
    """This process has done its work but must not go on; a successor takes over."""


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker works: its slot in the pool, the way to Kafka, who directs it, and what it asks about topics and
    schemas.
    """

    slot: int
    kafka: Mapping[str, str]
    link: Link
    record_limits: Callable[[Revision], Mapping[str, int]]
    stop_requested: Callable[[], bool]
    schemas: SchemaAccess = NO_SCHEMAS


class Worker:
    """One worker's life: `run` returns the exit code. `revision` is the one it runs, or could not run."""

    def __init__(self, post: Post, revision: Revision) -> None:
        self.revision = revision
        self._post = post
        self._link = post.link
        self._reporter = Reporter(post.link, revision.number)
        self._setbacks = Setbacks()
        self._stopping = False
        self._halted = False
        self._wanted: Revision | None = None
        self._waited_for = 0
        self._notice = ""
        self._schema_away = ""
        self._equipment: Equipment

    def run(self) -> int:
        """Work until told to stop; the batch in flight is finished and committed first.

        Raises `CannotRunError` or `RefusedError` when `revision` cannot run here, other InflectErrors when this process
        should be replaced.
        """
        self._equipment = self._equip(self._post.record_limits(self.revision))
        try:
            while not self._stopping:
                self._live()
        finally:
            self._equipment.close()
        return lifecycle.EXIT_HALTED if self._halted else lifecycle.EXIT_OK

    def _equip(self, limits: Mapping[str, int]) -> Equipment:
        return equip(self._post.kafka, self._post.slot, self.revision, limits, self._post.schemas)

    def _live(self) -> None:
        """One membership in the consumer group, until told to stop or until it is lost."""
        self._make_ready()
        if self._stopping:
            return
        pipeline, meanwhile, lost = self.revision.pipeline, self._reporter.say_when_due, ""
        try:
            with SourceConsumer(self._post.kafka, pipeline.group, pipeline.source.topic, meanwhile) as source:
                self._reporter.source = source
                while not self._stopping:
                    self._turn(source)
                    self._obey()
                self._reporter.note("stopping")
                self._reporter.say()
        except ConsumerLostError as error:
            lost = str(error)
        finally:
            self._reporter.source = None
        if lost:
            self._back_off(lost)

    def _turn(self, source: SourceConsumer) -> None:
        limits = self.revision.pipeline.batch
        most_events = self._setbacks.most_events(limits.max_events)
        fetched = source.fetch(most_events, idle_s=IDLE_S, gather_s=limits.max_wait_ms / 1000)
        self._tell_gaps(fetched)
        setback: Setback | None = None
        known_away, self._schema_away = self._schema_away, ""
        try:
            if self._await_revision(source):
                self._settle(source, fetched)
        except TransactionFailedError as error:  # keeping the error would keep the producer, by its traceback
            setback = Setback(str(error), error.fenced, error.record_refused, error.unclear)
        except SchemaAwayError as error:
            self._schema_away = str(error)
            if self._schema_away != known_away:
                _log.warning("waiting for a schema", pipeline=self.revision.pipeline.name, why=self._schema_away)
            self._put_back(source, fetched)
        if setback is not None:
            self._recover(source, fetched, setback)
        self._note_state(source)
        self._reporter.say_when_due()

    def _note_state(self, source: SourceConsumer) -> None:
        if source.is_cut_off():
            self._reporter.note("waiting", f"Kafka does not answer: {source.last_error}")
        elif self._schema_away:
            self._reporter.note("waiting", self._schema_away)
        elif source.partitions:
            self._reporter.note("running", self._notice)
        else:
            self._reporter.note("waiting", source.last_error or "no partition assigned")

    def _tell_gaps(self, fetched: Fetched) -> None:
        for gap in fetched.gaps:
            self._notice = (
                f"retention removed events of {fetched.batch.topic} [{gap.partition}] before they were read: "
                f"{gap.end - gap.first} from offset {gap.first} on"
            )
            _log.error("events are gone", pipeline=self.revision.pipeline.name, what=self._notice)

    def _settle(self, source: SourceConsumer, fetched: Fetched) -> None:
        """Process a batch and commit it with its offsets."""
        if not _has_news(source, fetched):
            return
        if fetched.membership is None:
            raise ConsumerLostError("events arrived without a membership to commit them under")
        self._make_ready()
        if not self._equipment.sink.ready:  # told to stop meanwhile; nothing of the batch has been written
            return
        chain, batch = self._equipment.chain, self._setbacks.marked(fetched.batch)
        settled = chain.settle(batch, now=datetime.now(UTC))
        self._reporter.say_when_due()
        self._write_logs(settled)
        if settled.count or not len(batch):
            self._commit(source, fetched, settled)
        if settled.halted is not None:
            self._halt(fetched, settled, settled.halted)
        elif chain.needs_replacement:
            raise ReplaceMeError("an endless loop in user code could not be ended inside this process")
        elif settled.count < len(batch):
            source.rewind(first_unsettled(batch, settled.count))

    def _put_back(self, source: SourceConsumer, fetched: Fetched) -> None:
        """Wait a moment, then fetch the same again: nothing of it is settled. Polling keeps the membership alive."""
        source.rewind(first_unsettled(fetched.batch, 0))
        self._note_state(source)
        self._reporter.say_when_due()
        self._link.wait(SCHEMA_WAIT_S)

    def _commit(self, source: SourceConsumer, fetched: Fetched, settled: Settled) -> None:
        settlement = Settlement(settled.count, settled.counts, settled.steps)
        moved = advance(source.progress, fetched.batch, fetched.positions, settlement, self.revision.number)
        outputs = Outputs(self.revision.pipeline.target.topic, fetched.batch, settled.values, settled.records)
        started = monotonic()
        self._equipment.sink.commit(outputs, Checkpoint(source, moved, fetched.membership or b"", self._say_slow))
        source.progress.update(moved)
        self._setbacks.committed(fetched.batch)
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        self._reporter.measured.committed(fetched.batch, settled.count, monotonic() - started, now_ms)
        self._reporter.measured.add(self._equipment.chain.take_samples())

    def _say_slow(self) -> None:
        self._reporter.note("waiting", "Kafka is slow to commit a transaction")
        self._reporter.say_when_due()

    def _recover(self, source: SourceConsumer, fetched: Fetched, setback: Setback) -> None:
        """Throw the producer away and begin again at what Kafka says is committed."""
        self._reporter.measured.aborted()
        self._equipment.sink.close()
        self._look_out_for_a_rival(fenced=setback.fenced)
        self._setbacks.learn(fetched.batch, setback)
        self._back_off(setback.why)
        self._make_ready()
        if self._setbacks.in_a_row >= LOOK_AGAIN_AFTER:
            self._look_again()
        if not self._stopping:
            source.recall()

    def _look_out_for_a_rival(self, *, fenced: bool) -> None:
        if fenced and self._setbacks.rival():
            held = self.revision.pipeline.transactional_id(self._post.slot)
            raise ReplaceMeError(f"another process uses the transactional id {held}; this one gives way")

    def _look_again(self) -> None:
        """Topics may be gone, or their limits lower: raises `CannotRunError`, or takes the new limits over."""
        try:
            limits = self._post.record_limits(self.revision)
        except UnreachableError:
            return
        if limits != self._equipment.limits:
            self._equipment.close()
            self._equipment = self._equip(limits)
            self._make_ready()

    def _halt(self, fetched: Fetched, settled: Settled, failure: Failure) -> None:
        partition, offset = fetched.batch.partitions[settled.count], fetched.batch.offsets[settled.count]
        place = f"{fetched.batch.topic}:{partition}:{offset}"
        where = f" in step {failure.step}" if failure.step else ""
        at = f" at {failure.location}" if failure.location else ""
        reason = f"on_error: stop met event {place}: {failure.kind}{where}{at}: {failure.message}"
        self._link.say(Halted(partition, offset, reason))
        self._halted = self._stopping = True

    def _obey(self) -> None:
        self._orders()
        wanted = self._wanted
        if self._stopping or wanted is None:
            return
        try:
            self._change_revision(wanted)
        except UnreachableError as error:  # the order stands; it is carried out when the brokers answer
            self._reporter.note("waiting", f"revision {wanted.number} waits: {error}")

    def _orders(self) -> None:
        for order in self._link.orders():
            if isinstance(order, Stop):
                self._stopping = True
            elif order.revision.number > self.revision.number:
                self._wanted = order.revision
        self._stopping |= self._post.stop_requested()

    def _change_revision(self, revision: Revision) -> None:
        """Swap chain and sink at the seam between two transactions; the group and the offsets stay."""
        if needs_restart(self.revision, revision):
            raise ReplaceMeError(f"revision {revision.number} reads another topic or gives another guarantee")
        try:
            limits = self._post.record_limits(revision)
        except CannotRunError:
            self.revision = revision
            raise
        self.revision, self._wanted, self._reporter.revision = revision, None, revision.number
        self._equipment.close()
        self._equipment = self._equip(limits)
        self._make_ready()
        self._reporter.note("running", self._notice)
        self._reporter.say()

    def _await_revision(self, source: SourceConsumer) -> bool:
        """Wait, with the batch in hand, for a revision that has committed offsets of ours already; False: told to stop.

        Otherwise a rebalance in the middle of a change would take a partition back to the old one. Bounded, because
        offsets may also come from a database that was lost.
        """
        newest = max((progress.revision for progress in source.progress.values()), default=0)
        deadline = monotonic() + REVISION_WAIT_S
        while newest > max(self.revision.number, self._waited_for) and not self._stopping:
            self._reporter.note(
                "waiting", f"revision {newest} has committed these offsets and has not arrived here yet"
            )
            self._reporter.say_when_due()
            self._link.wait(IDLE_S)
            self._obey()
            if monotonic() > deadline:
                self._waited_for = newest
        return not self._stopping

    def _make_ready(self) -> None:
        """Open the sink, however long it takes, saying what it waits for."""
        while not self._stopping and not self._equipment.sink.ready:
            setback: Setback | None = None
            try:
                self._equipment.sink.open()
            except NotReadyError as error:
                self._reporter.note("waiting", str(error))
            except TransactionFailedError as error:
                setback = Setback(str(error), error.fenced)
            if setback is not None:
                self._look_out_for_a_rival(fenced=setback.fenced)
                self._back_off(setback.why)
            self._reporter.say_when_due()
            self._orders()

    def _back_off(self, why: str) -> None:
        """Wait after a failure, longer each time, listening for orders."""
        self._setbacks.in_a_row += 1
        _log.warning("recovering", pipeline=self.revision.pipeline.name, slot=self._post.slot, why=why)
        longest = min(MOST_BACKOFF_S, LEAST_BACKOFF_S * 2.0 ** min(self._setbacks.in_a_row - 1, 10))
        deadline = monotonic() + longest * random.uniform(0.5, 1.0)  # noqa: S311  jitter, not a secret
        self._reporter.note("waiting", why)
        self._reporter.say()
        while not self._stopping and (left := deadline - monotonic()) > 0:
            self._link.wait(min(left, IDLE_S))
            self._orders()

    def _write_logs(self, settled: Settled) -> None:
        for line in settled.logs:
            _log.info("console", pipeline=self.revision.pipeline.name, step=line.step, level=line.level, text=line.text)


def _has_news(source: SourceConsumer, fetched: Fetched) -> bool:
    """Whether there are events, or markers that were passed: those are committed too, so that lag reaches 0.

    A first position alone is not progress.
    """
    return len(fetched.batch) > 0 or any(
        0 <= source.progress[partition].offset < position for partition, position in fetched.positions.items()
    )
